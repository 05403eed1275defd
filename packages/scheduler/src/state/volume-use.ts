// Which claims standing pods use, and how many volumes of each CSI driver every node holds.

import type { Objects } from '../plugin.ts'
import { classOf, claimKeysOf, isBound } from '../volumes.ts'
import type { ClusterState, StandingPod } from './cluster-state.ts'
import { DriverUse, type LimitOf } from './driver-use.ts'

export interface VolumeId {
  readonly driver: string
  /** One volume used by two pods of a node counts once. */
  readonly id: string
}

interface PodUse {
  readonly slot: number
  readonly claims: readonly string[]
  volumes: readonly VolumeId[]
}

export class VolumeUse {
  readonly #objects: Objects
  readonly #state: ClusterState
  readonly #pods = new Map<string, PodUse>()
  readonly #podsOfClaim = new Map<string, Set<string>>()
  readonly #drivers = new Map<string, DriverUse>()

  constructor(state: ClusterState, objects: Objects) {
    this.#objects = objects
    this.#state = state
    state.onPod((slot, standing, sign) => (sign === 1 ? this.#add(slot, standing) : this.#remove(standing.key)))
  }

  /** Pods on any node that use the claim. */
  podsOf(claim: string): number {
    return this.#podsOfClaim.get(claim)?.size ?? 0
  }

  /** How many volumes of the driver every node holds and may hold, as things stand now. */
  driver(name: string): DriverUse {
    const use = this.#driver(name)
    use.refresh()
    return use
  }

  /** What a node says of its drivers is another now. */
  csiNodeChanged(name: string): void {
    const slot = this.#state.slotOf(name)
    if (slot !== undefined) for (const use of this.#drivers.values()) use.limitChanged(slot)
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
    this.#driver(driver).count(slot, id, sign)
  }

  #driver(name: string): DriverUse {
    let use = this.#drivers.get(name)
    if (use === undefined) this.#drivers.set(name, (use = new DriverUse(this.#state, this.#limitOf(name))))
    return use
  }

  #limitOf(driver: string): LimitOf {
    return (node) => this.#objects.csiNode(node)?.spec.drivers?.find(({ name }) => name === driver)?.allocatable?.count
  }
}
