// The nine guarantees of a watch, judged on what watchers were sent while others wrote, compacted and cut them off.

import assert from 'node:assert/strict'
import { fraction, type Random } from '@aksel/base/ids'
import { storyOf, text } from './contract-help.ts'
import { StoreError, type Store, type StoreEvent, type Transaction, type WatchBatch } from './store.ts'

export const guarantees = [
  'ordered',
  'unique',
  'reliable',
  'atomic',
  'resumable',
  'bookmarkable',
  'filtered',
  'previous value',
  'create flag',
] as const
export type Guarantee = (typeof guarantees)[number]

export class BrokenGuarantee extends assert.AssertionError {
  readonly guarantee: Guarantee

  constructor(guarantee: Guarantee, message: string) {
    super({ message: `${guarantee}: ${message}` })
    this.guarantee = guarantee
  }
}

/** What really happened: every revision's changes, as the writers were answered. */
export class Truth {
  readonly #changes = new Map<number, ReadonlyMap<string, string | undefined>>()
  readonly #values = new Map<string, readonly { readonly revision: number; readonly value: string | undefined }[]>()

  record(revision: number, writes: Transaction['writes']): void {
    // A transaction that changed nothing is answered with the revision of the one before it.
    const changed = new Map(this.#changes.get(revision))
    for (const write of writes) {
      const value = write.kind === 'put' ? Buffer.from(write.value).toString() : undefined
      // The deletion of what is not there changes nothing, and uses no revision up.
      if (value === undefined && this.at(write.key, revision) === undefined) continue
      changed.set(write.key, value)
      this.#values.set(write.key, [...(this.#values.get(write.key) ?? []), { revision, value }])
    }
    if (changed.size > 0) this.#changes.set(revision, changed)
  }

  at(key: string, revision: number): string | undefined {
    return this.#values.get(key)?.findLast((version) => version.revision <= revision)?.value
  }

  /** The revisions in (after, upTo] that changed something below the prefix. */
  revisions(prefix: string, after: number, upTo: number): readonly number[] {
    return [...this.#changes.keys()].filter(
      (revision) => revision > after && revision <= upTo && this.#below(revision, prefix).length > 0,
    )
  }

  /** Throws a BrokenGuarantee unless the batch tells all of its revision, and nothing else. */
  check({ revision, events }: WatchBatch, prefix: string): void {
    const wanted = this.#below(revision, prefix)
    const keys = events.map(keyOf)
    const stray = keys.find((key) => !key.startsWith(prefix))
    if (stray !== undefined) throw new BrokenGuarantee('filtered', `${stray} does not begin with ${prefix}`)
    if (new Set(keys).size !== keys.length) throw new BrokenGuarantee('unique', `a key twice at ${revision}`)
    const missing = wanted.filter((key) => !keys.includes(key))
    if (missing.length > 0 && events.length > 0)
      throw new BrokenGuarantee('atomic', `${revision} lacks ${missing.join()}`)
    for (const event of events) this.#checkEvent(event, revision)
  }

  #checkEvent(event: StoreEvent, revision: number): void {
    const key = keyOf(event)
    const changed = this.#changes.get(revision)
    if (changed === undefined || !changed.has(key))
      throw new BrokenGuarantee('reliable', `${storyOf(event)} never happened at ${revision}`)
    const value = event.kind === 'put' ? text(event.item) : undefined
    if (changed.get(key) !== value) throw new BrokenGuarantee('reliable', `${storyOf(event)} at ${revision}`)
    const before = this.at(key, revision - 1)
    if (text(event.previous) !== before) throw new BrokenGuarantee('previous value', `${storyOf(event)}, not ${before}`)
    const isCreate = event.kind === 'put' && event.item.createRevision === event.item.modRevision
    if (event.kind === 'put' && isCreate !== (before === undefined)) {
      throw new BrokenGuarantee('create flag', `${storyOf(event)} at ${revision}`)
    }
  }

  #below(revision: number, prefix: string): readonly string[] {
    return [...(this.#changes.get(revision)?.keys() ?? [])].filter((key) => key.startsWith(prefix))
  }
}

interface Sent {
  /** Everything after this revision was asked for. */
  readonly after: number
  readonly batches: WatchBatch[]
}

/** One who watches a prefix through cuts and compactions, and remembers each stretch. */
export class RestlessWatcher {
  readonly prefix: string
  readonly stretches: Sent[] = []
  readonly #store: Store
  #abort = new AbortController()
  relists = 0

  constructor(store: Store, prefix: string) {
    this.#store = store
    this.prefix = prefix
    this.#begin(store.revision)
  }

  get sent(): number {
    const last = this.stretches.at(-1)!
    return last.batches.at(-1)?.revision ?? last.after
  }

  /** Cuts the watch off and resumes where it was. */
  reconnect(): void {
    this.#abort.abort()
    this.#begin(this.sent)
  }

