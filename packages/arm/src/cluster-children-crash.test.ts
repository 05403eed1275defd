// Kills the reconciler before and after every call it makes for the small resources below a cluster, and expects the same end each time.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { clusterRoleBindings, clusterRoles, namespaces, networkPolicies, resourceQuotas } from '@aksel/api/resources'
import type { Route } from './front-door/route.ts'
import { managedNamespaceRoutes } from './resource-providers/container-service/managed-namespaces.ts'
import { profileResetRoutes } from './resource-providers/container-service/profile-resets.ts'
import { trustedAccessRoutes } from './resource-providers/container-service/trusted-access.ts'
import { keys } from './store-keyspace.ts'
import { assertConverged, assertEnded, ref, runningWorld, type World } from './testing/world.ts'

async function order(world: World, routes: readonly Route[], method: Route['method'], end: string, body?: unknown) {
  const route = routes.find((each) => each.method === method && each.path.endsWith(end))!
  const { subscriptionId: subscription, resourceGroup: group, cluster } = ref
  return route.handle({ ...world.request(method, body), params: { subscription, group, cluster, child: 'team' } })
}

const inside = (world: World) => world.engine.client([...world.engine.clusters.keys()][0]!)

const stories: readonly {
  readonly name: string
  readonly begin: (world: World) => Promise<unknown>
  readonly check: (world: World) => Promise<void>
}[] = [
  {
    // A namespace that a killed server made is its own: no policy of adoption stands in the way of the next.
    name: 'a managed namespace that adopts nothing',
    begin: (world) =>
      order(world, managedNamespaceRoutes(world.hub()), 'PUT', '/managedNamespaces/:child', {
        properties: { adoptionPolicy: 'Never', defaultResourceQuota: { cpuLimit: '1' } },
      }),
    async check(world) {
      const client = inside(world)
      assert.equal(client.peek(namespaces, 'team')?.metadata.labels?.['kubernetes.azure.com/managedByArm'], 'true')
      assert.deepEqual([client.peekAll(resourceQuotas).length, client.peekAll(networkPolicies).length], [1, 1])
      assertEnded(await world.operations())
    },
  },
  {
    name: 'the delete of a managed namespace',
    async begin(world) {
      const routes = managedNamespaceRoutes(world.hub())
      await order(world, routes, 'PUT', '/managedNamespaces/:child', { properties: { deletePolicy: 'Delete' } })
      await world.settle(Number.POSITIVE_INFINITY)
      await order(world, routes, 'DELETE', '/managedNamespaces/:child')
    },
    async check(world) {
      assert.equal(inside(world).peek(namespaces, 'team')?.status?.phase, 'Terminating')
      assert.deepEqual(await world.store.list(keys.below(`${(await world.cluster())!.id}/managedNamespaces`)), [])
      assertEnded(await world.operations())
    },
  },
  {
    name: 'a trusted access role binding',
    async begin(world) {
      const sourceResourceId = (await world.cluster())!.id
      const roles = ['Microsoft.Compute/virtualMachineScaleSets/test-node-reader']
      await world.store.update<object>(keys.resource(sourceResourceId), (cluster) => ({
        ...cluster,
        identity: { type: 'SystemAssigned', principalId: 'p' },
      }))
      await order(world, trustedAccessRoutes(world.hub()), 'PUT', '/trustedAccessRoleBindings/:child', {
        properties: { sourceResourceId, roles },
      })
    },
    async check(world) {
      const client = inside(world)
      assert.equal(client.peek(clusterRoles, 'aks-trustedaccess-team')?.rules.length, 1)
      assert.equal(client.peek(clusterRoleBindings, 'aks-trustedaccess-team')?.subjects?.[0]?.name, 'p')
      assertEnded(await world.operations())
    },
  },
  {
    name: 'a reset of the AAD profile',
    begin: (world) => order(world, profileResetRoutes(world.hub()), 'POST', '/resetAADProfile', { managed: true }),
    async check(world) {
      await assertConverged(world, { a: 2, b: 1 })
      assert.equal(world.engine.status([...world.engine.clusters.keys()][0]!)?.entra?.signIn, true)
    },
  },
]

for (const { name, begin, check } of stories) {
  test(`${name} ends the same wherever the server is killed`, async () => {
    const begun = async (): Promise<World> => {
      const world = await runningWorld()
      await begin(world)
      return world
    }
    const calm = await begun()
    assert.equal(await calm.settle(Number.POSITIVE_INFINITY), 0)
    await check(calm)
    assert.ok(calm.calls > 4, `only ${calm.calls} calls were seen: the test kills nothing`)
    for (let at = 1; at <= calm.calls; at += 1) {
      const world = await begun()
      assert.ok((await world.settle(at)) > 0, `no server died at call ${at}`)
      await check(world)
    }
  })
}
