// The core that the embedded drivers share: every key's versions, every revision's changes, and the judgement of
// transactions. It is pure: no clock, no disk, no waiting.
//
// Three revisions matter. `applied` is the newest that a transaction was given; guards are judged against it. `visible`
// is the newest that is durable; readers and watchers see nothing later. `floor` is the oldest that can still be read:
//
//     0 …… floor ─── history ─── visible ─── being written ─── applied
//
// A driver that gives out revisions itself leaves no gap between them. A replica of a store that is shared with others
// may see gaps: revisions that changed nothing of ours.

import { endOfPrefix, KeyIndex } from './key-index.ts'
import {
  StoreError,
  type Guard,
  type KeyValue,
  type RangeQuery,
  type RangeResult,
  type StoreEvent,
  type Transaction,
} from './store.ts'

/** All that one revision changed. */
export interface Change {
  readonly revision: number
  /** When it was committed, wall time. */
  readonly timeMs: number
  readonly events: readonly StoreEvent[]
}

interface Entry {
  readonly key: string
  live: 0 | 1
  /** A version with `createRevision` 0 says that the key was deleted. */
  latest: KeyValue
  /** Earlier versions, oldest first. */
  older: KeyValue[] | undefined
}

export type Verdict =
  /** A guard does not hold. `settled`: what it met is durable already. */
  | {
      readonly kind: 'refused'
      readonly guard: Guard
      readonly current: KeyValue | undefined
      readonly settled: boolean
    }
  /** The guards hold and nothing would change: no revision is used. */
  | { readonly kind: 'unchanged' }
  | { readonly kind: 'applied'; readonly change: Change }

const KEY_LENGTH_MAX = 8192
const noBytes = Buffer.alloc(0)

export class Mvcc {
  readonly #index = new KeyIndex<Entry>()
  /** Changes of the revisions above `floor`, in order; the first `#forgotten` places are empty. */
  #changes: (Change | undefined)[] = []
  #forgotten = 0
  #floor: number
  #visible: number
  #applied: number
  #bytes = 0

  /** Begins at this revision, with no history. */
  constructor(revision = 0) {
    this.#floor = revision
    this.#visible = revision
    this.#applied = revision
  }

  get floor(): number {
    return this.#floor
  }

  get visible(): number {
    return this.#visible
  }

  get applied(): number {
    return this.#applied
  }

  /** Bytes of keys and values held, history included. */
  get sizeBytes(): number {
    return this.#bytes
  }

  /** Places a key as it stood at the revision this core began at; keys may come in any order, each once. */
  load(item: KeyValue): void {
    this.#index.insert({ key: item.key, live: 1, latest: item, older: undefined })
    this.#bytes += bytesOf(item)
  }

  /** Judges the guards against everything applied, then applies the writes. */
  transact(transaction: Transaction, timeMs: number): Verdict {
    checkTransaction(transaction)
    for (const guard of transaction.guards) {
      const latest = this.#index.get(guard.key)?.latest
      const current = latest === undefined || isDeleted(latest) ? undefined : latest
      if (holds(guard, current)) continue
      return { kind: 'refused', guard, current, settled: latest === undefined || latest.modRevision <= this.#visible }
    }
    return this.#apply(transaction, timeMs)
  }

  /** Applies what another store has committed at this revision, which is above all applied so far. It is visible at once. */
  replicate(revision: number, writes: Transaction['writes'], timeMs: number): Change | undefined {
    const verdict = this.#apply({ guards: [], writes }, timeMs, revision)
    this.advance(revision)
    return verdict.kind === 'applied' ? verdict.change : undefined
  }

  #apply(transaction: Transaction, timeMs: number, revision = this.#applied + 1): Verdict {
    const events: StoreEvent[] = []
    for (const write of transaction.writes) {
      const event =
        write.kind === 'put' ? this.#put(write.key, write.value, revision) : this.#delete(write.key, revision)
      if (event !== undefined) events.push(event)
    }
    if (events.length === 0) return { kind: 'unchanged' }
    const change: Change = { revision, timeMs, events }
    this.#changes.push(change)
    this.#applied = revision
    return { kind: 'applied', change }
  }

