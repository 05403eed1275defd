// What a spot pool may be.

import { invalidParameter, notAllowed } from '../../azure-errors.ts'
import type { PoolProperties, PoolRecord } from '../../records.ts'
import { isSpot } from '../../upgrade-plan.ts'

/** Whatever it costs, and gone when it goes. */
export const spotDefaults = { scaleSetEvictionPolicy: 'Delete', spotMaxPrice: -1 } as const

/** Throws what Azure would refuse. */
export function judgeSpot(pool: PoolProperties): void {
  const policy = pool['scaleSetEvictionPolicy'] ?? 'Delete'
  if (policy !== 'Delete' && policy !== 'Deallocate') {
    throw invalidParameter(
      'agentPoolProfile.scaleSetEvictionPolicy',
      `${JSON.stringify(policy)} is not one of the allowed values: Delete, Deallocate`,
    )
  }
  const price = pool['spotMaxPrice'] ?? -1
  if (!isSpot(pool)) {
    // Older clients send -1 with every pool.
    if (price === -1) return
    throw invalidParameter('agentPoolProfile.spotMaxPrice', 'spotMaxPrice can be set only for spot node pools')
  }
  if (pool.mode === 'System') {
    throw invalidParameter(
      'agentPoolProfile.scaleSetPriority',
      'a spot node pool cannot be of mode System: it can only be a secondary node pool',
    )
  }
  if (typeof price !== 'number' || !isPrice(price)) {
    throw invalidParameter(
      'agentPoolProfile.spotMaxPrice',
      `${JSON.stringify(price)} must be -1, or greater than 0 with at most 5 decimal places`,
    )
  }
}

function isPrice(price: number): boolean {
  return price === -1 || (price > 0 && Number(price.toFixed(5)) === price)
}

/** A control plane and a spot pool are not upgraded in one operation. Throws OperationNotAllowed. */
export function judgeSpotUpgrade(upgraded: readonly Pick<PoolRecord, 'name' | 'properties'>[]): void {
  const spot = upgraded.find(({ properties }) => isSpot(properties))
  if (spot === undefined) return
  throw notAllowed(
    `Upgrading the control plane together with spot node pool '${spot.name}' is not allowed: upgrade the control plane first, then the pool.`,
  )
}
