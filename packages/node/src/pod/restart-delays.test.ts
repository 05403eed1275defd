// How the rest between restarts grows.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RestartDelays } from './restart-delays.ts'

test('RestartDelays doubles from 10 s to 5 min, and begins anew after a long peace', () => {
  const delays = new RestartDelays()
  let nowMs = 0
  const seen: number[] = []
  for (let count = 0; count < 8; count += 1) {
    seen.push(delays.delayMs('main') / 1000)
    delays.restarted('main', nowMs)
    nowMs += 60_000
  }
  assert.deepEqual(seen, [0, 10, 20, 40, 80, 160, 300, 300])
  delays.restarted('main', nowMs + 20 * 60_000)
  assert.equal(delays.delayMs('main'), 10_000)
  assert.equal(delays.delayMs('other'), 0)
})
