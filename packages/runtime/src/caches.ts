// One informer per resource, shared by every loop of a cluster and started when first asked for.

import { groupVersionOf } from '@aksel/api/resource'
import type { KubernetesObject, ResourceType } from '@aksel/api/resource'
import { childScope } from '@aksel/base/scope'
import type { Scope } from '@aksel/base/scope'
import type { Client } from '@aksel/client/client'
import type { Cache, Caches } from './controller.ts'
import { Informer } from './informer.ts'

/** Caches that live until the scope's signal aborts or they are disposed. */
export function createCaches(scope: Scope, client: Client): Caches & AsyncDisposable {
  return new SharedCaches(scope, client)
}

interface Running {
  readonly cache: unknown
  readonly stop: AbortController
  readonly ended: Promise<void>
}

class SharedCaches implements Caches, AsyncDisposable {
  readonly #scope: Scope
  readonly #client: Client
  readonly #stop = new AbortController()
  readonly #informers = new Map<string, Running>()
  /** The same by the type itself: loops ask for caches thousands of times a second, and names take longer. */
  readonly #byType = new Map<unknown, unknown>()

  constructor(scope: Scope, client: Client) {
    this.#scope = childScope(scope, {}, this.#stop.signal)
    this.#client = client
  }

  of<T extends KubernetesObject>(type: ResourceType<T>): Cache<T> {
    const known = this.#byType.get(type) as Cache<T> | undefined
    if (known !== undefined) return known
    const cache = this.#named(type)
    this.#byType.set(type, cache)
    return cache
  }

  #named<T extends KubernetesObject>(type: ResourceType<T>): Cache<T> {
    const key = keyOfType(type)
    const known = this.#informers.get(key)
    if (known !== undefined) return known.cache as Cache<T>
    const stop = new AbortController()
    const informer = new Informer(childScope(this.#scope, {}, stop.signal), this.#client, type)
    this.#informers.set(key, { cache: informer, stop, ended: informer.run() })
    return informer
  }

  forget(type: ResourceType): void {
    const key = keyOfType(type)
    this.#informers.get(key)?.stop.abort(new Error(`${key} is served no more`))
    this.#informers.delete(key)
    this.#byType.clear()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new Error('The caches were closed'))
    await Promise.all([...this.#informers.values()].map(({ ended }) => ended))
  }
}

function keyOfType(type: ResourceType): string {
  return `${groupVersionOf(type)}/${type.plural}`
}
