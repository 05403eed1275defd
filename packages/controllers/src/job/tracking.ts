// Counts each ended pod once, whatever is killed in between: its uid stands in the status until its finalizer is gone.

import type { Job, JobStatus } from '@aksel/api/types/batch-v1'
import type { Pod } from '@aksel/api/types/core-v1'
import type { Draft } from '@aksel/base/draft'
import { judgeFailure } from './failure-policy.ts'
import { formatIndexes, indexOf } from './indexes.ts'
import type { Ending } from './judge.ts'
import type { Observation } from './observe.ts'
import { hasLimitPerIndex, isFailed, isIndexed } from './pods.ts'

/** Uids that a status may hold. */
const uncountedMax = 500

export interface Account {
  /** Counts to be written before a finalizer is taken away. */
  readonly status: JobStatus
  /** Pods whose finalizers may go once that is written. */
  readonly release: readonly Pod[]
  /** False: there are more than fit into one write. */
  readonly isWhole: boolean
}

/** Moves uids whose pods have lost their finalizer into the counts. */
export function settle(status: JobStatus, holds: (uid: string) => boolean): JobStatus {
  const { succeeded = [], failed = [] } = status.uncountedTerminatedPods ?? {}
  const left = { succeeded: succeeded.filter(holds), failed: failed.filter(holds) }
  const draft: Draft<JobStatus> = { ...(status as Draft<JobStatus>) }
  if (left.succeeded.length < succeeded.length)
    draft.succeeded = (draft.succeeded ?? 0) + succeeded.length - left.succeeded.length
  if (left.failed.length < failed.length) draft.failed = (draft.failed ?? 0) + failed.length - left.failed.length
  draft.uncountedTerminatedPods = {
    ...(left.succeeded.length === 0 ? {} : { succeeded: left.succeeded }),
    ...(left.failed.length === 0 ? {} : { failed: left.failed }),
  }
  return draft
}

export function account(
  job: Job,
  seen: Observation,
  ending: Ending | undefined,
  holds: (pod: Pod) => boolean,
): Account {
  const held = new Set(seen.pods.filter(holds).map(({ metadata }) => metadata.uid!))
  const status = settle(job.status ?? {}, (uid) => held.has(uid))
  const uncounted = {
    succeeded: [...(status.uncountedTerminatedPods?.succeeded ?? [])],
    failed: [...(status.uncountedTerminatedPods?.failed ?? [])],
  }
  const indexes = new Set(seen.countedIndexes)
  const release: Pod[] = []
  let isWhole = true
  const ordered = isIndexed(job)
    ? seen.pods.toSorted((left, right) => (indexOf(left) ?? Infinity) - (indexOf(right) ?? Infinity))
    : seen.pods
  for (const pod of ordered) {
    if (!holds(pod) || !mayRelease(job, seen, ending, pod)) continue
    const news = indexes.size - seen.countedIndexes.size + uncounted.succeeded.length + uncounted.failed.length
    if (news >= uncountedMax) {
      isWhole = false
      break
    }
    release.push(pod)
    countPod(job, pod, ending, uncounted, indexes)
  }
  const { succeeded, failed } = uncounted
  return {
    status: {
      ...status,
      ...(isIndexed(job) ? indexCounts(job, seen, indexes) : {}),
      uncountedTerminatedPods: {
        ...(succeeded.length === 0 ? {} : { succeeded }),
        ...(failed.length === 0 ? {} : { failed }),
      },
    },
    release,
    isWhole,
  }
}

function indexCounts(job: Job, { failedIndexes }: Observation, succeeded: ReadonlySet<number>): JobStatus {
  return {
    ...(succeeded.size === 0 ? {} : { succeeded: succeeded.size, completedIndexes: formatIndexes(succeeded) }),
    ...(hasLimitPerIndex(job) ? { failedIndexes: formatIndexes(failedIndexes ?? new Set()) } : {}),
  }
}

function mayRelease(job: Job, { delayed }: Observation, ending: Ending | undefined, pod: Pod): boolean {
  if (job.metadata.deletionTimestamp !== undefined || ending !== undefined) return true
  if (pod.status?.phase === 'Succeeded') return true
  if (!isFailed(pod, job)) return false
  // Its count lives on it until its successor has it.
  return delayed.get(indexOf(pod) ?? -1)?.metadata.uid !== pod.metadata.uid
}

function countPod(
  job: Job,
  pod: Pod,
  ending: Ending | undefined,
  uncounted: { readonly succeeded: string[]; readonly failed: string[] },
  indexes: Set<number>,
): void {
  const uid = pod.metadata.uid!
  const index = isIndexed(job) ? indexOf(pod) : undefined
  const isValid = !isIndexed(job) || (index !== undefined && index < (job.spec.completions ?? 0))
  if (pod.status?.phase === 'Succeeded' && !uncounted.failed.includes(uid)) {
    if (index !== undefined && isValid) indexes.add(index)
    else if (!isIndexed(job) && !uncounted.succeeded.includes(uid)) uncounted.succeeded.push(uid)
    return
  }
  // When a job fails, what still runs has failed with it.
  if (!isFailed(pod, job) && ending?.kind !== 'failure') return
  if (isValid && !uncounted.failed.includes(uid) && judgeFailure(job, pod).counts) uncounted.failed.push(uid)
}