  stop(): void {
    this.#abort.abort()
  }

  #begin(after: number): void {
    const abort = new AbortController()
    this.#abort = abort
    const stretch: Sent = { after, batches: [] }
    this.stretches.push(stretch)
    const gone = (error: StoreError): void => {
      if (error.kind !== 'Compacted' || abort.signal.aborted) return
      // As clients do: list again, and watch from there.
      this.relists += 1
      this.#begin(this.#store.revision)
    }
    try {
      this.#store.watch({
        prefix: this.prefix,
        afterRevision: after,
        signal: abort.signal,
        deliver: (batch) => void stretch.batches.push(batch),
        ended: gone,
      })
    } catch (error) {
      if (!(error instanceof StoreError)) throw error
      gone(error)
    }
  }

  /** Throws a BrokenGuarantee. */
  check(truth: Truth): void {
    let resumedAt: number | undefined
    for (const { after, batches } of this.stretches) {
      if (resumedAt !== undefined && after < resumedAt)
        throw new BrokenGuarantee('resumable', `from ${after}, not ${resumedAt}`)
      let last = after
      const told: number[] = []
      for (const batch of batches) {
        if (batch.revision === last && batch.events.length > 0)
          throw new BrokenGuarantee('unique', `revision ${last} twice`)
        if (batch.revision < last) {
          const guarantee = batches.some((one) => one.events.length === 0 && one.revision >= batch.revision)
            ? 'bookmarkable'
            : 'ordered'
          throw new BrokenGuarantee(guarantee, `${batch.revision} after ${last}`)
        }
        truth.check(batch, this.prefix)
        if (batch.events.length > 0) told.push(batch.revision)
        last = batch.revision
      }
      const wanted = truth.revisions(this.prefix, after, last)
      const lost = wanted.find((revision) => !told.includes(revision))
      if (lost !== undefined) {
        const behindBookmark = batches.some((one) => one.events.length === 0 && one.revision >= lost)
        throw new BrokenGuarantee(
          behindBookmark ? 'bookmarkable' : 'reliable',
          `revision ${lost} is missing after ${after}`,
        )
      }
      resumedAt = last
    }
  }
}

const prefixes = ['', 'a/', 'a/x', 'b/', 'b/c/', 'a/', 'c', 'b/']

export interface RestlessOptions {
  readonly steps: number
  /** Called between bursts: time for the store's clock to move, and for compaction. */
  readonly pause: (step: number) => Promise<void>
}

/** One round: eight watchers, writers in bursts, cuts at random. Throws a BrokenGuarantee; returns how often watchers had to list. */
export async function restlessRound(store: Store, random: Random, options: RestlessOptions): Promise<number> {
  const truth = new Truth()
  const watchers = prefixes.map((prefix) => new RestlessWatcher(store, prefix))
  const start = store.revision
  for (let step = 0; step < options.steps; step++) {
    const transactions = Array.from({ length: 1 + Math.floor(fraction(random) * 6) }, (_, i) =>
      randomWrites(random, `${step}.${i}`),
    )
    const results = await Promise.all(transactions.map((writes) => store.transact({ guards: [], writes })))
    const order = [...results.keys()].toSorted((left, right) => results[left]!.revision - results[right]!.revision)
    for (const i of order) truth.record(results[i]!.revision, transactions[i]!)
    for (const watcher of watchers) if (fraction(random) < 0.05) watcher.reconnect()
    await options.pause(step)
  }
  const end = await store.transact({
    guards: [],
    writes: ['a/x-end', 'b/c/end', 'c-end'].map((key) => ({ kind: 'put', key, value: Buffer.from('end') })),
  })
  truth.record(
    end.revision,
    ['a/x-end', 'b/c/end', 'c-end'].map((key) => ({ kind: 'put', key, value: Buffer.from('end') })),
  )
  // What is acknowledged was delivered, except to those who are still being told history.
  while (watchers.some((watcher) => watcher.sent < end.revision)) await new Promise((resolve) => setImmediate(resolve))
  for (const watcher of watchers) {
    watcher.stop()
    watcher.check(truth)
  }
  assert.ok(end.revision > start)
  return watchers.reduce((sum, { relists }) => sum + relists, 0)
}

function randomWrites(random: Random, value: string): Transaction['writes'] {
  const keys = ['a/x1', 'a/x2', 'a/y', 'b/1', 'b/c/1', 'b/c/2', 'c1', 'd']
  const chosen = new Set(
    Array.from(
      { length: 1 + Math.floor(fraction(random) * 3) },
      () => keys[Math.floor(fraction(random) * keys.length)]!,
    ),
  )
  return [...chosen].map((key) =>
    fraction(random) < 0.25 ? { kind: 'delete', key } : { kind: 'put', key, value: Buffer.from(`${value} of ${key}`) },
  )
}

function keyOf(event: StoreEvent): string {
  return event.kind === 'put' ? event.item.key : event.key
}
