// One NetworkPolicy becomes rules that accept, and the groups of pods they name. Pure, and per policy: a change of one
// policy costs that policy.

import type { NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort } from '@aksel/api/types/networking-v1'
import type { NetworkPolicyEngine } from '@aksel/provider/machine-provider'
import { standardCidr } from '@aksel/api/validation/addresses'
import { parseRange, type IpFamily, type IpRange } from '@aksel/base/ip-range'
import type { Range } from '@aksel/base/ipv4'
import { wordsOf } from '../nft/family.ts'
import { intervalsWithout } from '../nft/ranges.ts'
import { everyPod, groupOf, type Group, type GroupSpec, type Protocol } from './groups.ts'

export interface CompiledPolicy {
  /** What may come in; absent where the policy restricts nothing in this direction. */
  readonly ingress?: readonly string[]
  readonly egress?: readonly string[]
  readonly groups: readonly Group[]
}

interface Direction {
  /** With `cilium`, a range of addresses never means pods and nodes. */
  readonly engine: NetworkPolicyEngine
  /** The other side's address: of the source for what comes in, of the destination for what goes out. */
  readonly peer: 'saddr' | 'daddr'
  /** Ranges of the other one match nothing here. */
  readonly family: IpFamily
  readonly policy: NetworkPolicy
  readonly groups: Map<string, Group>
}

export function compilePolicy(
  policy: NetworkPolicy,
  engine: NetworkPolicyEngine,
  family: IpFamily = 4,
): CompiledPolicy {
  const { ingress, egress, policyTypes } = policy.spec
  const types = policyTypes ?? (egress === undefined ? ['Ingress'] : ['Ingress', 'Egress'])
  const groups = new Map<string, Group>()
  const incoming = (ingress ?? []).flatMap(({ from, ports }) =>
    compileRule({ engine, peer: 'saddr', family, policy, groups }, from, ports),
  )
  const outgoing = (egress ?? []).flatMap(({ to, ports }) =>
    compileRule({ engine, peer: 'daddr', family, policy, groups }, to, ports),
  )
  return {
    ...(types.includes('Ingress') ? { ingress: incoming } : {}),
    ...(types.includes('Egress') ? { egress: outgoing } : {}),
    groups: [...groups.values()],
  }
}

function compileRule(
  direction: Direction,
  peers: readonly NetworkPolicyPeer[] = [],
  ports: readonly NetworkPolicyPort[] = [],
): readonly string[] {
  const named = ports.filter(({ port }) => typeof port === 'string')
  const numbered = ports.filter(({ port }) => typeof port !== 'string')
  const numberedMatches = ports.length === 0 ? [''] : matchesOfPorts(numbered)
  const rules: string[] = []
  for (const peer of peers.length === 0 ? [undefined] : peers) {
    const match = matchOfPeer(direction, peer)
    if (match === undefined) continue
    for (const port of numberedMatches) rules.push(`${match} ${port} accept`)
    for (const port of named) {
      const found = matchOfNamedPort(direction, peer, match, port)
      if (found !== undefined) rules.push(`${found} accept`)
    }
  }
  return rules.map((rule) => rule.trim().replaceAll(/ +/g, ' '))
}

/** Undefined where nothing can match: a range of the other family, or a range whose exceptions leave nothing. */
function matchOfPeer(direction: Direction, peer: NetworkPolicyPeer | undefined): string | undefined {
  if (peer === undefined) return ''
  const { ipBlock } = peer
  const field = `${wordsOf(direction.family).ip} ${direction.peer}`
  if (ipBlock === undefined) return `${field} @${use(direction, podsOf(direction.policy, peer))}`
  const range = rangeOf(ipBlock.cidr)
  if (range?.family !== direction.family) return undefined
  const excepts = (ipBlock.except ?? []).map(rangeOf).filter((each) => each !== undefined)
  const intervals = intervalsWithout(range, excepts)
  if (intervals.length === 0) return undefined
  const match = `${field} { ${intervals.join(', ')} }`
  if (direction.engine !== 'cilium') return match
  return `${field} != @${use(direction, everyPod)} ${field} != @nodes ${match}`
}

/** A port's name means what each destination calls so: the policy's own pods for what comes in, the peers for what goes out. */
function matchOfNamedPort(
  direction: Direction,
  peer: NetworkPolicyPeer | undefined,
  peerMatch: string,
  { port, protocol }: NetworkPolicyPort,
): string | undefined {
  const wanted = { name: String(port), protocol: protocolOf(protocol) }
  const key = `${wordsOf(direction.family).ip} daddr . ${wanted.protocol} dport`
  if (direction.peer === 'saddr') {
    const { metadata, spec } = direction.policy
    const own = { namespace: metadata.namespace!, podSelector: spec.podSelector, port: wanted }
    return `${peerMatch} ${key} @${use(direction, own)}`
  }
  if (peer?.ipBlock !== undefined) return undefined
  const pods = peer === undefined ? everyPod : podsOf(direction.policy, peer)
  return `${key} @${use(direction, { ...pods, port: wanted })}`
}

function podsOf(policy: NetworkPolicy, { namespaceSelector, podSelector }: NetworkPolicyPeer): GroupSpec {
  return {
    ...(namespaceSelector === undefined ? { namespace: policy.metadata.namespace! } : { namespaceSelector }),
    ...(podSelector === undefined ? {} : { podSelector }),
  }
}

function use({ groups }: Direction, spec: GroupSpec): string {
  const group = groupOf(spec)
  groups.set(group.name, group)
  return group.name
}

/** One match a protocol: `tcp dport { 80, 8000-9000 }`, or the whole protocol where an entry names no port. */
function matchesOfPorts(ports: readonly NetworkPolicyPort[]): readonly string[] {
  const byProtocol = new Map<Protocol, Range[] | 'all'>()
  for (const { protocol, port, endPort } of ports) {
    const name = protocolOf(protocol)
    const known = byProtocol.get(name) ?? []
    if (known === 'all' || port === undefined) byProtocol.set(name, 'all')
    else {
      const size = (endPort ?? Number(port)) - Number(port) + 1
      byProtocol.set(name, [...known, { first: Number(port), size, prefixLength: 0 }])
    }
  }
  return [...byProtocol].map(([protocol, ranges]) =>
    ranges === 'all' ? `meta l4proto ${protocol}` : `${protocol} dport { ${joined(ranges).join(', ')} }`,
  )
}

/** Intervals that do not overlap: a set refuses those that do. */
function joined(ranges: readonly Range[]): readonly string[] {
  const intervals: { first: number; last: number }[] = []
  for (const { first, size } of ranges.toSorted((a, b) => a.first - b.first)) {
    const before = intervals.at(-1)
    if (before !== undefined && first <= before.last + 1) before.last = Math.max(before.last, first + size - 1)
    else intervals.push({ first, last: first + size - 1 })
  }
  return intervals.map(({ first, last }) => (first === last ? String(first) : `${first}-${last}`))
}

export function protocolOf(protocol: string | undefined): Protocol {
  return (protocol ?? 'TCP').toLowerCase() as Protocol
}

/** Undefined for what is no range: a stored policy must not stop all others. */
function rangeOf(cidr: string): IpRange | undefined {
  return parseRange(standardCidr(cidr))
}
