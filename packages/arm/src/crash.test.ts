// Kills the reconciler before and after every call it makes, starts a new one, and expects the same end each time.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { nodes, pods } from '@aksel/api/resources'
import { silentLog } from '@aksel/base/log'
import { seededRandom } from '@aksel/base/ids'
import type { Scope } from '@aksel/base/scope'
import { createMemoryStore } from '@aksel/store/memory-store'
import type { Store } from '@aksel/store/store'
import { FakeClusterEngine } from '@aksel/testing/fake-cluster-engine'
import { FakeFabric } from '@aksel/testing/fake-fabric'
import { FakeMachines } from '@aksel/testing/fake-machines'
import type { Interference } from '@aksel/testing/interference'
import { SimulatedClock } from '@aksel/testing/simulated-clock'
import type { ArmRequest } from './front-door/route.ts'
import type { Hub } from './hub.ts'
import { Reconciler } from './reconciler.ts'
import {
  operationStatuses,
  type ClusterRecord,
  type MachineRecord,
  type OperationRecord,
  type PoolRecord,
} from './records.ts'
import { beginClusterDelete, putCluster } from './resource-providers/container-service/cluster-writes.ts'
import { beginPoolDelete, putPool } from './resource-providers/container-service/pool-writes.ts'
import { putGroup } from './resource-providers/resources/groups.ts'
import { keys, ResourceStore } from './store-keyspace.ts'

const ref = { subscriptionId: 's', resourceGroup: 'rg', cluster: 'c1' }

/** A server that is killed at the n-th call it makes, and everything that outlives it. */
class World {
  readonly clock = new SimulatedClock()
  readonly #random = seededRandom(1)
  calls = 0
  killAt = Number.POSITIVE_INFINITY
  #process = new AbortController()
  readonly engine: FakeClusterEngine
  readonly fabric: FakeFabric
  readonly machines: FakeMachines
  readonly #simulated: FakeMachines
  readonly #disk: Store
  readonly store: ResourceStore

