// Chooses devices of one node for all claims of a pod at once: depth first, the first that suits, back where it leads nowhere.
// Pure: what is taken, what is offered and what is wanted come in; allocations come out.

import type {
  DeviceClass,
  DeviceRequestAllocationResult,
  DeviceTaint,
  ResourceClaim,
} from '@aksel/api/types/resource-v1'
import { Constraint } from './constraints.ts'
import { CountersLeft, holds, shareOf, type Consumed, type TakenDevices } from './consumption.ts'
import type { NodePool, OfferedDevice, Pool } from './pools.ts'
import { AllocationProblem, classPicks, isTolerated, type Selectors } from './selection.ts'
import { wishesOf, type Wish } from './wishes.ts'

/** Upstream's AllocationResultsMaxSize, for one claim. */
const RESULTS_MAX = 32
/** Devices looked at before a search is given up; upstream gives it ten seconds. */
const STEPS_MAX = 200_000

export interface Offer {
  readonly pools: readonly NodePool[]
  readonly taken: TakenDevices
  readonly selectors: Selectors
  deviceClass(name: string): DeviceClass | undefined
  /** Of the device itself, and of rules that an administrator made. */
  taintsOf(device: OfferedDevice): readonly DeviceTaint[]
}

export interface Choice {
  readonly wish: Wish
  readonly device: OfferedDevice
  /** Where it is one of several users. */
  readonly share?: Consumed
}

/** By claim, in their order; undefined where the node has no devices for all of them. Throws AllocationProblem. */
export function allocate(claims: readonly ResourceClaim[], offer: Offer): readonly (readonly Choice[])[] | undefined {
  return new Search(claims, offer).run()
}

interface Candidate {
  readonly pool: Pool
  readonly device: OfferedDevice
}

/** What has to be placed still: alternatives of one request. */
interface Open {
  readonly claimIndex: number
  readonly alternatives: readonly Wish[]
}

class Search {
  readonly #claims: readonly ResourceClaim[]
  readonly #offer: Offer
  readonly #open: readonly Open[]
  readonly #constraints: readonly (readonly Constraint[])[]
  readonly #chosen: Choice[][]
  readonly #counters: CountersLeft
  readonly #candidates: readonly Candidate[]
  /** Devices of this search that are given as a whole. */
  readonly #whole = new Set<string>()
  readonly #suits = new Map<Wish, Map<OfferedDevice, boolean>>()
  #steps = 0

