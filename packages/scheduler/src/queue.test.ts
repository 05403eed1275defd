// The scheduling queue: who is next, who sleeps, and what wakes whom.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Node, Pod } from '@aksel/api/types/core-v1'
import { seededRandom } from '@aksel/base/ids'
import { SimulatedClock } from '@aksel/testing/simulated-clock'
import type { ClusterEvent } from './events.ts'
import { PriorityHeap } from './priority-heap.ts'
import { SchedulingQueue } from './queue.ts'
import type { Room } from './room.ts'
import { Chance } from './testing/random-cluster.ts'

const pod = (name: string, more: Partial<Pod['spec']> = {}): Pod => ({
  metadata: { name, namespace: 'n', uid: name },
  spec: { containers: [], ...more },
})

const node = (cpu: string): Node => ({
  metadata: { name: 'a' },
  spec: {},
  status: { allocatable: { cpu, pods: '10' } },
})
const nodeEvent = (cpu: string): ClusterEvent => ({ kind: 'node', now: node(cpu), before: undefined })
const resources = new Set(['NodeResourcesFit'])

function queueOf(...pods: readonly Pod[]): {
  readonly queue: SchedulingQueue
  readonly clock: SimulatedClock
  readonly calls: () => number
  readonly take: () => string | undefined
} {
  const clock = new SimulatedClock()
  let calls = 0
  const queue = new SchedulingQueue(clock, () => (calls += 1))
  for (const each of pods) queue.put(each)
  return { queue, clock, calls: () => calls, take: () => queue.take()?.metadata.name }
}

test('take() gives the highest priority first, then the order of arrival', () => {
  const { take } = queueOf(pod('a'), pod('b', { priority: 10 }), pod('c', { priority: 10 }))
  assert.deepEqual([take(), take(), take(), take()], ['b', 'c', 'a', undefined])
})

test('a pod that was turned away sleeps until something changes that may help it', () => {
  const { queue, take } = queueOf(pod('a'))
  take()
  queue.turnAway('n/a', resources)
  queue.wake({ kind: 'volume' })
  assert.equal(take(), undefined)
  queue.wake(nodeEvent('1'))
  assert.equal(take(), 'a')
})

test('a node that is too small for a pod does not wake it, a large enough one does', () => {
  const asking = { containers: [{ name: 'c', resources: { requests: { cpu: '2' } } }] }
  const { queue, take } = queueOf(pod('a', asking))
  take()
  queue.turnAway('n/a', resources)
  queue.wake(nodeEvent('1'))
  assert.equal(take(), undefined)
  queue.wake(nodeEvent('3'))
  assert.equal(take(), 'a')
})

test('a pod that waits for a port is woken by the end of a pod that held it, and by no other', () => {
  const port = (hostPort: number): Partial<Pod['spec']> => ({
    containers: [{ name: 'c', resources: {}, ports: [{ containerPort: 1, hostPort }] }],
  })
  const { queue, take } = queueOf(pod('a', port(80)))
  take()
  queue.turnAway('n/a', new Set(['NodePorts']))
  queue.wake({ kind: 'pod-gone', pod: pod('x', port(81)) })
  assert.equal(take(), undefined)
  queue.wake({ kind: 'pod-gone', pod: pod('y', port(80)) })
  assert.equal(take(), 'a')
})

