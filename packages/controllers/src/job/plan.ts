// How many pods a running job should have, which go, which come and how long the next has to wait.

import type { Job } from '@aksel/api/types/batch-v1'
import type { Pod } from '@aksel/api/types/core-v1'
import { podsToDelete } from '../replica-set/plan.ts'
import { indexOf } from './indexes.ts'
import { isSuspended } from './judge.ts'
import type { Observation } from './observe.ts'
import { countsAfter, finishedAtMs, hasLimitPerIndex, isIndexed, waitsForFailed } from './pods.ts'

/** Creations and deletions in one pass. */
const burstMax = 500
const backOffBaseMs = 10_000
const backOffMaxMs = 10 * 60_000

export interface JobPlan {
  readonly remove: readonly Pod[]
  readonly create: readonly NewPod[]
  /** Until the next pod may come, milliseconds; 0 when none waits. */
  readonly waitMs: number
}

export interface NewPod {
  readonly index?: number
  /** The failed pod of its index that it follows. */
  readonly replaced?: Pod
}

/** Failures in a row of a job without a limit per index. */
export interface Failures {
  readonly count: number
  readonly lastMs: number
}

/** 10 s after the first failure, twice as long after each further one, up to 10 min. */
export function backOffMs({ count, lastMs }: Failures, nowMs: number): number {
  if (count === 0) return 0
  return Math.max(0, lastMs + Math.min(backOffBaseMs * 2 ** (count - 1), backOffMaxMs) - nowMs)
}

/** Failures in a row once these pods ended too; a success in between begins anew. */
export function failuresAfter(known: Failures, seen: Observation): Failures {
  let { count, lastMs } = known
  const ended = [
    ...seen.newSucceeded.map((pod) => ({ atMs: finishedAtMs(pod), failed: false })),
    ...seen.newFailed.map((pod) => ({ atMs: finishedAtMs(pod), failed: true })),
  ].toSorted((left, right) => left.atMs - right.atMs)
  for (const { atMs, failed } of ended) {
    count = failed ? count + 1 : 0
    if (failed) lastMs = Math.max(lastMs, atMs)
  }
  return { count, lastMs }
}

export function planPods(job: Job, seen: Observation, failures: Failures, nowMs: number): JobPlan {
  const wanted = wantedActive(job, seen)
  const excess = isSuspended(job) ? seen.active.length : Math.max(0, seen.active.length - wanted)
  const remove = podsToRemove(job, seen.active, excess, nowMs)
  // Creations wait for the deletions to be seen.
  if (remove.length > 0 || isSuspended(job)) return { remove: remove.slice(0, burstMax), create: [], waitMs: 0 }
  const leaving = waitsForFailed(job) ? seen.terminating.length : 0
  const missing = Math.min(wanted - leaving - seen.active.length, burstMax)
  if (missing <= 0) return { remove: [], create: [], waitMs: 0 }
  if (!hasLimitPerIndex(job)) {
    const waitMs = backOffMs(failures, nowMs)
    if (waitMs > 0) return { remove: [], create: [], waitMs }
  }
  if (!isIndexed(job)) return { remove: [], create: Array.from({ length: missing }, () => ({})), waitMs: 0 }
  return planIndexes(job, seen, missing, nowMs)
}

function wantedActive({ spec }: Job, { active, succeeded, failedIndexes }: Observation): number {
  const parallelism = spec.parallelism ?? 1
  // Without a number of completions the first success ends the making of pods.
  if (spec.completions === undefined) return succeeded > 0 ? active.length : parallelism
  return Math.max(0, Math.min(spec.completions - succeeded - (failedIndexes?.size ?? 0), parallelism))
}

function podsToRemove(job: Job, active: readonly Pod[], atLeast: number, nowMs: number): readonly Pod[] {
  const stray: Pod[] = []
  let rest = active
  if (isIndexed(job)) {
    const kept = new Map<number, Pod>()
    for (const pod of podsToDelete(active, active, nowMs).toReversed()) {
      const index = indexOf(pod)
      // Of two pods of one index the one that is missed least goes.
      if (index === undefined || index >= (job.spec.completions ?? 0) || kept.has(index)) stray.push(pod)
      else kept.set(index, pod)
    }
    rest = [...kept.values()]
  }
  const more = Math.max(0, atLeast - stray.length)
  return more === 0 ? stray : [...stray, ...podsToDelete(rest, rest, nowMs).slice(0, more)]
}

function planIndexes(job: Job, seen: Observation, missing: number, nowMs: number): JobPlan {
  const taken = new Set<number | undefined>([
    ...seen.succeededIndexes,
    ...(seen.failedIndexes ?? []),
    ...seen.active.map(indexOf),
    ...(waitsForFailed(job) ? seen.terminating.map(indexOf) : []),
  ])
  const create: NewPod[] = []
  let waitMs = Infinity
  let chosen = 0
  for (let index = 0; index < (job.spec.completions ?? 0) && chosen < missing; index += 1) {
    if (taken.has(index)) continue
    chosen += 1
    const replaced = seen.delayed.get(index)
    const leftMs = replaced === undefined ? 0 : indexBackOffMs(job, replaced, nowMs)
    if (leftMs > 0) waitMs = Math.min(waitMs, leftMs)
    else create.push(replaced === undefined ? { index } : { index, replaced })
  }
  return { remove: [], create, waitMs: waitMs === Infinity ? 0 : waitMs }
}

function indexBackOffMs(job: Job, failed: Pod, nowMs: number): number {
  const { counted, ignored } = countsAfter(job, failed)
  return backOffMs({ count: counted + ignored, lastMs: finishedAtMs(failed) }, nowMs)
}
