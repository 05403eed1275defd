// What a simulated node makes of a pod: declared stages instead of containers. Pure: a pod in, the next status out.

import { deepEqual } from '@aksel/api/deep-equal'
import { matchingRestartRule, restartsAfter } from '@aksel/api/pod-restarts'
import type { ContainerStatus, Pod, PodStatus } from '@aksel/api/types/core-v1'
import { formatTime } from '@aksel/base/clock'
import { running, terminated, waiting, type ContainerSpec } from './container-states.ts'
import { initStage } from './init-stage.ts'
import { statusStage, type Stage, type StageFacts } from './stage.ts'
import { exitCodeAt, forContainer, StageOptionsError, stageOptionsOf, type StageOptions } from './stage-options.ts'

/** The kubelet's: 10 s after the first end, doubled up to five minutes. */
const RESTART_FIRST_MS = 10_000
const RESTART_LAST_MS = 300_000
/** A wait that nothing but a change ends is looked at again after this. */
export const PULL_RETRY_MS = 10_000

/** The next stage, or undefined when the pod is where it should be. */
export function nextStage(pod: Pod, facts: StageFacts): Stage | undefined {
  const phase = pod.status?.phase
  const ended = phase === 'Succeeded' || phase === 'Failed'
  if (pod.metadata.deletionTimestamp !== undefined) return leaving(pod, facts, ended)
  if (ended) return undefined
  if (facts.faults.diskFull && !isCritical(pod)) return evicted(pod, facts)
  const late = pastDeadline(pod, facts)
  if (late !== undefined && late.kind === 'status') return late
  let options: StageOptions
  try {
    options = stageOptionsOf(pod, facts.options)
  } catch (error) {
    if (!(error instanceof StageOptionsError)) throw error
    return held(pod, facts, { reason: 'CreateContainerConfigError', message: error.message })
  }
  return sooner(late, phase === 'Running' ? ongoing(pod, facts, options) : starting(pod, facts, options))
}

function starting(pod: Pod, facts: StageFacts, options: StageOptions): Stage | undefined {
  const delayMs = startDelayMs(pod, options) + facts.faults.slowStartMs
  if (pod.status?.startTime === undefined && delayMs > 0) return held(pod, facts, { reason: 'ContainerCreating' })
  const waitMs = pod.status?.startTime === undefined ? 0 : facts.exactMs(pod.status.startTime) + delayMs - facts.nowMs
  if (waitMs > 0) return { kind: 'wait', afterMs: waitMs }
  if (options.imagePullFails === true || facts.faults.imagePullFails) return pullFailure(pod, facts)
  const init = initStage(pod, facts, options)
  if (init.kind === 'stage') return init.stage
  const time = formatTime(facts.nowMs)
  const containers = (pod.spec.containers ?? []).map((container) =>
    running(pod, container, { time, ready: isReadyAfter(forContainer(options, container.name), 0) }),
  )
  return statusStage(pod, facts, { phase: 'Running', containers, init: init.statuses })
}

/** A pod that runs: its containers become ready, end, and start again. */
function ongoing(pod: Pod, facts: StageFacts, options: StageOptions): Stage | undefined {
  const before = new Map(pod.status?.containerStatuses?.map((status) => [status.name, status]))
  const all = restartOfAll(pod, facts, options, before)
  if (all !== undefined) return all
  const turns = (pod.spec.containers ?? []).map((container) =>
    turn(pod, container, { facts, options: forContainer(options, container.name), before: before.get(container.name) }),
  )
  const containers = turns.map(({ status }) => status)
  const codes = containers.map(({ state }) => state?.terminated && (state.terminated.exitCode ?? 0))
  const over = (pod.spec.containers ?? []).every((container, index) => {
    const code = codes[index]
    return code !== undefined && !restartsAfter(pod.spec, container, code)
  })
  const phase = !over ? 'Running' : codes.every((code) => code === 0) ? 'Succeeded' : 'Failed'
  const init = pod.status?.initContainerStatuses ?? []
  const next = statusStage(pod, facts, {
    phase,
    containers,
    init: over ? init.map((status) => endedSideCar(status, formatTime(facts.nowMs))) : init,
  })
  const changed = turns.some((each) => each.changed) || phase !== 'Running'
  if (changed || !sameConditions(pod.status, next.status)) return next
  const waits = turns.flatMap(({ waitMs }) => (waitMs === undefined ? [] : [waitMs]))
  return waits.length === 0 ? undefined : { kind: 'wait', afterMs: Math.min(...waits) }
}

