// Keeps a resource in memory by list and watch: resumes where a watch ended, lists anew only when the server forgot that
// point, and tells subscribers every change.

import { groupVersionOf, keyOf } from '@aksel/api/resource'
import type { KubernetesObject, ResourceType } from '@aksel/api/resource'
import { sleep } from '@aksel/base/clock'
import { isReason } from '@aksel/base/errors'
import { fraction } from '@aksel/base/ids'
import { childScope } from '@aksel/base/scope'
import type { Scope } from '@aksel/base/scope'
import type { Client, ListOptions } from '@aksel/client/client'
import type { Cache } from './controller.ts'
import { ObjectIndex } from './object-index.ts'

const pageSize = 500
/** Objects told to one listener before others get their turn: several dozen loops begin at the same time. */
const SLICE_OBJECTS = 100
const backOffBaseMs = 800
const backOffMaxMs = 30_000
/** Nobody listens: asking costs nobody anything, and a server that comes back is found within three seconds. */
const refusedMaxMs = 1_500

/** The part of a resource that is kept; all of it when empty. */
export type Selection = Pick<ListOptions, 'namespace' | 'fieldSelector' | 'labelSelector'>

type Listener<T> = (now: T | undefined, before: T | undefined) => void

export class Informer<T extends KubernetesObject> implements Cache<T> {
  readonly #scope: Scope
  readonly #client: Client
  readonly #type: ResourceType<T>
  readonly #selection: Selection
  readonly #objects = new ObjectIndex<T>()
  readonly #listeners = new Set<Listener<T>>()
  readonly #synced = Promise.withResolvers<void>()
  /** Where the next watch begins; undefined when a list must come first. */
  #resourceVersion: string | undefined
  #failures = 0

  constructor(scope: Scope, client: Client, type: ResourceType<T>, selection: Selection = {}) {
    this.#scope = childScope(scope, { resource: `${type.plural}.${groupVersionOf(type)}` })
    this.#client = client
    this.#type = type
    this.#selection = selection
  }

  get(key: string): T | undefined {
    return this.#objects.get(key)
  }

  list(namespace?: string): readonly T[] {
    return this.#objects.list(namespace)
  }

  byIndex(index: string, value: string): readonly T[] {
    return this.#objects.byIndex(index, value)
  }

  addIndex(index: string, valuesOf: (object: T) => readonly string[]): void {
    this.#objects.addIndex(index, valuesOf)
  }

