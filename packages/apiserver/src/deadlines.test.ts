// One timer for the time limits of all requests.

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { SimulatedClock } from '@aksel/testing/simulated-clock'
import { Deadlines } from './deadlines.ts'

void suite('Deadlines', () => {
  void test('each is missed after its own time, and none that was met', async () => {
    const clock = new SimulatedClock()
    using deadlines = new Deadlines(clock, 60_000)
    const missed: [string, number][] = []
    const startMs = clock.monotonicMs()
    const begin = (name: string) => deadlines.begin(() => void missed.push([name, clock.monotonicMs() - startMs]))
    begin('first')
    await clock.run(20_000)
    const met = begin('met')
    begin('second')
    await clock.run(30_000)
    met.met()
    await clock.run(200_000)
    begin('late')
    await clock.run(70_000)
    assert.deepEqual(missed, [
      ['first', 60_000],
      ['second', 80_000],
      ['late', 310_000],
    ])
  })

  void test('none is missed once it is disposed', async () => {
    const clock = new SimulatedClock()
    const deadlines = new Deadlines(clock, 1_000)
    let missed = 0
    deadlines.begin(() => (missed += 1))
    deadlines[Symbol.dispose]()
    await clock.run(5_000)
    assert.equal(missed, 0)
  })
})
