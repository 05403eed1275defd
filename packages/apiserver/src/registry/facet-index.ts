// Which keys of a kind have which value of a label or a selectable field: so that a selector that matches little is answered by
// looking at little. An index is begun by the first selector that asks for its label or field among many objects, and kept by a
// watch that hears of changes in the step in which they become visible.

import { anySignal } from '@aksel/base/any-signal'
import type { KeyValue, RangeResult, Store, StoreEvent } from '@aksel/store/store'

/** What objects can be found by: the key of a label, or a field that the kind offers to selectors. */
export interface Facet {
  readonly kind: 'label' | 'field'
  readonly key: string
}

/** What an object must have, of all that a selector asks: one of these values. */
export interface FacetTerm extends Facet {
  /** Undefined: any value. */
  readonly values: readonly string[] | undefined
}

/** Undefined where the object does not have the label; a field is always there, perhaps empty. */
export type ValueOf = (facet: Facet, item: KeyValue) => string | undefined

/** Fewer objects are looked at one by one. */
export const INDEX_MIN_KEYS = 1_000

/** Looked at in one go while an index is built: a few milliseconds. Labels are read from the bytes, fields from parsed objects. */
export const SLICE_KEYS = { label: 2_000, field: 200 } as const

export interface IndexRequest {
  readonly store: Store
  readonly prefix: string
  readonly signal: AbortSignal
  readonly valueOf: (item: KeyValue) => string | undefined
  readonly sliceKeys: number
}

export class FacetIndex {
  readonly #request: IndexRequest
  /** Each key of an object that has a value stands in exactly one set. */
  readonly #byValue = new Map<string, Set<string>>()
  readonly #stop = new AbortController()
  #isLevel = false
  #ended = false

  private constructor(request: IndexRequest) {
    this.#request = request
  }

  /** Reads all that is there, in slices; rejects with the store's error when history is gone meanwhile. */
  static async build(request: IndexRequest): Promise<FacetIndex> {
    const index = new FacetIndex(request)
    const { store, prefix, sliceKeys } = request
    const { revision } = store
    for (let from: string | undefined = prefix; from !== undefined;) {
      const page: RangeResult = await store.range({ prefix, from, limit: sliceKeys, revision })
      for (const item of page.items) index.#add(item)
      from = page.remaining === 0 ? undefined : `${page.items.at(-1)!.key}\0`
      await new Promise((resolve) => setImmediate(resolve))
    }
    index.#follow(revision)
    return index
  }

  #follow(afterRevision: number): void {
    const { store, prefix, signal } = this.#request
    this.#isLevel = afterRevision >= store.revision
    store.watch({
      prefix,
      afterRevision,
      signal: anySignal([signal, this.#stop.signal]),
      deliver: ({ revision, events }) => {
        for (const event of events) this.#change(event)
        // From here on changes are delivered as they become visible: what was not delivered does not lie below the prefix.
        if (revision >= store.revision) this.#isLevel = true
      },
      ended: () => (this.#ended = true),
    })
  }

  /** It no longer hears of changes. */
  get ended(): boolean {
    return this.#ended
  }

  /** Everything that is visible is in it. */
  get isLevel(): boolean {
    return this.#isLevel
  }

  close(): void {
    this.#stop.abort()
    this.#ended = true
  }

  /** The keys that have one of these values, in no order. */
  keysOf(values: readonly string[] | undefined): readonly ReadonlySet<string>[] {
    if (values === undefined) return [...this.#byValue.values()]
    return [...new Set(values)].flatMap((value) => this.#byValue.get(value) ?? [])
  }

  #change(event: StoreEvent): void {
    if (event.kind === 'delete') return this.#remove(event.previous)
    const value = this.#request.valueOf(event.item)
    // Most writes leave it as it was; then the object before need not be looked at.
    if (value !== undefined && this.#byValue.get(value)?.has(event.item.key) === true) return
    if (event.previous !== undefined) this.#remove(event.previous)
    this.#add(event.item)
  }

  #add(item: KeyValue): void {
    const value = this.#request.valueOf(item)
    if (value === undefined) return
    const keys = this.#byValue.get(value)
    if (keys === undefined) this.#byValue.set(value, new Set([item.key]))
    else keys.add(item.key)
  }

  #remove(item: KeyValue): void {
    const value = this.#request.valueOf(item)
    if (value === undefined) return
    const keys = this.#byValue.get(value)
    keys?.delete(item.key)
    if (keys?.size === 0) this.#byValue.delete(value)
  }
}
