// The status of a disruption budget: how many pods are healthy, how many have to be, and how many may go.

import type { Pod } from '@aksel/api/types/core-v1'
import type { Condition } from '@aksel/api/types/meta-v1'
import type { PodDisruptionBudget, PodDisruptionBudgetStatus } from '@aksel/api/types/policy-v1'
import { formatTime } from '@aksel/base/clock'
import { scaledValue } from '../int-or-percent.ts'
import { isReady, isTerminating } from '../pod-facts.ts'

/** How long an evicted pod may take to begin to go, before it counts as one that stayed. */
export const deletionTimeoutMs = 2 * 60_000

export interface BudgetFacts {
  readonly budget: PodDisruptionBudget
  readonly pods: readonly Pod[]
  /** What the pods' workloads want in sum. */
  readonly scale: number
  readonly nowMs: number
}

export interface BudgetVerdict {
  readonly status: PodDisruptionBudgetStatus
  /** When the first evicted pod is overdue. */
  readonly recheckMs: number | undefined
  /** Evicted pods that stayed. */
  readonly overdue: readonly Pod[]
}

export function judgeBudget({ budget, pods, scale, nowMs }: BudgetFacts): BudgetVerdict {
  const { kept, overdue, recheckMs } = disruptedPods(budget, pods, nowMs)
  const { expectedPods, desiredHealthy } = needs(budget, pods.length, scale)
  const healthy = pods.filter((pod) => !isTerminating(pod) && !(pod.metadata.name in kept) && isReady(pod))
  const allowed = expectedPods <= 0 ? 0 : Math.max(0, healthy.length - desiredHealthy)
  const generation = budget.metadata.generation ?? 0
  const condition = {
    type: 'DisruptionAllowed',
    status: allowed > 0 ? 'True' : 'False',
    reason: allowed > 0 ? 'SufficientPods' : 'InsufficientPods',
    message: '',
    observedGeneration: generation,
  }
  return {
    status: {
      observedGeneration: generation,
      ...(Object.keys(kept).length === 0 ? {} : { disruptedPods: kept }),
      disruptionsAllowed: allowed,
      currentHealthy: healthy.length,
      desiredHealthy,
      expectedPods,
      conditions: withTime(budget, condition, nowMs),
    },
    recheckMs,
    overdue,
  }
}

/** Nothing may go while it is not known how many pods there should be. */
export function failedStatus(budget: PodDisruptionBudget, message: string, nowMs: number): PodDisruptionBudgetStatus {
  const { status } = budget
  const generation = budget.metadata.generation ?? 0
  const condition = {
    type: 'DisruptionAllowed',
    status: 'False',
    reason: 'SyncFailed',
    message,
    observedGeneration: generation,
  }
  return {
    currentHealthy: 0,
    desiredHealthy: 0,
    expectedPods: 0,
    ...status,
    disruptionsAllowed: 0,
    conditions: withTime(budget, condition, nowMs),
  }
}

function withTime(
  { status }: PodDisruptionBudget,
  condition: Omit<Condition, 'lastTransitionTime'>,
  nowMs: number,
): readonly Condition[] {
  const known = status?.conditions?.find(({ type }) => type === condition.type)
  const lastTransitionTime = known?.status === condition.status ? known.lastTransitionTime : formatTime(nowMs)
  return [
    ...(status?.conditions ?? []).filter(({ type }) => type !== condition.type),
    { ...condition, lastTransitionTime },
  ]
}

/** A share is of what the workloads want; a number of pods to keep needs no workload. */
export function needsScale({ spec }: PodDisruptionBudget): boolean {
  return spec?.maxUnavailable !== undefined || typeof spec?.minAvailable === 'string'
}

function needs(
  { spec }: PodDisruptionBudget,
  count: number,
  scale: number,
): { readonly expectedPods: number; readonly desiredHealthy: number } {
  const { maxUnavailable, minAvailable } = spec ?? {}
  if (maxUnavailable !== undefined) {
    const unavailable = scaledValue(maxUnavailable, scale, 'up')
    return { expectedPods: scale, desiredHealthy: Math.max(0, scale - unavailable) }
  }
  if (typeof minAvailable === 'string')
    return { expectedPods: scale, desiredHealthy: scaledValue(minAvailable, scale, 'up') }
  return { expectedPods: count, desiredHealthy: minAvailable ?? 0 }
}

interface Disrupted {
  readonly kept: Readonly<Record<string, string>>
  readonly overdue: readonly Pod[]
  readonly recheckMs: number | undefined
}

/** Evictions that were granted and are not seen yet; they count as gone already. */
function disruptedPods({ status }: PodDisruptionBudget, pods: readonly Pod[], nowMs: number): Disrupted {
  const kept: Record<string, string> = {}
  const overdue: Pod[] = []
  let recheckMs: number | undefined
  for (const pod of pods) {
    const time = status?.disruptedPods?.[pod.metadata.name]
    if (time === undefined || isTerminating(pod)) continue
    const leftMs = Date.parse(time) + deletionTimeoutMs - nowMs
    if (leftMs > 0) {
      kept[pod.metadata.name] = time
      recheckMs = Math.min(recheckMs ?? leftMs, leftMs)
    } else overdue.push(pod)
  }
  return { kept, overdue, recheckMs }
}

const staleMs = 2 * 60_000

/** Milliseconds until a pod that was meant to go, and is still here, is no longer marked so; undefined for one that is not marked. */
export function staleInMs(pod: Pod, nowMs: number): number | undefined {
  const condition = pod.status?.conditions?.find(({ type }) => type === 'DisruptionTarget')
  const { phase } = pod.status ?? {}
  if (condition?.status !== 'True' || isTerminating(pod) || phase === 'Failed' || phase === 'Succeeded')
    return undefined
  const sinceMs = Date.parse(condition.lastTransitionTime ?? '')
  return Number.isNaN(sinceMs) ? 0 : Math.max(0, sinceMs + staleMs - nowMs)
}
