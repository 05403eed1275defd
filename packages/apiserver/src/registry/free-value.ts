// A free value of a range, picked by chance.

import type { Random } from '@aksel/base/ids'

/** A random free value between `from` and `to`; walks on from a random start. */
export function freeIn(
  random: Random,
  from: number,
  to: number,
  held: ReadonlyMap<string, string>,
  show: (value: number) => string,
): string | undefined {
  const size = to - from + 1
  if (size <= 0) return undefined
  const [a = 0, b = 0, c = 0, d = 0] = random.nextBytes(4)
  const start = (((a << 24) | (b << 16) | (c << 8) | d) >>> 0) % size
  for (let step = 0; step < size; step += 1) {
    const value = show(from + ((start + step) % size))
    if (!held.has(value)) return value
  }
  return undefined
}