  #put(key: string, bytes: Uint8Array, revision: number): StoreEvent {
    const value = ownBytes(bytes)
    const entry = this.#index.get(key)
    if (entry === undefined) {
      const item: KeyValue = { key, value, createRevision: revision, modRevision: revision }
      this.#index.insert({ key, live: 1, latest: item, older: undefined })
      this.#bytes += bytesOf(item)
      return { kind: 'put', item }
    }
    const previous = entry.latest
    if (isDeleted(previous)) {
      const item: KeyValue = { key, value, createRevision: revision, modRevision: revision }
      this.#supersede(entry, item)
      return { kind: 'put', item }
    }
    const item: KeyValue = { key, value, createRevision: previous.createRevision, modRevision: revision }
    this.#supersede(entry, item)
    return { kind: 'put', item, previous }
  }

  #delete(key: string, revision: number): StoreEvent | undefined {
    const entry = this.#index.get(key)
    if (entry === undefined || isDeleted(entry.latest)) return undefined
    const previous = entry.latest
    this.#supersede(entry, { key: entry.key, value: noBytes, createRevision: 0, modRevision: revision })
    return { kind: 'delete', key: entry.key, revision, previous }
  }

  #supersede(entry: Entry, version: KeyValue): void {
    if (entry.older === undefined) entry.older = [entry.latest]
    else entry.older.push(entry.latest)
    entry.latest = version
    this.#bytes += bytesOf(version)
    this.#index.setLive(entry, isDeleted(version) ? 0 : 1)
  }

  /** Everything up to the revision is durable. */
  advance(revision: number): void {
    this.#visible = revision
    if (this.#applied < revision) this.#applied = revision
  }

  /** Takes back all that is applied and not visible, as if it had never been. */
  rollback(): void {
    while (this.#changes.length > this.#forgotten && this.#changes.at(-1)!.revision > this.#visible) {
      for (const event of this.#changes.pop()!.events) this.#undo(event.kind === 'put' ? event.item.key : event.key)
    }
    this.#applied = this.#visible
  }

  #undo(key: string): void {
    const entry = this.#index.get(key)!
    this.#bytes -= bytesOf(entry.latest)
    const before = entry.older?.pop()
    if (before === undefined) return this.#index.remove(key)
    entry.latest = before
    if (entry.older!.length === 0) entry.older = undefined
    this.#index.setLive(entry, isDeleted(before) ? 0 : 1)
  }

  /** The changes of revisions above `revision`, in order, until `visit` returns false. The revision must not lie below the floor. */
  changesAfter(revision: number, visit: (change: Change) => boolean): void {
    for (let i = this.#placeAfter(revision); i < this.#changes.length; i++) {
      if (!visit(this.#changes[i]!)) return
    }
  }

  /** Where the first change above the revision stands. Without gaps the first guess is right. */
  #placeAfter(revision: number): number {
    const guess = this.#forgotten + (revision - this.#floor)
    const { length } = this.#changes
    if (guess === length && (this.#changes[guess - 1]?.revision ?? revision) === revision) return guess
    if (guess > this.#forgotten && guess < length && this.#changes[guess - 1]!.revision === revision) return guess
    let low = this.#forgotten
    let high = length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#changes[middle]!.revision <= revision) low = middle + 1
      else high = middle
    }
    return low
  }

  /** Exactly this version of the key, if it is still held. */
  version(key: string, modRevision: number): KeyValue | undefined {
    const entry = this.#index.get(key)
    if (entry === undefined) return undefined
    const version = versionAt(entry, modRevision)
    return version?.modRevision === modRevision ? version : undefined
  }

  get(key: string, revision?: number): KeyValue | undefined {
    const at = this.#readable(revision)
    const entry = this.#index.get(key)
    return entry === undefined ? undefined : versionAt(entry, at)
  }

  range(query: RangeQuery): RangeResult {
    const at = this.#readable(query.revision)
    const { prefix, limit = Infinity } = query
    const from = query.from === undefined || query.from < prefix ? prefix : query.from
    const items: KeyValue[] = []
    let next: string | undefined
    this.#index.visitFrom(from, (entry) => {
      if (!entry.key.startsWith(prefix)) return false
      const item = versionAt(entry, at)
      if (item === undefined) return true
      if (items.length < limit) return items.push(item) > 0
      next = item.key
      return false
    })
    return { revision: at, items, remaining: next === undefined ? 0 : this.#countFrom(next, prefix, at) }
  }

  /** Keys at a readable revision, in order from the first that is not below `from`, until `visit` returns false. */
  visitAt(revision: number, from: string, visit: (item: KeyValue) => boolean): void {
    this.#index.visitFrom(from, (entry) => {
      const item = versionAt(entry, revision)
      return item === undefined || visit(item)
    })
  }

  count(prefix: string): number {
    return this.#countFrom(prefix, prefix, this.#visible)
  }

  /** Keys at the revision that begin with the prefix and do not lie below `from`: those of now, less what changed since. */
  #countFrom(from: string, prefix: string, revision: number): number {
    let count = this.#index.liveBelow(endOfPrefix(prefix)) - this.#index.liveBelow(from)
    this.changesAfter(revision, (change) => {
      for (const event of change.events) {
        if (event.previous !== undefined && event.kind === 'put') continue
        const key = event.kind === 'put' ? event.item.key : event.key
        if (key >= from && key.startsWith(prefix)) count += event.kind === 'put' ? -1 : 1
      }
      return true
    })
    return count
  }

  #readable(revision: number | undefined): number {
    if (revision === undefined) return this.#visible
    this.assertReadable(revision)
    return revision
  }

  /** Throws `Compacted` below the floor, `FutureRevision` above what is durable. */
  assertReadable(revision: number): void {
    if (revision < this.#floor) {
      throw new StoreError('Compacted', `revision ${revision} is compacted, the oldest is ${this.#floor}`)
    }
    if (revision > this.#visible) {
      throw new StoreError('FutureRevision', `revision ${revision} is not there yet, the newest is ${this.#visible}`)
    }
  }

  /** The oldest change still held. */
  oldestChange(): Change | undefined {
    return this.#changes[this.#forgotten]
  }

  /** Raises the floor towards `revision` (never beyond what is visible) by at most `changesMax` revisions. */
  forget(revision: number, changesMax: number): void {
    const target = Math.min(revision, this.#visible)
    for (let left = changesMax; left > 0 && this.#floor < target; left--) {
      const change = this.#changes[this.#forgotten]
      if (change === undefined || change.revision > target) {
        this.#floor = target
        break
      }
      this.#changes[this.#forgotten] = undefined
      this.#forgotten += 1
      this.#floor = change.revision
      for (const event of change.events) this.#forgetBelow(event.kind === 'put' ? event.item.key : event.key)
    }
    if (this.#forgotten > 1024 && this.#forgotten > this.#changes.length / 2) {
      this.#changes = this.#changes.slice(this.#forgotten)
      this.#forgotten = 0
    }
  }

  /** Drops the versions of a key that no readable revision shows. */
  #forgetBelow(key: string): void {
    const entry = this.#index.get(key)
    if (entry === undefined) return
    const { older } = entry
    if (older !== undefined) {
      let gone = 0
      while (gone < older.length && (older[gone + 1] ?? entry.latest).modRevision <= this.#floor) gone += 1
      for (let i = 0; i < gone; i++) this.#bytes -= bytesOf(older[i]!)
      if (gone === older.length) entry.older = undefined
      else if (gone > 0) older.splice(0, gone)
    }
    if (entry.older === undefined && isDeleted(entry.latest) && entry.latest.modRevision <= this.#floor) {
      this.#bytes -= bytesOf(entry.latest)
      this.#index.remove(key)
    }
  }
}

