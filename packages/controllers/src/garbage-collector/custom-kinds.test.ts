// Custom resources own and are owned, also of kinds that came after the collector started, against the real API server.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startTestServer } from '@aksel/apiserver/test-server'
import { configMaps, customResourceDefinitions } from '@aksel/api/resources'
import type { KubernetesObject, ResourceType } from '@aksel/api/resource'
import type { CustomResourceDefinition } from '@aksel/api/types/apiextensions-v1'
import { createCaches } from '@aksel/runtime/caches'
import type { Cache } from '@aksel/runtime/controller'
import { runControllers } from '@aksel/runtime/runner'
import { garbageCollector } from './controller.ts'
import { customKindSource, typesOf } from './custom-kinds.ts'

const widgets: ResourceType = {
  group: 'example.com',
  version: 'v1',
  kind: 'Widget',
  plural: 'widgets',
  namespaced: true,
}

function definition(): CustomResourceDefinition {
  return {
    metadata: { name: 'widgets.example.com' },
    spec: {
      group: 'example.com',
      scope: 'Namespaced',
      names: { plural: 'widgets', kind: 'Widget' },
      versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: { type: 'object' } } }],
    },
  }
}

/** Resolves when the cache shows what is asked for. */
async function until<T extends KubernetesObject>(cache: Cache<T>, wanted: () => boolean): Promise<void> {
  const found = Promise.withResolvers<void>()
  using _ = cache.subscribe(() => {
    if (wanted()) found.resolve()
  })
  if (wanted()) found.resolve()
  const late = setTimeout(() => found.reject(new Error(`not seen: ${JSON.stringify(cache.list())}`)), 20_000)
  await found.promise.finally(() => clearTimeout(late))
}

test('what a custom resource owns goes with it, and a kind that went and came back is followed anew', async () => {
  await using server = await startTestServer()
  const client = server.client()
  const caches = createCaches(server.scope, client)
  const running = runControllers(server.scope, {
    controllers: [garbageCollector({ client, caches, kinds: customKindSource(caches) })],
    caches,
  })
  const maps = caches.of(configMaps)
  const definitions = caches.of(customResourceDefinitions)
  const isEstablished = (): boolean => definitions.list().some((one) => typesOf(one).length > 0)
  for (const round of ['first', 'second']) {
    await client.create(customResourceDefinitions, definition())
    await until(definitions, isEstablished)
    const owner = await client.create(widgets, {
      apiVersion: 'example.com/v1',
      kind: 'Widget',
      metadata: { name: round, namespace: 'default' },
    })
    const ownerReferences = [{ apiVersion: 'example.com/v1', kind: 'Widget', name: round, uid: owner.metadata.uid! }]
    await client.create(configMaps, { metadata: { name: round, namespace: 'default', ownerReferences } })
    await until(maps, () => maps.get(`default/${round}`) !== undefined)
    // The collector's own cache, asked for anew each time: it was forgotten with the kind.
    const owners = caches.of(widgets)
    await until(owners, () => owners.get(`default/${round}`) !== undefined)
    // Deleting the definition deletes its objects, and they take theirs.
    await client.delete(customResourceDefinitions, { name: 'widgets.example.com' })
    await until(maps, () => maps.get(`default/${round}`) === undefined)
    await until(definitions, () => definitions.list().length === 0)
  }
  assert.deepEqual(definitions.list(), [])
  await caches[Symbol.asyncDispose]()
  await server[Symbol.asyncDispose]()
  await running
})
