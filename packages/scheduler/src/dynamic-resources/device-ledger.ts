// What the scheduler knows of devices: offered by slices, taken by claims, and promised by itself while it is being written.

import type { AllocationResult, DeviceClass, ResourceClaim, ResourceSlice } from '@aksel/api/types/resource-v1'
import type { DeviceTaintRule } from '@aksel/api/kinds/device-taint-rule'
import { deviceTaints } from '@aksel/runtime/device-taints'
import type { Node } from '@aksel/api/types/core-v1'
import { allocate, type Choice } from './allocator.ts'
import { TakenDevices } from './consumption.ts'
import { Pools } from './pools.ts'
import { Selectors } from './selection.ts'

/** Objects as the caches show them. */
export interface DeviceObjects {
  claim(key: string): ResourceClaim | undefined
  deviceClass(name: string): DeviceClass | undefined
  slices(): readonly ResourceSlice[]
  taintRules(): readonly DeviceTaintRule[]
}

interface Promised {
  readonly allocation: AllocationResult
  readonly podUid: string
  /** Acknowledged by the server: only what the cache tells can undo it. */
  isWritten: boolean
}

export class DeviceLedger {
  readonly objects: DeviceObjects
  readonly #taken = new TakenDevices()
  readonly #selectors = new Selectors()
  /** By uid of the claim, until the cache shows it allocated. */
  readonly #promised = new Map<string, Promised>()
  #pools: Pools | undefined

  constructor(objects: DeviceObjects) {
    this.objects = objects
  }

  slicesChanged(): void {
    this.#pools = undefined
  }

  claimChanged(now: ResourceClaim | undefined, before: ResourceClaim | undefined): void {
    const uid = (now ?? before)!.metadata.uid!
    const allocation = now?.status?.allocation
    if (allocation === undefined && now !== undefined && this.#promised.has(uid)) return
    this.#promised.delete(uid)
    this.#taken.set(uid, allocation?.devices?.results)
  }

  promisedTo(claim: ResourceClaim): Promised | undefined {
    return this.#promised.get(claim.metadata.uid!)
  }

  promise(claim: ResourceClaim, allocation: AllocationResult, podUid: string): void {
    const uid = claim.metadata.uid!
    this.#promised.set(uid, { allocation, podUid, isWritten: false })
    this.#taken.set(uid, allocation.devices?.results)
  }

  /** Nothing was written of it. */
  takeBack(claim: ResourceClaim): void {
    const uid = claim.metadata.uid!
    if (this.#promised.delete(uid)) this.#taken.set(uid, undefined)
  }

  /** Throws AllocationProblem. */
  choose(claims: readonly ResourceClaim[], node: Node): readonly (readonly Choice[])[] | undefined {
    this.#pools ??= new Pools(this.objects.slices())
    return allocate(claims, {
      pools: this.#pools.for(node),
      taken: this.#taken,
      selectors: this.#selectors,
      deviceClass: (name) => this.objects.deviceClass(name),
      taintsOf: ({ driver, pool, device: { name, taints } }) =>
        deviceTaints({ driver, pool, name, taints }, this.objects.taintRules()),
    })
  }
}
