// Which run is due, how many were missed, when to look again, and which finished jobs go.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { CronJob, Job } from '@aksel/api/types/batch-v1'
import { newJob } from '../testing/objects.ts'
import { jobName, jobsToForget, mostRecent, untilNext, zonedTime } from './plan.ts'
import { parseSchedule } from './schedule.ts'

const at = (time: string): number => Date.parse(`2026-01-01T${time}Z`)

function cronOf(last: string | undefined, startingDeadlineSeconds?: number): CronJob {
  return {
    metadata: { name: 'nightly', namespace: 'shop', creationTimestamp: '2026-01-01T00:00:00Z' },
    spec: {
      schedule: '*/10 * * * *',
      jobTemplate: { spec: newJob('x').spec! },
      ...(startingDeadlineSeconds === undefined ? {} : { startingDeadlineSeconds }),
    },
    ...(last === undefined ? {} : { status: { lastScheduleTime: `2026-01-01T${last}Z` } }),
  }
}

const schedule = parseSchedule('*/10 * * * *', 'UTC')

interface Row {
  readonly why: string
  readonly last?: string
  readonly deadline?: number
  readonly now: string
  readonly due: string | undefined
  readonly missed: string
}

const rows: readonly Row[] = [
  { why: 'nothing before the first time', now: '00:09:59', due: undefined, missed: 'none' },
  { why: 'the first after it was made', now: '00:10:00', due: '00:10:00', missed: 'none' },
  { why: 'nothing twice', last: '00:10:00', now: '00:10:30', due: undefined, missed: 'none' },
  { why: 'the last of some that were missed', last: '00:10:00', now: '00:45:00', due: '00:40:00', missed: 'few' },
  { why: 'the last of many, and people are told', now: '17:00:05', due: '17:00:00', missed: 'many' },
  { why: 'only what began within the deadline', deadline: 120, now: '17:01:00', due: '17:00:00', missed: 'none' },
  { why: 'nothing when the deadline has passed', deadline: 120, now: '17:05:00', due: undefined, missed: 'none' },
]
for (const { why, last, deadline, now, due, missed } of rows)
  test(`a run is due: ${why}`, () => {
    const found = mostRecent(cronOf(last, deadline), schedule, at(now), true)
    const dueMs = due === undefined ? undefined : at(due)
    assert.deepEqual({ dueMs: found.dueMs, missed: found.missed }, { dueMs, missed })
  })

test('untilNext() is the time to the next run and a moment more', () => {
  assert.equal(untilNext(cronOf('00:10:00'), schedule, at('00:15:00')), 5 * 60_000 + 100)
  assert.equal(untilNext(cronOf('00:10:00'), schedule, at('00:10:00')), 10 * 60_000 + 100)
})

test('a run has one name per due time', () => {
  assert.equal(jobName(cronOf(undefined), at('00:10:00')), `nightly-${at('00:10:00') / 60_000}`)
  assert.equal(jobName(cronOf(undefined), at('00:10:59')), jobName(cronOf(undefined), at('00:10:00')))
})

test('finished jobs past the limit go, the oldest first; without a limit none', () => {
  const job = (name: string, startTime?: string): Job => ({
    ...newJob(name),
    ...(startTime === undefined ? {} : { status: { startTime } }),
  })
  const jobs = [
    job('c', '2026-01-03T00:00:00Z'),
    job('a', '2026-01-01T00:00:00Z'),
    job('none'),
    job('b', '2026-01-02T00:00:00Z'),
  ]
  const names = (limit: number | undefined): readonly string[] =>
    jobsToForget(jobs, limit).map(({ metadata }) => metadata.name)
  assert.deepEqual([names(1), names(3), names(4), names(undefined)], [['a', 'b', 'c'], ['a'], [], []])
})

for (const [zone, text] of [
  [undefined, '2026-07-01T00:30:00Z'],
  ['Etc/UTC', '2026-07-01T00:30:00Z'],
  ['Europe/Berlin', '2026-07-01T02:30:00+02:00'],
  ['America/St_Johns', '2026-06-30T22:00:00-02:30'],
] as const)
  test(`zonedTime() in ${zone ?? 'no zone'}`, () => assert.equal(zonedTime(Date.UTC(2026, 6, 1, 0, 30), zone), text))
