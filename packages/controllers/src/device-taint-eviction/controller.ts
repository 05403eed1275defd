// Drives pods off tainted devices.

import type { DeviceTaintRule } from '@aksel/api/kinds/device-taint-rule'
import { keyOf, type ResourceType } from '@aksel/api/resource'
import { pods, resourceClaims, resourceSlices } from '@aksel/api/resources'
import type { Pod } from '@aksel/api/types/core-v1'
import type { DeviceTaint, ResourceClaim, ResourceSlice } from '@aksel/api/types/resource-v1'
import type { Scope } from '@aksel/base/scope'
import { again, done } from '@aksel/runtime/controller'
import type { Cache, Controller, Outcome, Source } from '@aksel/runtime/controller'
import { deviceTaints } from '@aksel/runtime/device-taints'
import { isSame } from '../canonical.ts'
import { disrupt } from '../disrupt-pod.ts'
import type { LoopParts } from '../parts.ts'
import { tell } from '../pod-control.ts'
import { isTerminating } from '../pod-facts.ts'
import { devicesOf, judgeDevices, type UsedDevice } from './judge.ts'

const byPool = 'device-taint-eviction/pool'

export interface DeviceTaintParts extends LoopParts {
  /** Absent where the cluster serves none. */
  readonly taintRules?: ResourceType<DeviceTaintRule>
}

/** Keys are those of pods. */
export function deviceTaintEvictionController(parts: DeviceTaintParts): Controller {
  const loop = new DeviceTaintLoop(parts)
  const claims: Source<ResourceClaim> = {
    type: resourceClaims,
    keysOf: (now) => (now === undefined ? [] : holdersOf(now)),
  }
  const slices: Source<ResourceSlice> = { type: resourceSlices, keysOf: (now, before) => loop.keysOfSlice(now, before) }
  const rules: Source<DeviceTaintRule>[] =
    parts.taintRules === undefined
      ? []
      : [{ type: parts.taintRules, keysOf: (now, before) => loop.keysOfRule(now, before) }]
  const own: Source<Pod> = {
    type: pods,
    keysOf: (now, before) =>
      now !== undefined && before === undefined && (now.spec?.resourceClaims ?? []).length > 0 ? [keyOf(now)] : [],
  }
  return {
    name: 'device-taint-eviction',
    sources: [own, claims, slices, ...rules] as unknown as readonly Source[],
    workers: 8,
    reconcile: (scope, key) => loop.reconcile(scope, key),
  }
}

/** Keys of the pods that a claim is reserved for. */
function holdersOf({ metadata, status }: ResourceClaim): readonly string[] {
  return (status?.reservedFor ?? []).flatMap(({ resource, apiGroup = '', name }) =>
    resource === 'pods' && apiGroup === '' ? [`${metadata.namespace}/${name}`] : [],
  )
}

class DeviceTaintLoop {
  readonly #parts: DeviceTaintParts
  readonly #pods: Cache<Pod>
  readonly #claims: Cache<ResourceClaim>
  readonly #slices: Cache<ResourceSlice>

  constructor(parts: DeviceTaintParts) {
    this.#parts = parts
    this.#pods = parts.caches.of(pods)
    this.#claims = parts.caches.of(resourceClaims)
    this.#slices = parts.caches.of(resourceSlices)
    this.#claims.addIndex(byPool, (claim) => [
      ...new Set(devicesOf(claim).map(({ driver, pool }) => `${driver}/${pool}`)),
    ])
    this.#slices.addIndex(byPool, ({ spec }) => [`${spec?.driver}/${spec?.pool?.name}`])
  }

  /** Pods of the pool's devices, where the slice's taints are others now. */
  keysOfSlice(now: ResourceSlice | undefined, before: ResourceSlice | undefined): readonly string[] {
    const taintsOf = (slice: ResourceSlice | undefined): unknown =>
      (slice?.spec?.devices ?? []).flatMap(({ name, taints = [] }) => (taints.length === 0 ? [] : [{ name, taints }]))
    const { spec } = (now ?? before)!
    if (isSame(taintsOf(now), taintsOf(before))) return []
    return this.#claims.byIndex(byPool, `${spec?.driver}/${spec?.pool?.name}`).flatMap(holdersOf)
  }

  keysOfRule(now: DeviceTaintRule | undefined, before: DeviceTaintRule | undefined): readonly string[] {
    return isSame(now?.spec, before?.spec) ? [] : this.#claims.list().flatMap(holdersOf)
  }

  async reconcile(scope: Scope, key: string): Promise<Outcome> {
    const pod = this.#pods.get(key)
    if (pod === undefined || isTerminating(pod)) return done
    const used = this.#claimsOf(pod).flatMap(devicesOf)
    if (used.length === 0) return done
    const nowMs = scope.clock.now()
    const sinceMs = Date.parse(pod.metadata.creationTimestamp ?? '') || 0
    const tainted = used.map((device) => ({ taints: this.#taintsOf(device), tolerations: device.tolerations }))
    const dueMs = judgeDevices(tainted, { sinceMs, nowMs })
    if (dueMs === undefined) return done
    if (dueMs > nowMs) return again(dueMs - nowMs)
    const { client } = this.#parts
    const owner = { type: pods, object: pod, source: 'device-taint-eviction' }
    tell(scope, client, owner, 'Normal', 'DeviceTaintManagerEviction', `Marking for deletion Pod ${key}`)
    const message = 'Device Taint manager: deleting due to NoExecute taint'
    await disrupt(scope, client, pod, { reason: 'DeletionByDeviceTaintManager', message })
    return done
  }

  /** Those that it has, and not only wishes for. */
  #claimsOf(pod: Pod): readonly ResourceClaim[] {
    const names = (pod.spec?.resourceClaims ?? []).map(
      ({ name, resourceClaimName }) =>
        resourceClaimName ?? pod.status?.resourceClaimStatuses?.find((each) => each.name === name)?.resourceClaimName,
    )
    return names
      .flatMap((name) => this.#claims.get(`${pod.metadata.namespace}/${name}`) ?? [])
      .filter(({ status }) => (status?.reservedFor ?? []).some(({ uid }) => uid === pod.metadata.uid))
  }

  #taintsOf({ driver, pool, name }: UsedDevice): readonly DeviceTaint[] {
    const { taintRules, caches } = this.#parts
    const slices = this.#slices.byIndex(byPool, `${driver}/${pool}`)
    const generation = Math.max(...slices.map(generationOf))
    const device = slices
      .filter((slice) => generationOf(slice) === generation)
      .flatMap(({ spec }) => spec?.devices ?? [])
      .find((each) => each.name === name)
    const rules = taintRules === undefined ? [] : caches.of(taintRules).list()
    return deviceTaints({ driver, pool, name, taints: device?.taints }, rules)
  }
}

function generationOf({ spec }: ResourceSlice): number {
  return spec?.pool?.generation ?? 0
}
