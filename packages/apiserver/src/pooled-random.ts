// Chance drawn in large portions: an identity per object and per audit entry would else cost a system call each.

import type { Random } from '@aksel/base/ids'

const PORTION_BYTES = 4096

export function pooledRandom(source: Random): Random {
  let portion: Uint8Array = new Uint8Array(0)
  let at = 0
  return {
    nextBytes(count) {
      if (count > PORTION_BYTES) return source.nextBytes(count)
      if (at + count > portion.length) {
        portion = source.nextBytes(PORTION_BYTES)
        at = 0
      }
      at += count
      return portion.subarray(at - count, at)
    },
  }
}
