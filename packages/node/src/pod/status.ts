// The status of a pod as the API shows it, made from its specification and what the runtime and the probes say. Pure:
// the same facts give the same status, and nothing is remembered but what stands in the old one.

import { couldRestartAll } from '@aksel/api/pod-restarts'
import type { Container, Pod, PodCondition, PodStatus } from '@aksel/api/types/core-v1'
import { formatTime } from '@aksel/base/clock'
import { containerStatus } from './container-status.ts'
import type { ContainerFacts } from './container-status.ts'
import type { PodFailure } from './failure.ts'
import { isSidecar } from './names.ts'
import type { Amounts } from './resize.ts'
import type { ResizeState } from './pod-resizes.ts'
import { hasFailedInit, mayRestart, restartAllCause } from './restarts.ts'
import { currentSandbox, latestRun } from './runtime-view.ts'
import type { ContainerRun, RuntimeView } from './runtime-view.ts'

export interface StatusFacts {
  readonly pod: Pod
  readonly view: RuntimeView
  readonly nowMs: number
  /** The node's own. */
  readonly hostIps: readonly string[]
  readonly probes: (run: ContainerRun) => { readonly started: boolean; readonly ready: boolean }
  /** Why a container does not run, where the agent knows better than the runtime. */
  readonly waiting: ReadonlyMap<string, { readonly reason: string; readonly message?: string }>
  /** What a running container is held to, and how far a resize has come. */
  readonly inForce: (run: ContainerRun) => Amounts
  /** What the pod as a whole is held to; meant only where the pod says so itself. */
  readonly wholeInForce: Amounts
  readonly resize: ResizeState
  /** Text that a container left when it ended. */
  readonly terminationMessage: (run: ContainerRun) => string
  /** The pod was ended by the node: deadline, eviction, refusal. */
  readonly failure?: PodFailure
  /** The pod is being deleted and its containers are down. */
  readonly ended?: boolean
}

export function podStatus(facts: StatusFacts): PodStatus {
  const { pod, view, nowMs } = facts
  const old = pod.status ?? {}
  const refused = refusedStatus(facts)
  if (refused !== undefined) return refused
  const initStatuses = (pod.spec.initContainers ?? []).map((container) =>
    containerStatus(container, containerFacts(facts, container, true)),
  )
  const statuses = pod.spec.containers.map((container) => containerStatus(container, containerFacts(facts, container)))
  const ephemeral = (pod.spec.ephemeralContainers ?? []).map((container) =>
    containerStatus(container, containerFacts(facts, container)),
  )
  const phase = phaseOf(facts)
  const ips = podIps(facts)
  const generation = pod.metadata.generation
  const next: PodStatus = {
    ...old,
    ...(generation === undefined ? {} : { observedGeneration: generation }),
    phase,
    conditions: conditionsOf(facts, phase, initStatuses, statuses),
    hostIP: facts.hostIps[0]!,
    hostIPs: facts.hostIps.map((ip) => ({ ip })),
    startTime: old.startTime ?? formatTime(nowMs),
    ...(facts.failure?.isRefusal === true ? {} : { containerStatuses: statuses }),
    ...wholeResources(facts),
    ...(ephemeral.length === 0 ? {} : { ephemeralContainerStatuses: ephemeral }),
    ...(initStatuses.length === 0 || facts.failure?.isRefusal === true ? {} : { initContainerStatuses: initStatuses }),
    ...(ips.length === 0 ? {} : { podIP: ips[0]!, podIPs: ips.map((ip) => ({ ip })) }),
    ...(facts.failure === undefined ? {} : { reason: facts.failure.reason, message: facts.failure.message }),
  }
  // A sandbox that is gone takes its address along, unless the pod has ended: then the last one is kept, as upstream.
  if (ips.length === 0 && phase !== 'Succeeded' && phase !== 'Failed' && currentSandbox(view) !== undefined) {
    const { podIP: _, podIPs: __, ...rest } = next
    return rest
  }
  return next
}

/** An API server that does not resize pods as a whole drops these. */
function wholeResources({
  pod,
  wholeInForce,
  resize,
}: StatusFacts): Pick<PodStatus, 'resources' | 'allocatedResources'> {
  if (pod.spec.resources === undefined) return {}
  const allocated = resize.refused === undefined ? pod.spec.resources.requests : wholeInForce.requests
  return { resources: wholeInForce, ...(allocated === undefined ? {} : { allocatedResources: allocated }) }
}

