// What is ordered of clusters and pools: start, stop, abort, machines by name, node images; killed at every call, and refused.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { nodes, pods } from '@aksel/api/resources'
import type { Route } from './front-door/route.ts'
import { clusterActionRoutes } from './resource-providers/container-service/cluster-actions.ts'
import { poolActionRoutes } from './resource-providers/container-service/pool-actions.ts'
import { putCluster } from './resource-providers/container-service/cluster-writes.ts'
import { poolUpgradesOf } from './resource-providers/container-service/kubernetes-versions.ts'
import { putPool } from './resource-providers/container-service/pool-writes.ts'
import { assertConverged, body, createdWorld, ref, runningWorld, type World } from './testing/world.ts'
import { openFrontDoor, subscriptionId } from './testing/opened-front-door.ts'

const forever = Number.POSITIVE_INFINITY
const params = { subscription: ref.subscriptionId, group: ref.resourceGroup, cluster: ref.cluster }

async function order(world: World, action: string, pool?: string, given?: unknown): Promise<void> {
  const hub = world.hub()
  const routes: readonly Route[] = pool === undefined ? clusterActionRoutes(hub) : poolActionRoutes(hub)
  const route = routes.find(({ path }) => path.endsWith(`/${action}`))!
  const own = pool === undefined ? params : { ...params, pool }
  await route.handle({ ...world.request('POST', given), params: own })
}

async function changePool(world: World, pool: string, properties: object): Promise<void> {
  await putPool(world.hub(), world.request('PUT', { properties }), { ...ref, pool })
}

const clientOf = (world: World) => world.engine.client([...world.engine.clusters.keys()][0]!)
const engineState = (world: World): string => [...world.engine.clusters.values()][0]!.status.state

async function everywhere(begin: () => Promise<World>, check: (world: World) => Promise<void>): Promise<void> {
  const calm = await begin()
  assert.equal(await calm.settle(forever), 0)
  await check(calm)
  assert.ok(calm.calls > 2, `only ${calm.calls} calls were seen: the test kills nothing`)
  for (let at = 1; at <= calm.calls; at += 1) {
    const world = await begin()
    assert.ok((await world.settle(at)) > 0)
    await check(world)
  }
}

test('a cluster is stopped, and started again with all it had, wherever the server is killed', async () => {
  const stopping = async (): Promise<World> => {
    const world = await runningWorld()
    clientOf(world).put(pods, {
      metadata: { name: 'bare', namespace: 'default' },
      spec: { containers: [], nodeName: world.machines.list()[0]!.name },
      status: { phase: 'Running' },
    })
    await order(world, 'stop')
    return world
  }
  await everywhere(stopping, async (world) => {
    assert.equal(engineState(world), 'Stopped')
    assert.ok(world.machines.list().every(({ state }) => state === 'Stopped'))
    assert.deepEqual((await world.cluster())!.progress, { provisioningState: 'Succeeded' })
    assert.deepEqual(clientOf(world).peekAll(pods), [], 'a pod without a controller does not come back')
  })
  const starting = async (): Promise<World> => {
    const world = await stopping()
    await world.settle(forever)
    await order(world, 'start')
    return world
  }
  await everywhere(starting, async (world) => {
    assert.equal(engineState(world), 'Running')
    await assertConverged(world, { a: 2, b: 1 })
    assert.ok(world.machines.list().every(({ state }) => state === 'Running'))
  })
})

test('a stopped cluster takes start and delete alone', async () => {
  const world = await runningWorld()
  await assert.rejects(order(world, 'start'), /is not currently stopped, starting cannot be performed/)
  await order(world, 'stop')
  await world.settle(forever)
  await assert.rejects(order(world, 'stop'), /is not currently running, stopping cannot be performed/)
  await assert.rejects(changePool(world, 'b', { count: 2 }), /only start and delete are allowed/)
  const again = putCluster(world.hub(), world.request('PUT', body([{ name: 'a', mode: 'System', count: 3 }])), ref)
  await assert.rejects(again, /only start and delete are allowed/)
})

test('a user pool is stopped and started by its power state, wherever the server is killed', async () => {
  const stopping = async (): Promise<World> => {
    const world = await runningWorld()
    await changePool(world, 'b', { powerState: { code: 'Stopped' } })
    return world
  }
  const stateOf = (world: World, pool: string): readonly string[] =>
    world.machines.list().flatMap(({ name, state }) => (name.includes(`-${pool}-`) ? [state] : []))
  await everywhere(stopping, async (world) => {
    assert.deepEqual([stateOf(world, 'a'), stateOf(world, 'b')], [['Running', 'Running'], ['Stopped']])
    assert.equal((await world.pools()).find(({ name }) => name === 'b')!.power, 'Stopped')
  })
  const starting = async (): Promise<World> => {
    const world = await stopping()
    await world.settle(forever)
    await changePool(world, 'b', { powerState: { code: 'Running' } })
    return world
  }
  await everywhere(starting, async (world) => {
    await assertConverged(world, { a: 2, b: 1 })
    assert.deepEqual(stateOf(world, 'b'), ['Running'])
    assert.ok(
      clientOf(world)
        .peekAll(nodes)
        .every(({ spec }) => spec?.unschedulable !== true),
    )
  })
  const world = await runningWorld()
  await assert.rejects(
    changePool(world, 'a', { mode: 'System', powerState: { code: 'Stopped' } }),
    /mode System cannot be stopped/,
  )
})

