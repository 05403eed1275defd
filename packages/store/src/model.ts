// The store as one would write it on a whiteboard: a whole map per revision. Drivers are compared with it, by seed.

import assert from 'node:assert/strict'
import { fraction, type Random } from '@aksel/base/ids'
import { storyOf, text, Watching } from './contract-help.ts'
import type { Delete, Guard, KeyValue, Put, Store, StoreEvent, Transaction } from './store.ts'

type State = ReadonlyMap<string, KeyValue>

export class StoreModel {
  readonly states: State[] = [new Map()]
  readonly events: StoreEvent[][] = [[]]

  get revision(): number {
    return this.states.length - 1
  }

  get newest(): State {
    return this.states.at(-1)!
  }

  /** The first guard that does not hold, or undefined when all was committed. */
  transact({ guards, writes }: Transaction): Guard | undefined {
    const broken = guards.find((guard) => !this.#holds(guard))
    if (broken !== undefined) return broken
    const state = new Map(this.newest)
    const events = writes.flatMap((write) => this.#write(state, write, this.revision + 1))
    if (events.length === 0) return undefined
    this.states.push(state)
    this.events.push(events)
    return undefined
  }

  #holds(guard: Guard): boolean {
    const item = this.newest.get(guard.key)
    if (guard.kind === 'revision') return (item?.modRevision ?? 0) === guard.modRevision
    return item !== undefined && Buffer.from(item.value).equals(guard.value)
  }

  #write(state: Map<string, KeyValue>, write: Put | Delete, revision: number): StoreEvent[] {
    const previous = state.get(write.key)
    if (write.kind === 'delete') {
      if (previous === undefined) return []
      state.delete(write.key)
      return [{ kind: 'delete', key: write.key, revision, previous }]
    }
    const createRevision = previous?.createRevision ?? revision
    const item = { key: write.key, value: write.value, createRevision, modRevision: revision }
    state.set(write.key, item)
    return [previous === undefined ? { kind: 'put', item } : { kind: 'put', item, previous }]
  }
}

/** Throws when the store and the model part. The store must be empty. */
export async function checkAgainstModel(store: Store, random: Random, steps: number): Promise<void> {
  const model = new StoreModel()
  const watches: { readonly watching: Watching; readonly prefix: string; readonly after: number }[] = []
  for (let step = 0; step < steps; step++) {
    const die = fraction(random)
    if (die < 0.7) await compareTransactions(store, model, random)
    else if (die < 0.9) await compareReads(store, model, random)
    else if (die < 0.96) {
      const after = between(random, store.compactedRevision, store.revision)
      const prefix = prefixes[below(random, prefixes.length)]!
      watches.push({ watching: new Watching(store, { prefix, afterRevision: after }), prefix, after })
    } else if (die < 0.98) await store.compact(between(random, store.compactedRevision, store.revision))
  }
  for (const { watching, prefix, after } of watches) {
    model.transact({ guards: [], writes: [{ kind: 'put', key: `${prefix}mark`, value: Buffer.from('mark') }] })
    await watching.mark(`${prefix}mark`)
    if (watching.ended?.kind === 'Compacted') continue
    assert.deepEqual(watching.story(), storiesAfter(model, after, prefix))
    watching.abort()
  }
}

const prefixes = ['', 'a/', 'a/b', 'b/', 'b/c/', 'c']
const keys = prefixes.flatMap((prefix) => Array.from({ length: 8 }, (_, i) => `${prefix}${'xyz'[i % 3]}${i}`))

/** Several at once, so that drivers that write in batches have something to batch. */
async function compareTransactions(store: Store, model: StoreModel, random: Random): Promise<void> {
  const transactions = Array.from({ length: 1 + below(random, 6) }, () => randomTransaction(model, random))
  const results = await Promise.all(transactions.map((transaction) => store.transact(transaction)))
  for (const [i, result] of results.entries()) {
    const broken = model.transact(transactions[i]!)
    assert.equal(result.committed, broken === undefined)
    if (result.committed) assert.equal(result.revision, model.revision)
    else {
      assert.equal(result.guard, broken)
      assert.deepEqual(plain(result.current), plain(model.newest.get(broken!.key)))
    }
  }
  assert.equal(store.revision, model.revision)
}

async function compareReads(store: Store, model: StoreModel, random: Random): Promise<void> {
  const revision = between(random, store.compactedRevision, store.revision)
  const state = model.states[revision]!
  const prefix = prefixes[below(random, prefixes.length)]!
  const limit = below(random, 10)
  const sorted = [...state.keys()].filter((key) => key.startsWith(prefix)).toSorted()
  const from = fraction(random) < 0.5 ? undefined : keys[below(random, keys.length)]!
  const wanted = sorted.filter((key) => from === undefined || !from.startsWith(prefix) || key >= from)
  const query = { prefix, limit, revision, ...(from?.startsWith(prefix) === true ? { from } : {}) }
  const range = await store.range(query)
  assert.deepEqual(
    range.items.map(plain),
    wanted.slice(0, limit).map((key) => plain(state.get(key))),
  )
  assert.equal(range.remaining, Math.max(0, wanted.length - limit))
  const key = keys[below(random, keys.length)]!
  assert.deepEqual(plain(await store.get(key, revision)), plain(state.get(key)))
  assert.equal(await store.count(prefix), [...model.newest.keys()].filter((one) => one.startsWith(prefix)).length)
}

function randomTransaction(model: StoreModel, random: Random): Transaction {
  const chosen = new Set(Array.from({ length: 1 + below(random, 3) }, () => keys[below(random, keys.length)]!))
  const writes = [...chosen].map((key): Put | Delete =>
    fraction(random) < 0.35
      ? { kind: 'delete', key }
      : { kind: 'put', key, value: Buffer.from(String(below(random, 1000))) },
  )
  const key = keys[below(random, keys.length)]!
  const item = model.newest.get(key)
  const die = fraction(random)
  if (die < 0.5) return { guards: [], writes }
  if (die < 0.8) return { guards: [{ kind: 'revision', key, modRevision: item?.modRevision ?? 0 }], writes }
  return { guards: [{ kind: 'value', key, value: item?.value ?? Buffer.from('none') }], writes }
}

function storiesAfter(model: StoreModel, after: number, prefix: string): string[] {
  return model.events.flatMap((events, revision) => {
    const seen = events.filter((event) => keyOf(event).startsWith(prefix))
    return revision <= after || seen.length === 0 ? [] : [`${revision} ${seen.map(storyOf).join(', ')}`]
  })
}

function keyOf(event: StoreEvent): string {
  return event.kind === 'put' ? event.item.key : event.key
}

function plain(item: KeyValue | undefined): readonly unknown[] | undefined {
  return item === undefined ? undefined : [item.key, text(item), item.createRevision, item.modRevision]
}

/** A whole number from 0, below the limit. */
function below(random: Random, limit: number): number {
  return Math.floor(fraction(random) * limit)
}

function between(random: Random, low: number, high: number): number {
  return low + below(random, high - low + 1)
}