interface Turn {
  readonly status: ContainerStatus
  readonly changed: boolean
  readonly waitMs?: number
}

interface TurnFacts {
  readonly facts: StageFacts
  readonly options: StageOptions
  readonly before: ContainerStatus | undefined
}

function turn(pod: Pod, container: ContainerSpec, { facts, options, before }: TurnFacts): Turn {
  const time = formatTime(facts.nowMs)
  if (before?.state?.running !== undefined) return runningTurn(pod, container, { facts, options, before })
  const end = before?.state?.terminated ?? before?.lastState?.terminated
  if (before === undefined || end === undefined)
    return { status: running(pod, container, { time, ready: isReadyAfter(options, 0), before }), changed: true }
  if (before.state?.terminated !== undefined && !restartsAfter(pod.spec, container, end.exitCode ?? 0))
    return { status: before, changed: false }
  const { backOffMs, waitMs } = restOf(before, end, facts)
  if (waitMs <= 0)
    return { status: running(pod, container, { time, ready: isReadyAfter(options, 0), before }), changed: true }
  if (before.state?.waiting !== undefined) return { status: before, changed: false, waitMs }
  const message = `back-off ${backOffMs / 1000}s restarting failed container=${container.name} pod=${pod.metadata.name}`
  return { status: waiting(container, 'CrashLoopBackOff', { message, before }), changed: true }
}

/** One that ended for the first time starts again at once. */
function restOf(
  status: ContainerStatus,
  { finishedAt }: { readonly finishedAt?: string },
  facts: StageFacts,
): { readonly backOffMs: number; readonly waitMs: number } {
  const restartCount = status.restartCount ?? 0
  const backOffMs = Math.min(RESTART_LAST_MS, RESTART_FIRST_MS * 2 ** Math.max(0, restartCount - 1))
  return { backOffMs, waitMs: restartCount === 0 ? 0 : facts.exactMs(finishedAt) + backOffMs - facts.nowMs }
}

/** A container ended by whose rule all start again, the init steps included: they do when that one has rested. */
function restartOfAll(
  pod: Pod,
  facts: StageFacts,
  options: StageOptions,
  statuses: ReadonlyMap<string, ContainerStatus>,
): Stage | undefined {
  const cause = (pod.spec.containers ?? []).find((container) => {
    const end = statuses.get(container.name)?.state?.terminated
    return end !== undefined && matchingRestartRule(container, end.exitCode ?? 0)?.action === 'RestartAllContainers'
  })
  if (cause === undefined) return undefined
  const status = statuses.get(cause.name)!
  const { waitMs } = restOf(status, status.state!.terminated!, facts)
  if (waitMs > 0) return { kind: 'wait', afterMs: waitMs }
  const time = formatTime(facts.nowMs)
  const ended = (container: ContainerSpec, before: ContainerStatus | undefined): ContainerStatus =>
    before?.state?.terminated === undefined
      ? terminated(pod, container, { time, exitCode: 137, reason: 'RestartingAllContainers', before })
      : before
  const containers = (pod.spec.containers ?? []).map((container) => {
    const ready = isReadyAfter(forContainer(options, container.name), 0)
    return running(pod, container, { time, ready, before: ended(container, statuses.get(container.name)) })
  })
  const known = new Map(pod.status?.initContainerStatuses?.map((each) => [each.name, each]))
  const init = (pod.spec.initContainers ?? []).map((container) => {
    const begun = running(pod, container, { time, ready: true, before: ended(container, known.get(container.name)) })
    if (container.restartPolicy === 'Always') return begun
    return { ...terminated(pod, container, { time, exitCode: 0, reason: 'Completed', before: begun }), ready: true }
  })
  return statusStage(pod, facts, { phase: 'Running', containers, init })
}

