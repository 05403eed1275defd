// What caches promise about a server that ends watches, forgets revisions and fails.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { configMaps, pods } from '@aksel/api/resources'
import type { ConfigMap } from '@aksel/api/types/core-v1'
import { ApiError } from '@aksel/base/errors'
import { FakeClient } from '@aksel/testing/fake-client'
import type { FakeCall } from '@aksel/testing/fake-client'
import { settled } from '@aksel/testing/simulated-clock'
import { testScope } from '@aksel/testing/test-scope'
import type { TestScope } from '@aksel/testing/test-scope'
import { createCaches } from './caches.ts'

function map(name: string, labels: Readonly<Record<string, string>> = {}): ConfigMap {
  return { metadata: { name, namespace: 'shop', labels } }
}

interface World {
  readonly scope: TestScope
  readonly client: FakeClient
  readonly calls: FakeCall[]
}

function world(before: (call: FakeCall) => void = () => {}): World {
  const scope = testScope()
  const calls: FakeCall[] = []
  const client = new FakeClient({
    ...scope,
    before: (call) => {
      calls.push(call)
      before(call)
    },
  })
  return { scope, client, calls }
}

function verbs(calls: readonly FakeCall[]): readonly string[] {
  return calls.map(({ verb }) => verb).filter((verb) => verb === 'list' || verb === 'watch')
}

test('a cache shows what was there and follows what changes', async () => {
  const { scope, client } = world()
  await client.create(configMaps, map('a'))
  await using caches = createCaches(scope, client)
  const cache = caches.of(configMaps)
  await cache.synced()
  const seen: string[] = []
  cache.subscribe((now, before) => seen.push(`${before?.metadata.name ?? '-'} to ${now?.metadata.name ?? '-'}`))
  await client.create(configMaps, map('b'))
  client.change(configMaps, 'shop/b', (draft) => {
    draft.data = { key: 'value' }
  })
  await client.delete(configMaps, { namespace: 'shop', name: 'a' })
  await settled()
  assert.deepEqual(seen, ['- to a', '- to b', 'b to b', 'a to -'])
  assert.deepEqual(
    cache.list('shop').map(({ metadata, data }) => [metadata.name, data]),
    [['b', { key: 'value' }]],
  )
})

test('a resource is listed once for all that ask, and lists of two resources run at the same time', async () => {
  const { scope, client, calls } = world()
  await using caches = createCaches(scope, client)
  assert.equal(caches.of(configMaps), caches.of(configMaps))
  caches.of(pods)
  await settled()
  assert.deepEqual(verbs(calls), ['list', 'list', 'watch', 'watch'])
})

test('a watch that the server ends is resumed where it was, without a list', async () => {
  const { scope, client, calls } = world()
  await using caches = createCaches(scope, client)
  const cache = caches.of(configMaps)
  await cache.synced()
  await settled()
  await client.create(configMaps, map('a'))
  await scope.clock.run(2000)
  client.objects.endWatches()
  await client.create(configMaps, map('b'))
  await scope.clock.run(2000)
  assert.deepEqual(verbs(calls), ['list', 'watch', 'watch'])
  assert.equal(cache.list().length, 2)
})

test('a revision that the server forgot leads to a new list, and losses meanwhile are told', async () => {
  const { scope, client, calls } = world()
  await client.create(configMaps, map('a'))
  await client.create(configMaps, map('b'))
  await using caches = createCaches(scope, client)
  const cache = caches.of(configMaps)
  await cache.synced()
  await settled()
  const gone: string[] = []
  cache.subscribe((now, before) => now === undefined && gone.push(before!.metadata.name))
  // Both happen in one go, before the cache can look.
  client.objects.endWatches()
  client.objects.remove(configMaps, 'shop/a')
  client.objects.compact()
  await scope.clock.run(60_000)
  assert.deepEqual(gone, ['a'])
  assert.equal(verbs(calls).filter((verb) => verb === 'list').length, 2)
})

test('a server that fails is asked again with growing waits, and synced() waits for it', async () => {
  let isDown = true
  const { scope, client, calls } = world(() => {
    if (isDown) throw new ApiError('ServiceUnavailable', 'down')
  })
  await using caches = createCaches(scope, client)
  let isSynced = false
  const synced = caches
    .of(configMaps)
    .synced()
    .then(() => (isSynced = true))
  await scope.clock.run(60_000)
  assert.equal(isSynced, false)
  const tries = calls.length
  assert.ok(tries > 3 && tries < 10, `${tries} tries in a minute`)
  isDown = false
  await scope.clock.run(60_000)
  await synced
})

test('an index finds objects by a value, whenever it is added', async () => {
  const { scope, client } = world()
  await client.create(configMaps, map('a', { team: 'blue' }))
  await using caches = createCaches(scope, client)
  const cache = caches.of(configMaps)
  await cache.synced()
  cache.addIndex('team', ({ metadata }) => [metadata.labels!['team']!])
  await client.create(configMaps, map('b', { team: 'blue' }))
  client.change(configMaps, 'shop/a', (draft) => {
    draft.metadata.labels = { team: 'red' }
  })
  await settled()
  assert.deepEqual(
    cache.byIndex('team', 'blue').map(({ metadata }) => metadata.name),
    ['b'],
  )
  assert.deepEqual(
    cache.byIndex('team', 'red').map(({ metadata }) => metadata.name),
    ['a'],
  )
  assert.throws(() => cache.byIndex('town', 'red'), /there is no index "town"/)
})

test('closed caches hold no watch and no timer', async () => {
  const { scope, client } = world()
  {
    await using caches = createCaches(scope, client)
    await caches.of(configMaps).synced()
  }
  assert.equal(scope.clock.timerCount, 0)
})
