// When history goes, and who hears of it.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { put, Watching } from './contract-help.ts'
import { createMemoryStore } from './memory-store.ts'
import { testScope } from './test-scope.ts'

test('history goes after five minutes, and watchers are told first how far they are', async () => {
  const scope = testScope()
  await using store = createMemoryStore(scope)
  const quiet = new Watching(store, { prefix: 'quiet/', afterRevision: 0 })
  for (const value of ['1', '2', '3']) await put(store, 'a', value)
  for (let minute = 0; minute < 7; minute++) {
    scope.advance(60_000)
    await store.compact(0)
  }
  assert.equal(store.compactedRevision, 3)
  assert.deepEqual(quiet.batches, [{ revision: 3, events: [] }])
})

test('history is never longer than its limit, give or take a batch', async () => {
  await using store = createMemoryStore(testScope(), { historyRevisions: 100 })
  for (let i = 0; i < 1000; i++) await put(store, `a/${i % 7}`, String(i))
  assert.ok(store.revision - store.compactedRevision <= 101)
  assert.equal(await store.count('a/'), 7)
})
