// What a VNet of both address families has of IPv6: batches for `ip` and sysctls of its router and machines. Pure. The host's own
// namespace knows nothing of it, so IPv6 never leaves the VNet; a router without a default route says so to whoever tries.

import { formatIp, formatRange, parseRange } from '@aksel/base/ip-range'
import * as four from '@aksel/base/ipv4'
import type { Subnet, VirtualNetwork } from '@aksel/provider/fabric'
import type { MachineState } from './state.ts'

/** Within the subnet's /64, by the place that the machine's other address has in its range: both are free or taken together. */
export function ipv6AddressOf(
  subnet: Pick<Subnet, 'addressPrefix' | 'ipv6Prefix'>,
  address: string,
): string | undefined {
  const range = parseRange(subnet.ipv6Prefix ?? '')
  if (range === undefined) return undefined
  const place = four.parseAddress(address) - four.parseRange(subnet.addressPrefix).first
  return formatIp({ family: 6, value: range.first + BigInt(place) })
}

export function ipv6GatewayOf(prefix: string): string {
  return formatIp({ family: 6, value: parseRange(prefix)!.first + 1n })
}

/** For the router's namespace: addresses of the VNet that no subnet has lead nowhere. */
export function ipv6Nowhere({ ipv6 }: Pick<VirtualNetwork, 'ipv6'>): readonly string[] {
  return (ipv6?.prefixes ?? []).map(
    (prefix) => `route replace unreachable ${formatRange(parseRange(prefix)!)} metric 4096`,
  )
}

/** For the router's namespace; may run twice. Nobody else can have the address: it is not asked for (`nodad`). */
export function ipv6Bridge(slot: number, { ipv6Prefix }: Subnet): readonly string[] {
  if (ipv6Prefix === undefined) return []
  return [`addr replace ${ipv6GatewayOf(ipv6Prefix)}/${parseRange(ipv6Prefix)!.prefix} dev br${slot} nodad`]
}

/** For the machine's namespace; may run twice. As Azure's DHCP gives it: an address alone, and all else is behind the gateway. */
export function ipv6Machine(subnet: Subnet, machine: MachineState): readonly string[] {
  const address = ipv6AddressOf(subnet, machine.address)
  if (address === undefined) return []
  const gateway = ipv6GatewayOf(subnet.ipv6Prefix!)
  return [
    `addr replace ${address}/128 dev eth0 nodad`,
    `route replace ${gateway}/128 dev eth0`,
    `route replace ::/0 via ${gateway} dev eth0`,
  ]
}

/** For the router's namespace: the way to the machine's pods. */
export function ipv6PodRoutes(subnet: Subnet, machine: MachineState, slot: number): readonly string[] {
  const address = ipv6AddressOf(subnet, machine.address)
  if (address === undefined || machine.ipv6PodCidr === undefined) return []
  return [`route replace ${machine.ipv6PodCidr} via ${address} dev br${slot}`]
}

/**
 * Routers and nodes of both families forward. Links that come later find no duplicates: without an address of the link's own a router
 * cannot ask for the neighbour that a forwarded packet is for, and that is a second after the link came up otherwise.
 */
export const IPV6_SYSCTLS: readonly (readonly [name: string, value: string])[] = ['all', 'default'].flatMap((which) =>
  [
    ['disable_ipv6', '0'],
    ['forwarding', '1'],
    ['accept_ra', '0'],
    ['accept_redirects', '0'],
    ['accept_dad', '0'],
  ].map(([name, value]) => [`net/ipv6/conf/${which}/${name}`, value!] as const),
)
