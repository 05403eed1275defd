// What a control loop is: a name, what wakes it, and a function from a key to an outcome. The runner owns everything else.

import type { KubernetesObject, ResourceType } from '@aksel/api/resource'
import type { Scope } from '@aksel/base/scope'

/** `done` until the next change; `againAfterMs` to be called without one. */
export interface Outcome {
  readonly againAfterMs?: number
}

export const done: Outcome = {}

export function again(afterMs: number): Outcome {
  return { againAfterMs: afterMs }
}

/** Changes of one resource wake the keys that `keysOf` names. */
export interface Source<T extends KubernetesObject = KubernetesObject> {
  readonly type: ResourceType<T>
  /** The keys to reconcile for a changed object. Both are given for a modification; one of them is undefined for an add or a delete. */
  keysOf(now: T | undefined, before: T | undefined): readonly string[]
}

export interface Controller {
  /** Field's name for it: `replica-set`. Used in logs, metrics and as the name of its events' source. */
  readonly name: string
  readonly sources: readonly Source<never>[] | readonly Source[]
  /** At most one call per key at a time. Throwing means: again, with back-off. */
  reconcile(scope: Scope, key: string): Promise<Outcome>
  /** Keys in work at once; 1 when absent. */
  readonly workers?: number
  /** Called once, when the sources' caches are synced and before the first pass, by loops that are woken by more than sources. */
  start?(scope: Scope, wake: (key: string) => void): void | Promise<void>
}

/** A read-only view on a resource, kept current by a watch. Objects are shared. */
export interface Cache<T extends KubernetesObject> {
  get(key: string): T | undefined
  list(namespace?: string): readonly T[]
  /** Objects that the named index files under this value; the index is added with `addIndex`. */
  byIndex(index: string, value: string): readonly T[]
  /** Must be called before the cache is started, or on a started cache (then it is built at once). Adding the same name again is a no-op. */
  addIndex(index: string, valuesOf: (object: T) => readonly string[]): void
  /** Resolves when the first list has arrived. */
  synced(signal?: AbortSignal): Promise<void>
  /** Calls back for every change after subscription, and once per object already there. */
  subscribe(onChange: (now: T | undefined, before: T | undefined) => void): Disposable
  /**
   * As `subscribe`, for what may have very many objects: those already there are told in slices, between which others of
   * the process get their turn, and changes meanwhile are told after them, in order. Resolves when all were told; rejects
   * with the signal's reason.
   */
  follow(onChange: (now: T | undefined, before: T | undefined) => void, signal: AbortSignal): Promise<Disposable>
}

/** One cache per resource, shared by every loop of a cluster. Asking for a cache starts it. */
export interface Caches {
  of<T extends KubernetesObject>(type: ResourceType<T>): Cache<T>
  /** Ends the cache of a kind that is served no more; asked for again, it starts anew. */
  forget(type: ResourceType): void
}
