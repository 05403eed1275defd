// The comparison with the model notices the bugs it is there for.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seededRandom } from '@aksel/base/ids'
import { createMemoryStore } from './memory-store.ts'
import { checkAgainstModel } from './model.ts'
import type { Store } from './store.ts'
import { testScope } from './test-scope.ts'

type Sabotage = (store: Store) => Partial<Store>

const planted: Readonly<Record<string, Sabotage>> = {
  'a lost watch event': (store) => ({
    watch: (options) =>
      store.watch({
        ...options,
        deliver: (batch) => options.deliver(batch.revision % 5 === 0 ? { ...batch, events: [] } : batch),
      }),
  }),
  'an event delivered twice': (store) => ({
    watch: (options) =>
      store.watch({
        ...options,
        deliver: (batch) => {
          options.deliver(batch)
          if (batch.revision % 5 === 0) options.deliver(batch)
        },
      }),
  }),
  'a dropped last write': (store) => ({
    transact: (transaction) => store.transact({ ...transaction, writes: transaction.writes.slice(0, 2) }),
  }),
  'a revision used twice': (store) => ({
    transact: async (transaction) => {
      const result = await store.transact(transaction)
      return result.committed && result.revision % 10 === 0 ? { ...result, revision: result.revision - 1 } : result
    },
  }),
  'a guard that is not looked at': (store) => ({
    transact: (transaction) => store.transact({ ...transaction, guards: transaction.guards.slice(1) }),
  }),
}

for (const [bug, sabotage] of Object.entries(planted)) {
  test(`the model notices ${bug}`, async () => {
    await using store = createMemoryStore(testScope())
    const broken = new Proxy(store, {
      get: (target, name) => Reflect.get({ ...sabotage(store) }, name) ?? (Reflect.get(target, name) as unknown),
    })
    await assert.rejects(checkAgainstModel(broken, seededRandom(1), 300), assert.AssertionError)
  })
}
