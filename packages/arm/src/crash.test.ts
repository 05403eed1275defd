// Kills the reconciler before and after every call it makes, starts a new one, and expects the same end each time.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { nodes, pods } from '@aksel/api/resources'
import { clusterActionRoutes } from './resource-providers/container-service/cluster-actions.ts'
import { beginClusterDelete, putCluster } from './resource-providers/container-service/cluster-writes.ts'
import { beginPoolDelete, putPool } from './resource-providers/container-service/pool-writes.ts'
import { keys } from './store-keyspace.ts'
import { assertConverged, assertEnded, body, createdWorld, ref, runningWorld, type World } from './testing/world.ts'

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
    name: 'change of the sizes of a VirtualMachines pool',
    begin: async () => {
      const world = await runningWorld()
      const put = (manual: readonly object[]): Promise<unknown> => {
        const properties = { type: 'VirtualMachines', virtualMachinesProfile: { scale: { manual } } }
        return putPool(world.hub(), world.request('PUT', { properties }), { ...ref, pool: 'mixed' })
      }
      await put([
        { size: 'Standard_D2s_v5', count: 1 },
        { size: 'Standard_D4s_v5', count: 1 },
      ])
      await world.settle(Number.POSITIVE_INFINITY)
      await put([
        { size: 'Standard_D4s_v5', count: 1 },
        { size: 'Standard_D8s_v5', count: 1 },
      ])
      return world
    },
    check: async (world) => {
      await assertConverged(world, { a: 2, b: 1, mixed: 2 })
      const mixed = (await world.machineRecords()).filter(({ pool }) => pool === 'mixed')
      assert.deepEqual(
        mixed.map(({ vmSize = '' }) => vmSize).toSorted((one, other) => (one < other ? -1 : 1)),
        ['Standard_D4s_v5', 'Standard_D8s_v5'],
      )
      assert.deepEqual(
        mixed.map(({ name }) => world.machines.specs.get([...world.engine.clusters.keys()][0] + '/' + name)!.vmSize),
        mixed.map(({ vmSize }) => vmSize),
      )
    },
  },
  {
    name: 'rotation of the certificates',
    begin: async () => {
      const world = await runningWorld()
      await rotate(world, 'rotateClusterCertificates')
      return world
    },
    check: async (world) => {
      await assertConverged(world, { a: 2, b: 1 })
      const [id] = world.engine.clusters.keys()
      assert.deepEqual(world.engine.status(id!)?.rotations, { certificates: 1, signingKeys: 0 })
      assert.deepEqual(
        (await world.machineRecords()).map(({ certificates, step }) => [certificates, step]),
        [
          [1, undefined],
          [1, undefined],
          [1, undefined],
        ],
      )
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

async function rotate(world: World, action: string): Promise<void> {
  const route = clusterActionRoutes(world.hub()).find(({ path }) => path.endsWith(`/${action}`))!
  const { subscriptionId: subscription, resourceGroup: group, cluster } = ref
  await route.handle({ ...world.request('POST', undefined), params: { subscription, group, cluster } })
}

test('a rotation of signing keys leaves the machines alone, and a stopped cluster refuses both', async () => {
  const world = await runningWorld()
  const names = world.machines.list()
  await rotate(world, 'rotateServiceAccountSigningKeys')
  await assert.rejects(rotate(world, 'rotateClusterCertificates'), /in progress|OperationNotAllowed/i)
  await world.settle(Number.POSITIVE_INFINITY)
  await assertConverged(world, { a: 2, b: 1 })
  assert.deepEqual(world.machines.list(), names)
  const [id] = world.engine.clusters.keys()
  assert.deepEqual(world.engine.status(id!)?.rotations, { certificates: 0, signingKeys: 1 })
  await putCluster(world.hub(), world.request('PUT', body([{ name: 'a', mode: 'System', count: 2 }])), ref)
  await world.settle(Number.POSITIVE_INFINITY)
  assert.deepEqual(
    world.engine.status(id!)?.rotations,
    { certificates: 0, signingKeys: 1 },
    'another write rotates keys once more',
  )
  await rotate(world, 'stop')
  await world.settle(Number.POSITIVE_INFINITY)
  for (const action of ['rotateClusterCertificates', 'rotateServiceAccountSigningKeys'])
    await assert.rejects(rotate(world, action), /is stopped/)
})

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
