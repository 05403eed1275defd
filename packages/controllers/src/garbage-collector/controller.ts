// Deletes what lost its owners, and sees to it that owners go before, after or without what they own.

import type { KubernetesObject, ResourceType } from '@aksel/api/resource'
import type { OwnerReference } from '@aksel/api/types/meta-v1'
import { ignoreReason, isReason } from '@aksel/base/errors'
import type { Scope } from '@aksel/base/scope'
import { done } from '@aksel/runtime/controller'
import type { Cache, Controller, Outcome } from '@aksel/runtime/controller'
import type { LoopParts } from '../parts.ts'
import { tell } from '../pod-control.ts'
import { OwnerGraph } from './graph.ts'
import type { Node } from './graph.ts'
import { kindKey, servedKinds } from './kinds.ts'
import type { KindSource } from './kinds.ts'
import { RecentSet } from './recent-set.ts'
import { blocks, foregroundFinalizer, hasFinalizer, judgeOwned, orphanFinalizer, waitsForDependents } from './plan.ts'
import type { OwnerFacts } from './plan.ts'

export interface GarbageCollectorParts extends LoopParts {
  /** Kinds that are served later than the start: those of custom resources. */
  readonly kinds?: KindSource
}

export function garbageCollector(parts: GarbageCollectorParts): Controller {
  const loop = new GarbageCollectorLoop(parts)
  return {
    name: 'garbage-collector',
    sources: [],
    workers: 20,
    start: (scope, wake) => loop.start(scope, wake),
    reconcile: (scope, key) => loop.reconcile(scope, key),
  }
}

/** As many owners as upstream remembers. */
const ABSENT_MAX = 500

type Wake = (key: string) => void

class GarbageCollectorLoop {
  readonly #parts: GarbageCollectorParts
  readonly #graph: OwnerGraph
  /** Owners that were seen going: their kind may be served no more when somebody asks. */
  readonly #absent = new RecentSet(ABSENT_MAX)

  constructor(parts: GarbageCollectorParts) {
    this.#parts = parts
    this.#graph = new OwnerGraph(parts.caches)
  }

