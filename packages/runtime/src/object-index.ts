// Objects in memory by key and by named indexes: the part of a cache that does not know where objects come from.

import { keyOf } from '@aksel/api/resource'
import type { KubernetesObject } from '@aksel/api/resource'

interface Index<T> {
  readonly valuesOf: (object: T) => readonly string[]
  readonly buckets: Map<string, Map<string, T>>
}

/** The index of every namespaced resource; it needs no `addIndex`. */
export const namespaceIndex = 'namespace'

export class ObjectIndex<T extends KubernetesObject> {
  readonly #objects = new Map<string, T>()
  readonly #indexes = new Map<string, Index<T>>()

  constructor() {
    this.addIndex(namespaceIndex, ({ metadata }) => (metadata.namespace === undefined ? [] : [metadata.namespace]))
  }

  get size(): number {
    return this.#objects.size
  }

  keys(): readonly string[] {
    return [...this.#objects.keys()]
  }

  get(key: string): T | undefined {
    return this.#objects.get(key)
  }

  list(namespace?: string): readonly T[] {
    return namespace === undefined ? [...this.#objects.values()] : this.byIndex(namespaceIndex, namespace)
  }

  byIndex(name: string, value: string): readonly T[] {
    const index = this.#indexes.get(name)
    if (index === undefined) throw new Error(`Cannot look up "${value}": there is no index "${name}"`)
    const bucket = index.buckets.get(value)
    return bucket === undefined ? [] : [...bucket.values()]
  }

  addIndex(name: string, valuesOf: (object: T) => readonly string[]): void {
    if (this.#indexes.has(name)) return
    const index: Index<T> = { valuesOf, buckets: new Map() }
    this.#indexes.set(name, index)
    for (const [key, object] of this.#objects) file(index, key, object)
  }

  /** Returns what stood there before. */
  set(object: T): T | undefined {
    const key = keyOf(object)
    const before = this.#objects.get(key)
    this.#objects.set(key, object)
    for (const index of this.#indexes.values()) {
      if (before !== undefined) unfile(index, key, before)
      file(index, key, object)
    }
    return before
  }

  delete(key: string): T | undefined {
    const before = this.#objects.get(key)
    if (before === undefined) return undefined
    this.#objects.delete(key)
    for (const index of this.#indexes.values()) unfile(index, key, before)
    return before
  }
}

function file<T>(index: Index<T>, key: string, object: T): void {
  for (const value of index.valuesOf(object)) {
    const bucket = index.buckets.get(value)
    if (bucket === undefined) index.buckets.set(value, new Map([[key, object]]))
    else bucket.set(key, object)
  }
}

function unfile<T>(index: Index<T>, key: string, object: T): void {
  for (const value of index.valuesOf(object)) {
    const bucket = index.buckets.get(value)
    bucket?.delete(key)
    if (bucket?.size === 0) index.buckets.delete(value)
  }
}
