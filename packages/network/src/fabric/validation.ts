// Refuses VNets that cannot be: subnets outside their VNet, subnets that overlap, subnets that move.

import type { VirtualNetwork } from '@aksel/provider/fabric'
import { contains, overlaps, parseRange } from '@aksel/base/ipv4'

/** Azure's smallest subnet: five addresses are its own. */
const SUBNET_PREFIX_MAX = 29

/** Throws when the VNet cannot be made. */
export function judgeNetwork(spec: VirtualNetwork): void {
  const whole = parseRange(spec.addressPrefix)
  const ranges = spec.subnets.map((subnet) => ({ ...subnet, range: parseRange(subnet.addressPrefix) }))
  for (const [index, { id, addressPrefix, range }] of ranges.entries()) {
    if (!contains(whole, range.first) || range.size > whole.size) {
      throw new Error(`Subnet ${id} (${addressPrefix}) does not lie in its VNet's range ${spec.addressPrefix}`)
    }
    if (range.prefixLength > SUBNET_PREFIX_MAX) {
      throw new Error(`Subnet ${id} (${addressPrefix}) is too small: a /${SUBNET_PREFIX_MAX} is the smallest`)
    }
    const other = ranges.slice(0, index).find((earlier) => overlaps(earlier.range, range))
    if (other !== undefined) throw new Error(`Subnets ${other.id} and ${id} overlap`)
  }
}

/** Throws when a standing VNet cannot become this one: subnets may be added, nothing may move. */
export function judgeChange(before: VirtualNetwork, after: VirtualNetwork): void {
  if (before.addressPrefix !== after.addressPrefix) {
    throw new Error(
      `Cannot change the range of VNet ${before.id} from ${before.addressPrefix} to ${after.addressPrefix} while it stands`,
    )
  }
  for (const [index, subnet] of before.subnets.entries()) {
    const now = after.subnets[index]
    if (now?.id !== subnet.id || now.addressPrefix !== subnet.addressPrefix) {
      throw new Error(
        `Cannot remove or move subnet ${subnet.id} of VNet ${before.id} while it stands; subnets may be added at the end`,
      )
    }
  }
}
