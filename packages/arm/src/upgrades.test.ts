// Upgrades in simulated time: what is done in which order, what stops one, what an abort leaves; killed at every call, too.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { events, nodes, pods } from '@aksel/api/resources'
import type { Pod } from '@aksel/api/types/core-v1'
import { putCluster } from './resource-providers/container-service/cluster-writes.ts'
import { putPool } from './resource-providers/container-service/pool-writes.ts'
import { assertConverged, body, ref, runningWorld, type World } from './testing/world.ts'

const MINUTE_MS = 60_000
const forever = Number.POSITIVE_INFINITY

async function upgradeCluster(world: World, version: string, more: object = {}): Promise<void> {
  const pools = [
    { name: 'a', mode: 'System', count: 2, orchestratorVersion: version },
    { name: 'b', count: 1, orchestratorVersion: version },
  ]
  const given = body(pools) as { readonly properties: object }
  const request = { ...given, properties: { ...given.properties, kubernetesVersion: version, ...more } }
  await putCluster(world.hub(), world.request('PUT', request), ref)
}

async function changePool(world: World, pool: string, properties: object): Promise<void> {
  await putPool(world.hub(), world.request('PUT', { properties }), { ...ref, pool })
}

function clientOf(world: World) {
  return world.engine.client([...world.engine.clusters.keys()][0]!)
}

function runPod(world: World, name: string, node: string): void {
  const pod: Pod = {
    metadata: { name, namespace: 'default' },
    spec: { containers: [], nodeName: node },
    status: { phase: 'Running' },
  }
  clientOf(world).put(pods, pod)
}

async function assertVersions(world: World, kubernetes: string): Promise<void> {
  const cluster = (await world.cluster())!
  assert.equal(cluster.version, kubernetes)
  assert.equal([...world.engine.clusters.values()][0]!.status.kubernetesVersion, kubernetes)
  for (const pool of await world.pools()) {
    assert.equal(pool.version, kubernetes)
    assert.equal(pool.upgrade, undefined)
  }
  for (const { versions, step, surge } of await world.machineRecords()) {
    assert.deepEqual([versions?.kubernetes, step, surge], [kubernetes, undefined, undefined])
  }
  for (const { boot } of world.machines.specs.values()) assert.equal(boot.kubernetesVersion, kubernetes)
  assert.ok(
    clientOf(world)
      .peekAll(nodes)
      .every(({ spec }) => spec?.unschedulable !== true),
  )
}

test('a cluster and its pools are upgraded wherever the server is killed', async () => {
  const begin = async (): Promise<World> => {
    const world = await runningWorld()
    runPod(world, 'web', clientOf(world).peekAll(nodes)[0]!.metadata.name)
    await upgradeCluster(world, '1.36')
    return world
  }
  const calm = await begin()
  assert.equal(await calm.settle(forever), 0)
  await assertConverged(calm, { a: 2, b: 1 })
  await assertVersions(calm, '1.36.3')
  for (let at = 1; at <= calm.calls; at += 1) {
    const world = await begin()
    assert.ok((await world.settle(at)) > 0)
    await assertConverged(world, { a: 2, b: 1 })
    await assertVersions(world, '1.36.3')
  }
})

test('a change of LocalDNS makes the nodes of a pool anew, one after the other, wherever the server is killed', async () => {
  const begin = async (): Promise<World> => {
    const world = await runningWorld()
    await changePool(world, 'c', { vmSize: 'Standard_D4s_v5', count: 2 })
    await world.settle(forever)
    await changePool(world, 'c', { localDNSProfile: { mode: 'Required' } })
    return world
  }
  const told = (world: World, pool: string): readonly boolean[] =>
    [...world.machines.specs.values()]
      .filter(({ labels }) => labels['agentpool'] === pool)
      .map(({ localDns }) => localDns !== undefined)
  const calm = await begin()
  assert.equal((await calm.pools()).find(({ name }) => name === 'c')!.progress.provisioningState, 'Upgrading')
  assert.equal(await calm.settle(forever), 0)
  // Every third call: the steps are those of an upgrade, which is killed at every one of them.
  for (let at = 1; at <= calm.calls; at += 3) {
    const world = await begin()
    assert.ok((await world.settle(at)) > 0)
    await assertConverged(world, { a: 2, b: 1, c: 2 })
    assert.deepEqual(
      [told(world, 'a'), told(world, 'c')],
      [
        [false, false],
        [true, true],
      ],
    )
  }
  // The rules, their end, and the same again: what changes nothing on the nodes makes none anew.
  const names = (await calm.machineRecords()).map(({ name }) => name)
  const spec = (): unknown => [...calm.machines.specs.values()].find(({ labels }) => labels['agentpool'] === 'c')
  const before = spec()
  await changePool(calm, 'c', {
    localDNSProfile: { mode: 'Required', kubeDNSOverrides: { '.': { maxConcurrent: 1000 } } },
  })
  await calm.settle(forever)
  assert.equal(spec(), before)
  await changePool(calm, 'c', { localDNSProfile: { mode: 'Disabled' } })
  await calm.settle(forever)
  await assertConverged(calm, { a: 2, b: 1, c: 2 })
  assert.deepEqual(told(calm, 'c'), [false, false])
  assert.deepEqual(
    (await calm.machineRecords()).map(({ name }) => name),
    names,
  )
  assert.ok(
    (await calm.pools()).every(({ upgrade, recentlyUsed }) => upgrade === undefined && recentlyUsed === undefined),
  )
})