  async start(scope: Scope, wake: Wake): Promise<void> {
    const { kinds } = this.#parts
    const followed = new Map<string, ResourceType>()
    const follow = (): void => {
      const now = new Map((kinds?.list() ?? []).map((type) => [kindKey(type), type] as const))
      for (const [key, type] of followed) if (!now.has(key)) this.#graph.remove(type)
      for (const type of now.values()) this.#follow(scope, type, wake)
      followed.clear()
      for (const [key, type] of now) followed.set(key, type)
    }
    const served = await servedKinds(scope, this.#parts.client)
    const caches = served.flatMap((type) => this.#join(type))
    await this.#graph.synced(scope.signal)
    for (const { type, cache } of caches) this.#subscribe(scope, type, cache, wake)
    follow()
    const subscription = kinds?.subscribe(follow)
    scope.signal.addEventListener('abort', () => subscription?.[Symbol.dispose](), { once: true })
  }

  #join(type: ResourceType): readonly { readonly type: ResourceType; readonly cache: Cache<KubernetesObject> }[] {
    const cache = this.#graph.add(type)
    return cache === undefined ? [] : [{ type, cache }]
  }

  #follow(scope: Scope, type: ResourceType, wake: Wake): void {
    for (const { cache } of this.#join(type)) this.#subscribe(scope, type, cache, wake)
  }

  #subscribe(scope: Scope, type: ResourceType, cache: Cache<KubernetesObject>, wake: Wake): void {
    const subscription = cache.subscribe((now, before) => this.#onChange(type, now, before, wake))
    scope.signal.addEventListener('abort', () => subscription[Symbol.dispose](), { once: true })
  }

  #onChange(
    type: ResourceType,
    now: KubernetesObject | undefined,
    before: KubernetesObject | undefined,
    wake: Wake,
  ): void {
    if (now === undefined) return this.#onGone(before!, wake)
    const node: Node = { type, object: now }
    const isDying = now.metadata.deletionTimestamp !== undefined
    if (isDying && (hasFinalizer(now, foregroundFinalizer) || hasFinalizer(now, orphanFinalizer))) {
      wake(this.#graph.keyOf(node))
    } else if (!isDying && this.#mayBeUnowned(now)) wake(this.#graph.keyOf(node))
    // A reference that no longer blocks, or is gone, may let its owner go.
    const unblocked = (before?.metadata.ownerReferences ?? []).filter(({ uid }) => !blocks(now, uid))
    this.#wakeOwners(now, unblocked, wake)
  }

  #onGone(object: KubernetesObject, wake: Wake): void {
    const dependents = this.#graph.dependentsOf(object.metadata.uid!)
    if (dependents.length > 0) this.#absent.add(object.metadata.uid!)
    for (const dependent of dependents) wake(this.#graph.keyOf(dependent))
    this.#wakeOwners(object, object.metadata.ownerReferences ?? [], wake)
  }

  #wakeOwners(object: KubernetesObject, references: readonly OwnerReference[], wake: Wake): void {
    for (const reference of references) {
      const owner = this.#graph.owner(reference, object.metadata.namespace)
      if (owner !== undefined && waitsForDependents(owner.object)) wake(this.#graph.keyOf(owner))
    }
  }

  /** True unless the cache shows every owner, alive: only then nothing is to be asked. */
  #mayBeUnowned({ metadata }: KubernetesObject): boolean {
    return (metadata.ownerReferences ?? []).some((reference) => {
      const owner = this.#graph.owner(reference, metadata.namespace)
      return owner === undefined || waitsForDependents(owner.object)
    })
  }

  async reconcile(scope: Scope, key: string): Promise<Outcome> {
    const cached = this.#graph.find(key)
    if (cached === undefined) return done
    const object = await this.#live(cached)
    if (object === undefined) return done
    const node = { type: cached.type, object }
    if (object.metadata.deletionTimestamp !== undefined) {
      if (hasFinalizer(object, orphanFinalizer)) await this.#orphanDependents(node)
      else if (hasFinalizer(object, foregroundFinalizer)) await this.#goAfterDependents(scope, node)
      return done
    }
    await this.#judge(scope, node)
    return done
  }

  /** Keeps the object, strikes owners off, or deletes it. */
  async #judge(scope: Scope, node: Node): Promise<void> {
    const owners = await this.#classify(scope, node)
    if (owners === undefined) return
    const dependents = this.#graph.dependentsOf(node.object.metadata.uid!)
    const verdict = judgeOwned(node.object, owners, dependents.length > 0)
    if (verdict.kind === 'strike') await this.#strike(node, new Set(verdict.uids))
    if (verdict.kind !== 'delete') return
    // Where what it owns waits as well, the two may wait for each other in a circle: this one stops holding up its owners.
    const mayBeCircle = owners.waiting.length > 0 && dependents.some(({ object }) => waitsForDependents(object))
    await this.#delete(mayBeCircle ? await this.#unblock(node) : node, verdict.policy)
  }

  /** The object, none of whose references blocks its owner any more. */
  async #unblock({ type, object }: Node): Promise<Node> {
    const { uid, resourceVersion, ownerReferences = [] } = object.metadata
    const references = ownerReferences.map((reference) => ({ ...reference, blockOwnerDeletion: false }))
    const body = { metadata: { uid, resourceVersion, ownerReferences: references } }
    return { type, object: await this.#parts.client.patch(type, object.metadata, { kind: 'merge', body }) }
  }

  /** The object as the server has it now, where it is still the one that the cache showed. */
  async #live({ type, object }: Node): Promise<KubernetesObject | undefined> {
    const live = await ignoreReason('NotFound', this.#parts.client.get(type, object.metadata))
    return live?.metadata.uid === object.metadata.uid ? live : undefined
  }

