// The memory behind the fake client: objects by kind and key, one growing revision, and the history that watches replay.

import { groupVersionOf, keyOf, qualifiedName } from '@aksel/api/resource'
import type { KubernetesObject, ResourceType } from '@aksel/api/resource'
import { ApiError } from '@aksel/base/errors'
import { AsyncQueue } from '@aksel/base/queue'

export interface StoredChange {
  readonly type: ResourceType
  readonly revision: number
  readonly now: KubernetesObject | undefined
  readonly before: KubernetesObject | undefined
}

/** Objects are frozen copies: nobody can change what is stored by holding on to it. */
export class FakeObjects {
  #revision = 100
  /** Watches from before this revision are refused as too old. */
  #compacted = 0
  readonly #kinds = new Map<string, { readonly type: ResourceType; readonly objects: Map<string, KubernetesObject> }>()
  readonly #history: StoredChange[] = []
  readonly #watchers = new Set<AsyncQueue<StoredChange>>()

  get revision(): string {
    return String(this.#revision)
  }

  get types(): readonly ResourceType[] {
    return [...this.#kinds.values()].map(({ type }) => type)
  }

  kind(type: ResourceType): Map<string, KubernetesObject> {
    const name = `${groupVersionOf(type)}/${type.plural}`
    let found = this.#kinds.get(name)
    if (found === undefined) this.#kinds.set(name, (found = { type, objects: new Map() }))
    return found.objects
  }

  find(type: ResourceType, key: string): KubernetesObject {
    const found = this.kind(type).get(key)
    if (found === undefined) throw notFound(type, key.slice(key.indexOf('/') + 1))
    return found
  }

  write(type: ResourceType, object: KubernetesObject): KubernetesObject {
    const before = this.kind(type).get(keyOf(object))
    const revision = (this.#revision += 1)
    const metadata = { ...object.metadata, resourceVersion: String(revision) }
    const now = deepFreeze(JSON.parse(JSON.stringify({ ...object, metadata })) as KubernetesObject)
    this.kind(type).set(keyOf(object), now)
    this.#publish({ type, revision, now, before })
    return now
  }

  remove(type: ResourceType, key: string): void {
    const before = this.find(type, key)
    const revision = (this.#revision += 1)
    this.kind(type).delete(key)
    const metadata = { ...before.metadata, resourceVersion: String(revision) }
    this.#publish({ type, revision, now: undefined, before: deepFreeze({ ...before, metadata }) })
  }

  /** Forgets the history: watches from an older revision get `Expired`, running ones end. */
  compact(): void {
    this.#compacted = this.#revision
    this.endWatches()
  }

  endWatches(): void {
    for (const watcher of this.#watchers) watcher.end()
  }

  /** Changes after a revision, as they come. Throws `Expired` for one that is forgotten. */
  async *changes(type: ResourceType, from: number, signal?: AbortSignal): AsyncGenerator<StoredChange> {
    if (from < this.#compacted) throw new ApiError('Expired', `too old resource version: ${from} (${this.#compacted})`)
    const queue = new AsyncQueue<StoredChange>()
    for (const change of this.#history) if (change.revision > from) queue.push(change)
    const stop = (): void => queue.end()
    signal?.addEventListener('abort', stop, { once: true })
    if (signal?.aborted === true) stop()
    this.#watchers.add(queue)
    try {
      for await (const change of queue) {
        if (change.type.plural === type.plural && change.type.group === type.group) yield change
      }
    } finally {
      this.#watchers.delete(queue)
      signal?.removeEventListener('abort', stop)
    }
  }

  #publish(change: StoredChange): void {
    this.#history.push(change)
    for (const watcher of this.#watchers) watcher.push(change)
  }
}

export function notFound(type: ResourceType, name: string): ApiError {
  return new ApiError('NotFound', `${qualifiedName(type)} "${name}" not found`, {
    details: { name, kind: type.plural },
  })
}

function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value
  for (const item of Object.values(value)) deepFreeze(item)
  return Object.freeze(value)
}