test('a pool that cannot be drained is given back as it was, says who stood in the way, and goes on with the next write', async () => {
  const world = await runningWorld()
  const [first] = (await world.machineRecords()).filter(({ pool }) => pool === 'a')
  runPod(world, 'web', first!.name)
  world.guarded.add('web')
  await upgradeCluster(world, '1.36', { upgradeSettings: {} })
  await world.settle(forever)
  const pool = (await world.pools()).find(({ name }) => name === 'a')!
  assert.equal(pool.progress.provisioningState, 'Failed')
  assert.deepEqual(pool.progress.error?.code, 'UpgradeFailed')
  assert.match(
    pool.progress.error?.message ?? '',
    /^Drain node .* failed when evicting pod default\/web with pdb: Cannot evict/,
  )
  assert.equal((await world.cluster())!.progress.provisioningState, 'Failed')
  const node = clientOf(world).peek(nodes, first!.name)!
  assert.equal(node.spec?.unschedulable ?? false, false)
  assert.equal((await world.machineRecords()).length, 3, 'the extra node is gone')
  assert.ok(
    clientOf(world)
      .peekAll(events)
      .some(({ reason, type }) => reason === 'Drain' && type === 'Warning'),
  )
  world.guarded.clear()
  await upgradeCluster(world, '1.36')
  await world.settle(forever)
  await assertVersions(world, '1.36.3')
})

test('with Cordon an undrainable node is quarantined and replaced by an extra one, while the others go on', async () => {
  const world = await runningWorld()
  await changePool(world, 'a', {
    mode: 'System',
    upgradeSettings: { undrainableNodeBehavior: 'Cordon', drainTimeoutInMinutes: 5 },
  })
  await world.settle(forever)
  const [first, second] = (await world.machineRecords()).filter(({ pool }) => pool === 'a')
  runPod(world, 'web', first!.name)
  world.guarded.add('web')
  await upgradeCluster(world, '1.36')
  await world.settle(forever)
  const node = clientOf(world).peek(nodes, first!.name)!
  assert.equal(node.spec?.unschedulable, true)
  assert.equal(node.metadata.labels?.['kubernetes.azure.com/upgrade-status'], 'Quarantined')
  const records = (await world.machineRecords()).filter(({ pool }) => pool === 'a')
  assert.equal(records.filter(({ surge }) => surge === true).length, 1)
  assert.equal(records.find(({ name }) => name === second!.name)!.versions?.kubernetes, '1.36.3')
  assert.equal((await world.pools()).find(({ name }) => name === 'a')!.progress.provisioningState, 'Failed')
})

test('an override that has not ended asks no disruption budget', async () => {
  const world = await runningWorld()
  const [first] = await world.machineRecords()
  runPod(world, 'web', first!.name)
  world.guarded.add('web')
  const until = new Date(world.clock.now() + 60 * MINUTE_MS).toISOString()
  await upgradeCluster(world, '1.36', { upgradeSettings: { overrideSettings: { forceUpgrade: true, until } } })
  await world.settle(forever)
  await assertVersions(world, '1.36.3')
})

test('nodes soak after their drain', async () => {
  const world = await runningWorld()
  await changePool(world, 'a', { mode: 'System', upgradeSettings: { nodeSoakDurationInMinutes: 10 } })
  await world.settle(forever)
  const from = world.clock.now()
  await upgradeCluster(world, '1.36')
  await world.settle(forever)
  await assertVersions(world, '1.36.3')
  const tookMs = world.clock.now() - from
  assert.ok(tookMs >= 20 * MINUTE_MS && tookMs < 25 * MINUTE_MS, `two nodes, one after the other: ${tookMs} ms`)
})

test('a pool can go back to the pair of versions it had, and to no other', async () => {
  const world = await runningWorld()
  await upgradeCluster(world, '1.36')
  await world.settle(forever)
  const older = (await world.pools()).find(({ name }) => name === 'b')!.recentlyUsed![0]!
  assert.equal(older.kubernetes, '1.35.7')
  await assert.rejects(changePool(world, 'b', { orchestratorVersion: '1.35' }), /Downgrading agent pool 'b'/)
  await changePool(world, 'b', { orchestratorVersion: '1.35.7', nodeImageVersion: older.image })
  await world.settle(forever)
  const pool = (await world.pools()).find(({ name }) => name === 'b')!
  assert.deepEqual([pool.version, pool.nodeImageVersion, pool.upgrade], ['1.35.7', older.image, undefined])
  const [machine] = (await world.machineRecords()).filter((record) => record.pool === 'b')
  assert.equal(machine!.versions?.kubernetes, '1.35.7')
})

test('blue-green puts a second set beside the first, soaks, and takes the first away, wherever the server is killed', async () => {
  const begin = async (): Promise<World> => {
    const world = await runningWorld()
    const upgradeSettingsBlueGreen = {
      batchSoakDurationInMinutes: 1,
      finalSoakDurationInMinutes: 2,
      drainBatchSize: '50%',
    }
    await changePool(world, 'a', { mode: 'System', upgradeStrategy: 'BlueGreen', upgradeSettingsBlueGreen })
    await world.settle(forever)
    await upgradeCluster(world, '1.36')
    return world
  }
  const calm = await begin()
  const before = new Set((await calm.machineRecords()).filter(({ pool }) => pool === 'a').map(({ name }) => name))
  const from = calm.clock.now()
  assert.equal(await calm.settle(forever), 0)
  assert.ok(calm.clock.now() - from >= 4 * MINUTE_MS)
  await assertConverged(calm, { a: 2, b: 1 })
  await assertVersions(calm, '1.36.3')
  assert.ok((await calm.machineRecords()).every(({ name }) => !before.has(name)))
  for (let at = 1; at <= calm.calls; at += 1) {
    const world = await begin()
    assert.ok((await world.settle(at)) > 0)
    await assertConverged(world, { a: 2, b: 1 })
    await assertVersions(world, '1.36.3')
  }
})
