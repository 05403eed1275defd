// Which addresses of the shared ranges the host uses already, be it another fabric's or someone else's.

import { readFile } from 'node:fs/promises'
import { networkInterfaces } from 'node:os'
import { contains, overlaps, parseAddress, type Range } from '@aksel/base/ipv4'
import type { HostUse } from './allocate.ts'

/** Parses /proc/net/route: destination and mask as hexadecimal numbers in the host's byte order, which is little endian. */
export function parseRoutes(text: string): readonly Range[] {
  return text
    .split('\n')
    .slice(1)
    .filter((line) => line.trim() !== '')
    .map((line) => {
      const fields = line.split(/\s+/)
      const swap = (hex: string): number => parseInt(hex.match(/../g)!.toReversed().join(''), 16)
      const size = 2 ** 32 - swap(fields[7]!)
      return { first: swap(fields[1]!), prefixLength: 32 - Math.log2(size), size }
    })
}

/** What is routed or assigned now. A default route, or any wider than a /8, takes nothing. */
export async function readHostUse(): Promise<HostUse> {
  const routes = parseRoutes(await readFile('/proc/net/route', 'latin1')).filter((route) => route.prefixLength >= 8)
  const own = Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .filter((address) => address.family === 'IPv4')
    .map((address) => parseAddress(address.address))
  return (range) => routes.some((route) => overlaps(route, range)) || own.some((address) => contains(range, address))
}
