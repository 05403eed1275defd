// A request of a claim as its alternatives, the preferred first.

import type { DeviceRequest, DeviceSelector, DeviceSubRequest, DeviceToleration } from '@aksel/api/types/resource-v1'

export interface Wish {
  /** As results name it: `request`, or `request/alternative`. */
  readonly reference: string
  readonly className: string
  readonly selectors: readonly DeviceSelector[] | undefined
  readonly isAll: boolean
  readonly count: number
  readonly adminAccess: boolean
  readonly tolerations: readonly DeviceToleration[] | undefined
  readonly capacity: Readonly<Record<string, string | number>> | undefined
  /** Place among the alternatives, from 0. */
  readonly rank: number
}

export function wishesOf({ name, exactly, firstAvailable = [] }: DeviceRequest): readonly Wish[] {
  if (exactly !== undefined) return [wishOf(name, exactly, exactly.adminAccess === true, 0)]
  return firstAvailable.map((each, rank) => wishOf(`${name}/${each.name}`, each, false, rank))
}

function wishOf(reference: string, wish: Omit<DeviceSubRequest, 'name'>, adminAccess: boolean, rank: number): Wish {
  const { deviceClassName, selectors, allocationMode, count, tolerations, capacity } = wish
  return {
    reference,
    className: deviceClassName,
    selectors,
    isAll: allocationMode === 'All',
    count: count ?? 1,
    adminAccess,
    tolerations,
    capacity: capacity?.requests,
    rank,
  }
}
