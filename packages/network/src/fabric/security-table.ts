// Security rules, egress and peerings of a VNet as one nftables table of its router. Pure: the VNet in, a script out.

import type { IpFamily } from '@aksel/base/ip-range'
import { parseRange, withoutNested } from '@aksel/base/ipv4'
import {
  routeHops,
  type LostRoute,
  type SecurityRule,
  type Subnet,
  type SubnetRoute,
  type VirtualNetwork,
} from '@aksel/provider/fabric'
import { wordsOf } from '../nft/family.ts'
import { withoutNested as rangesWithoutNested } from '../nft/ranges.ts'
import { ipv6GatewayOf } from './ipv6.ts'
import { HOST_LINK, gatewayOf, NOWHERE_LINK } from './plumbing.ts'
import type { PodPlace } from './pod-places.ts'
import type { Slots } from './slots.ts'
import { isLost } from './subnet-routes.ts'

export const SECURITY_TABLE = 'ip vnet'
/** Beside it in VNets of both families. */
export const SECURITY_TABLE_6 = 'ip6 vnet'
/** nfnetlink_log: what a security rule dropped. */
export const SECURITY_LOG_GROUP = 7
/** Headers with options. */
const LOGGED_BYTES = 80
/** Azure's probes come from this address in every VNet; here also from the subnets' gateways, which nobody else can have. */
const PROBE_ADDRESS = '168.63.129.16'

export interface SecurityFacts {
  readonly network: VirtualNetwork
  readonly slots: Slots
  /** Addresses of the host that API servers listen on. */
  readonly hostAddresses: readonly string[]
  /** Names of the links to peered VNets, by their ids. */
  readonly peerLinks: ReadonlyMap<string, string>
  readonly podPlaces: readonly PodPlace[]
}

/** Replaces the whole table in one transaction. What is established stays: that is the kernel's own memory, not the table's. */
export function renderSecurity(facts: SecurityFacts): string {
  const senders = chainsOf(facts, 'out', (subnet) => [
    ...closedEgress(facts, subnet),
    ...rulesOf(facts.slots, subnet, 'Outbound', 4),
  ])
  const receivers = chainsOf(facts, 'in', (subnet) => rulesOf(facts.slots, subnet, 'Inbound', 4))
  const lost = chainsOf(facts, 'lost', (subnet) => lostPackets(facts, subnet))
  const translated = chainsOf(facts, 'egress', translatedEgress)
  const forward = [
    'type filter hook forward priority filter;',
    ...jumpTo(lost, `oifname { "${HOST_LINK}", "${NOWHERE_LINK}" } `),
    'ct state established,related accept',
    ...peeringRules(facts),
    ...jumpTo(senders),
    ...jumpTo(receivers),
  ]
  const output = [
    'type filter hook output priority filter;',
    'ct state established,related accept',
    // Only what opens a conversation is judged: the router's own errors and neighbour probes are not.
    ...jumpTo(receivers, 'meta l4proto { tcp, udp } ct state new '),
  ]
  const egress = [
    // Before the translation to the router's own address, which then finds the source translated already.
    'type nat hook postrouting priority 90;',
    ...jumpTo(translated, `oifname "${HOST_LINK}" `),
  ]
  return [
    `add table ${SECURITY_TABLE}`,
    `delete table ${SECURITY_TABLE}`,
    `table ${SECURITY_TABLE} {`,
    ...setsOf(facts),
    ...[lost, senders, receivers, translated].flatMap((chains) => dispatched(facts.podPlaces, chains)),
    chain('forward', forward),
    chain('output', output),
    chain('egress', egress),
    '}',
    ...(facts.network.ipv6 === undefined ? [] : renderIpv6(facts)),
  ].join('\n')
}

/** By what the chains of subnets begin with: the chain that leads to them, `in` and `out` being words of nft's. */
const dispatchers = { out: 'senders', in: 'receivers', lost: 'lost', egress: 'translated' } as const

/** Chains of subnets that do one thing; those with nothing to do have none. */
interface SubnetChains {
  readonly kind: keyof typeof dispatchers
  readonly bySlot: ReadonlyMap<number, readonly string[]>
}

function chainsOf(
  { network, slots }: SecurityFacts,
  kind: SubnetChains['kind'],
  rules: (subnet: Subnet) => readonly string[],
): SubnetChains {
  const all = network.subnets.map((subnet) => [slots[subnet.id]!, rules(subnet)] as const)
  return { kind, bySlot: new Map(all.filter(([, lines]) => lines.length > 0)) }
}

function jumpTo({ kind, bySlot }: SubnetChains, match = ''): readonly string[] {
  return bySlot.size === 0 ? [] : [`${match}jump ${dispatchers[kind]}`]
}

