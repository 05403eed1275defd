// A run that is interrupted gives what it saw. That a crowd is held without a loss, tests/trust/crowd.test.ts shows.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { systemClock } from '@aksel/base/clock'
import { systemRandom } from '@aksel/base/ids'
import { silentLog } from '@aksel/base/log'
import { crowd } from './crowd.ts'

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