function runningTurn(
  pod: Pod,
  container: ContainerSpec,
  { facts, options, before }: TurnFacts & { readonly before: ContainerStatus },
): Turn {
  const time = formatTime(facts.nowMs)
  const startedMs = facts.exactMs(before.state?.running?.startedAt)
  const { oomBeforeMs } = facts.faults
  if (oomBeforeMs !== undefined && startedMs < oomBeforeMs)
    return { status: terminated(pod, container, { time, exitCode: 137, reason: 'OOMKilled', before }), changed: true }
  const ranMs = facts.nowMs - startedMs
  const endMs = options.runSeconds === undefined ? undefined : options.runSeconds * 1000
  if (endMs !== undefined && ranMs >= endMs) {
    const exitCode = exitCodeAt(options.exitCodes, before.restartCount, 'last')
    const reason = exitCode === 0 ? 'Completed' : (options.exitReason ?? 'Error')
    const { message } = options
    return { status: terminated(pod, container, { time, exitCode, reason, message, before }), changed: true }
  }
  const ready = isReadyAfter(options, ranMs)
  const resized = !deepEqual(before.resources ?? {}, container.resources ?? {})
  const status = resized
    ? { ...before, ready, ...resourcesOf(container) }
    : ready === before.ready
      ? before
      : { ...before, ready }
  const waits = [
    ...(endMs === undefined ? [] : [endMs - ranMs]),
    ...(ready || options.ready === false ? [] : [(options.readySeconds ?? 0) * 1000 - ranMs]),
  ]
  return { status, changed: status !== before, ...(waits.length === 0 ? {} : { waitMs: Math.min(...waits) }) }
}

function resourcesOf(container: ContainerSpec): Partial<ContainerStatus> {
  const { resources } = container
  return {
    ...(resources === undefined ? {} : { resources }),
    ...(resources?.requests === undefined ? {} : { allocatedResources: resources.requests }),
  }
}

/** Asked to go: the containers end, whoever waits for the outcome of a held-back pod sees it, then it is removed. */
function leaving(pod: Pod, facts: StageFacts, ended: boolean): Stage | undefined {
  const graceMs = (pod.metadata.deletionGracePeriodSeconds ?? 30) * 1000
  const askedMs = (Date.parse(pod.metadata.deletionTimestamp!) || 0) - graceMs
  let seconds = 0
  try {
    seconds = stageOptionsOf(pod, facts.options).terminationSeconds ?? 0
  } catch {
    // What cannot be read asks for nothing.
  }
  const waitMs = ended ? 0 : askedMs + Math.min(seconds * 1000, graceMs) - facts.nowMs
  if (seconds > 0 && waitMs > 0) return { kind: 'wait', afterMs: waitMs }
  const heldBack = (pod.metadata.finalizers ?? []).length > 0
  if (!heldBack || ended) return { kind: 'remove' }
  const time = formatTime(facts.nowMs)
  const containers = (pod.spec.containers ?? []).map((container) => {
    const before = pod.status?.containerStatuses?.find(({ name }) => name === container.name)
    if (before?.state?.terminated !== undefined) return before
    return terminated(pod, container, { time, exitCode: 143, reason: 'Error', before })
  })
  return statusStage(pod, facts, { phase: 'Failed', containers, init: pod.status?.initContainerStatuses ?? [] })
}

function evicted(pod: Pod, facts: StageFacts): Stage {
  const time = formatTime(facts.nowMs)
  const containers = (pod.spec.containers ?? []).map((container) => {
    const before = pod.status?.containerStatuses?.find(({ name }) => name === container.name)
    return terminated(pod, container, { time, exitCode: 137, reason: 'Error', before })
  })
  const next = statusStage(pod, facts, { phase: 'Failed', containers, init: pod.status?.initContainerStatuses ?? [] })
  const message = 'The node was low on resource: ephemeral-storage. '
  const disrupted = {
    type: 'DisruptionTarget',
    status: 'True',
    reason: 'TerminationByKubelet',
    message,
    lastTransitionTime: time,
  }
  const conditions = [...(next.status.conditions ?? []).filter(({ type }) => type !== 'DisruptionTarget'), disrupted]
  return { kind: 'status', status: { ...next.status, reason: 'Evicted', message, conditions } }
}

