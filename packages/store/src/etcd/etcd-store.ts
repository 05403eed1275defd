// The store on etcd: for clusters that more than one server serves.
//
// Writes are etcd transactions. Reads of now ask etcd for its newest revision first, so that they see what any server has
// acknowledged, and are then answered from the replica in memory; where the replica cannot tell whether it has seen
// everything (others write to the same etcd), etcd says which versions stand there and the replica lends their bytes.
// Watches and reads of the past are the replica's.
//
// Revisions are etcd's own: those of others are gaps in ours, and a new store does not begin at 0.

import type { Scope } from '@aksel/base/scope'
import { childScope } from '@aksel/base/scope'
import { readFile } from 'node:fs/promises'
import type { HistoryLimits } from '../history-keeper.ts'
import { checkTransaction } from '../mvcc.ts'
import { StoreError } from '../store.ts'
import type {
  Guard,
  KeyValue,
  RangeQuery,
  RangeResult,
  Store,
  Transaction,
  TransactionResult,
  WatchOptions,
} from '../store.ts'
import { EtcdClient } from './etcd-client.ts'
import type { EtcdAddress } from './etcd-address.ts'
import { EtcdCompactor } from './etcd-compactor.ts'
import {
  numberOf,
  rangeEndOf,
  type EtcdKeyValue,
  type Integer,
  type RangeResponse,
  type TxnResponse,
} from './etcd-proto.ts'
import { ReadIndex } from './etcd-read-index.ts'
import { EtcdReplica } from './etcd-replica.ts'

export interface EtcdStoreOptions {
  readonly address: EtcdAddress
  readonly limits?: Partial<HistoryLimits>
  /** For one attempt at one member, and for a call with all its attempts. */
  readonly attemptMs?: number
  readonly callMs?: number
}

/** Rejects with `Unavailable` when no member answers. */
export async function openEtcdStore(scope: Scope, options: EtcdStoreOptions): Promise<Store> {
  const closing = new AbortController()
  const own = childScope(scope, { store: 'etcd' }, closing.signal)
  const client = new EtcdClient(own, { ...options, ...(await connectionOf(options.address)) })
  try {
    const prefix = Buffer.from(options.address.prefix)
    const replica = await EtcdReplica.open(own, { client, prefix, ...limitsOf(options) })
    const store = new EtcdStore(own, { client, replica, closing, historyMs: options.limits?.historyMs })
    await catchUp(store)
    return store
  } catch (error) {
    client[Symbol.dispose]()
    throw error
  }
}

/** Written and removed at each opening: when they come back with the watch, so has all that stood before them. */
const OPENED_KEY = 'aksel.dev/opened'

async function catchUp(store: Store): Promise<void> {
  await store.transact({ guards: [], writes: [{ kind: 'put', key: OPENED_KEY, value: Buffer.from('{}') }] })
  await store.transact({ guards: [], writes: [{ kind: 'delete', key: OPENED_KEY }] })
}

function limitsOf({ limits }: EtcdStoreOptions): { readonly limits?: Partial<HistoryLimits> } {
  return limits === undefined ? {} : { limits }
}

async function connectionOf(address: EtcdAddress): Promise<ConstructorParameters<typeof EtcdClient>[1]> {
  const { endpoints, tls, user } = address
  const file = async (name: 'ca' | 'cert' | 'key', path: string | undefined): Promise<object> =>
    path === undefined ? {} : { [name]: await readFile(path) }
  return {
    endpoints,
    ...(user === undefined ? {} : { user }),
    ...(tls === undefined
      ? {}
      : {
          tls: {
            ...(await file('ca', tls.caFile)),
            ...(await file('cert', tls.certFile)),
            ...(await file('key', tls.keyFile)),
            ...(tls.serverName === undefined ? {} : { serverName: tls.serverName }),
          },
        }),
  }
}

interface Parts {
  readonly client: EtcdClient
  readonly replica: EtcdReplica
  readonly closing: AbortController
  readonly historyMs: number | undefined
}