/**
 * A packet is its bridge's subnet's to judge, unless it is a pod's of another one. However many subnets there are, it is looked up
 * once or twice.
 */
function dispatched(places: readonly PodPlace[], { kind, bySlot }: SubnetChains): readonly string[] {
  if (bySlot.size === 0) return []
  const name = dispatchers[kind]
  const [link, address] = kind === 'in' ? ['oifname', 'ip daddr'] : ['iifname', 'ip saddr']
  const bridges = [...bySlot.keys()].map((slot) => `"br${slot}" : goto ${kind}_${slot}`)
  const pods = places.map(({ bridge, slot, prefix }) => {
    const verdict = bySlot.has(slot) ? `goto ${kind}_${slot}` : 'return'
    return `"br${bridge}" . ${prefix} : ${verdict}`
  })
  return [
    ...Array.from(bySlot, ([slot, rules]) => chain(`${kind}_${slot}`, rules)),
    map(`${name}_by_bridge`, 'ifname : verdict;', bridges),
    ...(pods.length === 0 ? [] : [map(`${name}_of_pods`, 'ifname . ipv4_addr : verdict; flags interval;', pods)]),
    chain(name, [
      ...(pods.length === 0 ? [] : [`${link} . ${address} vmap @${name}_of_pods`]),
      `${link} vmap @${name}_by_bridge`,
    ]),
  ]
}

function map(name: string, type: string, elements: readonly string[]): string {
  return `  map ${name} { type ${type} elements = { ${elements.join(', ')} } }`
}

/** Nothing of IPv6 leaves the VNet, so that security rules are all that there is to say of it. */
function renderIpv6({ network, slots }: SecurityFacts): readonly string[] {
  const guarded = network.subnets.filter(({ securityRules }) => securityRules !== undefined)
  const { prefixes = [], podPrefixes = [] } = network.ipv6 ?? {}
  const gateways = network.subnets.flatMap(({ ipv6Prefix }) =>
    ipv6Prefix === undefined ? [] : [ipv6GatewayOf(ipv6Prefix)],
  )
  const jumps = (['out', 'in'] as const).flatMap((side) =>
    guarded.map(({ id }) => `${side === 'out' ? 'i' : 'o'}ifname "br${slots[id]}" jump ${side}_${slots[id]}`),
  )
  return [
    `add table ${SECURITY_TABLE_6}`,
    `delete table ${SECURITY_TABLE_6}`,
    `table ${SECURITY_TABLE_6} {`,
    renderSet('virtual_network', rangesWithoutNested([...prefixes, ...podPrefixes], 6), 6),
    renderSet('load_balancer', gateways, 6),
    renderSet('azure_cloud', [], 6),
    ...guarded.flatMap((subnet) => [
      chain(`out_${slots[subnet.id]}`, rulesOf(slots, subnet, 'Outbound', 6)),
      chain(`in_${slots[subnet.id]}`, rulesOf(slots, subnet, 'Inbound', 6)),
    ]),
    chain('forward', ['type filter hook forward priority filter;', 'ct state established,related accept', ...jumps]),
    '}',
  ]
}

function chain(name: string, rules: readonly string[]): string {
  return [`  chain ${name} {`, ...rules.map((rule) => `    ${rule}`), '  }'].join('\n')
}

/** Ranges of the tag VirtualNetwork: its own, its pods', and those of peered VNets that have access. */
export function virtualNetworkRanges({
  addressPrefix,
  otherPrefixes = [],
  podPrefixes = [],
  peerings = [],
}: VirtualNetwork): readonly string[] {
  const peered = peerings.filter(({ allowsAccess }) => allowsAccess).flatMap(({ addressPrefixes }) => addressPrefixes)
  return withoutNested([addressPrefix, ...otherPrefixes, ...podPrefixes, ...peered])
}

export function probeAddresses({ subnets }: VirtualNetwork): readonly string[] {
  return [PROBE_ADDRESS, ...subnets.map(({ addressPrefix }) => gatewayOf(addressPrefix))]
}

function setsOf({ network, hostAddresses }: SecurityFacts): readonly string[] {
  return [
    renderSet('virtual_network', virtualNetworkRanges(network), 4),
    renderSet('load_balancer', probeAddresses(network), 4),
    renderSet('azure_cloud', hostAddresses, 4),
  ]
}

function renderSet(name: string, elements: readonly string[], family: IpFamily): string {
  return [
    `  set ${name} {`,
    `    type ${wordsOf(family).address}; flags interval;`,
    ...(elements.length === 0 ? [] : [`    elements = { ${elements.join(', ')} }`]),
    '  }',
  ].join('\n')
}

