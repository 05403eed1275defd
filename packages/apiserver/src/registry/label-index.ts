// Which keys of a kind carry a label: so that a selector that matches little is answered by looking at little. It is begun by the
// first selector that is asked of many objects, and kept by a watch that hears of changes in the step in which they become visible.

import type { KeyValue, RangeResult, Store, StoreEvent } from '@aksel/store/store'

/** What an object must carry, of all that a selector asks: one of these values. */
export interface LabelTerm {
  readonly key: string
  /** Undefined: any value. */
  readonly values: readonly string[] | undefined
}

/** Fewer objects are looked at one by one. */
export const INDEX_MIN_KEYS = 1_000

/** Looked at in one go while it is built: a few milliseconds. */
const SLICE_KEYS = 2_000

export interface IndexRequest {
  readonly store: Store
  readonly prefix: string
  readonly signal: AbortSignal
  readonly labelsOf: (item: KeyValue) => Readonly<Record<string, string>>
}

export class LabelIndex {
  readonly #request: IndexRequest
  readonly #byPair = new Map<string, Set<string>>()
  #revision = 0
  #ended = false

  private constructor(request: IndexRequest) {
    this.#request = request
  }

  /** Reads all that is there, in slices; rejects with the store's error when history is gone meanwhile. */
  static async build(request: IndexRequest): Promise<LabelIndex> {
    const index = new LabelIndex(request)
    const { store, prefix } = request
    const { revision } = store
    for (let from: string | undefined = prefix; from !== undefined;) {
      const page: RangeResult = await store.range({ prefix, from, limit: SLICE_KEYS, revision })
      for (const item of page.items) index.#add(item)
      from = page.remaining === 0 ? undefined : `${page.items.at(-1)!.key}\0`
      await new Promise((resolve) => setImmediate(resolve))
    }
    index.#follow(revision)
    return index
  }

  #follow(afterRevision: number): void {
    const { store, prefix, signal } = this.#request
    this.#revision = afterRevision
    store.watch({
      prefix,
      afterRevision,
      signal,
      deliver: ({ revision, events }) => {
        for (const event of events) this.#change(event)
        this.#revision = revision
      },
      ended: () => (this.#ended = true),
    })
  }

  /** It no longer hears of changes. */
  get ended(): boolean {
    return this.#ended
  }

  /** Everything up to here is in it. */
  get revision(): number {
    return this.#revision
  }

  /** Keys of the objects that may meet all terms, in order; undefined when no term narrows anything down. */
  candidates(terms: readonly LabelTerm[]): readonly string[] | undefined {
    let best: readonly Set<string>[] | undefined
    let bestSize = Infinity
    for (const { key, values } of terms) {
      const sets = (values === undefined ? [key] : values.map((value) => pair(key, value))).flatMap(
        (one) => this.#byPair.get(one) ?? [],
      )
      const size = sets.reduce((sum, set) => sum + set.size, 0)
      if (size < bestSize) [best, bestSize] = [sets, size]
    }
    return best === undefined ? undefined : best.flatMap((set) => [...set]).toSorted()
  }

  #change(event: StoreEvent): void {
    if (event.previous !== undefined) this.#remove(event.previous)
    if (event.kind === 'put') this.#add(event.item)
  }

  #add(item: KeyValue): void {
    const { key } = item
    for (const [label, text] of Object.entries(this.#request.labelsOf(item))) {
      for (const name of [label, pair(label, text)]) {
        const keys = this.#byPair.get(name)
        if (keys === undefined) this.#byPair.set(name, new Set([key]))
        else keys.add(key)
      }
    }
  }

  #remove(item: KeyValue): void {
    const { key } = item
    for (const [label, text] of Object.entries(this.#request.labelsOf(item))) {
      for (const name of [label, pair(label, text)]) {
        const keys = this.#byPair.get(name)
        keys?.delete(key)
        if (keys?.size === 0) this.#byPair.delete(name)
      }
    }
  }
}

function pair(key: string, value: string): string {
  return `${key}=${value}`
}

/** The indexes of one server, by prefix. */
export class LabelIndexes {
  readonly #store: Store
  readonly #signal: AbortSignal
  readonly #indexes = new Map<string, LabelIndex | 'being built'>()
  /** The store must ask somebody else: it would answer later than the list could be made. */
  #isRemote = false

  constructor(store: Store, signal: AbortSignal) {
    this.#store = store
    this.#signal = signal
  }

  /**
   * What stands at the newest revision and may meet all terms. Undefined where every object must be looked at: no term narrows
   * it down, there are few, the index is being built, or the store cannot be read at once.
   */
  find(
    prefix: string,
    within: string,
    terms: readonly LabelTerm[],
    labelsOf: IndexRequest['labelsOf'],
  ): readonly KeyValue[] | undefined {
    if (terms.length === 0 || this.#isRemote) return undefined
    const index = this.#index(prefix, labelsOf)
    if (index === undefined || index.revision < this.#store.revision) return undefined
    const items: KeyValue[] = []
    for (const key of index.candidates(terms) ?? []) {
      if (!key.startsWith(within)) continue
      const item = this.#store.get(key)
      if (item instanceof Promise) return undefined
      if (item !== undefined) items.push(item)
    }
    return items
  }

  #index(prefix: string, labelsOf: IndexRequest['labelsOf']): LabelIndex | undefined {
    const known = this.#indexes.get(prefix)
    if (known === 'being built') return undefined
    if (known !== undefined && !known.ended) return known
    const count = this.#store.count(prefix)
    if (typeof count !== 'number') {
      this.#isRemote = true
      count.catch(() => undefined)
      return undefined
    }
    if (count < INDEX_MIN_KEYS) return undefined
    this.#indexes.set(prefix, 'being built')
    LabelIndex.build({ store: this.#store, prefix, signal: this.#signal, labelsOf }).then(
      (index) => this.#indexes.set(prefix, index),
      () => this.#indexes.delete(prefix),
    )
    return undefined
  }
}