test('machines go by name, without a drain, and the count with them, wherever the server is killed', async () => {
  const begin = async (): Promise<World> => {
    const world = await runningWorld()
    const [first] = (await world.machineRecords()).filter(({ pool }) => pool === 'a')
    await order(world, 'deleteMachines', 'a', { machineNames: [first!.name] })
    return world
  }
  await everywhere(begin, async (world) => {
    await assertConverged(world, { a: 1, b: 1 })
    const [left] = (await world.machineRecords()).filter(({ pool }) => pool === 'a')
    assert.equal(left!.instance, 1)
  })
  const world = await runningWorld()
  await assert.rejects(
    order(world, 'deleteMachines', 'a', { machineNames: ['nobody'] }),
    /Could not find machine "nobody"/,
  )
  await assert.rejects(order(world, 'deleteMachines', 'a', {}), /machineNames/)
})

test('an aborted upgrade leaves a cluster that runs, and the next write goes on with it, wherever the server is killed', async () => {
  const begin = async (): Promise<World> => {
    const world = await runningWorld()
    const [first] = (await world.machineRecords()).filter(({ pool }) => pool === 'a')
    clientOf(world).put(pods, {
      metadata: { name: 'web', namespace: 'default' },
      spec: { containers: [], nodeName: first!.name },
      status: { phase: 'Running' },
    })
    world.guarded.add('web')
    await upgrade(world)
    await world.runFor(60_000)
    await order(world, 'abort')
    return world
  }
  await everywhere(begin, async (world) => {
    const cluster = (await world.cluster())!
    assert.deepEqual([cluster.progress, cluster.version], [{ provisioningState: 'Canceled' }, '1.36.3'])
    assert.deepEqual((await world.operations()).toSorted(), ['Canceled', 'Succeeded', 'Succeeded'])
    assert.equal((await world.machineRecords()).length, 3, 'the extra node is gone')
    const states = (await world.pools()).map(({ progress }) => progress)
    assert.deepEqual(states, [{ provisioningState: 'Canceled' }, { provisioningState: 'Canceled' }])
    assert.ok(
      clientOf(world)
        .peekAll(nodes)
        .every(({ spec }) => spec?.unschedulable !== true),
    )
  })
  const world = await begin()
  await world.settle(forever)
  await assert.rejects(order(world, 'abort'), /There is no operation in progress on managed cluster 'c1'/)
  world.guarded.clear()
  await upgrade(world)
  await world.settle(forever)
  assert.ok((await world.machineRecords()).every(({ versions }) => versions?.kubernetes === '1.36.3'))
})

async function upgrade(world: World): Promise<void> {
  const pools = [
    { name: 'a', mode: 'System', count: 2, orchestratorVersion: '1.36' },
    { name: 'b', count: 1, orchestratorVersion: '1.36' },
  ]
  const given = body(pools) as { readonly properties: object }
  const request = { ...given, properties: { ...given.properties, kubernetesVersion: '1.36' } }
  await putCluster(world.hub(), world.request('PUT', request), ref)
}

/** Each pool has the machines that its count says, and no others are left. */
async function assertNothingExtra(world: World, said: string): Promise<void> {
  const counts = (await world.pools()).map(({ name, properties }) => [name, properties.count])
  const records = await world.machineRecords()
  const there = counts.map(([name]) => [name, records.filter(({ pool }) => pool === name).length])
  assert.deepEqual(there, counts, said)
  assert.deepEqual(
    world.machines
      .list()
      .map(({ name }) => name)
      .toSorted(),
    records.map(({ name }) => name).toSorted(),
    said,
  )
}

interface Abortable {
  readonly what: string
  readonly begin: (world: World) => Promise<void>
  /** The pool that is aborted; the cluster where absent. */
  readonly pool?: string
  /** Where it begins; with a cluster that runs where absent. */
  readonly world?: () => Promise<World>
  /** What brings it to an end afterwards; the upgrade of everything where absent. */
  readonly goOn?: (world: World) => Promise<void>
}

