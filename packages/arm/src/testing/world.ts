// A server over fakes that is killed at the n-th call it makes, in simulated time: for tests of operations that must survive.

import assert from 'node:assert/strict'
import { nodes } from '@aksel/api/resources'
import { ApiError } from '@aksel/base/errors'
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
import { BodyBytes } from '../front-door/body-bytes.ts'
import type { ArmRequest } from '../front-door/route.ts'
import type { Hub } from '../hub.ts'
import { Reconciler } from '../reconciler.ts'
import {
  operationStatuses,
  type ClusterRecord,
  type MachineRecord,
  type OperationRecord,
  type PoolRecord,
} from '../records.ts'
import { ClusterBodies } from '../resource-providers/container-service/cluster-bodies.ts'
import { putCluster } from '../resource-providers/container-service/cluster-writes.ts'
import { putGroup } from '../resource-providers/resources/groups.ts'
import { keys, ResourceStore } from '../store-keyspace.ts'

export const ref = { subscriptionId: 's', resourceGroup: 'rg', cluster: 'c1' }

/** A server that is killed at the n-th call it makes, and everything that outlives it. */
export class World {
  readonly clock = new SimulatedClock()
  readonly #random = seededRandom(1)
  calls = 0
  killAt = Number.POSITIVE_INFINITY
  /** Pods whose eviction a disruption budget refuses. */
  readonly guarded = new Set<string>()
  #process = new AbortController()
  readonly engine: FakeClusterEngine
  readonly fabric: FakeFabric
  readonly machines: FakeMachines
  readonly #simulated: FakeMachines
  readonly #disk: Store
  readonly store: ResourceStore

  constructor() {
    const interference: Interference = { before: (call) => this.#before(call), after: () => this.#call() }
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
      clusterBodies: new ClusterBodies(new BodyBytes()),
      subscriptions: [],
      tenantId: 't',
      region: 'eastus',
      fetch: globalThis.fetch,
      strict: false,
      stepOf: () => undefined,
      wake: () => {},
    }
  }

  request(method: string, body: unknown, query: ArmRequest['query'] = {}): ArmRequest {
    const caller = { clientId: 'c', objectId: 'o', tenantId: 't' }
    const more = { params: {}, headers: {}, origin: '', url: '', correlationId: '' }
    return { scope: this.scope(), method, body, query, caller, ...more }
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

  /** A server runs for a while and is then killed, wherever it is. */
  async runFor(ms: number): Promise<void> {
    this.#process = new AbortController()
    this.killAt = Number.POSITIVE_INFINITY
    const reconciler = new Reconciler(this.scope(), {
      store: new ResourceStore(this.#watched()),
      suppliers: this.hub().suppliers,
    })
    await reconciler.resume()
    await this.clock.run(ms)
    this.#process.abort(new Error('killed'))
    await this.clock.run(1)
    this.#process = new AbortController()
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

  #before(call: string): void {
    this.#call()
    const pod = /^client\.create pods (.+)$/.exec(call)?.[1]
    if (pod === undefined || !this.guarded.has(pod)) return
    throw new ApiError('TooManyRequests', "Cannot evict pod as it would violate the pod's disruption budget.")
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

  async machineRecords(): Promise<readonly MachineRecord[]> {
    const cluster = await this.cluster()
    return (await this.store.list<MachineRecord>(keys.machines(cluster!.id))).map(({ value }) => value)
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

export const body = (pools: readonly unknown[]): unknown => ({
  location: 'eastus',
  properties: { dnsPrefix: 'c1', agentPoolProfiles: pools },
})

export async function createdWorld(): Promise<World> {
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

export async function runningWorld(): Promise<World> {
  const world = await createdWorld()
  await world.settle(Number.POSITIVE_INFINITY)
  return world
}

/** What must hold of a settled cluster, whatever happened on the way. */
export async function assertConverged(world: World, counts: Readonly<Record<string, number>>): Promise<void> {
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

export function assertEnded(statuses: readonly string[]): void {
  assert.ok(
    statuses.every((status) => status === 'Succeeded'),
    statuses.join(),
  )
  assert.ok(operationStatuses.includes('Succeeded'))
}
