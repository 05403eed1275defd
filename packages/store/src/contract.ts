// What every driver of the store promises, as tests. A driver's own test calls `storeContract` with a way to open one.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { seededRandom } from '@aksel/base/ids'
import { put, remove, unless, text, Watching } from './contract-help.ts'
import { checkAgainstModel } from './model.ts'
import { StoreError, type Store } from './store.ts'

/** Opens an empty store; the suite disposes it. */
export type OpenStore = () => Promise<Store>

export interface ContractOptions {
  /** Sequences tried against the model; each has some hundred operations. */
  readonly seeds?: number
  /** Revisions of the long history. Default 12,000. */
  readonly history?: number
}

export function storeContract(driver: string, openStore: OpenStore, options: ContractOptions = {}): void {
  describe(`the ${driver} store keeps the contract`, () => {
    transactions(openStore)
    ranges(openStore)
    watches(openStore)
    watchesInMotion(openStore, options.history ?? 12_000)
    lifetimes(openStore)
    for (let seed = 1; seed <= (options.seeds ?? 10); seed++) {
      test(`it does what the model does, seed ${seed}`, async () => {
        await using store = await openStore()
        await checkAgainstModel(store, seededRandom(seed), 300)
      })
    }
  })
}

function transactions(openStore: OpenStore): void {
  test('an empty store is at revision 0', async () => {
    await using store = await openStore()
    assert.equal(store.revision, 0)
    assert.equal(await store.get('a'), undefined)
  })

  test('each transaction that changes something adds exactly one revision', async () => {
    await using store = await openStore()
    assert.deepEqual(await put(store, 'a', '1'), { committed: true, revision: 1 })
    const both = { guards: [], writes: [write('a', '2'), write('b', '1')] }
    assert.deepEqual(await store.transact(both), { committed: true, revision: 2 })
    assert.deepEqual(await remove(store, 'nothing'), { committed: true, revision: 2 })
    assert.deepEqual(await remove(store, 'a'), { committed: true, revision: 3 })
    assert.equal(store.revision, 3)
  })

  test('a key remembers the revisions of its creation and of its last change', async () => {
    await using store = await openStore()
    await put(store, 'a', '1')
    await put(store, 'a', '2')
    const item = await store.get('a')
    assert.deepEqual([item?.createRevision, item?.modRevision, text(item)], [1, 2, '2'])
    await remove(store, 'a')
    await put(store, 'a', '3')
    assert.equal((await store.get('a'))?.createRevision, 4)
  })

  test('a guard that does not hold names itself and what stands there, and nothing is written', async () => {
    await using store = await openStore()
    await put(store, 'a', '1')
    const guard = unless('a')
    const refused = await store.transact({ guards: [guard], writes: [write('a', '2'), write('b', '2')] })
    assert.ok(!refused.committed)
    assert.equal(refused.guard, guard)
    assert.equal(text(refused.current), '1')
    assert.equal(store.revision, 1)
    assert.equal(await store.get('b'), undefined)
  })

  test('a value guard holds for these very bytes only', async () => {
    await using store = await openStore()
    await put(store, 'lease', 'n1/7')
    const guarded = (value: string) =>
      store.transact({
        guards: [{ kind: 'value', key: 'lease', value: Buffer.from(value) }],
        writes: [write('a', '1')],
      })
    assert.equal((await guarded('n1/8')).committed, false)
    assert.equal((await guarded('n1/7')).committed, true)
  })

  test('transactions begun together are judged one after the other', async () => {
    await using store = await openStore()
    const results = await Promise.all(
      Array.from({ length: 20 }, (_, i) => store.transact({ guards: [unless('a')], writes: [write('a', String(i))] })),
    )
    assert.deepEqual(
      results.map((result) => result.committed),
      Array.from({ length: 20 }, (_, i) => i === 0),
    )
    assert.equal(store.revision, 1)
  })

  test('keys that no store could keep are refused', async () => {
    await using store = await openStore()
    await assert.rejects(put(store, '', '1'), TypeError)
    await assert.rejects(put(store, 'a\ud800', '1'), TypeError)
    await assert.rejects(store.transact({ guards: [], writes: [write('a', '1'), write('a', '2')] }), TypeError)
    assert.equal(store.revision, 0)
  })
}