/** A pod that was turned away at the door: nothing of it was ever here to tell of. */
function refusedStatus({ pod, view, failure, nowMs }: StatusFacts): PodStatus | undefined {
  const old = pod.status ?? {}
  if (failure === undefined || view.containers.length > 0 || old.containerStatuses !== undefined) return undefined
  const { generation } = pod.metadata
  const observed = generation === undefined ? {} : { observedGeneration: generation }
  return { ...old, ...observed, ...failure, phase: 'Failed', startTime: old.startTime ?? formatTime(nowMs) }
}

function containerFacts(facts: StatusFacts, container: Container, isInit = false): ContainerFacts {
  const runs = facts.view.containers.filter((run) => run.name === container.name)
  const hasInit = (facts.pod.spec.initContainers ?? []).length > 0
  const initialized = isInitialized(facts)
  const waiting = facts.waiting.get(container.name)
  return {
    runs,
    isInit,
    pendingReason: hasInit && !initialized ? 'PodInitializing' : 'ContainerCreating',
    probes: facts.probes,
    inForce: facts.inForce,
    isRefused: facts.resize.refused !== undefined,
    terminationMessage: facts.terminationMessage,
    ended: facts.ended === true || facts.failure !== undefined,
    known: (isInit ? facts.pod.status?.initContainerStatuses : facts.pod.status?.containerStatuses)?.find(
      ({ name }) => name === container.name,
    ),
    ...(waiting === undefined ? {} : { waiting }),
  }
}

function podIps({ pod, view, hostIps }: StatusFacts): readonly string[] {
  if (pod.spec.hostNetwork === true) return hostIps
  const sandbox = currentSandbox(view)
  return sandbox?.ready === true ? sandbox.ips : []
}

function isInitialized({ pod, view, probes }: StatusFacts): boolean {
  const began = pod.spec.containers.some(({ name }) => latestRun(view, name) !== undefined)
  return (
    began ||
    (pod.spec.initContainers ?? []).every((container) => {
      const run = latestRun(view, container.name)
      if (run === undefined) return false
      if (isSidecar(container)) return run.state === 'CONTAINER_RUNNING' && probes(run).started
      return run.state === 'CONTAINER_EXITED' && run.exitCode === 0
    })
  )
}

/** Upstream's getPhase. A deleted pod whose containers are down always comes to an end. */
export function phaseOf(facts: StatusFacts): string {
  const { pod, view, failure, ended } = facts
  const known = pod.status?.phase
  if (known === 'Failed' || known === 'Succeeded') return known
  if (failure !== undefined) return 'Failed'
  // While all containers restart, the pod is where it was.
  if (restartAllCause(pod, view) !== undefined) return known ?? 'Pending'
  const runs = pod.spec.containers.map(({ name }) => latestRun(view, name))
  const count = (state: (run: ContainerRun) => boolean): number =>
    runs.filter((run) => run !== undefined && state(run)).length
  const running = count((run) => run.state === 'CONTAINER_RUNNING')
  const stopped = count((run) => run.state === 'CONTAINER_EXITED')
  const succeeded = count((run) => run.state === 'CONTAINER_EXITED' && run.exitCode === 0)
  if (ended === true) return succeeded === runs.length ? 'Succeeded' : 'Failed'
  if (hasFailedInit(pod, view) && running === 0) return 'Failed'
  if (!isInitialized(facts)) return 'Pending'
  if (runs.some((run) => run === undefined)) return 'Pending'
  if (running > 0 && runs.every((run) => run !== undefined)) return 'Running'
  if (stopped === runs.length) {
    const again = pod.spec.containers.some((container, index) => mayRestart(pod, container, runs[index]!))
    return again ? 'Running' : succeeded === stopped ? 'Succeeded' : 'Failed'
  }
  return 'Pending'
}

interface Ready {
  readonly name: string
  readonly ready: boolean
}

function conditionsOf(
  facts: StatusFacts,
  phase: string,
  initStatuses: readonly Ready[],
  statuses: readonly Ready[],
): readonly PodCondition[] {
  const { pod, view } = facts
  const sandbox = currentSandbox(view)
  const hasNetwork = sandbox?.ready === true && (pod.spec.hostNetwork === true || sandbox.ips.length > 0)
  const containersReady = readiness(phase, statuses, sidecarStatuses(pod, initStatuses))
  const ready = containersReady.status === 'True' ? gates(pod) : containersReady
  const owned: readonly (readonly [string, Verdict])[] = [
    ['PodReadyToStartContainers', { status: hasNetwork ? 'True' : 'False' }],
    ['Initialized', initialized(facts, phase, initStatuses)],
    ['Ready', ready],
    ['ContainersReady', containersReady],
    ...restarting(facts, phase),
    ...resizing(facts.resize),
    ...disrupted(facts.failure),
  ]
  const old = pod.status?.conditions ?? []
  const names = new Set([...owned.map(([type]) => type), 'PodResizePending', 'PodResizeInProgress'])
  const made = owned.map(([type, verdict]) => condition(facts, type, verdict))
  const scheduled = old.some(({ type }) => type === 'PodScheduled')
    ? []
    : [condition(facts, 'PodScheduled', { status: 'True' })]
  return [...made, ...scheduled, ...old.filter(({ type }) => !names.has(type))]
}

