// Routes to the pods of nodes: made, told, removed, and put right when the network lost them.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { events, nodes } from '@aksel/api/resources'
import type { Node } from '@aksel/api/types/core-v1'
import { createCaches } from '@aksel/runtime/caches'
import { runControllers } from '@aksel/runtime/runner'
import { FakeClient } from '@aksel/testing/fake-client'
import { testScope } from '@aksel/testing/test-scope'
import { routeController } from './controller.ts'
import type { Route } from './routes.ts'

function node(name: string, podCIDR: string, address?: string): Node {
  return {
    metadata: { name },
    spec: { podCIDR, podCIDRs: [podCIDR] },
    status: { addresses: address === undefined ? [] : [{ type: 'InternalIP', address }] },
  }
}

test('every node gets its route and says so; those of nodes that are gone are removed, those of others stay', async () => {
  using scope = testScope()
  const client = new FakeClient(scope)
  await using caches = createCaches(scope, client)
  const table = new Map<string, string>([
    ['10.244.9.0/24', 'gone'],
    ['192.168.0.0/16', 'office'],
  ])
  const routes = {
    list: async (): Promise<readonly Route[]> =>
      [...table].map(([destinationCidr, nodeName]) => ({ destinationCidr, nodeName })),
    ensure: async (_: unknown, route: Route): Promise<void> => void table.set(route.destinationCidr, route.nodeName),
    remove: async (_: unknown, route: Route): Promise<void> => void table.delete(route.destinationCidr),
  }
  const isPodCidr = (cidr: string): boolean => cidr.startsWith('10.244.')
  void runControllers(scope, { controllers: [routeController({ client, caches, routes, isPodCidr })], caches })
  client.put(nodes, node('a', '10.244.0.0/24', '10.224.0.4'))
  client.put(nodes, node('b', '10.244.1.0/24'))
  await scope.clock.run(100)
  const conditionOf = (name: string): string | undefined => {
    const found = client.peek(nodes, name)!.status!.conditions?.find(({ type }) => type === 'NetworkUnavailable')
    return found === undefined ? undefined : `${found.status} ${found.reason}`
  }
  assert.deepEqual(
    [...table],
    [
      ['192.168.0.0/16', 'office'],
      ['10.244.0.0/24', 'a'],
    ],
  )
  assert.deepEqual([conditionOf('a'), conditionOf('b')], ['False RouteCreated', 'True NoRouteCreated'])
  const [told] = client.peekAll(events)
  assert.equal(told!.message, 'Could not create route for node b: node b has no internal address')
  client.change(nodes, 'b', (draft) => {
    draft.status!.addresses = [{ type: 'InternalIP', address: '10.224.0.5' }]
  })
  await scope.clock.run(15_000)
  assert.equal(conditionOf('b'), 'False RouteCreated')
  table.delete('10.244.0.0/24')
  await scope.clock.run(15_000)
  assert.equal(table.get('10.244.0.0/24'), 'a')
  await client.delete(nodes, { name: 'a' })
  await scope.clock.run(15_000)
  assert.equal(table.has('10.244.0.0/24'), false)
})