/** Keys asked for in one call of a large list. */
const PAGE_KEYS = 10_000

class EtcdStore implements Store {
  readonly #client: EtcdClient
  readonly #replica: EtcdReplica
  readonly #closing: AbortController
  readonly #index: ReadIndex
  readonly #compactor: EtcdCompactor
  #closed: Promise<void> | undefined

  constructor(scope: Scope, { client, replica, closing, historyMs }: Parts) {
    this.#client = client
    this.#replica = replica
    this.#closing = closing
    this.#index = new ReadIndex(scope, client, replica)
    this.#compactor = new EtcdCompactor(scope, { client, ...(historyMs === undefined ? {} : { historyMs }) })
  }

  /** What etcd was heard to have: the replica may be a moment behind. */
  get revision(): number {
    return this.#index.known
  }

  get compactedRevision(): number {
    return this.#replica.core.floor
  }

  async get(key: string, revision?: number): Promise<KeyValue | undefined> {
    this.#assertOpen()
    if (revision !== undefined) {
      return revision <= this.#replica.core.visible
        ? this.#replica.core.get(key, revision)
        : await this.#remoteGet(key, revision)
    }
    const at = await this.#index.current()
    if (at.local) return this.#replica.core.get(key)
    return await this.#remoteGet(key, 0)
  }

  /** Revision 0 is the newest. */
  async #remoteGet(key: string, revision: number): Promise<KeyValue | undefined> {
    const [kv] = (await this.#read({ key: this.#replica.keyOf(key), revision })).kvs
    return kv === undefined ? undefined : this.#replica.itemOf(kv)
  }

