// What a network does with a packet, told without sending one: which security rule decides, and where a route leads. Pure.

import { contains, parseAddress, parseRange } from '@aksel/base/ipv4'
import type { SecurityRule, Subnet, SubnetRoute, VirtualNetwork } from '@aksel/provider/fabric'

export interface Flow {
  readonly direction: SecurityRule['direction']
  readonly protocol: 'Tcp' | 'Udp'
  /** Of the machine in the subnet. */
  readonly local: { readonly address: string; readonly port: number }
  readonly remote: { readonly address: string; readonly port: number }
}

/** Where health probes come from. */
const probeAddress = '168.63.129.16'

/** The rule that decides; undefined where the subnet has no security group, and everything passes. */
export function decidingRule(network: VirtualNetwork, subnet: Subnet, flow: Flow): SecurityRule | undefined {
  const isInbound = flow.direction === 'Inbound'
  const source = isInbound ? flow.remote : flow.local
  const destination = isInbound ? flow.local : flow.remote
  return subnet.securityRules?.find(
    (rule) =>
      rule.direction === flow.direction &&
      (rule.protocol === '*' || rule.protocol === flow.protocol) &&
      hasPort(rule.sourcePorts, source.port) &&
      hasPort(rule.destinationPorts, destination.port) &&
      hasAddress(network, rule.sources, source.address) &&
      hasAddress(network, rule.destinations, destination.address),
  )
}

function hasPort(ranges: readonly string[], port: number): boolean {
  return ranges.some((text) => {
    if (text === '*') return true
    const [first, last = first] = text.split('-').map(Number)
    return port >= first! && port <= last!
  })
}

function hasAddress(network: VirtualNetwork, prefixes: readonly string[], address: string): boolean {
  return prefixes.some((prefix) => {
    if (prefix === '*') return true
    if (/^\d/.test(prefix)) return isInside([prefix.includes('/') ? prefix : `${prefix}/32`], address)
    return hasTag(network, prefix, address)
  })
}

function hasTag(network: VirtualNetwork, tag: string, address: string): boolean {
  const isVirtualNetwork = isInside(virtualNetworkPrefixes(network), address)
  switch (tag.toLowerCase()) {
    case 'virtualnetwork':
      return isVirtualNetwork
    case 'azureloadbalancer':
      return address === probeAddress
    case 'internet':
      return !isVirtualNetwork && address !== probeAddress
    default:
      return false
  }
}

function virtualNetworkPrefixes(network: VirtualNetwork): readonly string[] {
  const { addressPrefix, otherPrefixes = [], podPrefixes = [], peerings = [] } = network
  const peered = peerings.filter(({ allowsAccess }) => allowsAccess).flatMap(({ addressPrefixes }) => addressPrefixes)
  return [addressPrefix, ...otherPrefixes, ...podPrefixes, ...peered]
}

function isInside(prefixes: readonly string[], address: string): boolean {
  return prefixes.some((prefix) => contains(parseRange(prefix), parseAddress(address)))
}

export interface NextHop {
  /** As Network Watcher names them. */
  readonly type: SubnetRoute['nextHop'] | 'VnetPeering'
  readonly address?: string
  /** The user's own route; absent where the system routes. */
  readonly route?: string
}

/** Azure's order: the longest prefix first, then the user's route before the system's. */
export function nextHopOf(network: VirtualNetwork, subnet: Subnet, destination: string): NextHop {
  const { addressPrefix, otherPrefixes = [], podPrefixes = [], peerings = [] } = network
  const system = (prefixes: readonly string[], type: NextHop['type']): readonly Candidate[] =>
    prefixes.map((prefix) => ({ prefix, own: 0 as const, hop: { type } }))
  const candidates: readonly Candidate[] = [
    ...(subnet.routes ?? []).map(({ name, addressPrefix: prefix, nextHop, nextHopAddress }) => ({
      prefix,
      own: 1 as const,
      hop: { type: nextHop, ...(nextHopAddress === undefined ? {} : { address: nextHopAddress }), route: name },
    })),
    ...system([addressPrefix, ...otherPrefixes, ...podPrefixes], 'VnetLocal'),
    ...system(
      peerings.flatMap(({ addressPrefixes }) => addressPrefixes),
      'VnetPeering',
    ),
    ...system(['0.0.0.0/0'], subnet.egress?.kind === 'none' ? 'None' : 'Internet'),
  ]
  const [first] = candidates
    .filter(({ prefix }) => isInside([prefix], destination))
    .toSorted((a, b) => parseRange(b.prefix).prefixLength - parseRange(a.prefix).prefixLength || b.own - a.own)
  return first!.hop
}

interface Candidate {
  readonly prefix: string
  readonly own: 0 | 1
  readonly hop: NextHop
}
