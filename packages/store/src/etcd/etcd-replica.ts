// What one process holds of etcd's keys below the prefix: state and history in memory, fed by one watch. Everyone in the process
// who watches is served from it, with the same bytes.

import type { Scope } from '@aksel/base/scope'
import { defaultHistoryLimits, HistoryKeeper, type HistoryLimits } from '../history-keeper.ts'
import { Mvcc } from '../mvcc.ts'
import { StoreError, type KeyValue, type Put, type Delete } from '../store.ts'
import { WatchHub } from '../watch-hub.ts'
import type { EtcdClient } from './etcd-client.ts'
import { runFeed } from './etcd-feed.ts'
import { numberOf, rangeEndOf, type EtcdKeyValue, type RangeResponse } from './etcd-proto.ts'

/** Keys read in one call while loading; values are a few kilobytes. */
const PAGE_KEYS = 2_000

export interface ReplicaOptions {
  readonly client: EtcdClient
  readonly prefix: Buffer
  readonly limits?: Partial<HistoryLimits>
}

interface Generation {
  readonly core: Mvcc
  readonly hub: WatchHub
  readonly keeper: HistoryKeeper
}

export class EtcdReplica {
  readonly #scope: Scope
  readonly #options: ReplicaOptions
  #generation: Generation
  /** Those who wait for a change of ours, by its revision: there may be a thousand. */
  readonly #committing = new Map<number, (() => void)[]>()
  /** Those who wait for a revision that may be nobody's of ours. */
  #waiters: { readonly revision: number; readonly resolve: () => void }[] = []
  #feed: Promise<void> = Promise.resolve()

  private constructor(scope: Scope, options: ReplicaOptions, core: Mvcc) {
    this.#scope = scope
    this.#options = options
    this.#generation = this.#begin(core)
  }

  /** Reads the state at the oldest revision that etcd still has, so that the history since comes in with the watch. */
  static async open(scope: Scope, options: ReplicaOptions): Promise<EtcdReplica> {
    const replica = new EtcdReplica(scope, options, await load(options))
    replica.#feed = replica.#follow()
    return replica
  }

  get core(): Mvcc {
    return this.#generation.core
  }

  get hub(): WatchHub {
    return this.#generation.hub
  }

