// The nine guarantees of a watch on each driver, with eight watchers, under compaction every 200 ms; and the bugs that the
// judge is there for.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { systemClock } from '@aksel/base/clock'
import { fraction, seededRandom, type Random } from '@aksel/base/ids'
import { silentLog } from '@aksel/base/log'
import { startEtcd } from '@aksel/host/etcd-server'
import { sized } from '@aksel/testing/test-size'
import { parseEtcdAddress } from './etcd/etcd-address.ts'
import { openEtcdStore } from './etcd/etcd-store.ts'
import { openLogStore } from './log-store.ts'
import { createMemoryStore } from './memory-store.ts'
import { SimulatedDisk } from './simulated-disk.ts'
import type { Store, WatchBatch } from './store.ts'
import { testScope, type TestScope } from './test-scope.ts'
import { BrokenGuarantee, guarantees, restlessRound } from './watch-guarantees.ts'

const ROUNDS = sized({ gate: 50, full: 500 })
const STEPS = 60

/** Time moves 20 ms with each burst: a compaction at every tenth, to a little behind what is newest. */
function compactingPause(store: Store, scope: TestScope | undefined, random: Random): (step: number) => Promise<void> {
  return async (step) => {
    scope?.advance(20)
    if (step % 10 === 9)
      await store.compact(Math.max(store.compactedRevision, store.revision - Math.floor(fraction(random) * 20)))
  }
}

describe('eight watchers under compaction every 200 ms', () => {
  for (const driver of ['memory', 'log'] as const) {
    test(`${driver}: the nine guarantees hold, ${ROUNDS} rounds`, async () => {
      let relists = 0
      for (let round = 1; round <= ROUNDS; round++) {
        const scope = testScope(round)
        const random = seededRandom(round)
        await using store =
          driver === 'memory'
            ? createMemoryStore(scope)
            : await openLogStore(scope, {
                disk: new SimulatedDisk(scope.random),
                directory: '/s',
                limits: { segmentBytes: 3_000, slackBytes: 3_000 },
              })
        relists += await restlessRound(store, random, { steps: STEPS, pause: compactingPause(store, scope, random) })
      }
      assert.ok(relists > 0, 'compaction overtook no watcher: nothing was tested')
    })
  }

  test('etcd: the nine guarantees hold while others write too', async () => {
    await using etcd = await startEtcd()
    const scope = {
      clock: systemClock(),
      random: seededRandom(1),
      log: silentLog(),
      signal: new AbortController().signal,
    }
    const address = { ...parseEtcdAddress(etcd.url), prefix: '/ours/' }
    await using store = await openEtcdStore(scope, { address })
    await using others = await openEtcdStore(scope, { address: { ...address, prefix: '/theirs/' } })
    for (let round = 1; round <= sized({ gate: 5, full: 50 }); round++) {
      const random = seededRandom(round)
      const pause = compactingPause(store, undefined, random)
      await restlessRound(store, random, {
        steps: STEPS,
        pause: async (step) => {
          if (step % 3 === 0)
            await others.transact({ guards: [], writes: [{ kind: 'put', key: 'noise', value: Buffer.from('x') }] })
          await pause(step)
        },
      })
      const { items } = await store.range({ prefix: '' })
      await store.transact({ guards: [], writes: items.map(({ key }) => ({ kind: 'delete', key })) })
    }
  })
})

type Sabotage = (batch: WatchBatch) => readonly WatchBatch[]

const planted: Readonly<Record<string, Sabotage>> = {
  'a lost event': (batch) => (batch.revision % 7 === 0 && batch.events.length > 0 ? [] : [batch]),
  'an event twice': (batch) => (batch.revision % 7 === 0 ? [batch, batch] : [batch]),
  'half a transaction': (batch) => (batch.events.length > 1 ? [{ ...batch, events: batch.events.slice(1) }] : [batch]),
  'a bookmark ahead of its events': (batch) =>
    batch.events.length > 0 && batch.revision % 7 === 0
      ? [{ revision: batch.revision + 1, events: [] }, batch]
      : [batch],
  'a reused revision': (batch) => (batch.revision % 7 === 0 ? [{ ...batch, revision: batch.revision - 1 }] : [batch]),
  'a wrong previous value': (batch) => [
    {
      ...batch,
      events: batch.events.map((event) =>
        event.kind === 'put' && event.previous !== undefined ? { ...event, previous: event.item } : event,
      ),
    },
  ],
  'a create that says it is none': (batch) => [
    {
      ...batch,
      events: batch.events.map((event) =>
        event.kind === 'put' && event.previous === undefined
          ? { ...event, item: { ...event.item, createRevision: 1 } }
          : event,
      ),
    },
  ],
}

describe('the judge of watches catches a planted bug', () => {
  for (const [bug, sabotage] of Object.entries(planted)) {
    test(bug, async () => {
      const scope = testScope()
      await using store = createMemoryStore(scope)
      const random = seededRandom(3)
      const sabotaged = saboteur(store, (deliver) => (batch) => {
        for (const one of sabotage(batch)) deliver(one)
      })
      await assert.rejects(
        restlessRound(sabotaged, random, { steps: STEPS, pause: compactingPause(store, scope, random) }),
        (error) => error instanceof BrokenGuarantee && guarantees.includes(error.guarantee),
      )
    })
  }

  test('a duplicate at reconnect', async () => {
    const scope = testScope()
    await using store = createMemoryStore(scope)
    const random = seededRandom(4)
    const again: Store = Object.create(store, {
      revision: { get: () => store.revision },
      transact: { value: (transaction: Parameters<Store['transact']>[0]) => store.transact(transaction) },
      watch: {
        value: (options: Parameters<Store['watch']>[0]) =>
          store.watch({ ...options, afterRevision: Math.max(store.compactedRevision, options.afterRevision - 1) }),
      },
    }) as Store
    await assert.rejects(restlessRound(again, random, { steps: STEPS, pause: async () => undefined }), BrokenGuarantee)
  })
})

type Deliver = (batch: WatchBatch) => void

function saboteur(store: Store, wrap: (deliver: Deliver) => Deliver): Store {
  return new Proxy(store, {
    get(target, name) {
      if (name !== 'watch') return Reflect.get(target, name) as unknown
      return (options: Parameters<Store['watch']>[0]) => target.watch({ ...options, deliver: wrap(options.deliver) })
    },
  })
}