const abortables: readonly Abortable[] = [
  { what: 'stop', begin: (world) => order(world, 'stop'), goOn: (world) => order(world, 'start') },
  {
    what: 'start',
    begin: async (world) => {
      await order(world, 'stop')
      await world.settle(forever)
      await order(world, 'start')
    },
    goOn: async (world) => {
      await order(world, 'stop')
      await world.settle(forever)
      await order(world, 'start')
    },
  },
  { what: 'rotateClusterCertificates', begin: (world) => order(world, 'rotateClusterCertificates') },
  { what: 'rotateServiceAccountSigningKeys', begin: (world) => order(world, 'rotateServiceAccountSigningKeys') },
  { what: 'an upgrade', begin: (world) => upgrade(world) },
  { what: 'a new pool', begin: (world) => changePool(world, 'c', { count: 2 }), pool: 'c' },
  { what: 'a scale down', begin: (world) => changePool(world, 'a', { mode: 'System', count: 1 }), pool: 'a' },
  {
    what: 'the stop of a pool',
    begin: (world) => changePool(world, 'b', { powerState: { code: 'Stopped' } }),
    pool: 'b',
    goOn: (world) => changePool(world, 'b', { powerState: { code: 'Running' } }),
  },
  { what: 'a new cluster', world: createdWorld, begin: async () => {}, goOn: (world) => writeAgain(world) },
  {
    what: 'deleteMachines',
    begin: async (world) => {
      const [first] = (await world.machineRecords()).filter(({ pool }) => pool === 'a')
      await order(world, 'deleteMachines', 'a', { machineNames: [first!.name] })
    },
    pool: 'a',
    goOn: (world) => changePool(world, 'a', { mode: 'System', count: 2 }),
  },
  {
    what: 'upgradeNodeImageVersion',
    begin: async (world) => {
      const { nodeImageVersion } = (await world.pools()).find(({ name }) => name === 'a')!
      const twoWeeksAgo = new Date(world.clock.now() - 15 * 86_400_000).toISOString()
      const older = nodeImageVersion.replace(/\d{6}\.\d\d\.0$/, mondayBefore(twoWeeksAgo))
      await changePool(world, 'a', { mode: 'System', nodeImageVersion: older })
      await world.settle(forever)
      await order(world, 'upgradeNodeImageVersion', 'a')
    },
    pool: 'a',
    goOn: (world) => order(world, 'upgradeNodeImageVersion', 'a'),
  },
]

async function writeAgain(world: World): Promise<void> {
  const pools = [
    { name: 'a', mode: 'System', count: 2 },
    { name: 'b', count: 1 },
  ]
  await putCluster(world.hub(), world.request('PUT', body(pools)), ref)
}

test('every operation can be aborted, and the next write is done whole', async () => {
  let aborted = 0
  for (const { what, begin, pool, goOn = upgrade, world: make = runningWorld } of abortables) {
    for (const seconds of [0, 1]) {
      const said = `${what}, after ${seconds} s`
      const world = await make()
      await begin(world)
      if (seconds > 0) await world.runFor(seconds * 1000)
      const running =
        pool === undefined ? (await world.cluster())! : (await world.pools()).find(({ name }) => name === pool)!
      if (running.progress.operationId === undefined) {
        await assert.rejects(order(world, 'abort', pool), /There is no operation in progress/, said)
        continue
      }
      await order(world, 'abort', pool)
      aborted += 1
      await world.settle(forever)
      const after =
        pool === undefined ? (await world.cluster())! : (await world.pools()).find(({ name }) => name === pool)!
      assert.deepEqual(after.progress, { provisioningState: 'Canceled' }, said)
      const ended = await world.operations()
      assert.ok(
        ended.every((status) => status !== 'InProgress'),
        `${said}: ${ended.join()}`,
      )
      assert.equal(ended.filter((status) => status === 'Canceled').length, 1, said)
      await goOn(world)
      await world.settle(forever)
      const whole = [(await world.cluster())!, ...(await world.pools())]
      const own = whole.filter(({ progress }) => progress.operationId !== undefined)
      assert.deepEqual(own, [], `${said}: the next write ended`)
      const last = pool === undefined || goOn === upgrade ? whole[0]! : whole.find(({ name }) => name === pool)!
      assert.deepEqual(last.progress, { provisioningState: 'Succeeded' }, said)
      if (goOn !== upgrade) await assertNothingExtra(world, said)
    }
  }
  assert.ok(aborted >= abortables.length, `only ${aborted} were aborted: the others had ended`)
})

test('an aborted scale keeps the machines that are there', async () => {
  const world = await runningWorld()
  await changePool(world, 'b', { count: 5 })
  await order(world, 'abort', 'b')
  await world.settle(forever)
  const pool = (await world.pools()).find(({ name }) => name === 'b')!
  assert.deepEqual([pool.properties.count, pool.progress.provisioningState], [1, 'Canceled'])
  assert.equal(world.machines.list().length, 3)
})