function rulesOf(
  slots: Slots,
  { securityRules = [], id }: Subnet,
  direction: SecurityRule['direction'],
  family: IpFamily,
): readonly string[] {
  return securityRules
    .filter((rule) => rule.direction === direction)
    .flatMap((rule) => matchesOf(rule, family).map((match) => `${match}${verdictOf(rule, slots[id]!)}`))
}

/** A rule of one side allows no more than that: the other subnet's rules are asked, too. */
function verdictOf({ access, name, direction }: SecurityRule, slot: number): string {
  return access === 'Allow' ? 'return' : loggedDrop({ direction, rule: name, slot })
}

/** What dropped a packet, as its log entry says it. */
export interface DropMark {
  readonly direction: SecurityRule['direction']
  readonly rule: string
  /** Of the subnet: two names of Azure's length would not fit into what the kernel keeps. */
  readonly slot: number
}

/** The rule's name of closed egress; a security rule's cannot have a blank in front. */
export const CLOSED_EGRESS = 'outboundType-none'

function loggedDrop({ direction, rule, slot }: DropMark): string {
  return logged(`${direction} ${rule} ${slot}`)
}

function logged(prefix: string): string {
  return `log prefix "${prefix}" group ${SECURITY_LOG_GROUP} snaplen ${LOGGED_BYTES} counter drop`
}

/** What no route takes, as its log entry says it. */
export interface LostMark {
  readonly slot: number
  /** Absent where there is none. */
  readonly route?: LostRoute
}

/**
 * Of a subnet with a route table: what its routes send nowhere, and what is for a pod that no route leads to, which would leave
 * for the Internet otherwise. Ranges go from the longest prefix to the shortest, as routes do.
 */
function lostPackets({ network, slots }: SecurityFacts, { id, routes }: Subnet): readonly string[] {
  if (routes === undefined) return []
  const lost = routes.filter((route) => isLost(network, route)).toSorted(byLength)
  const { podPrefixes = [] } = network
  return [
    ...lost.map(
      ({ name, nextHop, addressPrefix }) =>
        `oifname "${NOWHERE_LINK}" ip daddr ${addressPrefix} ${logged(`Route ${nextHop} ${name} ${slots[id]}`)}`,
    ),
    ...(podPrefixes.length === 0
      ? []
      : [
          `oifname "${HOST_LINK}" ip daddr { ${withoutNested(podPrefixes).join(', ')} } ${logged(`NoRoute ${slots[id]}`)}`,
        ]),
  ]
}

function byLength(left: SubnetRoute, right: SubnetRoute): number {
  return parseRange(right.addressPrefix).prefixLength - parseRange(left.addressPrefix).prefixLength
}

/** Reads what is logged of packets that no route takes; undefined for anything else. */
export function readLostMark(prefix: string): LostMark | undefined {
  const none = /^NoRoute (\d+)$/.exec(prefix.trim())
  if (none !== null) return { slot: Number(none[1]) }
  const [, nextHop, name, slot] = /^Route (\S+) (\S+) (\d+)$/.exec(prefix.trim()) ?? []
  const hop = routeHops.find((known) => known === nextHop)
  return hop === undefined ? undefined : { slot: Number(slot), route: { name: name!, nextHop: hop } }
}

/** Reads what `loggedDrop` says; undefined for anything else. */
export function readDropMark(prefix: string): DropMark | undefined {
  const [, direction, rule, slot] = /^(Inbound|Outbound) (\S+) (\d+)$/.exec(prefix.trim()) ?? []
  if (direction === undefined || rule === undefined) return undefined
  return { direction: direction as DropMark['direction'], rule, slot: Number(slot) }
}

/** One match for each combination of a named set or plain ranges on both sides: nft has no "or" across them. */
function matchesOf(rule: SecurityRule, family: IpFamily): readonly string[] {
  const { ip } = wordsOf(family)
  const sources = addressMatches(`ct original ${ip} saddr`, rule.sources, family)
  const destinations = addressMatches(`ct original ${ip} daddr`, rule.destinations, family)
  return sources.flatMap((source) =>
    destinations.map((destination) => `${source}${destination}${protocolMatch(rule, family)}`),
  )
}

/**
 * Addresses and ports are those of the conversation's beginning: behind a load balancer the destination is the public
 * address, as Azure's floating IP has it. Each match ends in a blank; '' matches everything.
 */
