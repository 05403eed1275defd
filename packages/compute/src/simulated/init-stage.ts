// Init containers of a simulated pod: one after another, side-cars going on beside what follows.

import { restartsAfter } from '@aksel/api/pod-restarts'
import type { ContainerStatus, Pod } from '@aksel/api/types/core-v1'
import { formatTime } from '@aksel/base/clock'
import { running, terminated, waiting } from './container-states.ts'
import { statusStage, type Stage, type StageFacts } from './stage.ts'
import { exitCodeAt, forContainer, type StageOptions } from './stage-options.ts'

const RETRY_FIRST_MS = 10_000
const RETRY_LAST_MS = 300_000

export type InitOutcome =
  /** All are through. */
  | { readonly kind: 'done'; readonly statuses: readonly ContainerStatus[] }
  | { readonly kind: 'stage'; readonly stage: Stage }

/** Those that take no time end in the same write in which the pod begins to run. */
export function initStage(pod: Pod, facts: StageFacts, options: StageOptions): InitOutcome {
  const specs = pod.spec.initContainers ?? []
  if (specs.length === 0) return { kind: 'done', statuses: [] }
  const time = formatTime(facts.nowMs)
  const known = new Map(pod.status?.initContainerStatuses?.map((status) => [status.name, status]))
  const statuses = specs.map((spec) => known.get(spec.name) ?? waiting(spec, 'PodInitializing'))
  let changed = known.size === 0
  for (const [index, spec] of specs.entries()) {
    const before = known.get(spec.name)
    if (before?.state?.terminated?.exitCode === 0) continue
    if (spec.restartPolicy === 'Always') {
      if (before?.state?.running !== undefined) continue
      statuses[index] = running(pod, spec, { time, ready: true })
      changed = true
      continue
    }
    const own = forContainer(options, spec.name)
    const takesMs = (own.initSeconds ?? 0) * 1000
    const end = before?.state?.terminated ?? before?.lastState?.terminated
    const startedMs = before?.state?.running === undefined ? undefined : facts.exactMs(before.state.running.startedAt)
    if (startedMs === undefined && end !== undefined) {
      const attempts = before!.restartCount ?? 0
      const backOffMs = attempts === 0 ? 0 : Math.min(RETRY_LAST_MS, RETRY_FIRST_MS * 2 ** (attempts - 1))
      const waitMs = facts.exactMs(end.finishedAt) + backOffMs - facts.nowMs
      if (waitMs > 0) return held(pod, facts, { statuses, changed, waitMs })
    }
    if (startedMs === undefined && takesMs > 0) {
      statuses[index] = { ...running(pod, spec, { time, ready: false, before }), started: true }
      return held(pod, facts, { statuses, changed: true, waitMs: takesMs })
    }
    const leftMs = (startedMs ?? facts.nowMs) + takesMs - facts.nowMs
    if (leftMs > 0) return held(pod, facts, { statuses, changed, waitMs: leftMs })
    const again =
      startedMs === undefined && end !== undefined ? running(pod, spec, { time, ready: false, before }) : before
    const exitCode = exitCodeAt(own.initExitCodes, again?.restartCount ?? 0, 'zero')
    const reason = exitCode === 0 ? 'Completed' : 'Error'
    statuses[index] = { ...terminated(pod, spec, { time, exitCode, reason, before: again }), ready: exitCode === 0 }
    changed = true
    if (exitCode !== 0) return failed(pod, facts, { statuses, isFinal: !restartsAfter(pod.spec, spec, exitCode) })
  }
  return { kind: 'done', statuses }
}

function failed(
  pod: Pod,
  facts: StageFacts,
  { statuses: init, isFinal }: { readonly statuses: readonly ContainerStatus[]; readonly isFinal: boolean },
): InitOutcome {
  const phase = isFinal ? 'Failed' : 'Pending'
  const containers = (pod.spec.containers ?? []).map((container) => waiting(container, 'PodInitializing'))
  return { kind: 'stage', stage: statusStage(pod, facts, { phase, containers, init }) }
}

function held(
  pod: Pod,
  facts: StageFacts,
  now: { readonly statuses: readonly ContainerStatus[]; readonly changed: boolean; readonly waitMs: number },
): InitOutcome {
  if (!now.changed) return { kind: 'stage', stage: { kind: 'wait', afterMs: now.waitMs } }
  const containers = (pod.spec.containers ?? []).map((container) => waiting(container, 'PodInitializing'))
  return { kind: 'stage', stage: statusStage(pod, facts, { phase: 'Pending', containers, init: now.statuses }) }
}