function ranges(openStore: OpenStore): void {
  test('a range has the keys of its prefix in order, and says how many the limit left out', async () => {
    await using store = await openStore()
    for (const key of ['p/c', 'p/a', 'q/a', 'p/b', 'p', 'p0']) await put(store, key, key)
    const all = await store.range({ prefix: 'p/' })
    assert.deepEqual(
      all.items.map((item) => item.key),
      ['p/a', 'p/b', 'p/c'],
    )
    const page = await store.range({ prefix: 'p/', limit: 1, from: 'p/b' })
    assert.deepEqual([page.items.map((item) => item.key), page.remaining], [['p/b'], 1])
    assert.equal(await store.count('p/'), 3)
    assert.equal(await store.count(''), 6)
  })

  test('a range at an earlier revision shows what stood then', async () => {
    await using store = await openStore()
    await put(store, 'p/a', '1')
    await put(store, 'p/b', '1')
    await remove(store, 'p/a')
    await put(store, 'p/b', '2')
    const then = await store.range({ prefix: 'p/', revision: 2, limit: 1 })
    assert.deepEqual([then.items.map(text), then.remaining, then.revision], [['1'], 1, 2])
    assert.equal(text(await store.get('p/a', 2)), '1')
    assert.equal(await store.get('p/a', 3), undefined)
  })

  test('a revision that is compacted or not there yet is refused', async () => {
    await using store = await openStore()
    for (const value of ['1', '2', '3']) await put(store, 'a', value)
    await store.compact(2)
    assert.equal(store.compactedRevision, 2)
    assert.equal(text(await store.get('a', 2)), '2')
    await assert.rejects(async () => store.get('a', 1), kind('Compacted'))
    await assert.rejects(async () => store.range({ prefix: '', revision: 4 }), kind('FutureRevision'))
    await assert.rejects(store.compact(9), kind('FutureRevision'))
    await store.compact(1)
    assert.equal(store.compactedRevision, 2)
  })
}

function watches(openStore: OpenStore): void {
  test('a watch delivers history, then what is committed, without a gap', async () => {
    await using store = await openStore()
    for (const value of ['1', '2', '3']) await put(store, 'p/a', value)
    const watching = new Watching(store, { prefix: 'p/', afterRevision: 1 })
    await put(store, 'p/b', '4')
    await watching.until(4)
    assert.deepEqual(watching.story(), ['2 p/a=2 was 1', '3 p/a=3 was 2', '4 p/b=4'])
  })

  test('a watch sees all changes of a revision in one batch, and only those of its prefix', async () => {
    await using store = await openStore()
    const watching = new Watching(store, { prefix: 'p/', afterRevision: 0 })
    await store.transact({ guards: [], writes: [write('p/a', '1'), write('q/a', '1'), write('p/b', '1')] })
    await store.transact({ guards: [], writes: [write('q/a', '2')] })
    await store.transact({ guards: [], writes: [{ kind: 'delete', key: 'p/a' }, write('p/b', '2')] })
    await watching.until(3)
    assert.deepEqual(watching.story(), ['1 p/a=1, p/b=1', '3 -p/a was 1, p/b=2 was 1'])
  })

  test('a prefix need not end at a slash', async () => {
    await using store = await openStore()
    const odd = new Watching(store, { prefix: 'p/we', afterRevision: 0 })
    const whole = new Watching(store, { prefix: '', afterRevision: 0 })
    for (const key of ['p/web', 'p/w', 'p/we', 'p/wf']) await put(store, key, '1')
    await whole.until(4)
    assert.deepEqual(odd.story(), ['1 p/web=1', '3 p/we=1'])
    assert.equal(whole.story().length, 4)
  })

  test('what is acknowledged was delivered before', async () => {
    await using store = await openStore()
    const watching = new Watching(store, { prefix: 'a', afterRevision: 0 })
    await watching.mark('a/mark')
    await put(store, 'a', '1')
    assert.deepEqual(watching.story(), ['1 a/mark=mark', '2 a=1'])
  })

  test('a watch from a compacted or a future revision is refused', async () => {
    await using store = await openStore()
    for (const value of ['1', '2', '3']) await put(store, 'a', value)
    await store.compact(2)
    assert.throws(() => new Watching(store, { prefix: '', afterRevision: 1 }), kind('Compacted'))
    assert.throws(() => new Watching(store, { prefix: '', afterRevision: 4 }), kind('FutureRevision'))
    const watching = new Watching(store, { prefix: '', afterRevision: 2 })
    await watching.until(3)
    assert.deepEqual(watching.story(), ['3 a=3 was 2'])
  })
}

