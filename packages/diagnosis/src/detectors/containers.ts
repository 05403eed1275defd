// Containers that do not come up or do not stay up.

import type { ContainerStateTerminated, Pod } from '@aksel/api/types/core-v1'
import { describeCommand, inNamespace, type Evidence, type Found } from '../finding.ts'
import { eventLine, logKey, podRef, warningOf, type Picture } from '../picture.ts'
import { containersOf, isBeingDeleted, ownerOf, type NamedContainer } from '../pod-facts.ts'
import { imageCause } from './images.ts'
import { causeInLog } from './log-causes.ts'
import { missingReference } from './references.ts'

/** Restarts after which a running container is still told about. */
const RESTARTS_TOLD = 3

export function failingContainers(picture: Picture): readonly Found[] {
  return picture.pods
    .filter((pod) => !isBeingDeleted(pod) && pod.status?.phase !== 'Succeeded')
    .flatMap((pod) => [
      ...startFailures(picture, pod),
      ...containersOf(pod).flatMap((one) => findingOf(picture, pod, one) ?? []),
    ])
}

function findingOf(picture: Picture, pod: Pod, container: NamedContainer): Found | undefined {
  const { state, lastState, restartCount } = container.status
  const waiting = state?.waiting
  switch (waiting?.reason) {
    case 'ImagePullBackOff':
    case 'ErrImagePull':
    case 'InvalidImageName':
    case 'ErrImageNeverPull':
    case 'RegistryUnavailable':
      return imageFinding(picture, pod, container)
    case 'CreateContainerConfigError':
    case 'CreateContainerError':
    case 'RunContainerError':
      return configFinding(picture, pod, container)
    default:
      break
  }
  const ended = state?.terminated ?? lastState?.terminated
  if (ended === undefined) return undefined
  const isFailure = ended.exitCode !== 0
  const isCrashLoop = waiting?.reason === 'CrashLoopBackOff'
  const isStillDown = state?.terminated !== undefined && isFailure
  const keepsFalling = ended.reason === 'OOMKilled' || restartCount >= RESTARTS_TOLD
  if (!isCrashLoop && !isStillDown && !(isFailure && keepsFalling)) return undefined
  // The pods of a Job that goes on are tried again; the Job tells when it gives up.
  if (isStillDown && pod.spec.restartPolicy === 'Never' && ownerOf(picture, pod).kind !== 'Pod') return undefined
  return endFinding(picture, pod, container, ended)
}

function endFinding(
  picture: Picture,
  pod: Pod,
  { spec, status, isInit }: NamedContainer,
  ended: ContainerStateTerminated,
): Found {
  const subject = podRef(pod)
  const what = `${isInit ? 'Init container' : 'Container'} "${spec.name}"`
  const restarts = status.restartCount === 0 ? '' : `, restarted ${status.restartCount} times`
  const symptom = `${what} ends with exit code ${ended.exitCode}${restarts}.`
  const evidence: Evidence[] = [
    {
      subject,
      line: `terminated: ${ended.reason ?? ''}, exit code ${ended.exitCode}${ended.message === undefined ? '' : `, ${ended.message.trim()}`}`,
    },
  ]
  const logs = `kubectl logs ${pod.metadata.name} -c ${spec.name} --previous${inNamespace(subject)}`
  const common = { subject, symptom, commands: [logs, describeCommand(subject)] }
  if (ended.reason === 'OOMKilled')
    return {
      ...common,
      id: 'containers/out-of-memory',
      cause: `It needs more memory than its limit of ${spec.resources?.limits?.['memory'] ?? 'the node'} allows, and was killed.`,
      evidence,
      fix: 'Raise resources.limits.memory, or find out why it grows.',
      commands: [`kubectl top pod ${pod.metadata.name} --containers${inNamespace(subject)}`, logs],
      confidence: 'certain',
    }
  const liveness = warningOf(picture, subject, 'Unhealthy')
  if (liveness?.message?.startsWith('Liveness probe failed') === true && [137, 143].includes(ended.exitCode))
    return livenessFinding(common, spec, [...evidence, { subject, line: eventLine(liveness) }])
  const start = startCause(ended)
  if (start !== undefined)
    return {
      ...common,
      id: 'containers/cannot-start',
      cause: start,
      evidence,
      fix: 'Correct the command or the image of the container.',
      confidence: 'certain',
    }
  const said = causeInLog([...(picture.logs.get(logKey(pod, spec.name)) ?? []), ...(ended.message?.split('\n') ?? [])])
  if (said !== undefined)
    return {
      ...common,
      id: said.id,
      cause: said.cause,
      evidence: [...evidence, { subject, line: `log of ${spec.name}: ${said.line}` }],
      fix: said.fix,
      confidence: 'likely',
    }
  const last = picture.logs.get(logKey(pod, spec.name))?.at(-1)
  return {
    ...common,
    id: 'containers/crash',
    cause: `The program ends by itself with exit code ${ended.exitCode}${exitWords(ended.exitCode)}.`,
    evidence: last === undefined ? evidence : [...evidence, { subject, line: `log of ${spec.name}: ${last}` }],
    fix: 'Its log says why.',
    confidence: 'possible',
  }
}