test('the newest node image is a pool upgrade of its own, over HTTP', async () => {
  await using opened = await openFrontDoor()
  const group = `/subscriptions/${subscriptionId}/resourcegroups/rg`
  const cluster = `${group}/providers/Microsoft.ContainerService/managedClusters/c1`
  const pool = `${cluster}/agentPools/old`
  await opened.call('PUT', group, { body: { location: 'eastus' } })
  const weekAgo = new Date(Date.now() - 15 * 86_400_000).toISOString()
  const latest = async (): Promise<string> => {
    const { body: profile } = await opened.call('GET', `${pool}/upgradeProfiles/default`)
    return (profile as unknown as { properties: { latestNodeImageVersion: string } }).properties.latestNodeImageVersion
  }
  const profiles = [{ name: 'old', mode: 'System', count: 1 }]
  await opened.call('PUT', cluster, {
    body: { location: 'eastus', properties: { dnsPrefix: 'c1', agentPoolProfiles: profiles } },
  })
  await opened.door.idle()
  const newest = await latest()
  const older = newest.replace(/\d{6}\.\d\d\.0$/, mondayBefore(weekAgo))
  const image = async (): Promise<unknown> => {
    const answer = await opened.call('GET', pool)
    return (answer.body as unknown as { properties: { nodeImageVersion: string } }).properties.nodeImageVersion
  }
  const chosen = await opened.call('PUT', pool, { body: { properties: { mode: 'System', nodeImageVersion: older } } })
  assert.equal(chosen.status, 200, chosen.text)
  await opened.door.idle()
  assert.equal(await image(), older)
  const ordered = await opened.call('POST', `${pool}/upgradeNodeImageVersion`)
  assert.equal(ordered.status, 202, ordered.text)
  await opened.door.idle()
  assert.equal(await image(), newest)
  const wrong = await opened.call('PUT', pool, { body: { properties: { mode: 'System', nodeImageVersion: 'mine' } } })
  assert.deepEqual([wrong.status, /is not offered/.test(wrong.text)], [400, true], wrong.text)
})

test("a pool is offered nothing newer than its control plane, in its own upgrade profile and in the cluster's", async () => {
  await using opened = await openFrontDoor()
  const group = `/subscriptions/${subscriptionId}/resourcegroups/rg`
  const cluster = `${group}/providers/Microsoft.ContainerService/managedClusters/c1`
  await opened.call('PUT', group, { body: { location: 'eastus' } })
  const agentPoolProfiles = [
    { name: 'old', mode: 'System', count: 1, orchestratorVersion: '1.34' },
    { name: 'level', count: 1, orchestratorVersion: '1.35' },
  ]
  const made = await opened.call('PUT', cluster, {
    body: { location: 'eastus', properties: { dnsPrefix: 'c1', kubernetesVersion: '1.35', agentPoolProfiles } },
  })
  assert.equal(made.status, 201, made.text)
  await opened.door.idle()
  interface Profile {
    readonly name?: string
    readonly upgrades: readonly { readonly kubernetesVersion: string }[]
  }
  const read = async (path: string): Promise<unknown> =>
    ((await opened.call('GET', `${path}/upgradeProfiles/default`)).body as unknown as { properties: unknown })
      .properties
  const versions = ({ upgrades }: Profile): readonly string[] =>
    upgrades.map(({ kubernetesVersion }) => kubernetesVersion)
  for (const [pool, offered] of [
    ['old', ['1.35.7']],
    ['level', []],
  ] as const) {
    assert.deepEqual(versions((await read(`${cluster}/agentPools/${pool}`)) as Profile), offered, pool)
  }
  const whole = (await read(cluster)) as { controlPlaneProfile: Profile; agentPoolProfiles: readonly Profile[] }
  assert.deepEqual(versions(whole.controlPlaneProfile), ['1.36.3'])
  assert.deepEqual(Object.fromEntries(whole.agentPoolProfiles.map((each) => [each.name, versions(each)])), {
    old: ['1.35.7'],
    level: [],
  })
})

test('a pool that lags two minors is offered both, since it may skip one', () => {
  assert.deepEqual(poolUpgradesOf('1.34.10', '1.36.3'), ['1.35.7', '1.36.3'])
  assert.deepEqual(poolUpgradesOf('1.36.3', '1.36.3'), [])
})

function mondayBefore(day: string): string {
  const at = new Date(day)
  at.setUTCDate(at.getUTCDate() - ((at.getUTCDay() + 6) % 7))
  const [year, month, date] = at.toISOString().slice(0, 10).split('-')
  return `${year}${month}.${date}.0`
}
