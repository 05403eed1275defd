// Adds up what each namespace uses of its quotas.

import { deepEqual } from '@aksel/api/deep-equal'
import { keyOf } from '@aksel/api/resource'
import type { KubernetesObject, ResourceType } from '@aksel/api/resource'
import { countName, usageOf } from '@aksel/api/quota/usage'
import type { Counted } from '@aksel/api/quota/usage'
import {
  configMaps,
  persistentVolumeClaims,
  pods,
  replicationControllers,
  resourceQuotas,
  secrets,
  services,
} from '@aksel/api/resources'
import type { Pod, ResourceQuota } from '@aksel/api/types/core-v1'
import { formatQuantity } from '@aksel/base/quantity'
import type { Scope } from '@aksel/base/scope'
import { again, done } from '@aksel/runtime/controller'
import type { Cache, Controller, Outcome, Source } from '@aksel/runtime/controller'
import { discover } from '../discovery.ts'
import { writeStatus } from '../parts.ts'
import type { LoopParts } from '../parts.ts'
import { countedKinds, judgeQuota } from './judge.ts'

const followed: readonly ResourceType[] = [
  pods,
  services,
  persistentVolumeClaims,
  configMaps,
  secrets,
  replicationControllers,
]

/** A kind that is not served may come with the next custom resource definition. */
const lookAgainMs = 30_000
/** Upstream's: what was granted and then not made is given back by then. */
const RESYNC_MS = 300_000

export function resourceQuotaController(parts: LoopParts): Controller {
  const loop = new ResourceQuotaLoop(parts)
  const own: Source<ResourceQuota> = { type: resourceQuotas, keysOf: (now, before) => loop.keysOfQuota(now, before) }
  const counted = followed.map((type) => ({
    type,
    keysOf: (now: KubernetesObject | undefined, before: KubernetesObject | undefined) => loop.keysOf(type, now, before),
  }))
  return {
    name: 'resource-quota',
    sources: [own, ...counted] as unknown as readonly Source[],
    workers: 5,
    start: (_, wake) => loop.start(wake),
    reconcile: (scope, key) => loop.reconcile(scope, key),
  }
}

class ResourceQuotaLoop {
  readonly #parts: LoopParts
  readonly #quotas: Cache<ResourceQuota>
  /** Kinds that are counted because a quota names them, by that name. */
  readonly #further = new Map<string, ResourceType>()
  /** By key of a quota: the version of it with which its objects were counted first, or last under other limits. */
  readonly #countedAt = new Map<string, number>()
  #wake: (key: string) => void = () => {}

  constructor(parts: LoopParts) {
    this.#parts = parts
    this.#quotas = parts.caches.of(resourceQuotas)
  }

  start(wake: (key: string) => void): void {
    this.#wake = wake
  }

  keysOfQuota(now: ResourceQuota | undefined, before: ResourceQuota | undefined): readonly string[] {
    if (now === undefined) {
      this.#countedAt.delete(keyOf(before!))
      // One that goes may have been counted itself.
      return [keyOf(before!), ...this.#quotas.list(before!.metadata.namespace).map(keyOf)]
    }
    // What admission writes into the status is no reason to count again: what it grants is not there yet.
    return before !== undefined && !isUncounted(now) ? [] : [keyOf(now)]
  }

  /**
   * What comes was charged by admission before it was made: to count it, too, would take back what is granted at the same moment.
   * Only what goes, what takes another amount than before, and what came before the count but was seen after it, is a reason.
   */
  keysOf(
    type: ResourceType,
    now: KubernetesObject | undefined,
    before: KubernetesObject | undefined,
  ): readonly string[] {
    const quotas = this.#quotas.list((now ?? before)!.metadata.namespace)
    if (quotas.length === 0) return []
    if (before === undefined) return this.#missed(quotas, now!)
    if (now !== undefined && shareOf(type, now) === shareOf(type, before)) return []
    return quotas.map(keyOf)
  }

  #missed(quotas: readonly ResourceQuota[], came: KubernetesObject): readonly string[] {
    const version = Number(came.metadata.resourceVersion ?? 0)
    return quotas.map(keyOf).filter((key) => version < (this.#countedAt.get(key) ?? Infinity))
  }

  async reconcile(scope: Scope, key: string): Promise<Outcome> {
    const quota = this.#quotas.get(key)
    if (quota === undefined || quota.metadata.deletionTimestamp !== undefined) return done
    if (isUncounted(quota) || !this.#countedAt.has(key))
      this.#countedAt.set(key, Number(quota.metadata.resourceVersion ?? 0))
    const kinds = countedKinds(quota)
    const counted = []
    for (const kind of kinds) {
      const type = await this.#typeOf(scope, kind)
      const objects = type === undefined ? undefined : this.#parts.caches.of(type).list(quota.metadata.namespace)
      counted.push({ kind, objects })
    }
    const nowMs = scope.clock.now()
    const status = judgeQuota(quota, counted, nowMs)
    await writeStatus(this.#parts.client, resourceQuotas, quota, status)
    if (counted.some(({ objects }) => objects === undefined)) return again(lookAgainMs)
    const graceMs = endOfGraceMs(
      counted.flatMap(({ kind, objects }) => (kind.plural === 'pods' ? objects! : [])),
      nowMs,
    )
    return again(Math.min(graceMs ?? Infinity, RESYNC_MS))
  }

  /** Undefined while no such kind is served. */
  async #typeOf(scope: Scope, kind: Counted): Promise<ResourceType | undefined> {
    const isKind = (type: ResourceType): boolean => type.group === kind.group && type.plural === kind.plural
    const own = [...followed, resourceQuotas].find(isKind)
    if (own !== undefined) return own
    const name = countName(kind)
    const known = this.#further.get(name)
    if (known !== undefined) return known
    const { types } = await discover(this.#parts.client, { namespaced: true })
    const found = types.find(isKind)
    if (found === undefined) return undefined
    const cache = this.#parts.caches.of(found)
    await cache.synced(scope.signal)
    this.#further.set(name, found)
    cache.subscribe((now, before) => {
      if (now !== undefined && before !== undefined) return
      const quotas = this.#quotas.list((now ?? before)!.metadata.namespace)
      const keys = now === undefined ? quotas.map(keyOf) : this.#missed(quotas, now)
      for (const key of keys) this.#wake(key)
    })
    return found
  }
}

/** Nobody knows yet what is used of each of its limits, or these have changed. */
function isUncounted({ spec, status }: ResourceQuota): boolean {
  const hard = spec?.hard ?? {}
  return !deepEqual(hard, status?.hard ?? {}) || Object.keys(hard).some((name) => status?.used?.[name] === undefined)
}

function shareOf(type: ResourceType, object: KubernetesObject): string {
  const usage = usageOf(type, object, Infinity)
  return [...usage].map(([name, amount]) => `${name}=${formatQuantity(amount)}`).join()
}

/** Milliseconds until the first pod on its way out has used up its grace, and counts no more. */
function endOfGraceMs(objects: readonly KubernetesObject[], nowMs: number): number | undefined {
  let firstMs: number | undefined
  for (const { metadata, status } of objects as readonly Pod[]) {
    const { deletionTimestamp, deletionGracePeriodSeconds } = metadata
    if (deletionTimestamp === undefined || deletionGracePeriodSeconds === undefined) continue
    if (status?.phase === 'Succeeded' || status?.phase === 'Failed') continue
    const leftMs = Date.parse(deletionTimestamp) + deletionGracePeriodSeconds * 1000 - nowMs
    if (leftMs >= 0) firstMs = Math.min(firstMs ?? Infinity, leftMs + 1)
  }
  return firstMs
}