function addressMatches(field: string, prefixes: readonly string[], family: IpFamily): readonly string[] {
  if (prefixes.includes('*') || prefixes.includes(family === 4 ? '0.0.0.0/0' : '::/0')) return ['']
  const ranges = prefixes
    .filter((prefix) => /^\d/.test(prefix))
    .map((prefix) => (prefix.includes('/') ? prefix : `${prefix}/32`))
  const tags = prefixes.filter((prefix) => !/^\d/.test(prefix)).map((prefix) => tagMatch(field, prefix))
  // Ranges are IPv4's: of the other family they match nothing.
  return ranges.length === 0 || family === 6 ? tags : [...tags, `${field} { ${withoutNested(ranges).join(', ')} } `]
}

function tagMatch(field: string, tag: string): string {
  switch (tag.toLowerCase()) {
    case 'virtualnetwork':
      return `${field} @virtual_network `
    case 'azureloadbalancer':
      return `${field} @load_balancer `
    case 'azurecloud':
      return `${field} @azure_cloud `
    default:
      return `${field} != @virtual_network ${field} != @load_balancer `
  }
}

function protocolMatch({ protocol, sourcePorts, destinationPorts }: SecurityRule, family: IpFamily): string {
  const ports = (field: string, ranges: readonly string[]): string =>
    ranges.includes('*') || ranges.includes('0-65535') ? '' : `${field} { ${joined(ranges).join(', ')} } `
  const both = `${ports('ct original proto-src', sourcePorts)}${ports('ct original proto-dst', destinationPorts)}`
  const named = { Tcp: 'tcp', Udp: 'udp', Icmp: wordsOf(family).icmp, Esp: 'esp', Ah: 'ah', '*': undefined }[protocol]
  if (named !== undefined) return `meta l4proto ${named} ${both}`
  return both === '' ? '' : `meta l4proto { tcp, udp, sctp } ${both}`
}

/** Port ranges without overlaps: nft refuses those within one set. */
function joined(texts: readonly string[]): readonly string[] {
  const ranges = texts
    .map((text) => text.split('-').map(Number))
    .map(([first, last = first]) => ({ first: first!, last: last! }))
    .toSorted((left, right) => left.first - right.first)
  const merged: { first: number; last: number }[] = []
  for (const range of ranges) {
    const before = merged.at(-1)
    if (before !== undefined && range.first <= before.last + 1) before.last = Math.max(before.last, range.last)
    else merged.push({ ...range })
  }
  return merged.map(({ first, last }) => (first === last ? String(first) : `${first}-${last}`))
}

/** Peered VNets reach this one and no further: neither a third VNet nor the outside. */
function peeringRules({ network, peerLinks }: SecurityFacts): readonly string[] {
  if (peerLinks.size === 0) return []
  const all = `{ ${[...peerLinks.values()].map((name) => `"${name}"`).join(', ')} }`
  const each = (network.peerings ?? []).flatMap(
    ({ virtualNetworkId, addressPrefixes, allowsAccess, allowsForwarded }) => {
      const link = peerLinks.get(virtualNetworkId)
      if (link === undefined) return []
      if (!allowsAccess) return [`iifname "${link}" drop`, `oifname "${link}" drop`]
      return allowsForwarded
        ? []
        : [`iifname "${link}" ip saddr != { ${withoutNested(addressPrefixes).join(', ')} } drop`]
    },
  )
  return [
    `iifname ${all} oifname ${all} drop`,
    `iifname ${all} oifname "${HOST_LINK}" drop`,
    `iifname "${HOST_LINK}" oifname ${all} drop`,
    ...each,
  ]
}

/** Outbound type `none`: nothing leaves but to the API servers, which Azure reaches by a private endpoint then. */
function closedEgress({ slots, hostAddresses }: SecurityFacts, { id, egress }: Subnet): readonly string[] {
  if (egress?.kind !== 'none') return []
  const but = hostAddresses.length === 0 ? '' : `ip daddr != { ${hostAddresses.join(', ')} } `
  return [
    `oifname "${HOST_LINK}" ${but}${loggedDrop({ direction: 'Outbound', rule: CLOSED_EGRESS, slot: slots[id]! })}`,
  ]
}

function translatedEgress({ egress }: Subnet): readonly string[] {
  if (egress?.kind !== 'addresses') return []
  const { addresses } = egress
  if (addresses.length === 1) return [`snat ip to ${addresses[0]}`]
  const rows = addresses.map((address, index) => `${index} : ${address}`).join(', ')
  return [`snat ip to jhash ip saddr . ip daddr mod ${addresses.length} map { ${rows} }`]
}

/** Whether the address lies in one of the ranges. */
export function isInside(prefixes: readonly string[], address: number): boolean {
  return prefixes.map(parseRange).some(({ first, size }) => address >= first && address < first + size)
}
