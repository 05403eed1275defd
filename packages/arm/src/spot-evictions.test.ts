// Spot pools: evicted by price, capacity and order, wherever the server is killed; and what they may not be.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { events, nodes } from '@aksel/api/resources'
import type { ArmRequest } from './front-door/route.ts'
import { putPool } from './resource-providers/container-service/pool-writes.ts'
import { spotRoutes } from './resource-providers/container-service/spot-routes.ts'
import { openFrontDoor, subscriptionId } from './testing/opened-front-door.ts'
import { assertEnded, ref, runningWorld, type World } from './testing/world.ts'

const forever = Number.POSITIVE_INFINITY

async function spotWorld(policy: 'Delete' | 'Deallocate'): Promise<World> {
  const world = await runningWorld()
  await addPool(world, 'cheap', { count: 2, scaleSetEvictionPolicy: policy, spotMaxPrice: 0.05 })
  await world.settle(forever)
  return world
}

async function addPool(world: World, pool: string, properties: object): Promise<void> {
  const body = { properties: { scaleSetPriority: 'Spot', ...properties } }
  await putPool(world.hub(), world.request('PUT', body), { ...ref, pool })
}

async function order(world: World, market: object): Promise<readonly string[]> {
  const route = spotRoutes(world.hub()).find(({ method }) => method === 'PUT')!
  const params = { subscription: 's', location: 'eastus', size: 'Standard_D2s_v5' }
  const request: ArmRequest = { ...world.request('PUT', market), params }
  const { body } = await route.handle(request)
  return (body as { readonly evicted: readonly string[] }).evicted
}

async function everywhere(begin: () => Promise<World>, check: (world: World) => Promise<void>): Promise<void> {
  const calm = await begin()
  await calm.settle(forever)
  await check(calm)
  const { calls } = calm
  assert.ok(calls > 4, `only ${calls} calls were seen: the test kills nothing`)
  for (let at = 1; at <= calls; at += 1) {
    const world = await begin()
    assert.ok((await world.settle(at)) > 0, `no server died at call ${at}`)
    await check(world)
  }
}

const spotNodes = (world: World): readonly string[] =>
  client(world)
    .peekAll(nodes)
    .map(({ metadata }) => metadata.name)
    .filter((name) => name.includes('-cheap-'))

const client = (world: World) => world.engine.client([...world.engine.clusters.keys()][0]!)

const told = (world: World, reason: string): number =>
  client(world)
    .peekAll(events)
    .filter((event) => event.reason === reason).length

test('a price above what a pool pays evicts its machines after their notice, and the pool has so many fewer', async () => {
  await everywhere(
    async () => {
      const world = await spotWorld('Delete')
      assert.equal(spotNodes(world).length, 2)
      assert.equal((await order(world, { pricePerHour: 0.06 })).length, 2)
      return world
    },
    async (world) => {
      assert.deepEqual(spotNodes(world), [])
      const pool = (await world.pools()).find(({ name }) => name === 'cheap')!
      assert.equal(pool.properties.count, 0)
      assert.deepEqual([told(world, 'PreemptScheduled'), told(world, 'Evicted')], [2, 2])
      const announced = [...world.machines.announced.values()].flatMap(({ events: all }) => all.map(({ type }) => type))
      assert.deepEqual(announced, ['Preempt', 'Preempt'], 'whoever runs there reads it at the metadata service')
      assertEnded(await world.operations())
    },
  )
})

test('with Deallocate the machines beyond the capacity stand still, stay registered, and are not started again', async () => {
  await everywhere(
    async () => {
      const world = await spotWorld('Deallocate')
      assert.equal((await order(world, { capacity: 1 })).length, 1)
      return world
    },
    async (world) => {
      assert.equal(spotNodes(world).length, 2)
      const pool = (await world.pools()).find(({ name }) => name === 'cheap')!
      assert.equal(pool.properties.count, 2)
      const held = world.machines.list().filter(({ heldBy }) => heldBy === 'deallocate')
      assert.deepEqual(
        held.map(({ name }) => name.slice(-1)),
        ['1'],
        'the youngest goes',
      )
      assert.deepEqual([told(world, 'PreemptScheduled'), told(world, 'Evicted')], [1, 1])
    },
  )
})

test('a machine has thirty seconds of notice, cordoned, before it ends', async () => {
  const world = await spotWorld('Delete')
  await order(world, { capacity: 0 })
  await world.runFor(29_000)
  assert.equal(spotNodes(world).length, 2)
  assert.ok(
    client(world)
      .peekAll(nodes)
      .filter(({ metadata }) => metadata.name.includes('-cheap-'))
      .every(({ spec }) => spec.unschedulable === true),
  )
  await world.settle(forever)
  assert.equal(spotNodes(world).length, 0)
})