  keyOf(key: string): Buffer {
    return Buffer.concat([this.#options.prefix, Buffer.from(key)])
  }

  /** The shared object of this version where it is held; else one of its own. */
  itemOf(kv: EtcdKeyValue): KeyValue {
    const key = nameOf(kv.key, this.#options.prefix)
    return this.core.version(key, numberOf(kv.modRevision)) ?? itemOf(kv, this.#options.prefix)
  }

  /** Resolves when everything up to the revision is visible here. */
  reaches(revision: number): Promise<void> | undefined {
    if (revision <= this.core.visible) return undefined
    return new Promise((resolve) => void this.#waiters.push({ revision, resolve }))
  }

  /** Like `reaches`, for a revision that changed a key of ours. */
  reachesOwn(revision: number): Promise<void> | undefined {
    if (revision <= this.core.visible) return undefined
    return new Promise((resolve) => {
      const others = this.#committing.get(revision)
      if (others === undefined) this.#committing.set(revision, [resolve])
      else others.push(resolve)
    })
  }

  async compact(revision: number): Promise<void> {
    await this.#generation.keeper.compact(Math.min(revision, this.core.visible))
  }

  /** Ends all watches; the scope given to `open` must have ended. */
  async close(): Promise<void> {
    await this.#feed
    this.#generation.keeper.close()
    this.hub.end(new StoreError('Closed', 'the store is closed'))
    this.#releaseAll(Infinity)
  }

  #begin(core: Mvcc): Generation {
    const hub = new WatchHub(core)
    const limits = { ...defaultHistoryLimits, ...this.#options.limits }
    return { core, hub, keeper: new HistoryKeeper(this.#scope.clock, core, hub, limits) }
  }

  #follow(): Promise<void> {
    const { client, prefix } = this.#options
    return runFeed(this.#scope, {
      client,
      prefix,
      revision: () => this.core.visible,
      changed: (revision, events) => {
        const writes = events.map(({ key, value }): Put | Delete => {
          const name = nameOf(key, prefix)
          return value === undefined ? { kind: 'delete', key: name } : { kind: 'put', key: name, value }
        })
        const { core, hub, keeper } = this.#generation
        const change = core.replicate(revision, writes, this.#scope.clock.now())
        if (change !== undefined) hub.publish(change)
        keeper.afterCommit(1)
        this.#releaseAt(revision)
        this.#release(revision)
      },
      progressed: (revision) => {
        if (revision <= this.core.visible) return
        this.core.advance(revision)
        this.hub.bookmark()
        this.#release(revision)
      },
      isAwaited: () => this.#committing.size > 0,
      compacted: () => this.#reload(),
    })
  }

  /** We were away for longer than history is kept: watchers must list again, as the protocol has it. */
  async #reload(): Promise<void> {
    this.#scope.log.warn('history in etcd was compacted behind this server: its watches begin anew', {
      revision: this.core.visible,
    })
    const before = this.#generation
    let core: Mvcc
    try {
      core = await load(this.#options)
    } catch (error) {
      if (!(error instanceof StoreError)) throw error
      return
    }
    this.#generation = this.#begin(core)
    before.keeper.close()
    before.hub.end(new StoreError('Compacted', `revision ${before.core.visible} was compacted`))
    this.#releaseAll(core.visible)
  }

  #releaseAt(revision: number): void {
    for (const resolve of this.#committing.get(revision) ?? []) resolve()
    this.#committing.delete(revision)
  }

  /** Whoever waits for a revision up to this one: history was skipped, or ends. */
  #releaseAll(revision: number): void {
    for (const one of this.#committing.keys()) if (one <= revision) this.#releaseAt(one)
    this.#release(revision)
  }

  #release(revision: number): void {
    if (this.#waiters.length === 0) return
    const left = this.#waiters.filter((waiter) => waiter.revision > revision)
    const due = this.#waiters.filter((waiter) => waiter.revision <= revision)
    this.#waiters = left
    for (const { resolve } of due) resolve()
  }
}

/** The state at the oldest readable revision. */
async function load({ client, prefix }: ReplicaOptions): Promise<Mvcc> {
  for (;;) {
    const revision = await oldestRevision(client, prefix)
    const core = new Mvcc(revision)
    try {
      for await (const kv of keysAt(client, prefix, revision)) core.load(itemOf(kv, prefix))
      return core
    } catch (error) {
      // Compacted while we read: begin again at what is the oldest now.
      if (!isCompacted(error)) throw error
    }
  }
}

/** etcd names what it has compacted to nobody; some twenty questions find it. */
async function oldestRevision(client: EtcdClient, prefix: Buffer): Promise<number> {
  const ask = async (revision: number): Promise<number> => {
    const request = { key: prefix, countOnly: true, revision }
    const answer = await client.call<RangeResponse>('KV.Range', request, { repeatable: true })
    return numberOf(answer.header.revision)
  }
  let low = 1
  let high = await ask(0)
  while (low < high) {
    const middle = Math.floor((low + high) / 2)
    try {
      await ask(middle)
      high = middle
    } catch (error) {
      if (!isCompacted(error)) throw error
      low = middle + 1
    }
  }
  return low
}

function isCompacted(error: unknown): boolean {
  return error instanceof StoreError && error.kind === 'Compacted'
}

async function* keysAt(client: EtcdClient, prefix: Buffer, revision: number): AsyncGenerator<EtcdKeyValue> {
  const rangeEnd = rangeEndOf(prefix)
  let key = prefix
  for (;;) {
    const request = { key, rangeEnd, revision, limit: PAGE_KEYS }
    const page = await client.call<RangeResponse>('KV.Range', request, { repeatable: true })
    yield* page.kvs
    const last = page.kvs.at(-1)
    if (!page.more || last === undefined) return
    key = Buffer.concat([last.key, Buffer.from([0])])
  }
}

function nameOf(key: Uint8Array, prefix: Buffer): string {
  return (key as Buffer).toString('utf8', prefix.length)
}

function itemOf(kv: EtcdKeyValue, prefix: Buffer): KeyValue {
  return {
    key: nameOf(kv.key, prefix),
    value: Buffer.from(kv.value),
    createRevision: numberOf(kv.createRevision),
    modRevision: numberOf(kv.modRevision),
  }
}
