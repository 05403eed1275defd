// The scheduling queue: who is next, who sleeps, and what wakes whom.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Pod } from '@aksel/api/types/core-v1'
import { SimulatedClock } from '@aksel/testing/simulated-clock'
import { SchedulingQueue } from './queue.ts'

const pod = (name: string, priority = 0): Pod => ({
  metadata: { name, namespace: 'n' },
  spec: { priority, containers: [] },
})

function queueOf(...pods: readonly Pod[]): {
  readonly queue: SchedulingQueue
  readonly clock: SimulatedClock
  readonly calls: () => number
} {
  const clock = new SimulatedClock()
  let calls = 0
  const queue = new SchedulingQueue(clock, () => (calls += 1))
  for (const each of pods) queue.put(each)
  return { queue, clock, calls: () => calls }
}

test('take() gives the highest priority first, then the order of arrival', () => {
  const { queue } = queueOf(pod('a'), pod('b', 10), pod('c', 10))
  assert.deepEqual([queue.take(), queue.take(), queue.take(), queue.take()], ['n/b', 'n/c', 'n/a', undefined])
})

test('a pod that was turned away sleeps until something changes that may help it', () => {
  const { queue } = queueOf(pod('a'))
  queue.turnAway(queue.take()!, new Set(['node']))
  queue.wake('volume')
  assert.equal(queue.take(), undefined)
  queue.wake('node')
  assert.equal(queue.take(), 'n/a')
})

test('a change that comes while a pod is being tried is not lost', () => {
  const { queue } = queueOf(pod('a'))
  const key = queue.take()!
  queue.wake('node')
  queue.turnAway(key, new Set(['node']))
  assert.equal(queue.take(), 'n/a')
})

test('a pod whose binding failed waits out its back-off, longer each time', () => {
  const { queue, clock } = queueOf(pod('a'))
  queue.retry(queue.take()!)
  assert.equal(queue.take(), undefined)
  clock.advance(1000)
  queue.retry(queue.take()!)
  clock.advance(1999)
  assert.equal(queue.take(), undefined)
  clock.advance(1)
  assert.equal(queue.take(), 'n/a')
})

test('a pod that was turned away is tried again after five minutes, whatever was seen', () => {
  const { queue, clock } = queueOf(pod('a'))
  queue.turnAway(queue.take()!, new Set(['node']))
  clock.advance(5 * 60_000)
  assert.equal(queue.take(), 'n/a')
})

test('a dropped pod is not tried again, and leaves no timer', () => {
  const { queue, clock, calls } = queueOf(pod('a'))
  queue.retry(queue.take()!)
  queue.drop('n/a')
  const before = calls()
  clock.advance(60_000)
  assert.equal(calls(), before)
  assert.equal(queue.take(), undefined)
})
