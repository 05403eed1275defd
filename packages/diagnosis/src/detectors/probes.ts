// Pods that run and are not ready.

import type { Pod } from '@aksel/api/types/core-v1'
import { describeCommand, inNamespace, type Found } from '../finding.ts'
import { eventLine, logKey, podRef, warningsOf, type Picture } from '../picture.ts'
import { containersOf, wantedPods, type NamedContainer } from '../pod-facts.ts'
import { isDeclared } from './containers.ts'
import { causeInLog } from './log-causes.ts'

export function unreadyPods(picture: Picture): readonly Found[] {
  return wantedPods(picture).flatMap((pod) =>
    containersOf(pod)
      .filter(({ status, isInit }) => !isInit && status.state?.running !== undefined && !status.ready)
      .flatMap((container) => findingOf(picture, pod, container) ?? []),
  )
}

function findingOf(picture: Picture, pod: Pod, { spec, status }: NamedContainer): Found | undefined {
  const subject = podRef(pod)
  const kind = status.started === false && spec.startupProbe !== undefined ? 'startup' : 'readiness'
  const probe = kind === 'startup' ? spec.startupProbe : spec.readinessProbe
  if (probe === undefined) return undefined
  const words = kind === 'startup' ? 'Startup probe' : 'Readiness probe'
  const event = warningsOf(picture, subject).find(
    ({ reason, message = '' }) => reason === 'Unhealthy' && message.startsWith(words),
  )
  if (event === undefined) return undefined
  const port = probe.httpGet?.port ?? probe.tcpSocket?.port ?? probe.grpc?.port
  const declared = (spec.ports ?? []).map(({ name, containerPort }) => name ?? String(containerPort))
  const isElsewhere = port !== undefined && declared.length > 0 && !isDeclared(port, spec)
  const said = causeInLog(picture.logs.get(logKey(pod, spec.name)) ?? [])
  const status404 = /statuscode: (\d+)/.exec(event.message ?? '')?.[1]
  return {
    id: `containers/${kind}-probe`,
    subject,
    symptom: `Container "${spec.name}" runs and is not ready: services send it nothing.`,
    cause: isElsewhere
      ? `Its ${kind} probe asks port ${port}, and the container declares ${declared.join(', ')}.`
      : said !== undefined
        ? `Its ${kind} probe fails, and its log says why: ${said.cause}`
        : status404 === undefined
          ? `Its ${kind} probe gets no answer: nobody listens there, or it is too slow.`
          : `Its ${kind} probe at ${probe.httpGet?.path ?? '/'} is answered with ${status404}.`,
    evidence: [
      { subject, line: eventLine(event) },
      ...(said === undefined ? [] : [{ subject, line: `log of ${spec.name}: ${said.line}` }]),
    ],
    fix: isElsewhere
      ? `Correct the port of the ${kind} probe.`
      : `Correct the ${kind} probe, or what the program answers there.`,
    commands: [describeCommand(subject), `kubectl logs ${pod.metadata.name} -c ${spec.name}${inNamespace(subject)}`],
    confidence: isElsewhere ? 'certain' : 'likely',
  }
}
