// The etcd driver keeps the contract of the store on Debian's etcd, and what the contract cannot ask: sharing, TLS, users,
// members that fail, history that somebody else compacted.

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { systemClock } from '@aksel/base/clock'
import { seededRandom } from '@aksel/base/ids'
import { silentLog } from '@aksel/base/log'
import type { Scope } from '@aksel/base/scope'
import { startEtcd, type EtcdServer } from '@aksel/host/etcd-server'
import { storeContract } from '../contract.ts'
import { put, remove, text, unless, Watching } from '../contract-help.ts'
import type { Store } from '../store.ts'
import { parseEtcdAddress } from './etcd-address.ts'
import { openEtcdStore, type EtcdStoreOptions } from './etcd-store.ts'
import { rebased } from './rebased-store.ts'

const scope: Scope = {
  clock: systemClock(),
  random: seededRandom(1),
  log: silentLog(),
  signal: new AbortController().signal,
}

let opened = 0

/** A store below a prefix of its own. */
function open(
  etcd: EtcdServer,
  prefix = `/t${(opened += 1)}/`,
  options: Partial<EtcdStoreOptions> = {},
): Promise<Store> {
  return openEtcdStore(scope, { address: { ...parseEtcdAddress(etcd.url), prefix }, ...options })
}

describe('on one etcd', () => {
  let etcd: EtcdServer
  before(async () => void (etcd = await startEtcd({ flags: ['--experimental-watch-progress-notify-interval=200ms'] })))
  after(() => etcd[Symbol.asyncDispose]())

  storeContract('etcd', async () => rebased(await open(etcd)), { seeds: 3, history: 2_000 })

  test('two servers on one prefix see each other: what one acknowledged, the other reads at once', async () => {
    await using one = await open(etcd, '/shared/')
    await using two = await open(etcd, '/shared/')
    for (let i = 0; i < 200; i++) {
      const writer = i % 2 === 0 ? one : two
      const reader = i % 2 === 0 ? two : one
      await put(writer, 'p/a', String(i))
      assert.equal(text(await reader.get('p/a')), String(i))
      const { items, revision } = await reader.range({ prefix: 'p/' })
      assert.equal(text(items[0]), String(i))
      assert.ok(revision >= items[0]!.modRevision)
      // A watch from what was read begins without a refusal, wherever it was read.
      const watching = new Watching(writer, { prefix: 'p/', afterRevision: items[0]!.modRevision })
      watching.abort()
    }
    const results = await Promise.all(
      Array.from({ length: 40 }, (_, i) =>
        (i % 2 === 0 ? one : two).transact({
          guards: [unless('p/once')],
          writes: [{ kind: 'put', key: 'p/once', value: Buffer.from(String(i)) }],
        }),
      ),
    )
    assert.equal(results.filter((result) => result.committed).length, 1)
  })

  test('writes of others leave gaps in the revisions: reads, watches and history stay right', async () => {
    await using ours = await open(etcd)
    await using theirs = await open(etcd)
    const wanted: string[] = []
    const watching = new Watching(ours, { prefix: '', afterRevision: ours.revision })
    const start = ours.revision
    for (let i = 0; i < 30; i++) {
      for (let j = 0; j < i % 4; j++) await put(theirs, 'noise', String(j))
      const { revision } = await put(ours, `p/${i % 5}`, String(i))
      wanted.push(`${revision} p/${i % 5}=${i}`)
      await put(theirs, 'noise', 'more')
      const { items, remaining } = await ours.range({ prefix: 'p/', limit: 2 })
      assert.deepEqual([text(items[0]), remaining], [String(i - (i % 5)), Math.max(0, Math.min(i + 1, 5) - 2)])
      assert.equal(await ours.count('p/'), Math.min(i + 1, 5))
      assert.equal(text(await ours.get(`p/${i % 5}`)), String(i))
    }
    await watching.until(ours.revision)
    assert.deepEqual(
      watching.story().map((line) => line.replace(/ was .*/, '')),
      wanted,
    )
    const again = new Watching(ours, { prefix: '', afterRevision: start })
    await again.until(ours.revision)
    assert.deepEqual(again.story(), watching.story())
    // A list's revision may lie above everything of ours: a watch from there is in its right.
    const { revision } = await ours.range({ prefix: 'p/' })
    const last = new Watching(ours, { prefix: 'p/', afterRevision: revision })
    await last.mark('p/mark')
    assert.equal(last.story().length, 1)
  })

  test('without changes of ours, progress of others is heard, so that an idle watch can be resumed', async () => {
    await using ours = await open(etcd)
    await using theirs = await open(etcd)
    const watching = new Watching(ours, { prefix: '', afterRevision: ours.revision })
    const { revision } = await put(theirs, 'noise', '1')
    await watching.until(revision)
    assert.deepEqual(watching.story(), [])
  })

  test('a store that is opened has the history that etcd still has', async () => {
    const first = await open(etcd, '/history/')
    const start = first.revision
    for (const value of ['1', '2', '3']) await put(first, 'p/a', value)
    await remove(first, 'p/a')
    await first[Symbol.asyncDispose]()
    await using second = await open(etcd, '/history/')
    const watching = new Watching(second, { prefix: 'p/', afterRevision: start })
    await watching.mark('p/b')
    assert.deepEqual(
      watching.story().map((line) => line.replace(/^\d+ /, '')),
      ['p/a=1', 'p/a=2 was 1', 'p/a=3 was 2', '-p/a was 3', 'p/b=mark'],
    )
  })

  test('one transaction of many large keys arrives whole, although etcd sends it in fragments', async () => {
    await using store = await open(etcd)
    const watching = new Watching(store, { prefix: '', afterRevision: store.revision })
    const writes = Array.from({ length: 8 }, (_, i) => ({
      kind: 'put' as const,
      key: `big/${i}`,
      value: Buffer.alloc(180_000, 97 + i),
    }))
    const { revision } = await store.transact({ guards: [], writes })
    await watching.until(revision)
    assert.deepEqual(
      watching.batches.filter((batch) => batch.events.length > 0).map((batch) => batch.events.length),
      [8],
    )
    await assert.rejects(put(store, 'huge', 'x'.repeat(2_000_000)), { kind: 'TooLarge' })
    const many = Array.from({ length: 129 }, (_, i) => ({ kind: 'delete' as const, key: `many/${i}` }))
    await assert.rejects(store.transact({ guards: [], writes: many }), { kind: 'TooLarge' })
  })

  test('etcdctl reads and counts what is stored, below upstream paths', async () => {
    await using store = await open(etcd, '/registry/')
    for (const name of ['a', 'b', 'c'])
      await put(store, `pods/default/${name}`, `{"kind":"Pod","metadata":{"name":"${name}"}}`)
    assert.match(
      await etcd.control('get', '/registry/pods/', '--prefix', '--keys-only', '--limit=1', '-w=fields'),
      /"Count" : 3/,
    )
    assert.equal(
      (await etcd.control('get', '/registry/pods/default/b', '--print-value-only')).trim(),
      '{"kind":"Pod","metadata":{"name":"b"}}',
    )
    await etcd.control('put', '/registry/pods/default/d', '{"kind":"Pod","metadata":{"name":"d"}}')
    assert.equal(text(await store.get('pods/default/d')), '{"kind":"Pod","metadata":{"name":"d"}}')
  })

  test('one of two compacts after history is old, and both let it go', async () => {
    const limits = { historyMs: 300 }
    await using one = await open(etcd, '/compact/', { limits })
    await using two = await open(etcd, '/compact/', { limits })
    const start = one.revision
    const watching = new Watching(two, { prefix: '', afterRevision: start })
    while (
      Number(/"Version" : (\d+)/.exec(await etcd.control('get', 'compact_rev_key', '--write-out=fields'))?.[1] ?? 0) < 4
    ) {
      await put(one, 'a', 'x')
    }
    await assert.rejects(
      async () => {
        const late = await open(etcd, '/compact/')
        try {
          await late.get('a', start)
        } finally {
          await late[Symbol.asyncDispose]()
        }
      },
      { kind: 'Compacted' },
    )
    await watching.until(one.revision)
    assert.equal(watching.ended, undefined)
  })
})

