// A job's pods put into the piles that all its decisions are made from.

import type { Job } from '@aksel/api/types/batch-v1'
import type { Pod } from '@aksel/api/types/core-v1'
import { isActive, isReady, isTerminal, isTerminating } from '../pod-facts.ts'
import { judgeFailure } from './failure-policy.ts'
import { indexOf, parseIndexes } from './indexes.ts'
import type { Indexes } from './indexes.ts'
import { countsAfter, hasLimitPerIndex, isFailed, isIndexed, isTracked } from './pods.ts'

export interface Observation {
  readonly pods: readonly Pod[]
  readonly active: readonly Pod[]
  readonly ready: number
  /** On their way out, and not ended yet. */
  readonly terminating: readonly Pod[]
  /** Pods that ended and stand in no count yet. */
  readonly newSucceeded: readonly Pod[]
  readonly newFailed: readonly Pod[]
  /** Counted, about to be counted, and new. */
  readonly succeeded: number
  readonly failed: number
  readonly countedIndexes: Indexes
  readonly succeededIndexes: Indexes
  /** Undefined without a limit per index. */
  readonly failedIndexes: Indexes | undefined
  /** By index: the failed pod that stays until its successor carries its count on. */
  readonly delayed: ReadonlyMap<number, Pod>
}

/** `holds` says whether a pod has its finalizer still, as far as the loop knows. */
export function observe(job: Job, pods: readonly Pod[], holds: (pod: Pod) => boolean = isTracked): Observation {
  const { status } = job
  const uncounted = status?.uncountedTerminatedPods ?? {}
  const completions = job.spec.completions ?? 0
  const indexed = isIndexed(job)
  const valid = pods.filter((pod) => holds(pod) && (!indexed || (indexOf(pod) ?? Infinity) < completions))
  const active = pods.filter(isActive)
  const newSucceeded = valid.filter(
    (pod) => pod.status?.phase === 'Succeeded' && !has(uncounted.succeeded, pod) && !has(uncounted.failed, pod),
  )
  const newFailed = valid.filter((pod) => isFailed(pod, job) && !has(uncounted.failed, pod))
  const failedNow = newFailed.filter((pod) => judgeFailure(job, pod).counts).length
  const countedIndexes = indexed ? parseIndexes(status?.completedIndexes, completions) : new Set<number>()
  const succeededIndexes = new Set(countedIndexes)
  if (indexed) {
    for (const pod of valid) if (pod.status?.phase === 'Succeeded') succeededIndexes.add(indexOf(pod)!)
  }
  const failedIndexes = hasLimitPerIndex(job) ? failedIndexesOf(job, valid) : undefined
  const succeeded = (status?.succeeded ?? 0) + newSucceeded.length + (uncounted.succeeded?.length ?? 0)
  return {
    pods,
    active,
    ready: active.filter(isReady).length,
    terminating: pods.filter((pod) => isTerminating(pod) && !isTerminal(pod)),
    newSucceeded,
    newFailed,
    succeeded: indexed ? succeededIndexes.size : succeeded,
    failed: (status?.failed ?? 0) + failedNow + (uncounted.failed?.length ?? 0),
    countedIndexes,
    succeededIndexes,
    failedIndexes,
    delayed: failedIndexes === undefined ? new Map() : delayedPods(job, valid, active, succeededIndexes, failedIndexes),
  }
}

function has(uids: readonly string[] | undefined, { metadata }: Pod): boolean {
  return uids?.includes(metadata.uid!) === true
}

function failedIndexesOf(job: Job, valid: readonly Pod[]): Indexes {
  const result = new Set(parseIndexes(job.status?.failedIndexes, job.spec.completions ?? 0))
  for (const pod of valid) {
    if (!isFailed(pod, job)) continue
    const isOver =
      judgeFailure(job, pod).action === 'FailIndex' ||
      countsAfter(job, pod).counted > (job.spec.backoffLimitPerIndex ?? 0)
    if (isOver) result.add(indexOf(pod)!)
  }
  return result
}

function delayedPods(
  job: Job,
  valid: readonly Pod[],
  active: readonly Pod[],
  succeeded: Indexes,
  failed: Indexes,
): ReadonlyMap<number, Pod> {
  const running = new Set(active.map(indexOf))
  const result = new Map<number, Pod>()
  for (const pod of valid) {
    const index = indexOf(pod)!
    if (!isFailed(pod, job) || running.has(index) || succeeded.has(index) || failed.has(index)) continue
    const known = result.get(index)
    if (known === undefined || tries(job, known) <= tries(job, pod)) result.set(index, pod)
  }
  return result
}

function tries(job: Job, pod: Pod): number {
  const { counted, ignored } = countsAfter(job, pod)
  return counted + ignored
}