  constructor(claims: readonly ResourceClaim[], offer: Offer) {
    this.#claims = claims
    this.#offer = offer
    this.#open = claims.flatMap((claim, claimIndex) =>
      claim.spec.devices.requests.map((request) => ({ claimIndex, alternatives: wishesOf(request) })),
    )
    this.#constraints = claims.map(({ spec }) => (spec.devices.constraints ?? []).map((each) => new Constraint(each)))
    this.#chosen = claims.map(() => [])
    this.#counters = new CountersLeft(offer.taken)
    this.#candidates = offer.pools.flatMap(({ pool, devices }) => devices.map((device) => ({ pool, device })))
  }

  run(): readonly (readonly Choice[])[] | undefined {
    return this.#place(0) ? this.#chosen : undefined
  }

  #place(index: number): boolean {
    const open = this.#open[index]
    if (open === undefined) return true
    return open.alternatives.some((wish) =>
      wish.isAll
        ? this.#placeAll(open, wish, () => this.#place(index + 1))
        : this.#placeSome(open, { wish, left: wish.count, from: 0 }, () => this.#place(index + 1)),
    )
  }

  #placeAll(open: Open, wish: Wish, goOn: () => boolean): boolean {
    const all = this.#candidates.filter(({ device }) => this.#isSuitable(open, wish, device))
    for (const { pool } of all)
      if (pool.isIncomplete)
        throw new AllocationProblem(
          `claim ${this.#nameOf(open)}, request ${wish.reference}: asks for all devices, but resource pool ${pool.id} is currently being updated`,
        )
    if (all.length === 0) return false
    const placed: { readonly candidate: Candidate; readonly undo: () => void }[] = []
    for (const candidate of all) {
      const undo = this.#take(open, wish, candidate)
      if (undo === undefined) break
      placed.push({ candidate, undo })
    }
    if (placed.length === all.length && goOn()) return true
    for (const { undo } of placed.reverse()) undo()
    return false
  }

  /** Devices of one request are interchangeable: each next one comes later in the list, so that no set is tried twice. */
  #placeSome(
    open: Open,
    { wish, left, from }: { readonly wish: Wish; readonly left: number; readonly from: number },
    goOn: () => boolean,
  ): boolean {
    if (left === 0) return goOn()
    for (let index = from; index < this.#candidates.length; index += 1) {
      const candidate = this.#candidates[index]!
      if (candidate.pool.isIncomplete || !this.#isSuitable(open, wish, candidate.device)) continue
      const undo = this.#take(open, wish, candidate)
      if (undo === undefined) continue
      // A device for several may serve the same request again.
      const next = candidate.device.device.allowMultipleAllocations === true ? index : index + 1
      if (this.#placeSome(open, { wish, left: left - 1, from: next }, goOn)) return true
      undo()
    }
    return false
  }

  /** Undefined where it cannot be had, beside what is taken and chosen already. */
  #take(open: Open, wish: Wish, { pool, device }: Candidate): (() => void) | undefined {
    this.#steps += 1
    if (this.#steps > STEPS_MAX) throw new AllocationProblem('timed out trying to allocate devices')
    if (pool.invalid !== undefined) throw new AllocationProblem(`pool ${pool.id} is invalid: ${pool.invalid}`)
    const chosen = this.#chosen[open.claimIndex]!
    if (chosen.length >= RESULTS_MAX) return undefined
    const isShared = device.device.allowMultipleAllocations === true
    const share = isShared ? this.#shareOf(wish, device) : undefined
    if (isShared && share === undefined) return undefined
    const isWhole = !isShared && !wish.adminAccess
    if (isWhole && (this.#whole.has(device.id) || this.#offer.taken.isTaken(device.id))) return undefined
    const constraints: Constraint[] = []
    for (const constraint of this.#constraints[open.claimIndex]!) {
      if (!constraint.concerns(wish.reference)) continue
      if (!constraint.add(device)) {
        for (const each of constraints) each.remove()
        return undefined
      }
      constraints.push(constraint)
    }
    if (!wish.adminAccess && !this.#counters.take(pool, device)) {
      for (const each of constraints) each.remove()
      return undefined
    }
    if (isWhole) this.#whole.add(device.id)
    chosen.push({ wish, device, ...(share === undefined ? {} : { share }) })
    return () => {
      chosen.pop()
      if (isWhole) this.#whole.delete(device.id)
      if (!wish.adminAccess) this.#counters.giveBack(pool, device)
      for (const each of constraints) each.remove()
    }
  }

  #shareOf(wish: Wish, device: OfferedDevice): Consumed | undefined {
    if (wish.adminAccess) return shareOf(device.device, wish.capacity, [])
    const here = this.#chosen.flat().filter((each) => each.device === device && !each.wish.adminAccess)
    const others = this.#offer.taken.partsOf(device.id).map(({ consumedCapacity }) => consumedCapacity ?? {})
    const used = [...here.map(({ share = {} }) => share), ...others] as readonly Consumed[]
    return shareOf(device.device, wish.capacity, used)
  }

  /** What does not depend on other choices. */
  #isSuitable(open: Open, wish: Wish, device: OfferedDevice): boolean {
    const known = this.#suits.get(wish)?.get(device)
    if (known !== undefined) return known
    const deviceClass = this.#offer.deviceClass(wish.className)
    const { selectors } = this.#offer
    const suits =
      deviceClass !== undefined &&
      classPicks(selectors, device, deviceClass) &&
      selectors.pick(device, wish.selectors, `claim ${this.#nameOf(open)}`) &&
      isTolerated(this.#offer.taintsOf(device), wish.tolerations) &&
      (device.device.allowMultipleAllocations === true || holds(device.device, wish.capacity))
    const answers = this.#suits.get(wish) ?? new Map<OfferedDevice, boolean>()
    this.#suits.set(wish, answers.set(device, suits))
    return suits
  }

  #nameOf({ claimIndex }: Open): string {
    const { namespace, name } = this.#claims[claimIndex]!.metadata
    return `${namespace}/${name}`
  }
}

/** As it stands in the claim's status. `shareId`: a new one for each user of a shared device. */
export function resultOf({ wish, device, share }: Choice, shareId: () => string): DeviceRequestAllocationResult {
  const { bindingConditions = [], bindingFailureConditions = [] } = device.device
  return {
    request: wish.reference,
    driver: device.driver,
    pool: device.pool,
    device: device.device.name,
    ...(wish.adminAccess ? { adminAccess: true } : {}),
    ...((wish.tolerations ?? []).length === 0 ? {} : { tolerations: wish.tolerations! }),
    ...(bindingConditions.length === 0 ? {} : { bindingConditions }),
    ...(bindingFailureConditions.length === 0 ? {} : { bindingFailureConditions }),
    ...(share === undefined ? {} : { shareID: shareId(), consumedCapacity: share }),
  }
}