test('over TLS and with a user, who must be allowed', async () => {
  await using etcd = await startEtcd({ tls: true })
  await etcd.control('user', 'add', 'root:secret')
  await etcd.control('user', 'grant-role', 'root', 'root')
  await etcd.control('auth', 'enable')
  const address = parseEtcdAddress(etcd.url)
  await assert.rejects(openEtcdStore(scope, { address }), { kind: 'Unavailable' })
  const { tls: _, ...plain } = address
  await assert.rejects(openEtcdStore(scope, { address: plain, attemptMs: 500, callMs: 500 }), { kind: 'Unavailable' })
  await using store = await openEtcdStore(scope, {
    address: { ...address, user: { name: 'root', password: 'secret' } },
  })
  const watching = new Watching(store, { prefix: '', afterRevision: store.revision })
  await watching.mark('a')
  assert.equal(text(await store.get('a')), 'mark')
})

test('a read and a write that find no etcd say Unavailable, and the store goes on when it is back', async () => {
  await using etcd = await startEtcd()
  const [member] = etcd.members
  await using store = await open(etcd, '/x/', { attemptMs: 500, callMs: 700 })
  const watching = new Watching(store, { prefix: '', afterRevision: store.revision })
  await put(store, 'a', '1')
  await etcd.kill(member!)
  await assert.rejects(put(store, 'a', '2'), { kind: 'Unavailable' })
  await assert.rejects(async () => store.get('a'), { kind: 'Unavailable' })
  await etcd.restart(member!)
  await put(store, 'a', '3')
  await watching.until(store.revision)
  assert.deepEqual(
    watching.story().map((line) => line.replace(/^\d+ /, '')),
    ['a=1', 'a=3 was 1'],
  )
})
