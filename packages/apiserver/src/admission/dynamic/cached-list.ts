// Objects of a few kinds, kept ready for every write: made again only after one of them changed.

import type { KindRow } from '@aksel/api/kind-row'
import type { KubernetesObject } from '@aksel/api/resource'
import type { RecordStore } from '../../registry/record-store.ts'

export class CachedList<T> {
  readonly #records: RecordStore
  readonly #rows: readonly KindRow[]
  readonly #make: (objects: readonly (readonly KubernetesObject[])[]) => readonly T[]
  #current: Promise<readonly T[]> | undefined
  #isEmpty = false
  #generation = 0

  /** `make` gets the objects of each row, in the rows' order. */
  constructor(
    records: RecordStore,
    rows: readonly (KindRow | undefined)[],
    signal: AbortSignal,
    make: (objects: readonly (readonly KubernetesObject[])[]) => readonly T[],
  ) {
    this.#records = records
    this.#rows = rows.filter((row) => row !== undefined)
    this.#make = make
    if (this.#rows.length < rows.length) this.#rows = []
    for (const row of this.#rows) {
      records.onChange(row, signal, () => {
        this.#current = undefined
        this.#isEmpty = false
        this.#generation += 1
      })
    }
    if (this.#rows.length === 0) this.#isEmpty = true
  }

  /** Surely nothing to ask: the answer that nearly every write gets. */
  get isEmpty(): boolean {
    return this.#isEmpty
  }

  get(): Promise<readonly T[]> {
    return (this.#current ??= this.#read())
  }

  async #read(): Promise<readonly T[]> {
    const asked = this.#generation
    const lists = await Promise.all(this.#rows.map((row) => this.#records.list(row)))
    const items = this.#make(lists.map((records) => records.map(({ object }) => object)))
    if (items.length === 0 && asked === this.#generation) this.#isEmpty = true
    return items
  }
}
