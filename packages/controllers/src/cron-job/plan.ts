// Which run of a cron job is due now, and when to look again.

import type { CronJob, Job } from '@aksel/api/types/batch-v1'
import type { Schedule } from './schedule.ts'

/** More than these were missed: the clock may have jumped, and people should know. */
const missedMax = 100
/** Lets the clock get past the second that is due. */
const deltaMs = 100

export interface Recent {
  /** Where the search began: the last run, or the making of the cron job. */
  readonly earliestMs: number
  /** The last time that passed without a run. */
  readonly dueMs: number | undefined
  readonly missed: 'none' | 'few' | 'many'
}

/** Throws an Error for a schedule that never comes. */
export function mostRecent(cron: CronJob, schedule: Schedule, nowMs: number, withinDeadline: boolean): Recent {
  const { metadata, spec, status } = cron
  let earliestMs = Date.parse(status?.lastScheduleTime ?? metadata.creationTimestamp ?? '') || nowMs
  if (withinDeadline && spec.startingDeadlineSeconds !== undefined)
    earliestMs = Math.max(earliestMs, nowMs - spec.startingDeadlineSeconds * 1000)
  const firstMs = schedule.next(earliestMs)
  const secondMs = firstMs === undefined ? undefined : schedule.next(firstMs)
  if (firstMs === undefined || secondMs === undefined)
    throw new Error('time difference between two schedules is less than 1 second')
  if (nowMs < firstMs) return { earliestMs, dueMs: undefined, missed: 'none' }
  if (nowMs < secondMs) return { earliestMs, dueMs: firstMs, missed: 'none' }
  const betweenMs = secondMs - firstMs
  const count = Math.floor((nowMs - firstMs) / betweenMs) + 1
  // Guessed from the first interval; a later one may be shorter, so the rest is walked.
  let dueMs: number | undefined
  for (
    let ms = schedule.next(firstMs + (count - 2) * betweenMs);
    ms !== undefined && ms <= nowMs;
    ms = schedule.next(ms)
  )
    dueMs = ms
  return { earliestMs, dueMs: dueMs ?? secondMs, missed: count > missedMax ? 'many' : 'few' }
}

/** Milliseconds until the next run; 0 when there is none. */
export function untilNext(cron: CronJob, schedule: Schedule, nowMs: number): number {
  const nextMs = schedule.next(lastMs(cron, schedule, nowMs))
  return nextMs === undefined ? 0 : Math.max(1, nextMs + deltaMs - nowMs)
}

function lastMs(cron: CronJob, schedule: Schedule, nowMs: number): number {
  try {
    const { earliestMs, dueMs, missed } = mostRecent(cron, schedule, nowMs, false)
    return dueMs ?? (missed === 'none' ? earliestMs : nowMs)
  } catch {
    return nowMs
  }
}

/** One name per due time: a run is never started twice. */
export function jobName({ metadata }: CronJob, dueMs: number): string {
  return `${metadata.name}-${Math.floor(dueMs / 60_000)}`
}

/** Finished jobs past a limit, the oldest first. */
export function jobsToForget(finished: readonly Job[], limit: number | undefined): readonly Job[] {
  if (limit === undefined || finished.length <= limit) return []
  return finished.toSorted(byStart).slice(0, finished.length - limit)
}

function byStart(left: Job, right: Job): number {
  const [leftTime, rightTime] = [left.status?.startTime, right.status?.startTime]
  if (leftTime !== rightTime) {
    if (leftTime === undefined) return 1
    if (rightTime === undefined) return -1
    return leftTime < rightTime ? -1 : 1
  }
  return left.metadata.name < right.metadata.name ? -1 : 1
}

/** The time as annotations show it: RFC 3339 with the offset of the zone. */
export function zonedTime(ms: number, timeZone: string | undefined): string {
  const date = new Date(ms)
  if (timeZone === undefined || timeZone === 'UTC' || timeZone === 'Etc/UTC')
    return `${date.toISOString().slice(0, 19)}Z`
  const name = new Intl.DateTimeFormat('en-US', { timeZone, timeZoneName: 'longOffset' })
    .formatToParts(date)
    .find(({ type }) => type === 'timeZoneName')?.value
  const offset = /GMT([+-]\d\d:\d\d)/.exec(name ?? '')?.[1] ?? '+00:00'
  const [hours, minutes] = offset.slice(1).split(':').map(Number) as [number, number]
  const shiftMs = (hours * 60 + minutes) * 60_000 * (offset.startsWith('-') ? -1 : 1)
  const wall = new Date(ms + shiftMs).toISOString().slice(0, 19)
  return `${wall}${offset === '+00:00' ? 'Z' : offset}`
}
