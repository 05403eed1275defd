// Bytes come whole: quantities that say otherwise are accepted, and their writer is told.

import { parseQuantity } from '@aksel/base/quantity'

const nanoPerMilli = 1_000_000n

/** Rounded up to thousandths first, as upstream looks at them. */
export function isFractional(amount: string | number): boolean {
  const { nano } = parseQuantity(amount)
  return ((nano + nanoPerMilli - 1n) / nanoPerMilli) % 1000n !== 0n
}
