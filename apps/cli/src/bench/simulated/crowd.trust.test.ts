// A crowd of simulated nodes is held while others write: nothing that was acknowledged is lost. No time is judged here.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { systemClock } from '@aksel/base/clock'
import { systemRandom } from '@aksel/base/ids'
import { silentLog } from '@aksel/base/log'
import { sized } from '@aksel/testing/test-size'
import { crowd } from './crowd.ts'

/** At full size a tenth of upstream's greatest cluster for two minutes; `./aksel bench simulated --full` holds all of it for half an hour. */
const size = sized({
  gate: { nodes: 100, podsANode: 2, holdPodsANode: 10, services: 100, holdSeconds: 10 },
  full: { nodes: 500, podsANode: 2, holdPodsANode: 30, services: 1000, holdSeconds: 120 },
})

test(`${size.nodes} nodes and ${size.nodes * size.holdPodsANode} pods are held, and no acknowledged write is lost`, async () => {
  const stop = new AbortController()
  const scope = { clock: systemClock(), random: systemRandom(), log: silentLog(), signal: stop.signal }
  try {
    const { hold, writes } = await crowd(scope, size)
    assert.deepEqual(hold.lost, [])
    assert.ok(hold.writes > size.holdSeconds, `only ${hold.writes} changes`)
    assert.ok(writes > size.nodes * size.podsANode, `only ${writes} writes`)
  } finally {
    stop.abort(new Error('The test ended'))
  }
})

test('a crowd that is interrupted tells what was seen until then, and loses nothing', async () => {
  const scope = {
    clock: systemClock(),
    random: systemRandom(),
    log: silentLog(),
    signal: new AbortController().signal,
  }
  const stop = new AbortController()
  let changes = 0
  const onChange = (): void => {
    changes += 1
    if (changes === 5) stop.abort(new Error('Stopped'))
  }
  const small = { nodes: 5, podsANode: 1, holdPodsANode: 2, services: 3, holdSeconds: 3600 }
  const { hold, heldSeconds } = await crowd(scope, small, { until: stop.signal, onChange })
  assert.ok(hold.writes >= 5 && hold.writes < 10, `${hold.writes} changes`)
  assert.deepEqual(hold.lost, [])
  assert.ok(heldSeconds < 3600)
})
