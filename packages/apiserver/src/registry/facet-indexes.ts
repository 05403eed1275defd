// The indexes of one server: by kind, and in it by the labels and fields that selectors ask for.

import type { KeyValue, Store } from '@aksel/store/store'
import { FacetIndex, INDEX_MIN_KEYS, SLICE_KEYS, type FacetTerm, type ValueOf } from './facet-index.ts'

/** Of one kind. Each takes some forty bytes an object; the one that was not asked for longest makes room for another. */
const INDEXES_MAX = 8
/** Where more than this share of the objects may match, they are gone through in order. */
const SHARE_MAX = 1 / 4

export interface FacetQuestion {
  /** Of the kind, in the version whose fields are asked for: `v1/pods`. */
  readonly scope: string
  /** Where the kind's objects lie, and where those that are asked for do. */
  readonly prefix: string
  readonly within: string
  readonly terms: readonly FacetTerm[]
  readonly valueOf: ValueOf
}

export class FacetIndexes {
  readonly #store: Store
  readonly #signal: AbortSignal
  /** By scope, then by facet; in the order in which they were asked for. */
  readonly #indexes = new Map<string, Map<string, FacetIndex | 'being built'>>()
  /** The store must ask somebody else: it would answer later than the list could be made. */
  #isRemote = false

  constructor(store: Store, signal: AbortSignal) {
    this.#store = store
    this.#signal = signal
  }

  /**
   * What is visible now and may meet all terms, in the order of keys. Undefined where every object must be looked at: no term
   * narrows it down, there are few, the indexes are being built, or the store cannot be read at once.
   */
  find(question: FacetQuestion): readonly KeyValue[] | undefined {
    const { prefix, within, terms } = question
    if (terms.length === 0 || this.#isRemote) return undefined
    const count = this.#count(prefix)
    if (count < INDEX_MIN_KEYS) return undefined
    const keys = this.#candidates(question, count * SHARE_MAX)
    if (keys === undefined) return undefined
    const items: KeyValue[] = []
    for (const key of keys) {
      if (!key.startsWith(within)) continue
      const item = this.#store.get(key)
      if (item instanceof Promise) return undefined
      if (item !== undefined) items.push(item)
    }
    return items
  }

  /** Keys of the objects that meet the narrowest term; undefined when no term narrows it down to so many. */
  #candidates(question: FacetQuestion, max: number): readonly string[] | undefined {
    let best: readonly ReadonlySet<string>[] | undefined
    let bestSize = max
    for (const term of question.terms) {
      const index = this.#index(question, term)
      if (index?.isLevel !== true) continue
      const sets = index.keysOf(term.values)
      const size = sets.reduce((sum, set) => sum + set.size, 0)
      if (size <= bestSize) [best, bestSize] = [sets, size]
    }
    return best?.flatMap((set) => [...set]).toSorted()
  }

  #count(prefix: string): number {
    const count = this.#store.count(prefix)
    if (typeof count === 'number') return count
    this.#isRemote = true
    count.catch(() => undefined)
    return 0
  }

  #index({ scope, prefix, valueOf }: FacetQuestion, { kind, key }: FacetTerm): FacetIndex | undefined {
    let ofKind = this.#indexes.get(scope)
    if (ofKind === undefined) this.#indexes.set(scope, (ofKind = new Map<string, FacetIndex | 'being built'>()))
    const name = `${kind} ${key}`
    const known = ofKind.get(name)
    if (known === 'being built') return undefined
    if (known?.ended === false) {
      ofKind.delete(name)
      ofKind.set(name, known)
      return known
    }
    makeRoom(ofKind)
    ofKind.set(name, 'being built')
    const facet = { kind, key }
    FacetIndex.build({
      store: this.#store,
      prefix,
      signal: this.#signal,
      valueOf: (item) => valueOf(facet, item),
      sliceKeys: SLICE_KEYS[kind],
    }).then(
      (index) => ofKind.set(name, index),
      () => ofKind.delete(name),
    )
    return undefined
  }
}

function makeRoom(indexes: Map<string, FacetIndex | 'being built'>): void {
  if (indexes.size < INDEXES_MAX) return
  for (const [name, index] of indexes) {
    if (index === 'being built') continue
    index.close()
    indexes.delete(name)
    return
  }
}
