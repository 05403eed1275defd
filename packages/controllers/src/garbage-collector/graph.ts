// Who owns whom, over the caches of all kinds: found by indexes, so that nothing is kept twice.

import { groupVersionOf, keyOf } from '@aksel/api/resource'
import type { KubernetesObject, ResourceType } from '@aksel/api/resource'
import type { OwnerReference } from '@aksel/api/types/meta-v1'
import type { Cache, Caches } from '@aksel/runtime/controller'
import { kindKey } from './kinds.ts'

const ownerIndex = 'garbage-collector/owner'

export interface Node {
  readonly type: ResourceType
  readonly object: KubernetesObject
}

interface Kind {
  readonly type: ResourceType
  readonly cache: Cache<KubernetesObject>
}

export class OwnerGraph {
  readonly #caches: Caches
  readonly #kinds = new Map<string, Kind>()

  constructor(caches: Caches) {
    this.#caches = caches
  }

  /** The kind's cache, where the kind is new. */
  add(type: ResourceType): Cache<KubernetesObject> | undefined {
    const key = kindKey(type)
    if (this.#kinds.has(key)) return undefined
    const cache = this.#caches.of(type)
    cache.addIndex(ownerIndex, ({ metadata }) => (metadata.ownerReferences ?? []).map(({ uid }) => uid))
    this.#kinds.set(key, { type, cache })
    return cache
  }

  /** The kind is served no more. */
  remove(type: ResourceType): void {
    if (this.#kinds.delete(kindKey(type))) this.#caches.forget(type)
  }

  /** Key of an object in the queue: `apps/v1/replicasets|shop/web-1`. */
  keyOf({ type, object }: Node): string {
    return `${kindKey(type)}|${keyOf(object)}`
  }

  find(key: string): Node | undefined {
    const bar = key.indexOf('|')
    const kind = this.#kinds.get(key.slice(0, bar))
    const object = kind?.cache.get(key.slice(bar + 1))
    return kind === undefined || object === undefined ? undefined : { type: kind.type, object }
  }

  dependentsOf(uid: string): readonly Node[] {
    const found: Node[] = []
    for (const { type, cache } of this.#kinds.values()) {
      for (const object of cache.byIndex(ownerIndex, uid)) found.push({ type, object })
    }
    return found
  }

  /** The type that a reference means; its version may be another served one. */
  typeOf({ apiVersion, kind }: Partial<OwnerReference>): ResourceType | undefined {
    if (apiVersion === undefined) return undefined
    const group = apiVersion.includes('/') ? apiVersion.slice(0, apiVersion.indexOf('/')) : ''
    const same = [...this.#kinds.values()].filter(({ type }) => type.kind === kind && type.group === group)
    return (same.find(({ type }) => groupVersionOf(type) === apiVersion) ?? same[0])?.type
  }

  /** The owner as the cache has it; undefined where it has none of this name, or one of another uid. */
  owner(reference: OwnerReference, namespace: string | undefined): Node | undefined {
    const type = this.typeOf(reference)
    if (type === undefined) return undefined
    const place = type.namespaced && namespace !== undefined ? { namespace } : {}
    const object = this.#kinds.get(kindKey(type))!.cache.get(keyOf({ metadata: { name: reference.name, ...place } }))
    return object?.metadata.uid === reference.uid ? { type, object } : undefined
  }

  /** The object of that uid where it lives in another namespace than the reference can mean. Looks at all of the kind. */
  ownerElsewhere(reference: OwnerReference, namespace: string | undefined): Node | undefined {
    const type = this.typeOf(reference)
    if (type === undefined || !type.namespaced) return undefined
    const object = this.#kinds
      .get(kindKey(type))!
      .cache.list()
      .find(({ metadata }) => metadata.uid === reference.uid && metadata.namespace !== namespace)
    return object === undefined ? undefined : { type, object }
  }

  /** Resolves when every kind was listed once. */
  async synced(signal: AbortSignal): Promise<void> {
    await Promise.all([...this.#kinds.values()].map(({ cache }) => cache.synced(signal)))
  }
}