/** The version that stood at the revision; undefined when there was none. */
function versionAt(entry: Entry, revision: number): KeyValue | undefined {
  let version = entry.latest
  if (version.modRevision > revision) {
    const older = entry.older ?? []
    let low = 0
    let high = older.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (older[middle]!.modRevision <= revision) low = middle + 1
      else high = middle
    }
    if (low === 0) return undefined
    version = older[low - 1]!
  }
  return isDeleted(version) ? undefined : version
}

function isDeleted(version: KeyValue): boolean {
  return version.createRevision === 0
}

function bytesOf(version: KeyValue): number {
  return version.key.length + version.value.byteLength
}

function holds(guard: Guard, current: KeyValue | undefined): boolean {
  switch (guard.kind) {
    case 'revision':
      return guard.modRevision === (current?.modRevision ?? 0)
    case 'value':
      return current !== undefined && Buffer.compare(guard.value, current.value) === 0
    default:
      return guard satisfies never
  }
}

/** The bytes as they are, or a copy where keeping them would keep a much larger buffer alive. */
function ownBytes(bytes: Uint8Array): Uint8Array {
  if (bytes.byteLength * 2 >= bytes.buffer.byteLength) return bytes
  const copy = Buffer.allocUnsafeSlow(bytes.byteLength)
  copy.set(bytes)
  return copy
}

/** Throws a TypeError for what no store could keep. */
export function checkTransaction(transaction: Transaction): void {
  const { writes } = transaction
  for (const { key } of writes) {
    if (key === '' || key.length > KEY_LENGTH_MAX) {
      throw new TypeError(`Cannot write a key of ${key.length} characters: 1 to ${KEY_LENGTH_MAX} are allowed`)
    }
    if (!key.isWellFormed()) throw new TypeError(`Cannot write key ${JSON.stringify(key)}: it is no Unicode text`)
  }
  if (writes.length < 2) return
  const keys = new Set(writes.map((write) => write.key))
  if (keys.size !== writes.length) throw new TypeError('Cannot write a key twice in one transaction')
}
