// The node's care for itself against a world in memory: one pod at a time, dead things first, critical pods never.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Pod } from '@aksel/api/types/core-v1'
import { testScope } from '@aksel/testing/test-scope'
import { EvictionManager } from './eviction-manager.ts'
import type { EvictablePod, EvictionOrder } from './eviction-manager.ts'
import { parseThresholds } from './thresholds.ts'
import type { Signal } from './thresholds.ts'

const MI = 2 ** 20

interface Placed extends EvictablePod {
  readonly memoryBytes: number
}

function setUp(signal: Signal, threshold: string, freeBytes: number) {
  const scope = testScope()
  const state = { free: freeBytes, reclaimable: 0, changes: 0, told: [] as string[] }
  const orders: (readonly [string, EvictionOrder])[] = []
  const placed: Placed[] = []
  const place = (name: string, memoryBytes: number, more: Partial<Pod['spec']> = {}): Pod => {
    const pod: Pod = { metadata: { name, uid: name }, spec: { containers: [{ name: 'main', image: 'i' }], ...more } }
    placed.push({
      pod,
      memoryBytes,
      async evict(order) {
        orders.push([name, order])
        state.free += memoryBytes
        placed.splice(
          placed.findIndex((each) => each.pod === pod),
          1,
        )
      },
    })
    return pod
  }
  const manager = new EvictionManager<Placed>(
    scope,
    {
      thresholds: parseThresholds({
        evictionHard: { [signal]: threshold },
        evictionSoft: {},
        evictionSoftGracePeriod: {},
        evictionMinimumReclaim: {},
      }),
      transitionMs: 300_000,
      maxPodGraceSeconds: 0,
      intervalMs: 10_000,
    },
    {
      observe: async () => new Map([[signal, { available: state.free, capacity: 1000 * MI }]]),
      pods: () => [...placed],
      usageOf: async ({ memoryBytes }) => ({
        containers: [{ name: 'main', memoryBytes, diskBytes: memoryBytes }],
        memoryBytes,
        processes: 1,
        diskBytes: memoryBytes,
        inodes: 1,
        emptyDirBytes: new Map(),
      }),
      async reclaimDisk() {
        state.free += state.reclaimable
        state.reclaimable = 0
      },
      changed: () => (state.changes += 1),
      tellNode: (_type, reason, message) => state.told.push(`${reason} ${message}`),
    },
  )
  return { scope, state, orders, place, manager }
}

test('pods go one by one, greediest first, until enough is free; the condition stays for its period', async () => {
  const { scope, state, orders, place, manager } = setUp('memory.available', '100Mi', 40 * MI)
  place('small', 10 * MI)
  place('large', 30 * MI)
  place('larger', 50 * MI)
  const running = manager.run()
  await scope.clock.run(1)
  assert.deepEqual(
    orders.map(([name]) => name),
    ['larger', 'large'],
  )
  assert.deepEqual([...manager.conditions], ['MemoryPressure'])
  assert.equal(state.changes, 1)
  assert.deepEqual(state.told, Array(2).fill('EvictionThresholdMet Attempting to reclaim memory'))
  assert.equal(orders[0]?.[1].graceSeconds, 1)
  assert.equal(orders[0]?.[1].isDisruption, true)
  await scope.clock.run(310_000)
  assert.deepEqual([[...manager.conditions], state.changes, orders.length], [[], 2, 2])
  scope.abort()
  await running
})

test('dead containers and images go before any pod', async () => {
  const { state, orders, place, manager } = setUp('nodefs.available', '10%', 50 * MI)
  place('a', 100 * MI)
  state.reclaimable = 60 * MI
  assert.equal(await manager.look(), false)
  assert.deepEqual(orders, [])
  assert.deepEqual([...manager.conditions], ['DiskPressure'])
})

test('critical and static pods are never evicted', async () => {
  const { orders, place, manager } = setUp('memory.available', '100Mi', 0)
  place('critical', 500 * MI, { priority: 2_000_000_000 })
  assert.equal(await manager.look(), false)
  place('plain', 1 * MI)
  assert.equal(await manager.look(), true)
  assert.deepEqual(
    orders.map(([name]) => name),
    ['plain'],
  )
})

test('a pod that breaks its own limit is evicted without pressure, and is no disruption', async () => {
  const { orders, place, manager } = setUp('nodefs.available', '10%', 900 * MI)
  place('greedy', 30 * MI, {
    containers: [{ name: 'main', image: 'i', resources: { limits: { 'ephemeral-storage': '20Mi' } } }],
  })
  assert.equal(await manager.look(), true)
  const [name, order] = orders[0]!
  assert.equal(name, 'greedy')
  assert.match(order.message, /^Pod ephemeral local storage usage exceeds the total limit of containers 20Mi/)
  assert.equal(order.isDisruption, false)
})

test('under memory pressure only best-effort pods are refused, under disk pressure all but critical ones', async () => {
  const memory = setUp('memory.available', '100Mi', 0)
  const best: Pod = { metadata: { name: 'b' }, spec: { containers: [{ name: 'c', image: 'i' }] } }
  const burst: Pod = {
    metadata: { name: 'u' },
    spec: { containers: [{ name: 'c', image: 'i', resources: { requests: { memory: '1Mi' } } }] },
  }
  const tolerant: Pod = {
    ...best,
    spec: { ...best.spec, tolerations: [{ key: 'node.kubernetes.io/memory-pressure', operator: 'Exists' }] },
  }
  const critical: Pod = { ...best, spec: { ...best.spec, priority: 2_000_001_000 } }
  assert.equal(memory.manager.admit(best), undefined)
  await memory.manager.look()
  assert.deepEqual(memory.manager.admit(best), {
    reason: 'Evicted',
    message: 'The node had condition: [MemoryPressure]. ',
  })
  for (const pod of [burst, tolerant, critical]) assert.equal(memory.manager.admit(pod), undefined)
  const disk = setUp('nodefs.available', '10%', 0)
  await disk.manager.look()
  assert.match(disk.manager.admit(burst)?.message ?? '', /DiskPressure/)
  assert.equal(disk.manager.admit(critical), undefined)
})
