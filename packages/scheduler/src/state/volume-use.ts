// Which claims standing pods use, and how many volumes of each CSI driver every node holds.

import type { Objects } from '../plugin.ts'
import { classOf, claimKeysOf, isBound } from '../volumes.ts'
import type { ClusterState, StandingPod } from './cluster-state.ts'

export interface VolumeId {
  readonly driver: string
  /** One volume used by two pods of a node counts once. */
  readonly id: string
}

interface DriverUse {
  /** By slot: how many pods use each volume. */
  readonly bySlot: Map<number, Map<string, number>>
}

interface PodUse {
  readonly slot: number
  readonly claims: readonly string[]
  volumes: readonly VolumeId[]
}

export class VolumeUse {
  readonly #objects: Objects
  readonly #pods = new Map<string, PodUse>()
  readonly #podsOfClaim = new Map<string, Set<string>>()
  readonly #drivers = new Map<string, DriverUse>()

  constructor(state: ClusterState, objects: Objects) {
    this.#objects = objects
    state.onPod((slot, standing, sign) => (sign === 1 ? this.#add(slot, standing) : this.#remove(standing.key)))
  }

  /** Pods on any node that use the claim. */
  podsOf(claim: string): number {
    return this.#podsOfClaim.get(claim)?.size ?? 0
  }

  /** Volumes of the driver on the node, by id. */
  on(slot: number, driver: string): ReadonlyMap<string, number> | undefined {
    return this.#drivers.get(driver)?.bySlot.get(slot)
  }

  /** A claim was bound, or a class came: what its pods hold is known better now. */
  claimChanged(claim: string): void {
    for (const key of this.#podsOfClaim.get(claim) ?? []) {
      const use = this.#pods.get(key)!
      for (const volume of use.volumes) this.#count(use.slot, volume, -1)
      use.volumes = this.volumesOf(use.claims)
      for (const volume of use.volumes) this.#count(use.slot, volume, 1)
    }
  }

  volumesOf(claims: readonly string[]): readonly VolumeId[] {
    return claims.flatMap((key) => {
      const claim = this.#objects.claim(key)
      if (claim === undefined) return []
      if (!isBound(claim)) {
        const driver = this.#objects.storageClass(classOf(claim))?.provisioner
        return driver === undefined ? [] : [{ driver, id: `claim ${key}` }]
      }
      const csi = this.#objects.volume(claim.spec.volumeName!)?.spec.csi
      return csi === undefined ? [] : [{ driver: csi.driver, id: csi.volumeHandle }]
    })
  }

  #add(slot: number, { key, pod }: StandingPod): void {
    const claims = claimKeysOf(pod)
    if (claims.length === 0) return
    const volumes = this.volumesOf(claims)
    this.#pods.set(key, { slot, claims, volumes })
    for (const claim of claims) {
      const users = this.#podsOfClaim.get(claim)
      if (users === undefined) this.#podsOfClaim.set(claim, new Set([key]))
      else users.add(key)
    }
    for (const volume of volumes) this.#count(slot, volume, 1)
  }

  #remove(key: string): void {
    const use = this.#pods.get(key)
    if (use === undefined) return
    this.#pods.delete(key)
    for (const claim of use.claims) {
      const users = this.#podsOfClaim.get(claim)
      users?.delete(key)
      if (users?.size === 0) this.#podsOfClaim.delete(claim)
    }
    for (const volume of use.volumes) this.#count(use.slot, volume, -1)
  }

  #count(slot: number, { driver, id }: VolumeId, sign: 1 | -1): void {
    let use = this.#drivers.get(driver)
    if (use === undefined) this.#drivers.set(driver, (use = { bySlot: new Map() }))
    let held = use.bySlot.get(slot)
    if (held === undefined) use.bySlot.set(slot, (held = new Map()))
    const left = (held.get(id) ?? 0) + sign
    if (left === 0) held.delete(id)
    else held.set(id, left)
  }
}
