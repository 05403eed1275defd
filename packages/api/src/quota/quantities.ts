// Amounts by name, added up.

import { addQuantities } from '@aksel/base/quantity'
import type { Quantity } from '@aksel/base/quantity'

export type Usage = ReadonlyMap<string, Quantity>

export function addUsage(left: Usage, right: Usage): Usage {
  const result = new Map(left)
  for (const [name, amount] of right) {
    const known = result.get(name)
    result.set(name, known === undefined ? amount : addQuantities(known, amount))
  }
  return result
}
