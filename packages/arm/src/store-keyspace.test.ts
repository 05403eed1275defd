// Values of the hub as they are read: parsed once per revision, never older than what stands.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { testScope } from '@aksel/testing/test-scope'
import { createMemoryStore } from '@aksel/store/memory-store'
import { ResourceStore } from './store-keyspace.ts'

test('a value is parsed once for each revision, and a change, a delete and another writer are seen at once', async () => {
  using scope = testScope()
  await using disk = createMemoryStore(scope)
  const [store, other] = [new ResourceStore(disk), new ResourceStore(disk)]
  const key = 'hub/resources/a'
  await store.commit([{ kind: 'put', key, value: { count: 1 }, expected: 0 }])
  const first = (await store.get<{ count: number }>(key))!
  const [listed] = await store.list<{ count: number }>('hub/resources/')
  assert.equal(listed!.value, first.value, 'parsed twice')
  await other.commit([{ kind: 'put', key, value: { count: 2 }, expected: first.modRevision }])
  assert.deepEqual((await store.get<{ count: number }>(key))!.value, { count: 2 })
  const { modRevision } = (await store.get(key))!
  await other.commit([{ kind: 'delete', key, expected: modRevision }])
  assert.equal(await store.get(key), undefined)
  await other.commit([{ kind: 'put', key, value: { count: 3 }, expected: 0 }])
  assert.deepEqual(
    (await store.list<{ count: number }>('hub/resources/')).map(({ value }) => value),
    [{ count: 3 }],
  )
})