function livenessFinding(
  common: Pick<Found, 'subject' | 'symptom' | 'commands'>,
  spec: NamedContainer['spec'],
  evidence: readonly Evidence[],
): Found {
  const port = spec.livenessProbe?.httpGet?.port ?? spec.livenessProbe?.tcpSocket?.port
  const declared = (spec.ports ?? []).map(({ containerPort, name }) => name ?? containerPort)
  const isElsewhere = port !== undefined && declared.length > 0 && !isDeclared(port, spec)
  return {
    ...common,
    id: 'containers/liveness-probe',
    symptom: `Container "${spec.name}" is killed again and again because its liveness probe fails.`,
    cause: isElsewhere
      ? `The probe asks port ${port}, and the container declares ${declared.join(', ')}.`
      : 'The probe fails although the program runs: wrong path or port, or it is too slow.',
    evidence,
    fix: isElsewhere
      ? 'Correct the port of the liveness probe.'
      : 'Correct the probe, or give it more time (startupProbe, timeoutSeconds).',
    confidence: isElsewhere ? 'certain' : 'likely',
  }
}

/** By number or by name. */
export function isDeclared(port: string | number, { ports = [] }: NamedContainer['spec']): boolean {
  return ports.some(({ containerPort, name }) => containerPort === Number(port) || name === port)
}

/** Where the runtime could not even start the program. */
function startCause({ reason, exitCode, message = '' }: ContainerStateTerminated): string | undefined {
  if (reason !== 'StartError' && reason !== 'ContainerCannotRun' && exitCode !== 127 && exitCode !== 126)
    return undefined
  const missing = missingProgram(message)
  if (missing !== undefined) return missing
  if (reason === 'StartError' || reason === 'ContainerCannotRun') return `The container cannot be started: ${message}`
  return undefined
}

function missingProgram(message: string): string | undefined {
  const name = /exec: "([^"]+)"/.exec(message)?.[1]
  return name === undefined ? undefined : `There is no program "${name}" that could be started in the image.`
}

function exitWords(code: number): string {
  if (code === 137) return ' (killed)'
  if (code === 139) return ' (segmentation fault)'
  if (code === 143) return ' (told to end)'
  return code === 127 ? ' (a command was not found)' : code === 126 ? ' (a command may not be run)' : ''
}

function imageFinding(picture: Picture, pod: Pod, { spec, status }: NamedContainer): Found {
  const subject = podRef(pod)
  const event = warningOf(picture, subject, 'Failed', 'InspectFailed')
  const message = [status.state?.waiting?.message, event?.message].filter((each) => each !== undefined).join(' ')
  const { id, cause, fix } = imageCause(spec.image ?? '', message, picture, pod)
  return {
    id: `containers/${id}`,
    subject,
    symptom: `The image of container "${spec.name}" cannot be pulled.`,
    cause,
    evidence: [
      { subject, line: `waiting: ${status.state?.waiting?.reason}: ${status.state?.waiting?.message ?? ''}` },
      ...(event === undefined ? [] : [{ subject, line: eventLine(event) }]),
    ],
    fix,
    commands: [describeCommand(subject)],
    confidence: id === 'image-pull' ? 'possible' : 'certain',
  }
}

function configFinding(picture: Picture, pod: Pod, { spec, status }: NamedContainer): Found {
  const subject = podRef(pod)
  const message = status.state?.waiting?.message ?? ''
  const missing = missingReference(picture, pod.metadata.namespace ?? '', message)
  const program = missingProgram(message)
  return {
    id: missing?.id ?? (program === undefined ? 'containers/config' : 'containers/cannot-start'),
    subject,
    symptom: `Container "${spec.name}" cannot be created.`,
    cause: missing?.cause ?? program ?? message,
    evidence: [{ subject, line: `waiting: ${status.state?.waiting?.reason}: ${message}` }],
    fix: missing?.fix ?? 'Correct what the message names.',
    commands: [...(missing?.commands ?? []), describeCommand(subject)],
    confidence: missing === undefined && program === undefined ? 'possible' : 'certain',
  }
}

/** What keeps a pod from starting any container: volumes that cannot be mounted, a sandbox that cannot be made. */
function startFailures(picture: Picture, pod: Pod): readonly Found[] {
  const creating = [...(pod.status?.containerStatuses ?? []), ...(pod.status?.initContainerStatuses ?? [])]
  if (!creating.some(({ state }) => ['ContainerCreating', 'PodInitializing'].includes(state?.waiting?.reason ?? '')))
    return []
  const subject = podRef(pod)
  const event = warningOf(
    picture,
    subject,
    'FailedMount',
    'FailedAttachVolume',
    'FailedCreatePodSandBox',
    'FailedMapVolume',
  )
  if (event === undefined) return []
  const message = event.message ?? ''
  const missing = missingReference(picture, pod.metadata.namespace ?? '', message)
  const isSandbox = event.reason === 'FailedCreatePodSandBox'
  return [
    {
      id: missing?.id ?? (isSandbox ? 'network/sandbox' : 'storage/mount'),
      subject,
      symptom: 'The pod stays in ContainerCreating.',
      cause: missing?.cause ?? message,
      evidence: [{ subject, line: eventLine(event) }],
      fix:
        missing?.fix ??
        (isSandbox ? 'Look at the node: its network could not take the pod in.' : 'Look at the volume and its claim.'),
      commands: [...(missing?.commands ?? []), describeCommand(subject)],
      confidence: missing === undefined ? 'possible' : 'certain',
    },
  ]
}
