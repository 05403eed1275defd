// Whether a job has come to its end, and why: the interim condition that says so before the last pods are gone.

import type { Job, JobCondition } from '@aksel/api/types/batch-v1'
import type { Pod } from '@aksel/api/types/core-v1'
import { formatTime } from '@aksel/base/clock'
import { judgeFailure } from './failure-policy.ts'
import type { Observation } from './observe.ts'
import { hasLimitPerIndex, isFailed, isIndexed } from './pods.ts'
import { metRule } from './success-policy.ts'

export interface Ending {
  readonly kind: 'success' | 'failure'
  readonly reason: string
  readonly message: string
}

export function conditionOf(job: Job, type: string): JobCondition | undefined {
  return job.status?.conditions?.find((condition) => condition.type === type && condition.status === 'True')
}

export function isFinished(job: Job): boolean {
  return conditionOf(job, 'Complete') !== undefined || conditionOf(job, 'Failed') !== undefined
}

export function isSuspended({ spec }: Job): boolean {
  return spec.suspend === true
}

/** How the job ends whatever else its pods do; undefined while it may go on. */
export function judgeEnding(job: Job, seen: Observation, nowMs: number): Ending | undefined {
  const success = conditionOf(job, 'SuccessCriteriaMet')
  if (success !== undefined) return endingOf('success', success)
  const failure = conditionOf(job, 'FailureTarget')
  if (failure !== undefined) return endingOf('failure', failure)
  return judgeFailed(job, seen, nowMs) ?? judgeIndexes(job, seen)
}

function endingOf(kind: Ending['kind'], { reason = '', message = '' }: JobCondition): Ending {
  return { kind, reason, message }
}

function fails(reason: string, message: string): Ending {
  return { kind: 'failure', reason, message }
}

function judgeFailed(job: Job, seen: Observation, nowMs: number): Ending | undefined {
  const { spec } = job
  for (const pod of seen.pods) {
    const { message } = isFailed(pod, job) ? judgeFailure(job, pod) : {}
    if (message !== undefined) return fails('PodFailurePolicy', message)
  }
  if (seen.failed > (spec.backoffLimit ?? 6) || restartsExceed(job, seen.pods))
    return fails('BackoffLimitExceeded', 'Job has reached the specified backoff limit')
  const leftMs = deadlineInMs(job, nowMs)
  if (leftMs !== undefined && leftMs <= 0)
    return fails('DeadlineExceeded', 'Job was active longer than specified deadline')
  return undefined
}

/** Containers that their node restarts count as tries. */
function restartsExceed({ spec }: Job, pods: readonly Pod[]): boolean {
  if (spec.template?.spec?.restartPolicy !== 'OnFailure') return false
  let restarts = 0
  for (const { status } of pods) {
    if (status?.phase !== 'Running' && status?.phase !== 'Pending') continue
    for (const { restartCount } of [...(status.initContainerStatuses ?? []), ...(status.containerStatuses ?? [])])
      restarts += restartCount ?? 0
  }
  const limit = spec.backoffLimit ?? 6
  return limit === 0 ? restarts > 0 : restarts >= limit
}

/** Milliseconds until the active deadline; undefined for a job without one, or one that does not run. */
export function deadlineInMs(job: Job, nowMs: number): number | undefined {
  const { activeDeadlineSeconds } = job.spec
  const startMs = Date.parse(job.status?.startTime ?? '')
  if (activeDeadlineSeconds === undefined || Number.isNaN(startMs) || isSuspended(job)) return undefined
  return startMs + activeDeadlineSeconds * 1000 - nowMs
}

function judgeIndexes(job: Job, { succeededIndexes, failedIndexes }: Observation): Ending | undefined {
  if (!isIndexed(job)) return undefined
  const { maxFailedIndexes, completions = 0 } = job.spec
  const failed = failedIndexes?.size ?? 0
  if (hasLimitPerIndex(job)) {
    if (maxFailedIndexes !== undefined && failed > maxFailedIndexes)
      return fails('MaxFailedIndexesExceeded', 'Job has exceeded the specified maximal number of failed indexes')
    if (failed > 0 && failed + succeededIndexes.size >= completions)
      return fails('FailedIndexes', 'Job has failed indexes')
  }
  const met = metRule(job, succeededIndexes)
  return met === undefined ? undefined : { kind: 'success', reason: 'SuccessPolicy', message: met }
}

/** With `active` pods left, whether enough have succeeded. */
export function isComplete({ spec }: Job, { succeeded }: Observation, active: number): boolean {
  if (active > 0) return false
  return spec.completions === undefined ? succeeded > 0 : succeeded >= spec.completions
}

export const completed: Ending = {
  kind: 'success',
  reason: 'CompletionsReached',
  message: 'Reached expected number of succeeded pods',
}

/** The list with this condition; a condition that was never true is not told as false. */
export function ensureCondition(
  conditions: readonly JobCondition[],
  news: { readonly type: string; readonly status: string; readonly reason: string; readonly message: string },
  nowMs: number,
): readonly JobCondition[] {
  const known = conditions.find(({ type }) => type === news.type)
  if (known?.status === news.status && known.reason === news.reason && known.message === news.message) return conditions
  if (known === undefined && news.status === 'False') return conditions
  const now = formatTime(nowMs)
  const lastTransitionTime = known?.status === news.status ? (known.lastTransitionTime ?? now) : now
  const next: JobCondition = { ...news, lastProbeTime: now, lastTransitionTime }
  return known === undefined ? [...conditions, next] : conditions.map((each) => (each === known ? next : each))
}
