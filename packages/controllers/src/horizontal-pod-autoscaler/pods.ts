// Which pods' metrics an autoscaler may trust: pods that start, end, or say nothing are set aside.

import type { Pod } from '@aksel/api/types/core-v1'
import { isTerminating, podCondition } from '../pod-facts.ts'

/** A pod's usage in thousandths, and the time that it was measured over. */
export interface PodMetric {
  readonly milli: number
  readonly atMs: number
  readonly windowMs: number
}

export type PodMetrics = ReadonlyMap<string, PodMetric>

export interface PodGroups {
  readonly readyCount: number
  readonly unready: ReadonlySet<string>
  readonly missing: ReadonlySet<string>
  readonly ignored: ReadonlySet<string>
}

/** CPU of a pod that starts says nothing about its load. */
const cpuInitializationMs = 5 * 60_000
/** A pod that was not ready since this soon after its start has never been. */
const initialReadinessMs = 30_000

export function groupPods(
  pods: readonly Pod[],
  metrics: PodMetrics,
  resource: string | undefined,
  nowMs: number,
): PodGroups {
  const groups = { unready: new Set<string>(), missing: new Set<string>(), ignored: new Set<string>() }
  let readyCount = 0
  for (const pod of pods) {
    const { name } = pod.metadata
    const metric = metrics.get(name)
    if (isTerminating(pod) || pod.status?.phase === 'Failed') groups.ignored.add(name)
    else if (pod.status?.phase === 'Pending') groups.unready.add(name)
    else if (metric === undefined) groups.missing.add(name)
    else if (resource === 'cpu' && isStarting(pod, metric, nowMs)) groups.unready.add(name)
    else readyCount += 1
  }
  return { readyCount, ...groups }
}

function isStarting(pod: Pod, metric: PodMetric, nowMs: number): boolean {
  const ready = podCondition(pod, 'Ready')
  const startMs = Date.parse(pod.status?.startTime ?? '')
  if (ready === undefined || Number.isNaN(startMs)) return true
  const changedMs = Date.parse(ready.lastTransitionTime ?? '') || 0
  if (startMs + cpuInitializationMs > nowMs)
    return ready.status === 'False' || metric.atMs < changedMs + metric.windowMs
  return ready.status === 'False' && startMs + initialReadinessMs > changedMs
}
