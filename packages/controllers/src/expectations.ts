// What a loop did and its cache does not show yet, so that it does nothing twice.

import type { KubernetesObject } from '@aksel/api/resource'
import type { Clock } from '@aksel/base/clock'
import type { Cache } from '@aksel/runtime/controller'

/** A created object that was deleted while the watch was away is never seen; then the loop goes on after this long. */
const forgetAfterMs = 5 * 60_000

interface Pending {
  readonly creations: Map<string, string>
  readonly deletions: Map<string, string>
  sinceMs: number
}

/** Creations and deletions per owner that wait for their cache. Deterministic: it asks the cache, and counts nothing. */
export class Expectations<T extends KubernetesObject> {
  readonly #cache: Cache<T>
  readonly #pending = new Map<string, Pending>()

  constructor(cache: Cache<T>) {
    this.#cache = cache
  }

  created(clock: Clock, owner: string, object: T): void {
    this.#of(clock, owner).creations.set(object.metadata.uid!, keyIn(object))
  }

  deleted(clock: Clock, owner: string, object: T): void {
    this.#of(clock, owner).deletions.set(object.metadata.uid!, keyIn(object))
  }

  forget(owner: string): void {
    this.#pending.delete(owner)
  }

  /** 0 when the cache shows everything this owner's loop did; else how long to wait at most, in milliseconds. */
  waitMs(clock: Clock, owner: string): number {
    const pending = this.#pending.get(owner)
    if (pending === undefined) return 0
    for (const [uid, key] of pending.creations)
      if (this.#cache.get(key)?.metadata.uid === uid) pending.creations.delete(uid)
    for (const [uid, key] of pending.deletions) if (!this.#lives(key, uid)) pending.deletions.delete(uid)
    const leftMs = pending.sinceMs + forgetAfterMs - clock.monotonicMs()
    if (pending.creations.size + pending.deletions.size > 0 && leftMs > 0) return leftMs
    this.#pending.delete(owner)
    return 0
  }

  #lives(key: string, uid: string): boolean {
    const metadata = this.#cache.get(key)?.metadata
    return metadata?.uid === uid && metadata.deletionTimestamp === undefined
  }

  #of(clock: Clock, owner: string): Pending {
    let pending = this.#pending.get(owner)
    if (pending === undefined) {
      pending = { creations: new Map(), deletions: new Map(), sinceMs: 0 }
      this.#pending.set(owner, pending)
    }
    pending.sinceMs = clock.monotonicMs()
    return pending
  }
}

function keyIn({ metadata }: KubernetesObject): string {
  return metadata.namespace === undefined ? metadata.name : `${metadata.namespace}/${metadata.name}`
}

/** Revisions that a loop replaced itself: a cache that still shows one is behind. */
export class ReplacedRevisions {
  readonly #replaced = new Map<string, string>()

  /** Call after a write, with the object as it was read and as it was answered. A write that changed nothing is no news. */
  note(read: KubernetesObject, written: KubernetesObject): void {
    const { uid, resourceVersion } = read.metadata
    if (resourceVersion !== written.metadata.resourceVersion) this.#replaced.set(uid!, resourceVersion!)
  }

  isStale({ metadata }: KubernetesObject): boolean {
    const replaced = this.#replaced.get(metadata.uid!)
    if (replaced === undefined) return false
    // After two writes in a row a cache may show what stood before the first.
    if (BigInt(metadata.resourceVersion!) <= BigInt(replaced)) return true
    this.#replaced.delete(metadata.uid!)
    return false
  }

  forget({ metadata }: KubernetesObject): void {
    this.#replaced.delete(metadata.uid!)
  }
}