  /** Undefined where nothing may be done: an owner is of a kind that such an object cannot have. */
  async #classify(scope: Scope, node: Node): Promise<OwnerFacts | undefined> {
    const { metadata } = node.object
    const facts = { solid: [], dangling: [], waiting: [] } as Record<keyof OwnerFacts, OwnerReference[]>
    for (const reference of metadata.ownerReferences ?? []) {
      if (this.#graph.owner(reference, metadata.namespace) === undefined) this.#tellElsewhere(scope, node, reference)
      // An object of the cluster cannot be owned by one of a namespace: which one is meant, nobody can say, so it stays.
      if (metadata.namespace === undefined && this.#graph.typeOf(reference)?.namespaced === true) return undefined
      const owner = await this.#liveOwner(reference, metadata.namespace)
      if (owner === undefined) facts.dangling.push(reference)
      else if (waitsForDependents(owner) && reference.blockOwnerDeletion === true) facts.waiting.push(reference)
      else facts.solid.push(reference)
    }
    return facts
  }

  /** An owner is looked for in the object's own namespace: people are told where it stands in another. */
  #tellElsewhere(scope: Scope, { type, object }: Node, reference: OwnerReference): void {
    const { namespace = '' } = object.metadata
    if (this.#absent.has(reference.uid)) return
    if (this.#graph.ownerElsewhere(reference, object.metadata.namespace) === undefined) return
    const { apiVersion, kind, name, uid } = reference
    const owner = `[${apiVersion}/${kind}, namespace: ${namespace}, name: ${name}, uid: ${uid}]`
    const message = `ownerRef ${owner} does not exist in namespace ${JSON.stringify(namespace)}`
    const about = { type, object, source: 'garbage-collector-controller' }
    tell(scope, this.#parts.client, about, 'Warning', 'OwnerRefInvalidNamespace', message)
  }

  /** Asked of the server unless the cache shows it well: only what the server does not have is gone. */
  async #liveOwner(reference: OwnerReference, namespace: string | undefined): Promise<KubernetesObject | undefined> {
    if (this.#absent.has(reference.uid)) return undefined
    const cached = this.#graph.owner(reference, namespace)
    if (cached !== undefined && cached.object.metadata.deletionTimestamp === undefined) return cached.object
    const type = this.#graph.typeOf(reference)
    if (type === undefined)
      throw new Error(
        `Cannot tell whether owner "${reference.name}" exists: kind ${reference.kind} of ${reference.apiVersion} is not served`,
      )
    const place = type.namespaced ? { namespace: namespace! } : {}
    const live = await ignoreReason('NotFound', this.#parts.client.get(type, { name: reference.name, ...place }))
    return live?.metadata.uid === reference.uid ? live : undefined
  }

  async #strike({ type, object }: Node, uids: ReadonlySet<string>): Promise<void> {
    const { uid, resourceVersion, ownerReferences = [] } = object.metadata
    const rest = ownerReferences.filter((reference) => !uids.has(reference.uid))
    const body = { metadata: { uid, resourceVersion, ownerReferences: rest.length === 0 ? null : rest } }
    await ignoreReason('NotFound', this.#parts.client.patch(type, object.metadata, { kind: 'merge', body }))
  }

  async #delete({ type, object }: Node, propagationPolicy: 'Orphan' | 'Foreground' | 'Background'): Promise<void> {
    const { uid, resourceVersion } = object.metadata
    // The revision guards against an owner that was added meanwhile.
    const preconditions = { uid: uid!, resourceVersion: resourceVersion! }
    try {
      await this.#parts.client.delete(type, object.metadata, { propagationPolicy, preconditions })
    } catch (error) {
      if (!isReason(error, 'NotFound')) throw error
    }
  }

  async #orphanDependents(node: Node): Promise<void> {
    const { uid } = node.object.metadata
    for (const dependent of this.#graph.dependentsOf(uid!)) {
      const live = await this.#live(dependent)
      if (live !== undefined) await this.#strike({ type: dependent.type, object: live }, new Set([uid!]))
    }
    await this.#removeFinalizer(node, orphanFinalizer)
  }

  /** Asks for the end of what blocks; each end wakes the owner again, and the last lets it go. */
  async #goAfterDependents(scope: Scope, node: Node): Promise<void> {
    const { uid } = node.object.metadata
    const dependents = this.#graph.dependentsOf(uid!)
    for (const dependent of dependents) {
      if (dependent.object.metadata.deletionTimestamp !== undefined) continue
      const live = await this.#live(dependent)
      if (live === undefined || live.metadata.deletionTimestamp !== undefined) continue
      await this.#judge(scope, { type: dependent.type, object: live })
    }
    const isBlocked = dependents.some(({ object }) => blocks(object, uid!))
    if (!isBlocked) await this.#removeFinalizer(node, foregroundFinalizer)
  }

  async #removeFinalizer({ type, object }: Node, name: string): Promise<void> {
    const { uid, resourceVersion, finalizers = [] } = object.metadata
    const rest = finalizers.filter((each) => each !== name)
    const body = { metadata: { uid, resourceVersion, finalizers: rest.length === 0 ? null : rest } }
    await ignoreReason('NotFound', this.#parts.client.patch(type, object.metadata, { kind: 'merge', body }))
  }
}