function pastDeadline(pod: Pod, facts: StageFacts): Stage | undefined {
  const seconds = pod.spec.activeDeadlineSeconds
  if (seconds === undefined || pod.status?.startTime === undefined) return undefined
  const waitMs = facts.exactMs(pod.status.startTime) + seconds * 1000 - facts.nowMs
  if (waitMs > 0) return { kind: 'wait', afterMs: waitMs }
  const time = formatTime(facts.nowMs)
  const containers = (pod.spec.containers ?? []).map((container) => {
    const before = pod.status?.containerStatuses?.find(({ name }) => name === container.name)
    return terminated(pod, container, { time, exitCode: 137, reason: 'Error', before })
  })
  const next = statusStage(pod, facts, { phase: 'Failed', containers, init: pod.status.initContainerStatuses ?? [] })
  const message = 'Pod was active on the node longer than the specified deadline'
  return { kind: 'status', status: { ...next.status, reason: 'DeadlineExceeded', message } }
}

/** Pulling goes on trying: the words change once, the pod stays Pending. */
function pullFailure(pod: Pod, facts: StageFacts): Stage | undefined {
  const known = pod.status?.containerStatuses?.[0]?.state?.waiting?.reason
  if (known === 'ImagePullBackOff') return { kind: 'wait', afterMs: PULL_RETRY_MS }
  const image = pod.spec.containers[0]?.image ?? ''
  if (known !== 'ErrImagePull')
    return held(pod, facts, { reason: 'ErrImagePull', message: `failed to pull image "${image}": simulated failure` })
  return held(pod, facts, { reason: 'ImagePullBackOff', message: `Back-off pulling image "${image}"` })
}

/** All containers wait for this reason. */
function held(
  pod: Pod,
  facts: StageFacts,
  why: { readonly reason: string; readonly message?: string },
): Stage | undefined {
  const known = pod.status?.containerStatuses?.[0]?.state?.waiting
  if (known?.reason === why.reason && known.message === why.message) return undefined
  const containers = (pod.spec.containers ?? []).map((container) => waiting(container, why.reason, why))
  const init = (pod.spec.initContainers ?? []).map((container) => waiting(container, 'PodInitializing'))
  return statusStage(pod, facts, { phase: 'Pending', containers, init })
}

function startDelayMs(pod: Pod, { startSeconds = 0, jitterSeconds = 0 }: StageOptions): number {
  let hash = 0
  for (const letter of pod.metadata.uid ?? pod.metadata.name) hash = (hash * 31 + letter.charCodeAt(0)) % 65_521
  return startSeconds * 1000 + (jitterSeconds * 1000 * hash) / 65_521
}

function isReadyAfter({ ready, readySeconds = 0 }: StageOptions, ranMs: number): boolean {
  return ready !== false && ranMs >= readySeconds * 1000
}

function isCritical(pod: Pod): boolean {
  return (pod.spec.priority ?? 0) >= 2_000_000_000
}

function endedSideCar(status: ContainerStatus, time: string): ContainerStatus {
  if (status.state?.running === undefined) return status
  const { startedAt } = status.state.running
  const end = { exitCode: 0, reason: 'Completed', finishedAt: time, ...(startedAt === undefined ? {} : { startedAt }) }
  return { ...status, ready: false, started: false, state: { terminated: end } }
}

function sameConditions(before: PodStatus | undefined, next: PodStatus): boolean {
  const short = (status: PodStatus | undefined): string =>
    (status?.conditions ?? [])
      .map(({ type, status: is }) => `${type}=${is}`)
      .sort()
      .join()
  return short(before) === short(next)
}

function sooner(late: Stage | undefined, stage: Stage | undefined): Stage | undefined {
  if (late?.kind !== 'wait' || (stage !== undefined && stage.kind !== 'wait')) return stage
  return stage === undefined || late.afterMs < stage.afterMs ? late : stage
}
