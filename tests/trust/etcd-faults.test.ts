// The store on three etcd members, one of which fails in every way: writes go on within ten seconds, nothing acknowledged is lost,
// no watch misses or repeats anything, and the members agree in the end.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { systemClock } from '@aksel/base/clock'
import { seededRandom } from '@aksel/base/ids'
import { silentLog } from '@aksel/base/log'
import type { Scope } from '@aksel/base/scope'
import { startEtcd, type EtcdServer } from '@aksel/host/etcd-server'
import { parseEtcdAddress } from '@aksel/store/etcd/etcd-address'
import { openEtcdStore } from '@aksel/store/etcd/etcd-store'
import { StoreError, type Store, type WatchBatch } from '@aksel/store/store'
import { agreed, views, type EtcdViews } from './etcd-views.ts'
import { openPeerProxy, type PeerProxy } from './peer-proxy.ts'

const RESUME_MS = 10_000
const LANES = 4
const scope: Scope = {
  clock: systemClock(),
  random: seededRandom(1),
  log: silentLog(),
  signal: new AbortController().signal,
}

/** Writers that never stop, what they were told, and what one watcher saw of it. */
class Load {
  readonly acknowledged = new Map<string, { readonly value: string; readonly revision: number }>()
  /** Told to nobody: may or may not be there. */
  readonly uncertain = new Map<string, string>()
  readonly batches: WatchBatch[] = []
  readonly #store: Store
  readonly #stop = new AbortController()
  #lanes: Promise<unknown> = Promise.resolve()
  #written = 0
  #onWrite: (() => void) | undefined

  constructor(store: Store) {
    this.#store = store
    store.watch({
      prefix: 'k/',
      afterRevision: store.revision,
      signal: this.#stop.signal,
      deliver: (batch) => void (batch.events.length > 0 && this.batches.push(batch)),
      ended: (error) => assert.fail(error),
    })
    this.#lanes = Promise.all(Array.from({ length: LANES }, (_, lane) => this.#lane(lane)))
  }

  async #lane(lane: number): Promise<void> {
    for (let i = 0; !this.#stop.signal.aborted; i++) {
      const key = `k/${lane}-${i}`
      const value = `value ${i}`
      try {
        const { revision } = await this.#store.transact({
          guards: [],
          writes: [{ kind: 'put', key, value: Buffer.from(value) }],
        })
        this.acknowledged.set(key, { value, revision })
        this.#written += 1
        this.#onWrite?.()
      } catch (error) {
        if (!(error instanceof StoreError)) throw error
        this.uncertain.set(key, value)
        await sleep(20)
      }
    }
  }

  /** Milliseconds until a write that was begun after now is acknowledged, by each lane or as many writes. */
  async resumes(): Promise<number> {
    const startedMs = performance.now()
    const wanted = this.#written + 2 * LANES
    const late = AbortSignal.timeout(RESUME_MS)
    while (this.#written < wanted) {
      await new Promise<void>((resolve, reject) => {
        this.#onWrite = resolve
        late.addEventListener('abort', () => reject(new Error(`no write within ${RESUME_MS} ms`)), { once: true })
      })
    }
    return performance.now() - startedMs
  }

  async stop(): Promise<void> {
    this.#stop.abort()
    await this.#lanes
  }

  /** Throws when something acknowledged is not there, something is there that nobody wrote, or the watch told it otherwise. */
  async check(store: Store): Promise<void> {
    const { items } = await store.range({ prefix: 'k/' })
    const found = new Map(items.map((item) => [item.key, item]))
    for (const [key, { value, revision }] of this.acknowledged) {
      const item = found.get(key)
      assert.ok(item !== undefined, `${key} was acknowledged and is lost`)
      assert.deepEqual([Buffer.from(item.value).toString(), item.modRevision], [value, revision])
    }
    for (const key of found.keys()) {
      assert.ok(this.acknowledged.has(key) || this.uncertain.has(key), `${key} is a phantom`)
    }
    const last = this.batches.at(-1)!.revision
    const seen = this.batches.flatMap((batch) =>
      batch.events.map((event) => (event.kind === 'put' ? event.item.key : event.key)),
    )
    assert.equal(new Set(seen).size, seen.length, 'the watch told something twice')
    const told = new Set(seen)
    for (const item of items)
      if (item.modRevision <= last) assert.ok(told.has(item.key), `the watch missed ${item.key}`)
    assert.ok(this.batches.every((batch, i) => i === 0 || this.batches[i - 1]!.revision < batch.revision))
  }
}

interface Rig extends EtcdViews {
  readonly etcd: EtcdServer
  readonly proxies: readonly PeerProxy[]
}

async function withCluster(fault: (rig: Rig, load: Load) => Promise<void>): Promise<void> {
  await using stack = new AsyncDisposableStack()
  const proxies: PeerProxy[] = []
  const etcd = await startEtcd({
    members: 3,
    advertisedPeerPort: async (_, port) => {
      const proxy = stack.use(await openPeerProxy(seededRandom(port), port))
      proxies.push(proxy)
      return proxy.port
    },
  })
  stack.use(etcd)
  const store = stack.use(await openEtcdStore(scope, { address: parseEtcdAddress(etcd.url) }))
  const load = new Load(store)
  try {
    await load.resumes()
    await fault({ etcd, proxies, ...views(etcd) }, load)
  } finally {
    await load.stop()
  }
  await agreed(etcd)
  await load.check(store)
}

describe('etcd with three members', () => {
  test('the leader is killed, and comes back', () =>
    withCluster(async ({ etcd, leader }, load) => {
      const victim = await leader()
      await etcd.kill(victim)
      await load.resumes()
      await etcd.restart(victim)
      await load.resumes()
    }))

  test('the leader is paused, and goes on', () =>
    withCluster(async ({ leader }, load) => {
      const victim = await leader()
      victim.process!.kill('SIGSTOP')
      try {
        await load.resumes()
      } finally {
        victim.process!.kill('SIGCONT')
      }
      await load.resumes()
    }))

  test('the leader is cut off from the others but not from us', () =>
    withCluster(async ({ etcd, proxies, leader, idOf }, load) => {
      const victim = await leader()
      const id = await idOf(victim)
      const at = etcd.members.indexOf(victim)
      proxies.forEach((proxy, i) => (i === at ? proxy.cutAll() : proxy.cutFrom(id)))
      await load.resumes()
      proxies.forEach((proxy) => proxy.heal())
      await load.resumes()
    }))

  test('half of what the members tell each other is lost at first', () =>
    withCluster(async ({ proxies }, load) => {
      proxies.forEach((proxy) => proxy.lose(0.5))
      await load.resumes()
      await load.resumes()
      proxies.forEach((proxy) => proxy.heal())
      await load.resumes()
    }))

  test('a member is replaced by a new one', () =>
    withCluster(async ({ etcd, leader, idOf }, load) => {
      const first = await leader()
      const victim = etcd.members.find((member) => member !== first)!
      await etcd.replace(victim, await idOf(victim))
      await load.resumes()
    }))

  test('the harness notices an acknowledged write that is gone', async () => {
    await assert.rejects(
      withCluster(async ({ etcd }, load) => {
        await load.resumes()
        const [key] = load.acknowledged.keys()
        await etcd.control('del', `/aksel/${key}`)
      }),
      /was acknowledged and is lost/,
    )
  })
})
