// The versioned key-value store that everything acknowledged lives in. The model is etcd's: one revision that grows by
// exactly one per committed transaction, guarded transactions, ranges at a revision, ordered resumable watches. On an etcd
// that others use too, their transactions use revisions up: seen from here there are gaps, and the first is not 1.

/** A value at a revision. `value` is shared: never change its bytes. */
export interface KeyValue {
  readonly key: string
  readonly value: Uint8Array
  /** Revision at which this key came into being, since it was last deleted. */
  readonly createRevision: number
  /** Revision of the last change. */
  readonly modRevision: number
}

/** Holds when the key was last changed at `modRevision`; 0 means that the key does not exist. */
export interface RevisionGuard {
  readonly kind: 'revision'
  readonly key: string
  readonly modRevision: number
}

/** Holds when the stored bytes of the key are exactly these: how a leader's lease (holder and transitions) guards a write. */
export interface ValueGuard {
  readonly kind: 'value'
  readonly key: string
  readonly value: Uint8Array
}

export type Guard = RevisionGuard | ValueGuard

export interface Put {
  readonly kind: 'put'
  readonly key: string
  readonly value: Uint8Array
}

export interface Delete {
  readonly kind: 'delete'
  readonly key: string
}

/** All guards hold and all writes are committed at one revision, or none is. A key is written at most once. */
export interface Transaction {
  readonly guards: readonly Guard[]
  readonly writes: readonly (Put | Delete)[]
}

export type TransactionResult =
  | { readonly committed: true; readonly revision: number }
  /** The first guard that did not hold, and what stands there now (undefined: no such key). */
  | {
      readonly committed: false
      readonly revision: number
      readonly guard: Guard
      readonly current: KeyValue | undefined
    }

export interface RangeQuery {
  /** Every key that begins with this. */
  readonly prefix: string
  /** Only keys greater than or equal to this one (for paging); must begin with the prefix. */
  readonly from?: string
  readonly limit?: number
  /** The revision to read at; the newest when absent. */
  readonly revision?: number
}

export interface RangeResult {
  /** The revision that was read. */
  readonly revision: number
  readonly items: readonly KeyValue[]
  /** Matching keys that the limit left out. */
  readonly remaining: number
}

/** One changed key. `previous` is what stood before; absent for a create. */
export type StoreEvent =
  | { readonly kind: 'put'; readonly item: KeyValue; readonly previous?: KeyValue }
  | { readonly kind: 'delete'; readonly key: string; readonly revision: number; readonly previous: KeyValue }

/** All changes of one revision that touch the watched prefix, together. A batch without events is a bookmark: everything up to `revision` was delivered. */
export interface WatchBatch {
  readonly revision: number
  readonly events: readonly StoreEvent[]
}

export interface WatchOptions {
  readonly prefix: string
  /** Deliver every change with a revision greater than this. */
  readonly afterRevision: number
  readonly signal: AbortSignal
  /** Called in commit order on the committing task; must not throw or wait. */
  readonly deliver: (batch: WatchBatch) => void
  /** The watch is over, and why: `Compacted` when its history is gone, `Closed` with the store. Not called after an abort. */
  readonly ended: (error: StoreError) => void
}

/**
 * `Unavailable`: what holds the data did not answer in time. A write that ends so, or with `Closed`, may have happened.
 * `TooLarge`: the transaction is larger than the store takes.
 */
export const storeErrorKinds = [
  'Compacted',
  'FutureRevision',
  'Closed',
  'Poisoned',
  'Locked',
  'Corrupt',
  'NoSpace',
  'TooLarge',
  'Unavailable',
] as const
export type StoreErrorKind = (typeof storeErrorKinds)[number]

export class StoreError extends Error {
  readonly kind: StoreErrorKind

  constructor(kind: StoreErrorKind, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = 'StoreError'
    this.kind = kind
  }
}

/**
 * The store. Promises, checked by `contract.ts` on every driver: a committed transaction is durable before it is
 * acknowledged; transactions are strictly serializable; watches are ordered, unique, reliable, atomic per revision and
 * resumable; a read at a compacted revision fails with `Compacted`.
 */
export interface Store extends AsyncDisposable {
  /** The newest committed revision; 0 for an empty store. Where several servers write, the newest that this one has seen. */
  readonly revision: number
  /** The oldest revision that can be read or resumed from. */
  readonly compactedRevision: number
  get(key: string, revision?: number): KeyValue | undefined | Promise<KeyValue | undefined>
  range(query: RangeQuery): RangeResult | Promise<RangeResult>
  /** How many keys begin with the prefix, now. */
  count(prefix: string): number | Promise<number>
  transact(transaction: Transaction): Promise<TransactionResult>
  /** Starts at once; history first, then what is committed, without a gap. Throws `Compacted` when the history is gone. */
  watch(options: WatchOptions): void
  /** Drops history below the revision. */
  compact(revision: number): Promise<void>
  /** What the store takes on disk, in bytes; absent where nothing is on a disk. */
  sizeBytes?(): Promise<number> | number
}