test('a pod that goes wakes those for whom there is room, and those who were promised its place; others sleep on', () => {
  const asking = (name: string, cpu: string): Pod =>
    pod(name, { containers: [{ name: 'c', resources: { requests: { cpu } } }] })
  const { queue, take } = queueOf(asking('small', '1'), asking('large', '4'), asking('twin', '4'), asking('heir', '4'))
  for (const name of ['small', 'large', 'twin', 'heir']) {
    assert.equal(take(), name)
    queue.turnAway(`n/${name}`, resources, { isMakingRoom: name !== 'small' })
  }
  const asked: boolean[] = []
  const room = (cpu: string, heirs: readonly string[]): Room => ({
    heirs,
    fits: (waiting, { isMakingRoom }) => {
      asked.push(isMakingRoom)
      return waiting.spec.containers[0]!.resources!.requests!['cpu'] === cpu
    },
  })
  queue.wake({ kind: 'pod-gone', pod: pod('x'), room: room('2', ['n/nobody']) })
  assert.equal(take(), undefined)
  assert.deepEqual(asked, [false, true], 'those who are alike are asked for once')
  queue.wake({ kind: 'pod-gone', pod: pod('x'), room: room('2', ['n/heir']) })
  assert.deepEqual([take(), take()], ['heir', undefined])
  queue.wake({ kind: 'pod-gone', pod: pod('x'), room: room('1', []) })
  assert.deepEqual([take(), take()], ['small', undefined])
  queue.wake({ kind: 'pod-gone', pod: pod('x') })
  assert.deepEqual([take(), take(), take()], ['large', 'twin', undefined])
})

test('a change that comes while a pod is being tried is not lost', () => {
  const { queue, take } = queueOf(pod('a'))
  take()
  queue.wake(nodeEvent('4'))
  queue.turnAway('n/a', resources)
  assert.equal(take(), 'a')
  queue.wake({ kind: 'namespace' })
  queue.turnAway('n/a', resources)
  assert.equal(take(), undefined)
})

test('a failed binding waits for its back-off, longer each time, even when the scheduler is idle', () => {
  const { queue, clock, take } = queueOf(pod('a'))
  for (const waitMs of [1000, 2000, 4000, 8000, 10_000, 10_000]) {
    assert.equal(take(), 'a')
    queue.retry('n/a')
    clock.advance(waitMs - 1)
    assert.equal(take(), undefined)
    clock.advance(1)
  }
})

test('a woken pod waits behind those that are due, and is tried early when none is', () => {
  const { queue, take } = queueOf(pod('a', { priority: 5 }))
  take()
  queue.turnAway('n/a', resources)
  queue.put(pod('b'))
  queue.wake(nodeEvent('1'))
  assert.deepEqual([take(), take()], ['b', 'a'])
})

test('a pod is tried again after five minutes even when nothing was seen', () => {
  const { queue, clock, take } = queueOf(pod('a'))
  take()
  queue.turnAway('n/a', resources)
  clock.advance(5 * 60_000)
  assert.equal(take(), 'a')
})

test('a pod of the same name but another uid starts anew', () => {
  const { queue, take } = queueOf(pod('a'))
  take()
  queue.turnAway('n/a', resources)
  queue.put({ ...pod('a'), metadata: { name: 'a', namespace: 'n', uid: 'other' } })
  assert.equal(take(), 'a')
  assert.equal(queue.length, 1)
})

test('a dropped pod leaves nothing behind', () => {
  const { queue, clock, take } = queueOf(pod('a'), pod('b'))
  take()
  queue.turnAway('n/a', resources)
  queue.drop('n/a')
  queue.drop('n/b')
  queue.wake(nodeEvent('1'))
  assert.deepEqual([take(), queue.length, clock.timerCount], [undefined, 0, 0])
})

test('PriorityHeap gives what sorting gives, whatever is taken out between', () => {
  const chance = new Chance(seededRandom(7))
  const heap = new PriorityHeap<{ priority: number; sequence: number }>()
  let items: { priority: number; sequence: number }[] = []
  for (let sequence = 0; sequence < 2000; sequence += 1) {
    const item = { priority: chance.below(5), sequence }
    heap.push(item)
    items.push(item)
    if (!chance.is(0.4)) continue
    const gone = chance.one(items)
    heap.remove(gone)
    items = items.filter((each) => each !== gone)
  }
  const sorted = items.toSorted((left, right) => right.priority - left.priority || left.sequence - right.sequence)
  assert.deepEqual(
    items.map(() => heap.pop()),
    sorted,
  )
  assert.equal(heap.pop(), undefined)
})
