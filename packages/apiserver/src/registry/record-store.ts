// The only place of the API server that touches the store: keys, records and guarded writes of one cluster.

import type { KindRow } from '@aksel/api/kind-row'
import type { KubernetesObject } from '@aksel/api/resource'
import type { Schemas } from '@aksel/api/schema'
import type { ApiError } from '@aksel/base/errors'
import { draftOf, type Draft } from '@aksel/base/draft'
import type { Lease } from '@aksel/api/types/coordination-v1'
import type { Fence } from '@aksel/runtime/fenced-client'
import { StoreError, type Guard, type KeyValue, type Store, type StoreEvent } from '@aksel/store/store'
import type { TransactionResult } from '@aksel/store/store'
import { isProtobuf, type ProtobufDecoder } from '../protobuf/decode.ts'
import type { FacetTerm, ValueOf } from './facet-index.ts'
import { FacetIndexes } from './facet-indexes.ts'
import { Fences } from './fences.ts'
import { RecordCache } from './record-cache.ts'
import { translated, watchError } from './store-errors.ts'
import { isSealed, sealedError } from '../encryption/unopened.ts'
import { Turns } from '../turns.ts'
import type { RecordStoreOptions } from './record-store-options.ts'
import type { StoreMetrics } from './store-metrics.ts'
import { encodeForStore, shownAs, StoredRecord, type FieldsOf } from './record.ts'

export interface Page {
  readonly records: readonly StoredRecord[]
  readonly revision: number
  /** Where the next page begins: `namespace/name` below the row's prefix; undefined on the last page. */
  readonly next: string | undefined
  readonly remaining: number
}

export type Found = Pick<Page, 'records' | 'revision'>

export interface PageQuery {
  readonly namespace: string
  readonly from?: string | undefined
  readonly limit?: number | undefined
  readonly revision?: number | undefined
}

/** One change as a watch of a row sees it. `before` is absent for a new object. */
export interface RecordChange {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'
  /** For a deletion the last state, with the revision of the deletion. */
  readonly record: StoredRecord
  readonly before: StoredRecord | undefined
}

export interface RecordWatch {
  readonly namespace: string
  readonly name: string
  readonly afterRevision: number
  readonly signal: AbortSignal
  /** `revision`: all changes up to it were delivered. */
  deliver(changes: readonly RecordChange[], revision: number): void
  ended(error: ApiError): void
}

export class RecordStore {
  readonly turns = new Turns()
  readonly #store: Store
  readonly #keyPrefix: string
  readonly #schemas: Schemas
  readonly #protobuf: ProtobufDecoder
  readonly #metrics: StoreMetrics
  /** Rows whose changes an index of the server no longer hears of, and why. */
  readonly #deaf = new Map<KindRow, string>()
  /** Values written below this revision may lack what this schema writes; they are decoded and defaulted when read. */
  #epochRevision: number
  /** Of custom resources, whose records a webhook may have to make. */
  readonly #records = new WeakMap<KindRow, WeakMap<KeyValue, StoredRecord>>()
  readonly #cache = new RecordCache()
  readonly #facets: FacetIndexes
  readonly #deletions = new WeakMap<KindRow, WeakMap<KeyValue, StoredRecord>>()
  readonly #fences: Fences
  readonly #isStale: (item: KeyValue) => boolean

