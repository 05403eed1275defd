// The promises of the work queue, on simulated time.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SimulatedClock } from '@aksel/testing/simulated-clock'
import { WorkQueue } from './work-queue.ts'

function make(): { readonly clock: SimulatedClock; readonly queue: WorkQueue } {
  const clock = new SimulatedClock()
  return { clock, queue: new WorkQueue({ clock }) }
}

test('WorkQueue.take() gives a key once, however often it was added', async () => {
  const { queue } = make()
  queue.add('a')
  queue.add('b')
  queue.add('a')
  assert.deepEqual([await queue.take(), await queue.take(), queue.length], ['a', 'b', 0])
})

test('WorkQueue.take() waits while the key is in use, and then gives it once more', async () => {
  const { queue } = make()
  queue.add('a')
  await queue.take()
  queue.add('a')
  queue.add('a')
  const taken: (string | undefined)[] = []
  const next = queue.take().then((key) => taken.push(key))
  await Promise.resolve()
  assert.deepEqual(taken, [])
  queue.finish('a')
  await next
  assert.deepEqual(taken, ['a'])
})

test('WorkQueue.addAfter() adds when the time has come, and the earliest of several times counts', async () => {
  const { clock, queue } = make()
  queue.addAfter('a', 100)
  queue.addAfter('a', 50)
  queue.addAfter('a', 200)
  assert.equal(clock.timerCount, 1)
  clock.advance(49)
  assert.equal(queue.length, 0)
  clock.advance(1)
  assert.equal(await queue.take(), 'a')
})

test('WorkQueue.take() drops the delayed add of the key that it gives', async () => {
  const { clock, queue } = make()
  queue.addAfter('a', 100)
  queue.add('a')
  await queue.take()
  queue.finish('a')
  assert.equal(clock.timerCount, 0)
  clock.advance(1000)
  assert.equal(queue.length, 0)
})

test('WorkQueue.addRateLimited() waits 5 ms, twice as long each time, at most 1,000 s, until forget()', async () => {
  const { clock, queue } = make()
  const waits: number[] = []
  for (let failure = 0; failure < 20; failure += 1) {
    queue.addRateLimited('a')
    const before = clock.monotonicMs()
    while (queue.length === 0) clock.advance(5)
    waits.push(clock.monotonicMs() - before)
    await queue.take()
    queue.finish('a')
  }
  assert.deepEqual(waits.slice(0, 4), [5, 10, 20, 40])
  assert.equal(waits.at(-1), 1_000_000)
  queue.forget('a')
  queue.addRateLimited('a')
  clock.advance(5)
  assert.equal(queue.length, 1)
})

test('a closed WorkQueue ends every take() and holds no timer', async () => {
  const { clock, queue } = make()
  const waiting = queue.take()
  queue.addAfter('a', 100)
  queue[Symbol.dispose]()
  assert.equal(await waiting, undefined)
  assert.equal(await queue.take(), undefined)
  queue.add('b')
  assert.equal(queue.length, 0)
  assert.equal(clock.timerCount, 0)
})
