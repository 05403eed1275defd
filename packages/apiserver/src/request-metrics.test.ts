// How late the event loop was: by time, not by turns.

import assert from 'node:assert/strict'
import { createHistogram } from 'node:perf_hooks'
import { test } from 'node:test'
import { shareOfLateTurns } from './request-metrics.ts'

test('an event loop is late for the time that it stands still, however many quick turns lie between', () => {
  const turns = createHistogram()
  assert.equal(shareOfLateTurns(turns.percentiles), 0)
  for (let turn = 0; turn < 20; turn++) turns.record(10e6)
  assert.equal(shareOfLateTurns(turns.percentiles), 0)
  // 0.2 s in quick turns, 0.8 s in two that are none.
  turns.record(400e6)
  turns.record(400e6)
  const share = shareOfLateTurns(turns.percentiles)
  assert.ok(share > 0.7 && share < 0.9, String(share))
})
