// What is used up: devices as a whole, counters that devices of a pool share, and parts of devices that several claims share.

import type { Device, DeviceCapacity, DeviceRequestAllocationResult } from '@aksel/api/types/resource-v1'
import { addQuantities, compareQuantities, formatQuantity, parseQuantity, type Quantity } from '@aksel/base/quantity'
import { idOf, type OfferedDevice, type Pool } from './pools.ts'

export type Consumed = Readonly<Record<string, string>>

/** Allocations of the whole cluster. Those of administrators use nothing up. */
export class TakenDevices {
  /** By uid of the claim. */
  readonly #claims = new Map<string, readonly DeviceRequestAllocationResult[]>()
  /** How many hold the device as a whole, by id. */
  readonly #whole = new Map<string, number>()
  readonly #parts = new Map<string, DeviceRequestAllocationResult[]>()

  set(claimUid: string, results: readonly DeviceRequestAllocationResult[] | undefined): void {
    for (const result of this.#claims.get(claimUid) ?? []) this.#drop(result)
    if (results === undefined) this.#claims.delete(claimUid)
    else this.#claims.set(claimUid, results)
    for (const result of results ?? []) this.#add(result)
  }

  isTaken(id: string): boolean {
    return this.#whole.has(id)
  }

  partsOf(id: string): readonly DeviceRequestAllocationResult[] {
    return this.#parts.get(id) ?? []
  }

  isInUse(id: string): boolean {
    return this.#whole.has(id) || this.partsOf(id).length > 0
  }

  #add(result: DeviceRequestAllocationResult): void {
    if (result.adminAccess === true) return
    const id = idOf(result)
    if (result.shareID === undefined) this.#whole.set(id, (this.#whole.get(id) ?? 0) + 1)
    else this.#parts.set(id, [...this.partsOf(id), result])
  }

  #drop(result: DeviceRequestAllocationResult): void {
    if (result.adminAccess === true) return
    const id = idOf(result)
    if (result.shareID !== undefined) {
      const rest = this.partsOf(id).filter((each) => each !== result)
      if (rest.length === 0) this.#parts.delete(id)
      else this.#parts.set(id, rest)
      return
    }
    const left = (this.#whole.get(id) ?? 0) - 1
    if (left > 0) this.#whole.set(id, left)
    else this.#whole.delete(id)
  }
}

type Counters = Map<string, Quantity>

/** Counters of pools that are left, `set/counter` by pool; what a search takes is taken here. */
export class CountersLeft {
  readonly #taken: TakenDevices
  readonly #left = new Map<Pool, Counters>()
  #uses = new Map<string, number>()

  constructor(taken: TakenDevices) {
    this.#taken = taken
  }

  /** Shared by those who use it: only the first consumes. False where too little is left; nothing is taken then. */
  take(pool: Pool, { id, device }: OfferedDevice): boolean {
    if ((device.consumesCounters ?? []).length === 0) return true
    const uses = this.#uses.get(id) ?? 0
    if (uses === 0 && !this.#taken.isInUse(id)) {
      const left = this.#of(pool)
      const wanted = consumptionOf(device)
      for (const [name, amount] of wanted) {
        const has = left.get(name)
        if (has === undefined || compareQuantities(has, amount) < 0) return false
      }
      for (const [name, amount] of wanted) left.set(name, minus(left.get(name)!, amount))
    }
    this.#uses.set(id, uses + 1)
    return true
  }

  giveBack(pool: Pool, { id, device }: OfferedDevice): void {
    if ((device.consumesCounters ?? []).length === 0) return
    const uses = (this.#uses.get(id) ?? 0) - 1
    this.#uses.set(id, uses)
    if (uses > 0 || this.#taken.isInUse(id)) return
    const left = this.#of(pool)
    for (const [name, amount] of consumptionOf(device)) left.set(name, addQuantities(left.get(name)!, amount))
  }

  #of(pool: Pool): Counters {
    const known = this.#left.get(pool)
    if (known !== undefined) return known
    const left: Counters = new Map()
    for (const { name, counters } of pool.counterSets.values())
      for (const [counter, { value }] of Object.entries(counters)) left.set(`${name}/${counter}`, parseQuantity(value))
    for (const { id, device } of pool.devices) {
      if (!this.#taken.isInUse(id)) continue
      for (const [name, amount] of consumptionOf(device)) {
        const has = left.get(name)
        if (has !== undefined) left.set(name, minus(has, amount))
      }
    }
    this.#left.set(pool, left)
    return left
  }
}

function consumptionOf({ consumesCounters = [] }: Device): readonly (readonly [string, Quantity])[] {
  return consumesCounters.flatMap(({ counterSet, counters }) =>
    Object.entries(counters).map(([name, { value }]) => [`${counterSet}/${name}`, parseQuantity(value)] as const),
  )
}

function minus(left: Quantity, right: Quantity): Quantity {
  return { ...left, nano: left.nano - right.nano }
}

/**
 * What a request takes of a device that several share, rounded up as the driver's policy says; undefined where the device
 * cannot give it. `used`: what others have of it.
 */
export function shareOf(
  { capacity = {} }: Device,
  wanted: Readonly<Record<string, string | number>> | undefined,
  used: readonly Consumed[],
): Consumed | undefined {
  for (const name of Object.keys(wanted ?? {})) if (capacity[name] === undefined) return undefined
  const share: Record<string, string> = {}
  for (const [name, offer] of Object.entries(capacity)) {
    const asked = wanted?.[name]
    const amount = rounded(offer, asked === undefined ? undefined : parseQuantity(asked))
    if (amount === undefined) return undefined
    let total = amount
    for (const other of used) if (other[name] !== undefined) total = addQuantities(total, parseQuantity(other[name]))
    if (compareQuantities(total, parseQuantity(offer.value)) > 0) return undefined
    share[name] = formatQuantity(amount)
  }
  return share
}

/** Whether a device that is given as a whole has what is asked for. */
export function holds(
  { capacity = {} }: Device,
  wanted: Readonly<Record<string, string | number>> | undefined,
): boolean {
  return Object.entries(wanted ?? {}).every(([name, asked]) => {
    const offer = capacity[name]
    if (offer === undefined) return false
    const amount = rounded(offer, parseQuantity(asked))
    return amount !== undefined && compareQuantities(amount, parseQuantity(offer.value)) <= 0
  })
}

function rounded({ value, requestPolicy }: DeviceCapacity, asked: Quantity | undefined): Quantity | undefined {
  if (asked === undefined) return parseQuantity(requestPolicy?.default ?? value)
  if (requestPolicy === undefined) return asked
  const { validValues, validRange } = requestPolicy
  if (validValues !== undefined && validValues.length > 0)
    return validValues
      .map((each) => parseQuantity(each))
      .toSorted(compareQuantities)
      .find((each) => compareQuantities(each, asked) >= 0)
  if (validRange === undefined) return asked
  const min = parseQuantity(validRange.min)
  let amount = compareQuantities(asked, min) < 0 ? min : asked
  if (validRange.step !== undefined) {
    const step = parseQuantity(validRange.step).nano
    const over = (amount.nano - min.nano) % step
    if (over !== 0n) amount = { ...amount, nano: amount.nano + step - over }
  }
  const isTooMuch = validRange.max !== undefined && compareQuantities(amount, parseQuantity(validRange.max)) > 0
  return isTooMuch ? undefined : amount
}