  async range(query: RangeQuery): Promise<RangeResult> {
    this.#assertOpen()
    if (query.revision !== undefined) {
      return query.revision <= this.#replica.core.visible
        ? this.#replica.core.range(query)
        : await this.#remoteRange(query)
    }
    const at = await this.#index.current()
    if (at.local)
      return { ...this.#replica.core.range(query), revision: Math.max(at.revision, this.#replica.core.visible) }
    return await this.#remoteRange(query)
  }

  /** Which versions stand there, from etcd; their bytes, as far as they are here, from the replica. */
  async #remoteRange(query: RangeQuery): Promise<RangeResult> {
    const { prefix, limit = Infinity } = query
    const from = query.from === undefined || query.from < prefix ? prefix : query.from
    const rangeEnd = rangeEndOf(this.#replica.keyOf(prefix))
    const items: KeyValue[] = []
    let key = this.#replica.keyOf(from)
    let revision = query.revision ?? 0
    for (;;) {
      // One more than asked for tells etcd apart "none" from "no limit".
      const wanted = Math.min(PAGE_KEYS, limit - items.length + 1)
      const page = await this.#read({ key, rangeEnd, limit: wanted, keysOnly: true, revision })
      revision ||= numberOf(page.header.revision)
      const taken = page.kvs.slice(0, Math.max(0, limit - items.length))
      for (const kv of taken) items.push(await this.#filled(kv, revision))
      const left = numberOf(page.count) - taken.length
      if (left === 0 || items.length >= limit) return { revision, items, remaining: left }
      key = Buffer.concat([page.kvs.at(-1)!.key, Buffer.from([0])])
    }
  }

  /** The version with its value. */
  async #filled(kv: EtcdKeyValue, revision: number): Promise<KeyValue> {
    const { core } = this.#replica
    const key = this.#replica.itemOf(kv).key
    const held = core.version(key, numberOf(kv.modRevision))
    if (held !== undefined) return held
    const { kvs } = await this.#read({ key: kv.key, revision })
    return this.#replica.itemOf(kvs[0]!)
  }

  async count(prefix: string): Promise<number> {
    this.#assertOpen()
    const at = await this.#index.current()
    if (at.local) return this.#replica.core.count(prefix)
    const key = this.#replica.keyOf(prefix)
    return numberOf((await this.#read({ key, rangeEnd: rangeEndOf(key), countOnly: true })).count)
  }

  watch(options: WatchOptions): void {
    this.#assertOpen()
    const { core, hub } = this.#replica
    // A revision that etcd has given out and that did not reach us yet is no future one.
    if (options.afterRevision > this.revision) core.assertReadable(options.afterRevision)
    hub.add(options, { future: true })
  }

  async compact(revision: number): Promise<void> {
    this.#assertOpen()
    if (revision > this.revision) {
      throw new StoreError('FutureRevision', `Cannot compact at ${revision}: the newest is ${this.revision}`)
    }
    if (revision <= this.compactedRevision) return
    await this.#compactor.compact(revision)
    await this.#replica.compact(revision)
  }

  /** Of the database of the member that answers. */
  async sizeBytes(): Promise<number> {
    this.#assertOpen()
    const { dbSize } = await this.#client.call<{ readonly dbSize: Integer }>(
      'Maintenance.Status',
      {},
      { repeatable: true },
    )
    return numberOf(dbSize)
  }

  async transact(transaction: Transaction): Promise<TransactionResult> {
    this.#assertOpen()
    checkTransaction(transaction)
    const { guards, writes } = transaction
    const answer = await this.#client.call<TxnResponse>(
      'KV.Txn',
      {
        compare: guards.map((guard) => this.#compare(guard)),
        success: writes.map((write) => {
          const key = this.#replica.keyOf(write.key)
          return write.kind === 'put' ? { requestPut: { key, value: write.value } } : { requestDeleteRange: { key } }
        }),
        failure: guards.map((guard) => ({ requestRange: { key: this.#replica.keyOf(guard.key) } })),
      },
      { repeatable: false },
    )
    const revision = numberOf(answer.header.revision)
    this.#index.learn(revision)
    if (answer.succeeded) {
      if (answer.responses.some(changesSomething)) await this.#replica.reachesOwn(revision)
      this.#assertOpen()
      return { committed: true, revision }
    }
    return await this.#refusal(transaction, answer, revision)
  }

  async #refusal(transaction: Transaction, answer: TxnResponse, revision: number): Promise<TransactionResult> {
    for (const [i, guard] of transaction.guards.entries()) {
      const kv = answer.responses[i]!.responseRange?.kvs[0]
      if (kv !== undefined) await this.#replica.reachesOwn(numberOf(kv.modRevision))
      const current = kv === undefined ? undefined : this.#replica.itemOf(kv)
      if (!holds(guard, current)) return { committed: false, revision, guard, current }
    }
    throw new StoreError('Unavailable', 'etcd refused a transaction all of whose guards hold')
  }

  #compare(guard: Guard): object {
    const key = this.#replica.keyOf(guard.key)
    return guard.kind === 'revision'
      ? { result: 0, target: 2, key, modRevision: guard.modRevision }
      : { result: 0, target: 3, key, value: guard.value }
  }

  async #read(request: object): Promise<RangeResponse> {
    const answer = await this.#client.call<RangeResponse>('KV.Range', request, { repeatable: true })
    this.#index.learn(numberOf(answer.header.revision))
    return answer
  }

  #assertOpen(): void {
    if (this.#closed !== undefined) throw new StoreError('Closed', 'the store is closed')
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #close(): Promise<void> {
    this.#closing.abort(new StoreError('Closed', 'the store is closed'))
    await this.#compactor.close()
    await this.#replica.close()
    this.#client[Symbol.dispose]()
  }
}

function changesSomething(response: TxnResponse['responses'][number]): boolean {
  const { responsePut, responseDeleteRange } = response as {
    responsePut?: object | null
    responseDeleteRange?: { readonly deleted: number | { toNumber(): number } } | null
  }
  if (responsePut !== undefined && responsePut !== null) return true
  return responseDeleteRange !== undefined && responseDeleteRange !== null && numberOf(responseDeleteRange.deleted) > 0
}

function holds(guard: Guard, current: KeyValue | undefined): boolean {
  if (guard.kind === 'revision') return guard.modRevision === (current?.modRevision ?? 0)
  return current !== undefined && Buffer.compare(guard.value, current.value) === 0
}