/** Only of pods where it can happen. */
function restarting({ pod, view }: StatusFacts, phase: string): readonly (readonly [string, Verdict])[] {
  if (!couldRestartAll(pod.spec)) return []
  const over = { Succeeded: 'PodCompleted', Failed: 'PodFailed' }[phase]
  if (over !== undefined) return [['AllContainersRestarting', { status: 'False', reason: over }]]
  const isOn = restartAllCause(pod, view) !== undefined
  return [['AllContainersRestarting', { status: isOn ? 'True' : 'False' }]]
}

/** Only there while there is something to say. */
function resizing({ refused, going }: ResizeState): readonly (readonly [string, Verdict])[] {
  return [
    ...(refused === undefined ? [] : [['PodResizePending', { status: 'True', ...refused }] as const]),
    ...(going === undefined
      ? []
      : [
          [
            'PodResizeInProgress',
            { status: 'True', ...(going.message === undefined ? {} : { reason: 'Error', message: going.message }) },
          ] as const,
        ]),
  ]
}

function disrupted(failure: PodFailure | undefined): readonly (readonly [string, Verdict])[] {
  if (failure?.disruption === undefined) return []
  return [['DisruptionTarget', { status: 'True', reason: failure.disruption, message: failure.message }]]
}

interface Verdict {
  readonly status: 'True' | 'False'
  readonly reason?: string
  readonly message?: string
}

function condition({ pod, nowMs }: StatusFacts, type: string, verdict: Verdict): PodCondition {
  const before = pod.status?.conditions?.find((entry) => entry.type === type)
  const changedAt = before?.status === verdict.status ? before.lastTransitionTime : undefined
  const generation = pod.metadata.generation
  return {
    type,
    ...(generation === undefined ? {} : { observedGeneration: generation }),
    ...verdict,
    lastTransitionTime: changedAt ?? formatTime(nowMs),
  }
}

function sidecarStatuses(pod: Pod, initStatuses: readonly Ready[]): readonly Ready[] {
  const sidecars = new Set((pod.spec.initContainers ?? []).filter(isSidecar).map(({ name }) => name))
  return initStatuses.filter(({ name }) => sidecars.has(name))
}

function readiness(phase: string, statuses: readonly Ready[], sidecars: readonly Ready[]): Verdict {
  if (phase === 'Succeeded') return { status: 'False', reason: 'PodCompleted' }
  if (phase === 'Failed') return { status: 'False', reason: 'PodFailed' }
  const unready = [...sidecars, ...statuses].filter(({ ready }) => !ready).map(({ name }) => name)
  if (unready.length === 0) return { status: 'True' }
  return {
    status: 'False',
    reason: 'ContainersNotReady',
    message: `containers with unready status: [${unready.join(' ')}]`,
  }
}

function gates(pod: Pod): Verdict {
  const complaints = (pod.spec.readinessGates ?? []).flatMap(({ conditionType }) => {
    const found = pod.status?.conditions?.find(({ type }) => type === conditionType)
    if (found === undefined) return [`corresponding condition of pod readiness gate "${conditionType}" does not exist.`]
    if (found.status === 'True') return []
    return [`the status of pod readiness gate "${conditionType}" is not "True", but ${found.status}`]
  })
  if (complaints.length === 0) return { status: 'True' }
  return { status: 'False', reason: 'ReadinessGatesNotReady', message: complaints.join(', ') }
}

function initialized(facts: StatusFacts, phase: string, initStatuses: readonly Ready[]): Verdict {
  if (phase === 'Succeeded') return { status: 'True', reason: 'PodCompleted' }
  if (isInitialized(facts)) return { status: 'True' }
  const waiting = initStatuses.filter(({ ready }) => !ready).map(({ name }) => name)
  return {
    status: 'False',
    reason: phase === 'Failed' ? 'PodFailed' : 'ContainersNotInitialized',
    message: `containers with incomplete status: [${waiting.join(' ')}]`,
  }
}