  synced(signal?: AbortSignal): Promise<void> {
    if (signal === undefined) return this.#synced.promise
    return new Promise((resolve, reject) => {
      const onAbort = (): void => reject(signal.reason as Error)
      if (signal.aborted) return onAbort()
      signal.addEventListener('abort', onAbort, { once: true })
      void this.#synced.promise.then(() => {
        signal.removeEventListener('abort', onAbort)
        resolve()
      })
    })
  }

  subscribe(onChange: Listener<T>): Disposable {
    // A wrapper of its own, so that subscribing one function twice and disposing one of the two leaves the other.
    const listener: Listener<T> = (now, before) => onChange(now, before)
    this.#listeners.add(listener)
    for (const object of this.#objects.list()) this.#tell(listener, object, undefined)
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) }
  }

  async follow(onChange: Listener<T>, signal: AbortSignal): Promise<Disposable> {
    const held: Parameters<Listener<T>>[] = []
    let isLive = false
    const listener: Listener<T> = (now, before) => (isLive ? onChange(now, before) : void held.push([now, before]))
    this.#listeners.add(listener)
    let told = 0
    const tell: (...change: Parameters<Listener<T>>) => Promise<void> | undefined = (now, before) => {
      signal.throwIfAborted()
      this.#tell(onChange, now, before)
      told += 1
      return told % SLICE_OBJECTS === 0 ? othersTurn() : undefined
    }
    try {
      for (const object of this.#objects.list()) {
        const pause = tell(object, undefined)
        if (pause !== undefined) await pause
      }
      // It grows while it is told.
      for (let at = 0; at < held.length; at += 1) {
        const pause = tell(...held[at]!)
        if (pause !== undefined) await pause
      }
    } catch (error) {
      this.#listeners.delete(listener)
      throw error
    }
    isLive = true
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) }
  }

  /** Runs until the scope's signal aborts; never rejects. */
  async run(): Promise<void> {
    const { signal, clock, log, random } = this.#scope
    while (!signal.aborted) {
      try {
        if (this.#resourceVersion === undefined) await this.#list()
        await this.#watch()
      } catch (error) {
        if (signal.aborted) return
        if (isReason(error, 'Expired', 'Gone')) {
          log.debug('watch is too old, listing anew', { resourceVersion: this.#resourceVersion })
          const wasListed = this.#resourceVersion !== undefined
          this.#resourceVersion = undefined
          if (wasListed) continue
        }
        // Refusals say nothing of a server that answers and fails: they must not make that one's back-off long.
        const mostMs = isRefused(error) ? refusedMaxMs : backOffBaseMs * 2 ** this.#failures++
        const waitMs = Math.min(mostMs, backOffMaxMs) * (1 + fraction(random))
        log.warn('list or watch failed', { error, failures: this.#failures, waitMs })
        await sleep(clock, waitMs, signal).catch(() => {})
      }
    }
  }

  async #list(): Promise<void> {
    const found = new Set<string>()
    let from: string | undefined
    let resourceVersion: string | undefined
    do {
      const page = await this.#client.list(this.#type, {
        ...this.#selection,
        limit: pageSize,
        signal: this.#scope.signal,
        ...(from === undefined ? {} : { continue: from }),
      })
      for (const object of page.items) {
        found.add(keyOf(object))
        this.#put(object)
      }
      // All pages of one list are of one revision.
      resourceVersion ??= page.metadata.resourceVersion
      from = page.metadata.continue === '' ? undefined : page.metadata.continue
      if (from !== undefined) await othersTurn()
    } while (from !== undefined)
    for (const key of this.#objects.keys()) if (!found.has(key)) this.#remove(key)
    this.#resourceVersion = resourceVersion ?? '0'
    this.#failures = 0
    this.#synced.resolve()
  }

  async #watch(): Promise<void> {
    const { clock, signal } = this.#scope
    const beganMs = clock.monotonicMs()
    let seen = 0
    const events = this.#client.watch(this.#type, {
      ...this.#selection,
      resourceVersion: this.#resourceVersion!,
      allowBookmarks: true,
      signal,
    })
    for await (const { type, object } of events) {
      if (signal.aborted) return
      if (type === 'DELETED') this.#remove(keyOf(object), object)
      else if (type !== 'BOOKMARK') this.#put(object)
      this.#resourceVersion = object.metadata.resourceVersion ?? this.#resourceVersion
      this.#failures = 0
      seen += 1
    }
    // A server that ends watches at once must not be asked in a tight loop.
    if (seen === 0 && clock.monotonicMs() - beganMs < 1000 && !signal.aborted) {
      throw new Error('The watch ended within a second without an event')
    }
  }

  #put(object: T): void {
    const slim = withoutManagedFields(object)
    const before = this.#objects.get(keyOf(slim))
    if (before !== undefined && isSame(before, slim)) return
    this.#objects.set(slim)
    for (const listener of this.#listeners) this.#tell(listener, slim, before)
  }

  #remove(key: string, last?: T): void {
    const before = this.#objects.delete(key)
    if (before === undefined) return
    for (const listener of this.#listeners) this.#tell(listener, undefined, last ?? before)
  }

  #tell(listener: Listener<T>, now: T | undefined, before: T | undefined): void {
    try {
      listener(now, before)
    } catch (error) {
      this.#scope.log.error('a subscriber failed', { error })
    }
  }
}

/** The event loop's next round. */
function othersTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

function isRefused(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  return (error as NodeJS.ErrnoException).code === 'ECONNREFUSED' || isRefused(error.cause)
}

function isSame(before: KubernetesObject, now: KubernetesObject): boolean {
  return before.metadata.uid === now.metadata.uid && before.metadata.resourceVersion === now.metadata.resourceVersion
}

/** No loop reads managedFields, and they are a third of an object; an update without them leaves the stored ones alone. */
function withoutManagedFields<T extends KubernetesObject>(object: T): T {
  if (object.metadata.managedFields === undefined) return object
  const { managedFields: _, ...metadata } = object.metadata
  return { ...object, metadata }
}