function watchesInMotion(openStore: OpenStore, history: number): void {
  test('an aborted watch hears nothing more, not even its end', async () => {
    const store = await openStore()
    const watching = new Watching(store, { prefix: '', afterRevision: 0 })
    await watching.mark('mark')
    watching.abort()
    await put(store, 'a', '1')
    await store[Symbol.asyncDispose]()
    assert.deepEqual([watching.story(), watching.ended], [['1 mark=mark'], undefined])
  })

  test('a write made from within a delivery is delivered to all, in order', async () => {
    await using store = await openStore()
    const abort = new AbortController()
    const answers: Promise<unknown>[] = []
    store.watch({
      prefix: 'a',
      afterRevision: 0,
      signal: abort.signal,
      deliver: ({ events }) => void (events.length > 0 && answers.push(put(store, 'b', 'answer'))),
      ended: () => {},
    })
    const second = new Watching(store, { prefix: '', afterRevision: 0 })
    await put(store, 'a', '1')
    await Promise.all(answers)
    await second.until(2)
    assert.deepEqual(second.story(), ['1 a=1', '2 b=answer'])
    abort.abort()
  })

  test('a watch begun from within a delivery sees each revision once', async () => {
    await using store = await openStore()
    let inner: Watching | undefined
    const abort = new AbortController()
    store.watch({
      prefix: '',
      afterRevision: 0,
      signal: abort.signal,
      deliver: () => void (inner ??= new Watching(store, { prefix: '', afterRevision: 0 })),
      ended: () => {},
    })
    const { revision } = await put(store, 'a', '1')
    await put(store, 'b', '2')
    await inner!.until(revision + 1)
    assert.deepEqual(inner!.story(), ['1 a=1', '2 b=2'])
    abort.abort()
  })

  test('a long history is delivered whole while commits go on', async () => {
    await using store = await openStore()
    const writes = Array.from({ length: history }, (_, i) => put(store, `p/${i % 100}`, String(i)))
    await Promise.all(writes)
    const watching = new Watching(store, { prefix: 'p/', afterRevision: 0 })
    for (let i = 0; i < 50; i++) await put(store, 'p/live', String(i))
    await watching.until(history + 50)
    assert.deepEqual(
      watching.revisions(),
      Array.from({ length: history + 50 }, (_, i) => i + 1),
    )
  })
}

function lifetimes(openStore: OpenStore): void {
  test('closing ends watches and refuses everything after', async () => {
    const store = await openStore()
    const watching = new Watching(store, { prefix: '', afterRevision: 0 })
    await put(store, 'a', '1')
    await store[Symbol.asyncDispose]()
    await store[Symbol.asyncDispose]()
    assert.equal(watching.ended?.kind, 'Closed')
    await assert.rejects(put(store, 'a', '2'), kind('Closed'))
    await assert.rejects(async () => store.get('a'), kind('Closed'))
  })
}

function write(key: string, value: string) {
  return { kind: 'put', key, value: Buffer.from(value) } as const
}

function kind(expected: string): (error: unknown) => boolean {
  return (error) => error instanceof StoreError && error.kind === expected
}
