// Times by the calendar, across changes of the clocks.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseSchedule } from './schedule.ts'

const rows: readonly {
  readonly schedule: string
  readonly zone?: string
  readonly after: string
  readonly next: readonly string[]
}[] = [
  { schedule: '*/15 * * * *', after: '2026-01-01T00:14:59Z', next: ['2026-01-01T00:15:00Z', '2026-01-01T00:30:00Z'] },
  { schedule: '5/20 3 * * *', after: '2026-01-01T03:25:00Z', next: ['2026-01-01T03:45:00Z', '2026-01-02T03:05:00Z'] },
  { schedule: '@hourly', after: '2026-01-01T00:00:00Z', next: ['2026-01-01T01:00:00Z'] },
  { schedule: '@every 90s', after: '2026-01-01T00:00:00Z', next: ['2026-01-01T00:01:30Z', '2026-01-01T00:03:00Z'] },
  { schedule: '0 0 29 2 *', after: '2026-01-01T00:00:00Z', next: ['2028-02-29T00:00:00Z'] },
  { schedule: '0 12 13 * FRI', after: '2026-02-01T00:00:00Z', next: ['2026-02-06T12:00:00Z', '2026-02-13T12:00:00Z'] },
  { schedule: '0 12 * * mon-wed', after: '2026-01-01T00:00:00Z', next: ['2026-01-05T12:00:00Z'] },
  { schedule: '30 6 1 jan,jul ?', after: '2026-01-01T06:30:00Z', next: ['2026-07-01T06:30:00Z'] },
  { schedule: '0 9 * * *', zone: 'Asia/Kolkata', after: '2026-01-01T00:00:00Z', next: ['2026-01-01T03:30:00Z'] },
  // Clocks in Berlin skip from 2:00 to 3:00 on 29 March 2026: half past two does not come.
  {
    schedule: '30 2 * * *',
    zone: 'Europe/Berlin',
    after: '2026-03-28T00:00:00Z',
    next: ['2026-03-28T01:30:00Z', '2026-03-30T00:30:00Z'],
  },
  // They repeat the hour from 2:00 on 25 October 2026: half past two comes twice.
  {
    schedule: '30 2 * * *',
    zone: 'Europe/Berlin',
    after: '2026-10-24T12:00:00Z',
    next: ['2026-10-25T00:30:00Z', '2026-10-25T01:30:00Z', '2026-10-26T01:30:00Z'],
  },
  // Midnight keeps its place in the day on both sides of a change.
  {
    schedule: '0 0 * * *',
    zone: 'America/New_York',
    after: '2026-03-07T12:00:00Z',
    next: ['2026-03-08T05:00:00Z', '2026-03-09T04:00:00Z'],
  },
  // Half an hour of summer time.
  {
    schedule: '15 2 * * *',
    zone: 'Australia/Lord_Howe',
    after: '2026-10-03T00:00:00Z',
    next: ['2026-10-04T15:15:00Z'],
  },
]

for (const { schedule, zone, after, next } of rows) {
  test(`"${schedule}" in ${zone ?? 'UTC'} after ${after}`, () => {
    const found: string[] = []
    for (let ms = Date.parse(after); found.length < next.length;) {
      ms = parseSchedule(schedule, zone).next(ms)!
      found.push(new Date(ms).toISOString().replace('.000', ''))
    }
    assert.deepEqual(found, next)
  })
}

test('a day that never comes is not looked for without end', () => {
  assert.equal(parseSchedule('0 0 31 2 *', 'Europe/Berlin').next(Date.UTC(2026, 0, 1)), undefined)
})

for (const text of ['', '* * * *', '61 * * * *', '@often', '@every soon', '*/0 * * * *', 'a b c d e']) {
  test(`"${text}" is no schedule`, () => {
    assert.throws(() => parseSchedule(text))
  })
}