test('no spot machine begins above its price or beyond the capacity, and it does once the market allows it', async () => {
  const world = await runningWorld()
  await order(world, { pricePerHour: 0.06 })
  await addPool(world, 'cheap', { count: 1, spotMaxPrice: 0.05 })
  await world.settle(forever)
  const failed = (await world.pools()).find(({ name }) => name === 'cheap')!
  assert.deepEqual([failed.progress.provisioningState, failed.progress.error?.code], ['Failed', 'OperationNotAllowed'])
  assert.match(failed.progress.error!.message, /max price '0.05 USD' is lower than the current spot price '0.06 USD'/)
  await order(world, { capacity: 0 })
  await addPool(world, 'cheap', { count: 1 })
  await world.settle(forever)
  assert.equal((await world.pools()).find(({ name }) => name === 'cheap')!.progress.error?.code, 'AllocationFailed')
  await order(world, {})
  await addPool(world, 'cheap', { count: 1 })
  await world.settle(forever)
  assert.equal(spotNodes(world).length, 1)
})

test('what a spot pool may not be, and an eviction of a machine that is none, are refused', async () => {
  await using opened = await openFrontDoor()
  const group = `/subscriptions/${subscriptionId}/resourcegroups/rg`
  const cluster = `${group}/providers/Microsoft.ContainerService/managedClusters/c1`
  const pool = (name: string): string => `${cluster}/agentPools/${name}`
  await opened.call('PUT', group, { body: { location: 'eastus' } })
  const system = { name: 'system', mode: 'System', count: 1 }
  const properties = { dnsPrefix: 'c1', kubernetesVersion: '1.34', agentPoolProfiles: [system] }
  await opened.call('PUT', cluster, { body: { location: 'eastus', properties } })
  await opened.door.idle()
  const put = async (name: string, body: object): Promise<readonly [number, string]> => {
    const answer = await opened.call('PUT', pool(name), { body: { properties: body } })
    await opened.door.idle()
    return [answer.status, answer.text]
  }
  const spot = { scaleSetPriority: 'Spot', count: 1 }
  for (const [body, words] of [
    [{ ...spot, mode: 'System' }, /cannot be of mode System/],
    [{ ...spot, spotMaxPrice: 0 }, /greater than 0/],
    [{ ...spot, spotMaxPrice: 0.123456 }, /at most 5 decimal places/],
    [{ ...spot, scaleSetEvictionPolicy: 'Hibernate' }, /Delete, Deallocate/],
    [{ count: 1, spotMaxPrice: 0.5 }, /only for spot node pools/],
    [{ ...spot, type: 'VirtualMachines' }, /cannot be spot pools/],
  ] as const) {
    const [status, text] = await put('one', body)
    assert.deepEqual([status, words.test(text)], [400, true], text)
  }
  assert.equal((await put('one', spot))[0], 201)
  const shown = (await opened.call('GET', pool('one'))).body as unknown as { properties: Record<string, unknown> }
  const { scaleSetEvictionPolicy, spotMaxPrice, nodeTaints, nodeLabels, aksel } = shown.properties
  assert.deepEqual(
    [scaleSetEvictionPolicy, spotMaxPrice, nodeTaints, nodeLabels],
    [
      'Delete',
      -1,
      ['kubernetes.azure.com/scalesetpriority=spot:NoSchedule'],
      { 'kubernetes.azure.com/scalesetpriority': 'spot' },
    ],
  )
  assert.deepEqual((aksel as { recorded: readonly string[] }).recorded, [])
  assert.match((await put('one', { ...spot, spotMaxPrice: 0.5 }))[1], /PropertyChangeNotAllowed/)
  await put('two', spot)
  const upgraded = {
    ...properties,
    kubernetesVersion: '1.35',
    agentPoolProfiles: [system, { name: 'two', ...spot, orchestratorVersion: '1.35' }],
  }
  const refused = await opened.call('PUT', cluster, { body: { location: 'eastus', properties: upgraded } })
  assert.deepEqual([refused.status, /together with spot node pool 'two'/.test(refused.text)], [409, true], refused.text)
  // Nobody waits for the end of the notice.
  const machines = opened.machines(false).list()
  const evict = (pattern: string): ReturnType<typeof opened.call> =>
    opened.call('POST', `${cluster}/machines/${machines.find(({ name }) => name.includes(pattern))!.name}/evict`)
  assert.equal((await evict('-one-')).status, 202)
  assert.match((await evict('-one-')).text, /told to go already/)
  assert.match((await evict('-system-')).text, /no spot pool/)
})
