// Caches that a test fills by hand.

import { keyOf, type KubernetesObject, type ResourceType } from '@aksel/api/resource'
import type { Cache, Caches } from '@aksel/runtime/controller'

type Listener<T> = (now: T | undefined, before: T | undefined) => void

export class MemoryCache<T extends KubernetesObject> implements Cache<T> {
  readonly #objects = new Map<string, T>()
  readonly #indexes = new Map<string, Index<T>>()
  readonly #listeners = new Set<Listener<T>>()

  put(object: T): void {
    const before = this.#objects.get(keyOf(object))
    this.#objects.set(keyOf(object), object)
    for (const index of this.#indexes.values()) {
      if (before !== undefined) unindex(index, before)
      reindex(index, object)
    }
    for (const listener of this.#listeners) listener(object, before)
  }

  delete(key: string): void {
    const before = this.#objects.get(key)
    this.#objects.delete(key)
    if (before === undefined) return
    for (const index of this.#indexes.values()) unindex(index, before)
    for (const listener of this.#listeners) listener(undefined, before)
  }

  get(key: string): T | undefined {
    return this.#objects.get(key)
  }

  list(namespace?: string): readonly T[] {
    return [...this.#objects.values()].filter((o) => namespace === undefined || o.metadata.namespace === namespace)
  }

  byIndex(index: string, value: string): readonly T[] {
    return [...(this.#indexes.get(index)!.found.get(value)?.values() ?? [])]
  }

  addIndex(index: string, valuesOf: (object: T) => readonly string[]): void {
    const made = { valuesOf, found: new Map<string, Map<string, T>>() }
    for (const object of this.#objects.values()) reindex(made, object)
    this.#indexes.set(index, made)
  }

  synced(): Promise<void> {
    return Promise.resolve()
  }

  subscribe(onChange: Listener<T>): Disposable {
    this.#listeners.add(onChange)
    for (const object of this.#objects.values()) onChange(object, undefined)
    return { [Symbol.dispose]: () => void this.#listeners.delete(onChange) }
  }

  follow(onChange: Listener<T>): Promise<Disposable> {
    return Promise.resolve(this.subscribe(onChange))
  }
}

interface Index<T> {
  readonly valuesOf: (object: T) => readonly string[]
  /** By value, then by key. */
  readonly found: Map<string, Map<string, T>>
}

function reindex<T extends KubernetesObject>({ valuesOf, found }: Index<T>, object: T): void {
  for (const value of valuesOf(object)) {
    const known = found.get(value)
    if (known === undefined) found.set(value, new Map([[keyOf(object), object]]))
    else known.set(keyOf(object), object)
  }
}

function unindex<T extends KubernetesObject>({ valuesOf, found }: Index<T>, object: T): void {
  for (const value of valuesOf(object)) found.get(value)?.delete(keyOf(object))
}

export class MemoryCaches implements Caches {
  readonly #caches = new Map<string, unknown>()

  of<T extends KubernetesObject>(type: ResourceType<T>): MemoryCache<T> {
    const key = `${type.group}/${type.plural}`
    if (!this.#caches.has(key)) this.#caches.set(key, new MemoryCache<T>())
    return this.#caches.get(key) as MemoryCache<T>
  }

  forget(type: ResourceType): void {
    this.#caches.delete(`${type.group}/${type.plural}`)
  }
}
