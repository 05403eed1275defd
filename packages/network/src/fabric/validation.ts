// Refuses VNets that cannot be: subnets outside their VNet, subnets that overlap, subnets that move.

import type { VirtualNetwork } from '@aksel/provider/fabric'
import type { NetworkState } from './state.ts'
import * as ipRange from '@aksel/base/ip-range'
import { contains, overlaps, parseRange } from '@aksel/base/ipv4'

/** Azure's smallest subnet: five addresses are its own. */
const SUBNET_PREFIX_MAX = 29

/** Throws when the VNet cannot be made. */
export function judgeNetwork(spec: VirtualNetwork): void {
  const wholes = [spec.addressPrefix, ...(spec.otherPrefixes ?? [])].map(parseRange)
  const ranges = spec.subnets.map((subnet) => ({ ...subnet, range: parseRange(subnet.addressPrefix) }))
  judgeIpv6(spec)
  for (const [index, { id, addressPrefix, range }] of ranges.entries()) {
    if (!wholes.some((whole) => contains(whole, range.first) && range.size <= whole.size)) {
      const ranges = [spec.addressPrefix, ...(spec.otherPrefixes ?? [])].join(', ')
      throw new Error(`Subnet ${id} (${addressPrefix}) does not lie in its VNet's range ${ranges}`)
    }
    if (range.prefixLength > SUBNET_PREFIX_MAX) {
      throw new Error(`Subnet ${id} (${addressPrefix}) is too small: a /${SUBNET_PREFIX_MAX} is the smallest`)
    }
    const other = ranges.slice(0, index).find((earlier) => overlaps(earlier.range, range))
    if (other !== undefined) throw new Error(`Subnets ${other.id} and ${id} overlap`)
  }
}

/** As Azure has it: a subnet's range of IPv6 is a /64 of its VNet's. */
function judgeIpv6({ subnets, ipv6 }: VirtualNetwork): void {
  const wholes = (ipv6?.prefixes ?? []).map(ipRange.parseRange)
  const seen = new Set<string>()
  for (const { id, ipv6Prefix } of subnets) {
    if (ipv6Prefix === undefined) continue
    const range = ipRange.parseRange(ipv6Prefix)
    if (range?.family !== 6 || range.prefix !== 64) throw new Error(`Subnet ${id} (${ipv6Prefix}) is no /64 of IPv6`)
    if (!wholes.some((whole) => whole !== undefined && ipRange.rangeContains(whole, range)))
      throw new Error(
        `Subnet ${id} (${ipv6Prefix}) does not lie in its VNet's range ${ipv6?.prefixes.join(', ') ?? ''}`,
      )
    const text = ipRange.formatRange(range)
    if (seen.has(text)) throw new Error(`Subnet ${id} (${ipv6Prefix}) overlaps another one`)
    seen.add(text)
  }
}

/** Throws when a standing VNet cannot become this one: a subnet with machines or pods in it neither goes nor moves. */
export function judgeChange(network: Pick<NetworkState, 'spec' | 'machines'>, after: VirtualNetwork): void {
  const inUse = new Set(
    Object.values(network.machines).flatMap(({ subnetId, pods }) => [
      subnetId,
      ...(pods === undefined ? [] : [pods.subnetId]),
    ]),
  )
  for (const subnet of network.spec.subnets) {
    const now = after.subnets.find(({ id }) => id === subnet.id)
    const hasIpv6 = subnet.ipv6Prefix === undefined || now?.ipv6Prefix === subnet.ipv6Prefix
    if (!inUse.has(subnet.id) || (now?.addressPrefix === subnet.addressPrefix && hasIpv6)) continue
    throw new Error(
      `Cannot remove or move subnet ${subnet.id} of VNet ${after.id} while machines or pods have its addresses`,
    )
  }
}