  constructor(options: RecordStoreOptions) {
    this.#store = options.store
    this.#keyPrefix = options.keyPrefix
    this.#schemas = options.schemas
    this.#protobuf = options.protobuf
    this.#metrics = options.metrics
    this.#facets = new FacetIndexes(options.store, options.signal)
    this.#epochRevision = options.epochRevision
    const { leaseRow } = options
    this.#isStale = options.isStale ?? (() => false)
    this.#fences = new Fences({
      keyOf: (namespace, name) => this.keyOf(leaseRow, namespace, name),
      read: async (key) => translated(async () => this.#store.get(key)),
      leaseOf: (item) => this.recordOf(leaseRow, item).object as Lease,
    })
  }

  get revision(): number {
    return this.#store.revision
  }

  /** Whether the revision exists. Another server may have given it out: then ours asks before it says no. */
  async has(revision: number): Promise<boolean> {
    if (revision <= this.#store.revision) return true
    await translated(async () => this.#store.get(`${this.#keyPrefix}aksel.dev/schema-epoch`))
    return revision <= this.#store.revision
  }

  keyOf(row: KindRow, namespace: string, name: string): string {
    return row.namespaced ? `${this.prefixOf(row)}${namespace}/${name}` : `${this.prefixOf(row)}${name}`
  }

  prefixOf(row: KindRow, namespace = ''): string {
    const prefix = `${this.#keyPrefix}${row.storagePrefix}/`
    return row.namespaced && namespace !== '' ? `${prefix}${namespace}/` : prefix
  }

  async get(row: KindRow, namespace: string, name: string): Promise<StoredRecord | undefined> {
    const found = this.#metrics.asked('get', row, () => this.#store.get(this.keyOf(row, namespace, name)))
    const item = found instanceof Promise ? await found : found
    if (item === undefined) return undefined
    if (row.custom?.convertsByWebhook === true) await this.#converted(row, [item])
    return this.recordOf(row, item)
  }

  async page(row: KindRow, query: PageQuery): Promise<Page> {
    const prefix = this.prefixOf(row, query.namespace)
    const found = this.#metrics.asked('list', row, () =>
      this.#store.range({
        prefix,
        ...(query.from === undefined ? {} : { from: `${this.prefixOf(row)}${query.from}` }),
        ...(query.limit === undefined ? {} : { limit: query.limit }),
        ...(query.revision === undefined ? {} : { revision: query.revision }),
      }),
    )
    const result = found instanceof Promise ? await found : found
    if (row.custom?.convertsByWebhook === true) await this.#converted(row, result.items)
    const records = result.items.map((item) => this.recordOf(row, item))
    const last = result.items.at(-1)
    const next =
      result.remaining > 0 && last !== undefined ? `${last.key.slice(this.prefixOf(row).length)}\0` : undefined
    return { records, revision: result.revision, next, remaining: result.remaining }
  }

  /** How many objects there are; undefined where the store would have to be waited for. */
  countNow(row: KindRow, namespace: string): number | undefined {
    const count = this.#store.count(this.prefixOf(row, namespace))
    return typeof count === 'number' ? count : undefined
  }

  async list(row: KindRow, namespace = ''): Promise<readonly StoredRecord[]> {
    return (await this.page(row, { namespace })).records
  }

  /**
   * Stores the object in place of `before` (undefined: there must be none). Undefined when someone was faster. Throws Conflict
   * where the term of the leader that writes is over.
   */
  async put(
    row: KindRow,
    object: KubernetesObject,
    before: StoredRecord | undefined,
    fence: Fence | undefined,
  ): Promise<StoredRecord | undefined> {
    const key = this.keyOf(row, object.metadata.namespace ?? '', object.metadata.name)
    const stored =
      row.custom !== undefined
        ? await row.custom.toStored(object)
        : row.storedAs === undefined
          ? object
          : row.storedAs.toStored(draftOf(object) as Draft<KubernetesObject>)
    const value = encodeForStore(stored as KubernetesObject)
    if (before !== undefined && Buffer.compare(before.item.value, value) === 0 && !this.#isStale(before.item))
      return this.#fences.unchanged(fence, before)
    const result = await this.#transact(row, key, before, { kind: 'put', key, value }, fence)
    if (!result.committed) return undefined
    // The very bytes that watchers are sent; at this revision, so that no store need ask how new it is.
    const read = await this.#store.get(key, result.revision)
    const item =
      read?.modRevision === result.revision
        ? read
        : { key, value, createRevision: before?.item.createRevision ?? result.revision, modRevision: result.revision }
    if (row.custom?.convertsByWebhook === true) await this.#converted(row, [item])
    return this.recordOf(row, item)
  }

  /** Removes exactly this revision of the object. Undefined when someone was faster; else the last state at the revision of the deletion. */
  async delete(row: KindRow, record: StoredRecord, fence: Fence | undefined): Promise<StoredRecord | undefined> {
    const { key } = record.item
    const result = await this.#transact(row, key, record, { kind: 'delete', key }, fence)
    return result.committed ? this.#deletionOf(row, record.item, result.revision) : undefined
  }

  #transact(
    row: KindRow,
    key: string,
    before: StoredRecord | undefined,
    write: { kind: 'put'; key: string; value: Uint8Array } | { kind: 'delete'; key: string },
    fence: Fence | undefined,
  ): Promise<TransactionResult> {
    const guard = { kind: 'revision', key, modRevision: before?.item.modRevision ?? 0 } as const
    const operation = write.kind === 'delete' ? 'delete' : before === undefined ? 'create' : 'update'
    const startMs = this.#metrics.begin()
    const commit = (guards: readonly Guard[]): Promise<TransactionResult> =>
      translated(this.#store.transact({ guards, writes: [write] }))
    const done = fence === undefined ? commit([guard]) : this.#fences.commit(fence, (term) => commit([term, guard]))
    return this.#metrics.counted(operation, row, startMs, done)
  }

  /** Commits nothing, by the way that every write takes. Rejects where the store would take no write. */
  async probe(): Promise<void> {
    const key = `${this.#keyPrefix}aksel.dev/health`
    await translated(async () =>
      this.#store.transact({ guards: [{ kind: 'revision', key, modRevision: 0 }], writes: [] }),
    )
  }

  /** Where the disk or server below the store says how large it is: in bytes. */
  async sizeBytes(): Promise<number | undefined> {
    return this.#store.sizeBytes?.()
  }

  /** Resources whose changes some index of the server misses, and why; none where all is well. */
  get deaf(): ReadonlyMap<KindRow, string> {
    return this.#deaf
  }

  watch(row: KindRow, watch: RecordWatch): void {
    const prefix = this.prefixOf(row, watch.namespace)
    const exact = watch.name !== '' && (!row.namespaced || watch.namespace !== '')
    const onlyKey = exact ? `${prefix}${watch.name}` : undefined
    const deliver = (events: readonly StoreEvent[], revision: number): void =>
      watch.deliver(
        events.map((event) => this.#changeOf(row, event)),
        revision,
      )
    const pass = row.custom?.convertsByWebhook === true ? this.#convertingFirst(row, watch, deliver) : deliver
    try {
      this.#store.watch({
        prefix: onlyKey ?? prefix,
        afterRevision: watch.afterRevision,
        signal: watch.signal,
        deliver: (batch) => {
          const events =
            onlyKey === undefined ? batch.events : batch.events.filter((one) => keyOfEvent(one) === onlyKey)
          pass(events, batch.revision)
        },
        ended: (error) => watch.ended(watchError(error, watch.afterRevision, this.#store.compactedRevision)),
      })
    } catch (error) {
      throw error instanceof StoreError ? watchError(error, watch.afterRevision, this.#store.compactedRevision) : error
    }
  }

  /** Raw changes below a row's prefix, for indexes of the server itself: `changed` is told that something did. */
  onChange(row: KindRow, signal: AbortSignal, changed: (changes: readonly RecordChange[]) => void): void {
    this.watch(row, {
      namespace: '',
      name: '',
      afterRevision: this.#store.revision,
      signal,
      deliver: (changes) => {
        if (changes.length > 0) changed(changes)
      },
      ended: (error) => {
        if (!signal.aborted) this.#deaf.set(row, error.message)
      },
    })
  }

  recordOf(row: KindRow, item: KeyValue): StoredRecord {
    if (row.custom === undefined) return this.#recent(row, item)
    let ofRow = this.#records.get(row)
    if (ofRow === undefined) this.#records.set(row, (ofRow = new WeakMap()))
    let record = ofRow.get(item)
    if (record === undefined) ofRow.set(item, (record = this.#make(row, item)))
    return record
  }

  #recent(row: KindRow, item: KeyValue): StoredRecord {
    let record = this.#cache.get(row, item)
    if (record === undefined) this.#cache.set(row, item, (record = this.#make(row, item)))
    return record
  }

  /** Those that may meet all terms, at the newest revision; undefined where all must be looked at. */
  found(row: KindRow, namespace: string, terms: readonly FacetTerm[]): Found | undefined {
    // A webhook may convert what is asked for too.
    if (row.custom !== undefined) return undefined
    const fieldsOf: FieldsOf = (object) => row.selectableFields(object)
    const valueOf: ValueOf = ({ kind, key }, item) => this.recordOf(row, item).valueOf(kind, key, fieldsOf)
    const scope = `${row.group}/${row.version}/${row.plural}`
    const [prefix, within] = [this.prefixOf(row), this.prefixOf(row, namespace)]
    const items = this.#facets.find({ scope, prefix, within, terms, valueOf })
    return items && { records: items.map((item) => this.recordOf(row, item)), revision: this.revision }
  }

  /** Delivers in order, each batch when the webhook has answered for it. */
  #convertingFirst(
    row: KindRow,
    watch: RecordWatch,
    deliver: (events: readonly StoreEvent[], revision: number) => void,
  ): (events: readonly StoreEvent[], revision: number) => void {
    let last = Promise.resolve()
    return (events, revision) => {
      const items = events.flatMap((event) => (event.kind === 'put' ? [event.item] : []))
      const before = events.flatMap((event) => event.previous ?? [])
      last = last.then(async () => {
        if (watch.signal.aborted) return
        try {
          await this.#converted(row, [...items, ...before])
        } catch (error) {
          watch.ended(error as ApiError)
          return
        }
        if (!watch.signal.aborted) deliver(events, revision)
      })
    }
  }

  /** Makes the records of these items in the row's version, asking its webhook for those in another one. */
  async #converted(row: KindRow, items: readonly KeyValue[]): Promise<void> {
    let ofRow = this.#records.get(row)
    if (ofRow === undefined) this.#records.set(row, (ofRow = new WeakMap()))
    const missing = items.filter((item) => !ofRow.has(item))
    if (missing.length === 0) return
    const probes = missing.map((item) => new StoredRecord(item))
    const shown = await row.custom!.fromStored(probes.map(({ object }) => object))
    for (const [index, item] of missing.entries()) ofRow.set(item, shownAs(probes[index]!, shown[index]!))
  }

  #make(row: KindRow, stored: KeyValue): StoredRecord {
    const item = this.#asJson(row, stored)
    if (row.custom !== undefined) {
      const probe = new StoredRecord(item)
      const shown = row.custom.fromStored([probe.object])
      if (shown instanceof Promise) throw new Error(`${item.key} was not converted before it was read`)
      return shownAs(probe, shown[0]!)
    }
    if (row.storedAs !== undefined) {
      const stored = new StoredRecord(item).object
      const { resourceVersion: _, ...metadata } = stored.metadata
      const shown = encodeForStore(row.storedAs.fromStored({ ...stored, metadata }) as KubernetesObject)
      return item.modRevision >= this.#epochRevision
        ? new StoredRecord(item, shown)
        : this.#modernised(row, item, new StoredRecord(item, shown))
    }
    const record = new StoredRecord(item)
    return item.modRevision >= this.#epochRevision ? record : this.#modernised(row, item, record)
  }

  /** Every value is of this schema now. */
  leaveEpoch(): void {
    this.#epochRevision = 0
  }

  /** Upstream keeps most kinds in protobuf unless it is told otherwise; the next write of ours makes JSON of it. */
  #asJson(row: KindRow, item: KeyValue): KeyValue {
    if (!isProtobuf(item.value)) {
      if (isSealed(item.value)) throw sealedError(this.#keyPrefix, item.key)
      return item
    }
    return {
      ...item,
      value: encodeForStore(this.#protobuf.decode(Buffer.from(item.value), row.message) as unknown as KubernetesObject),
    }
  }

  /** Written by another schema: decoded and defaulted as if it were read from the wire. */
  #modernised(row: KindRow, item: KeyValue, old: StoredRecord): StoredRecord {
    const { value } = this.#schemas.get(row.message).decode(old.object)
    const object = value as unknown as Draft<KubernetesObject>
    row.default(object)
    return new StoredRecord(item, encodeForStore(object as KubernetesObject))
  }

  #changeOf(row: KindRow, event: StoreEvent): RecordChange {
    if (event.kind === 'delete') {
      const record = this.#deletionOf(row, event.previous, event.revision)
      return { type: 'DELETED', record, before: this.recordOf(row, event.previous) }
    }
    const record = this.recordOf(row, event.item)
    if (event.previous === undefined) return { type: 'ADDED', record, before: undefined }
    return { type: 'MODIFIED', record, before: this.recordOf(row, event.previous) }
  }

  /** One record per deletion, so that all watchers share it. */
  #deletionOf(row: KindRow, previous: KeyValue, revision: number): StoredRecord {
    let ofRow = this.#deletions.get(row)
    if (ofRow === undefined) this.#deletions.set(row, (ofRow = new WeakMap()))
    let record = ofRow.get(previous)
    if (record === undefined) {
      const base = this.recordOf(row, previous)
      const { resourceVersion: _, ...metadata } = base.object.metadata
      record = new StoredRecord({ ...previous, modRevision: revision }, encodeForStore({ ...base.object, metadata }))
      ofRow.set(previous, record)
    }
    return record
  }
}

const keyOfEvent = (event: StoreEvent): string => (event.kind === 'put' ? event.item.key : event.key)