  constructor() {
    const interference: Interference = { before: () => this.#call(), after: () => this.#call() }
    this.engine = new FakeClusterEngine({ clock: this.clock, random: this.#random }, interference)
    this.fabric = new FakeFabric(interference)
    this.machines = new FakeMachines({ kind: 'local', engine: this.engine, interference })
    this.#simulated = new FakeMachines({ kind: 'simulated', engine: this.engine, interference })
    this.#disk = createMemoryStore(this.scope())
    this.store = new ResourceStore(this.#disk)
  }

  scope(): Scope {
    return { clock: this.clock, random: this.#random, log: silentLog(), signal: this.#process.signal }
  }

  hub(): Hub {
    const suppliers = {
      engine: this.engine,
      fabric: this.fabric,
      machines: (simulated: boolean) => (simulated ? this.#simulated : this.machines),
      prepareCluster: async () => this.#call(),
      simulatedByDefault: false,
    }
    return {
      store: this.store,
      suppliers,
      subscriptions: [],
      tenantId: 't',
      region: 'eastus',
      strict: false,
      stepOf: () => undefined,
      wake: () => {},
    }
  }

  request(method: string, body: unknown, query: ArmRequest['query'] = {}): ArmRequest {
    const caller = { clientId: 'c', objectId: 'o', tenantId: 't' }
    return { scope: this.scope(), method, body, query, params: {}, headers: {}, origin: '', url: '', caller }
  }

  /** Runs servers until one is not killed; each new one is killed `killAt` calls after its start. Returns how many died. */
  async settle(killAt: number): Promise<number> {
    let died = 0
    this.killAt = killAt
    while (true) {
      this.#process = new AbortController()
      this.calls = 0
      const reconciler = new Reconciler(this.scope(), {
        store: new ResourceStore(this.#watched()),
        suppliers: this.hub().suppliers,
      })
      await reconciler.resume().catch(() => {})
      await this.#untilIdle(reconciler)
      if (!this.#process.signal.aborted) return died
      died += 1
      // A server that is always killed at the same call would never get on: the next may do a little more.
      this.killAt += 1
    }
  }

  async #untilIdle(reconciler: Reconciler): Promise<void> {
    let idle = false
    void reconciler.idle().then(() => (idle = true))
    while (!idle) {
      await this.clock.run(1_000)
      for (const id of this.engine.clusters.keys()) this.machines.endPods(id)
    }
  }

  /** The store as the doomed process sees it: killed before or after a write. */
  #watched(): Store {
    const disk = this.#disk
    const call = (): void => this.#call()
    return new Proxy(disk, {
      get(target, name) {
        if (name === 'transact') {
          return async (transaction: Parameters<Store['transact']>[0]) => {
            call()
            const result = await disk.transact(transaction)
            call()
            return result
          }
        }
        const value = Reflect.get(target, name, target) as unknown
        return typeof value === 'function' ? (value.bind(target) as unknown) : value
      },
    })
  }

  #call(): void {
    if (this.#process.signal.aborted) throw new Error('dead processes make no calls')
    this.calls += 1
    if (this.calls !== this.killAt) return
    this.#process.abort(new Error('killed'))
    throw new Error('killed')
  }

  async cluster(): Promise<ClusterRecord | undefined> {
    const id = '/subscriptions/s/resourcegroups/rg/providers/microsoft.containerservice/managedclusters/c1'
    return (await this.store.get<ClusterRecord>(keys.resource(id)))?.value
  }

  async pools(): Promise<readonly PoolRecord[]> {
    const all = await this.store.list<PoolRecord>(keys.below('/subscriptions/s'))
    return all.map(({ value }) => value).filter(({ kind }) => kind === 'pool')
  }

  async operations(): Promise<readonly string[]> {
    const all = await this.store.list<OperationRecord>(keys.operations)
    return all.map(({ value }) => value.status)
  }
}

const body = (pools: readonly unknown[]): unknown => ({
  location: 'eastus',
  properties: { dnsPrefix: 'c1', agentPoolProfiles: pools },
})

async function createdWorld(): Promise<World> {
  const world = new World()
  await putGroup(world.store, ref, { location: 'eastus' })
  await putCluster(
    world.hub(),
    world.request(
      'PUT',
      body([
        { name: 'a', mode: 'System', count: 2 },
        { name: 'b', count: 1 },
      ]),
    ),
    ref,
  )
  return world
}

async function runningWorld(): Promise<World> {
  const world = await createdWorld()
  await world.settle(Number.POSITIVE_INFINITY)
  return world
}

/** What must hold of a settled cluster, whatever happened on the way. */
async function assertConverged(world: World, counts: Readonly<Record<string, number>>): Promise<void> {
  const cluster = await world.cluster()
  assert.equal(cluster?.progress.provisioningState, 'Succeeded')
  const total = Object.values(counts).reduce((sum, count) => sum + count, 0)
  const pools = await world.pools()
  assert.deepEqual(Object.fromEntries(pools.map(({ name, properties }) => [name, properties.count])), counts)
  assert.ok(pools.every(({ progress }) => progress.provisioningState === 'Succeeded'))
  const records = (await world.store.list<MachineRecord>(keys.machines(cluster!.id))).map(({ value }) => value)
  const names = records.map(({ name }) => name).toSorted()
  assert.equal(names.length, total)
  assert.equal(new Set(records.map(({ podCidr }) => podCidr)).size, total, 'no pod range is given twice')
  assert.deepEqual(
    world.machines
      .list()
      .map(({ name }) => name)
      .toSorted(),
    names,
  )
  const client = world.engine.client(cluster!.id.toLowerCase())
  assert.deepEqual(
    client
      .peekAll(nodes)
      .map(({ metadata }) => metadata.name)
      .toSorted(),
    names,
  )
  assert.equal(world.engine.clusters.size, 1)
  assert.equal(world.fabric.networks.size, 1)
  assertEnded(await world.operations())
}

function assertEnded(statuses: readonly string[]): void {
  assert.ok(
    statuses.every((status) => status === 'Succeeded'),
    statuses.join(),
  )
  assert.ok(operationStatuses.includes('Succeeded'))
}

interface Story {
  readonly name: string
  readonly begin: () => Promise<World>
  readonly check: (world: World) => Promise<void>
}

const stories: readonly Story[] = [
  { name: 'create of two pools', begin: createdWorld, check: (world) => assertConverged(world, { a: 2, b: 1 }) },
  {
    name: 'scale up',
    begin: async () => {
      const world = await runningWorld()
      await putPool(world.hub(), world.request('PUT', { properties: { count: 4 } }), { ...ref, pool: 'b' })
      return world
    },
    check: (world) => assertConverged(world, { a: 2, b: 4 }),
  },
  {
    name: 'scale down with a pod to evict',
    begin: async () => {
      const world = await runningWorld()
      const cluster = (await world.cluster())!
      const client = world.engine.client(cluster.id.toLowerCase())
      const [last] = client
        .peekAll(nodes)
        .map(({ metadata }) => metadata.name)
        .filter((name) => /-a-/.test(name))
        .toSorted()
        .toReversed()
      client.put(pods, {
        metadata: { name: 'web', namespace: 'default' },
        spec: { containers: [], nodeName: last! },
        status: { phase: 'Running' },
      })
      await putPool(world.hub(), world.request('PUT', { properties: { count: 1 } }), { ...ref, pool: 'a' })
      return world
    },
    check: async (world) => {
      await assertConverged(world, { a: 1, b: 1 })
      const client = world.engine.client([...world.engine.clusters.keys()][0]!)
      assert.deepEqual(client.peekAll(pods), [])
    },
  },
  {
    name: 'delete of a pool',
    begin: async () => {
      const world = await runningWorld()
      await beginPoolDelete(world.hub(), world.request('DELETE', undefined), { ...ref, pool: 'b' })
      return world
    },
    check: (world) => assertConverged(world, { a: 2 }),
  },
  {
    name: 'delete of the cluster',
    begin: async () => {
      const world = await runningWorld()
      await beginClusterDelete(world.hub(), world.scope(), ref)
      return world
    },
    check: async (world) => {
      assert.equal(await world.cluster(), undefined)
      assert.deepEqual(
        [world.engine.clusters.size, world.fabric.networks.size, world.machines.list().length],
        [0, 0, 0],
      )
      const left = await world.store.list<{ readonly id: string }>('hub/')
      const kept = left.filter(({ key }) => !key.startsWith(keys.operations)).map(({ value }) => value.id)
      assert.deepEqual(kept, ['/subscriptions/s/resourceGroups/rg'])
      assertEnded(await world.operations())
    },
  },
]

for (const story of stories) {
  test(`${story.name} ends the same wherever the server is killed`, async () => {
    const calm = await story.begin()
    assert.equal(await calm.settle(Number.POSITIVE_INFINITY), 0)
    await story.check(calm)
    const calls = calm.calls
    assert.ok(calls > 4, `only ${calls} calls were seen: the test kills nothing`)
    for (let at = 1; at <= calls; at += 1) {
      const world = await story.begin()
      const died = await world.settle(at)
      assert.ok(died > 0, `no server died at call ${at}`)
      await story.check(world)
    }
  })
}
