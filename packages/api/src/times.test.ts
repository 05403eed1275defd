// Ages and times as upstream prints them.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ageOf, canonicalMicroTime, canonicalTime, humanDuration } from './times.ts'

const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

const durations: readonly (readonly [number, string])[] = [
  [-2 * SECOND, '<invalid>'],
  [-1 * SECOND, '0s'],
  [0, '0s'],
  [119 * SECOND, '119s'],
  [2 * MINUTE, '2m'],
  [3 * MINUTE + 12 * SECOND, '3m12s'],
  [10 * MINUTE + 5 * SECOND, '10m'],
  [179 * MINUTE, '179m'],
  [3 * HOUR + 30 * MINUTE, '3h30m'],
  [8 * HOUR + 30 * MINUTE, '8h'],
  [47 * HOUR, '47h'],
  [2 * DAY, '2d'],
  [2 * DAY + 5 * HOUR, '2d5h'],
  [8 * DAY + 5 * HOUR, '8d'],
  [729 * DAY, '729d'],
  [730 * DAY + 10 * DAY, '2y10d'],
  [9 * 365 * DAY, '9y'],
]

test('a duration is shortened for people', () => {
  for (const [ms, text] of durations) assert.equal(humanDuration(ms), text)
  assert.equal(ageOf(undefined, 0), '<unknown>')
  assert.equal(ageOf('2026-01-01T00:00:00Z', Date.UTC(2026, 0, 1, 0, 0, 5)), '5s')
})

test('times become UTC, micro times keep six digits, other texts are no times', () => {
  assert.equal(canonicalTime('2026-06-01T12:00:00+02:00'), '2026-06-01T10:00:00Z')
  assert.equal(canonicalTime('yesterday'), undefined)
  assert.equal(canonicalTime('2026-13-01T00:00:00Z'), undefined)
  assert.equal(canonicalMicroTime('2026-06-01T12:00:00.123456Z'), '2026-06-01T12:00:00.123456Z')
  assert.equal(canonicalMicroTime('2026-06-01T12:00:00.5Z'), '2026-06-01T12:00:00.500000Z')
})
