// A crowd of simulated nodes and pods is held while people go on working: every acknowledged change is there afterwards, and no
// node's lease ever comes too late. How long the writes take is for `aksel bench simulated --tenth` to say.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { systemClock } from '@aksel/base/clock'
import { systemRandom } from '@aksel/base/ids'
import { silentLog } from '@aksel/base/log'
import { crowd } from '@aksel/cli/bench/simulated/crowd'
import { sized } from '@aksel/testing/test-size'

const GIBIBYTE = 1024 ** 3
const sizes = sized({
  gate: { nodes: 100, podsANode: 2, holdPodsANode: 10, services: 100, holdSeconds: 15 },
  full: { nodes: 500, podsANode: 2, holdPodsANode: 30, services: 1000, holdSeconds: 120 },
})

test('a crowd is held: no acknowledged change is lost, no node becomes unready', { timeout: 600_000 }, async () => {
  const scope = {
    clock: systemClock(),
    random: systemRandom(),
    log: silentLog(),
    signal: new AbortController().signal,
  }
  const { hold } = await crowd(scope, sizes)
  assert.ok(hold.writes > 0)
  assert.deepEqual(hold.lost, [])
  assert.deepEqual(hold.unready, [])
  assert.ok(hold.cost.rssAnonBytes < 8 * GIBIBYTE, `${hold.cost.rssAnonBytes} bytes`)
})
