// Decides how far a design of ranges carries: addresses that nodes, their pods and an upgrade need, against those there are.

import { contains, formatAddress, overlaps, parseAddress, parseRange, type Range } from '@aksel/base/ipv4'

export const networkModels = ['overlay', 'nodeSubnet', 'podSubnet', 'podSubnetStatic', 'kubenet', 'none'] as const
export type NetworkModel = (typeof networkModels)[number]

export interface NetworkDesign {
  readonly model: NetworkModel
  readonly vnetPrefixes: readonly string[]
  readonly subnetPrefix: string
  /** Of the models `podSubnet` and `podSubnetStatic` only. */
  readonly podSubnetPrefix?: string
  readonly podCidr: string
  readonly serviceCidr: string
  readonly dnsServiceIp: string
  readonly nodeCount: number
  readonly maxPods: number
  /** A number of nodes, or a share of the nodes such as `10%`; broken nodes count whole. */
  readonly maxSurge: string
  /** Nodes that come each month: a number, or a share such as `5%`. */
  readonly growth?: string
  readonly months: number
  /** Azure's own engine for network policies bears fewer nodes. */
  readonly azureNetworkPolicy?: boolean
}

export interface PlanRow {
  readonly stage: string
  /** With those that an upgrade adds for a while. */
  readonly nodes: number
  readonly range: string
  readonly prefix: string
  /** Addresses; parts of a /24 or blocks of a /28 where `unit` says so. */
  readonly needed: number
  readonly available: number
  readonly unit: 'addresses' | '/24 parts' | '/28 blocks'
  readonly fits: boolean
}

export interface PlanProblem {
  readonly code: string
  readonly message: string
}

export interface NetworkPlan {
  readonly model: NetworkModel
  readonly maxPods: number
  readonly carries: boolean
  readonly rows: readonly PlanRow[]
  /** The most nodes that leave room for an upgrade of them all. */
  readonly nodesMax: number
  readonly podsMax: number
  /** What ends it there: a range, or AKS's own limit. */
  readonly limitedBy: string
  /** Whole months of growth that it carries; absent without growth, and where it carries ten years. */
  readonly monthsCarried?: number
  readonly problems: readonly PlanProblem[]
}

interface Need {
  readonly range: string
  readonly prefix: string
  readonly perNode: number
  readonly available: number
  readonly unit: PlanRow['unit']
}

/** Azure keeps the network address, the gateway, two for DNS and the broadcast address of each subnet. */
const reservedOfSubnet = 5
const tenYears = 120

export const maxPodsDefaults: Readonly<Record<NetworkModel, number>> = {
  overlay: 250,
  nodeSubnet: 30,
  podSubnet: 110,
  podSubnetStatic: 110,
  kubenet: 110,
  none: 250,
}

/** Throws on a text that is no range; ranges that may not be together are problems of the plan. */
export function planNetwork(design: NetworkDesign): NetworkPlan {
  const needs = needsOf(design)
  const limit = nodeLimit(design)
  const surge = (nodes: number): number => nodes + amount(design.maxSurge, nodes)
  const isCarried = (nodes: number): boolean =>
    surge(nodes) <= limit.nodes && needs.every(({ perNode, available }) => surge(nodes) * perNode <= available)
  const nodesMax = mostThat(isCarried, limit.nodes)
  const stages = stagesOf(design, surge)
  const rows = stages.flatMap(({ stage, nodes }) => needs.map((need) => rowOf(stage, nodes, need)))
  const problems = [...rangeProblems(design), ...poolProblems(design), ...shortages(rows, stages, limit, design.model)]
  const monthsCarried = design.growth === undefined ? undefined : monthsOf(design, design.growth, isCarried)
  return {
    model: design.model,
    maxPods: design.maxPods,
    carries: problems.length === 0,
    rows,
    nodesMax,
    podsMax: nodesMax * design.maxPods,
    limitedBy: limitedBy(needs, limit, surge(nodesMax + 1)),
    ...(monthsCarried === undefined ? {} : { monthsCarried }),
    problems,
  }
}

/** What each node takes of each range. */
function needsOf(design: NetworkDesign): readonly Need[] {
  const { model, maxPods, podSubnetPrefix } = design
  const subnet = (range: string, prefix: string, perNode: number): Need => ({
    range,
    prefix,
    perNode,
    available: Math.max(0, parseRange(prefix).size - reservedOfSubnet),
    unit: 'addresses',
  })
  const nodes = subnet('node subnet', design.subnetPrefix, model === 'nodeSubnet' ? 1 + maxPods : 1)
  switch (model) {
    case 'overlay':
    case 'kubenet': {
      const available = Math.floor(parseRange(design.podCidr).size / 256)
      return [nodes, { range: 'pod CIDR', prefix: design.podCidr, perNode: 1, available, unit: '/24 parts' }]
    }
    case 'podSubnet':
      return [nodes, subnet('pod subnet', podSubnet(podSubnetPrefix), dynamicAddresses(maxPods))]
    case 'podSubnetStatic': {
      const prefix = podSubnet(podSubnetPrefix)
      // Azure's own addresses lie in the first and in the last block.
      const available = Math.max(0, Math.floor(parseRange(prefix).size / 16) - 2)
      const perNode = Math.ceil((maxPods + 1) / 16)
      return [nodes, { range: 'pod subnet', prefix, perNode, available, unit: '/28 blocks' }]
    }
    case 'nodeSubnet':
    case 'none':
      return [nodes]
    default:
      return model satisfies never
  }
}

function podSubnet(prefix: string | undefined): string {
  if (prefix === undefined) throw new Error('This model needs the range of a subnet for pods')
  return prefix
}

/** Sixteen come at the node's start, and sixteen more whenever fewer than eight are free. */
function dynamicAddresses(pods: number): number {
  return Math.max(1, Math.ceil((pods + 8) / 16)) * 16
}

function nodeLimit({ model, azureNetworkPolicy }: NetworkDesign): { readonly nodes: number; readonly why: string } {
  if (azureNetworkPolicy === true) return { nodes: 250, why: 'the 250 nodes of network policy azure' }
  return model === 'kubenet'
    ? { nodes: 400, why: 'the 400 nodes of kubenet' }
    : { nodes: 5_000, why: 'the 5000 nodes of a cluster' }
}

function stagesOf(
  design: NetworkDesign,
  surge: (nodes: number) => number,
): readonly { readonly stage: string; readonly nodes: number }[] {
  const { nodeCount, growth, months } = design
  const stages = [
    { stage: 'now', nodes: nodeCount },
    { stage: 'upgrade', nodes: surge(nodeCount) },
  ]
  if (growth === undefined) return stages
  return [...stages, { stage: `upgrade in ${months} months`, nodes: surge(grown(nodeCount, growth, months)) }]
}

function rowOf(stage: string, nodes: number, { range, prefix, perNode, available, unit }: Need): PlanRow {
  const needed = nodes * perNode
  return { stage, nodes, range, prefix, needed, available, unit, fits: needed <= available }
}

function grown(nodes: number, growth: string, months: number): number {
  if (growth.endsWith('%')) return Math.ceil(nodes * (1 + Number(growth.slice(0, -1)) / 100) ** months - 1e-9)
  return nodes + Number(growth) * months
}

/** `2` as it stands, `10%` of the whole rounded up. */
function amount(text: string, whole: number): number {
  return text.endsWith('%') ? Math.ceil((whole * Number(text.slice(0, -1))) / 100) : Number(text)
}

function mostThat(isCarried: (nodes: number) => boolean, limit: number): number {
  let nodes = 0
  while (nodes < limit && isCarried(nodes + 1)) nodes += 1
  return nodes
}

function monthsOf(
  { nodeCount }: NetworkDesign,
  growth: string,
  isCarried: (nodes: number) => boolean,
): number | undefined {
  for (let month = 0; month <= tenYears; month += 1) {
    if (!isCarried(grown(nodeCount, growth, month))) return Math.max(0, month - 1)
  }
  return undefined
}

function limitedBy(
  needs: readonly Need[],
  limit: { readonly nodes: number; readonly why: string },
  nodes: number,
): string {
  const short = needs.find(({ perNode, available }) => nodes * perNode > available)
  return short === undefined ? limit.why : `the ${short.range} ${short.prefix}`
}

/** The first stage that a range does not bear is told of; later ones follow from it. */
function shortages(
  rows: readonly PlanRow[],
  stages: readonly { readonly stage: string; readonly nodes: number }[],
  limit: { readonly nodes: number; readonly why: string },
  model: NetworkModel,
): readonly PlanProblem[] {
  const short = rows.filter((row) => !row.fits && rows.find(({ range, fits }) => range === row.range && !fits) === row)
  const many = stages.find(({ nodes }) => nodes > limit.nodes)
  const tooMany = {
    code: 'NodeLimitExceeded',
    message: `${many?.nodes} nodes (${many?.stage}) are more than ${limit.why} (model ${model}).`,
  }
  return [...short.map(shortage), ...(many === undefined ? [] : [tooMany])]
}

function shortage({ stage, nodes, range, prefix, needed, available, unit }: PlanRow): PlanProblem {
  if (range === 'pod CIDR') {
    const message = `The pod CIDR ${prefix} has ${available} ${unit}, and ${nodes} nodes (${stage}) need one each.`
    return { code: 'InsufficientPodCidr', message }
  }
  const what = unit === 'addresses' ? 'IPs' : unit
  const message = `Pre-allocated ${what} ${needed} exceeds ${what} available ${available} in Subnet Cidr ${prefix}, Subnet Name ${nameOf(range)} (${stage}, ${nodes} nodes).`
  return { code: 'InsufficientSubnetSize', message }
}

function nameOf(range: string): string {
  return range === 'pod subnet' ? 'pod-subnet' : 'aks-subnet'
}

function poolProblems({ maxPods, nodeCount }: NetworkDesign): readonly PlanProblem[] {
  if (maxPods < 10 || maxPods > 250) {
    const message = `maxPods ${maxPods} is out of range, it must be in the range [10, 250].`
    return [{ code: 'InvalidParameter', message }]
  }
  if (nodeCount * maxPods >= 30) return []
  const message = `${nodeCount} nodes of ${maxPods} pods hold ${nodeCount * maxPods} pods, and a pool has to hold at least 30.`
  return [{ code: 'InvalidParameter', message }]
}

function rangeProblems(design: NetworkDesign): readonly PlanProblem[] {
  const { model, subnetPrefix, podSubnetPrefix, podCidr, serviceCidr, dnsServiceIp } = design
  const vnet = design.vnetPrefixes.map(parseRange)
  const subnets = [
    { name: 'aks-subnet', prefix: subnetPrefix },
    ...(podSubnetPrefix === undefined ? [] : [{ name: 'pod-subnet', prefix: podSubnetPrefix }]),
  ].map(({ name, prefix }) => ({ name, prefix, range: parseRange(prefix) }))
  const pods = model === 'overlay' || model === 'kubenet' ? parseRange(podCidr) : undefined
  const services = parseRange(serviceCidr)
  const problems: PlanProblem[] = []
  const add = (code: string, message: string): void => void problems.push({ code, message })
  for (const { name, range } of subnets) {
    if (!vnet.some((whole) => isWithin(range, whole)))
      add(
        'NetcfgSubnetRangeOutsideVnet',
        `Subnet '${name}' is not valid because its IP address range is outside the IP address range of virtual network 'aks-vnet'.`,
      )
    if (range.prefixLength > 29)
      add('NetcfgInvalidSubnet', `Subnet '${name}' is not valid in virtual network 'aks-vnet'.`)
  }
  if (subnets.length === 2 && overlaps(subnets[0]!.range, subnets[1]!.range))
    add(
      'NetcfgSubnetRangesOverlap',
      `Subnet 'pod-subnet' is not valid because its IP address range overlaps with that of an existing subnet in virtual network 'aks-vnet'.`,
    )
  const taken = subnets.find(({ range }) => overlaps(range, services))
  if (taken !== undefined)
    add(
      'ServiceCidrOverlapExistingSubnetsCidr',
      `The specified service CIDR ${serviceCidr} is conflicted with an existing subnet CIDR ${taken.prefix}.`,
    )
  if (services.prefixLength < 12)
    add('ServiceCidrTooLarge', `The specified service CIDR ${serviceCidr} is too large, it must be at most a /12.`)
  if (pods !== undefined) podRangeProblems(design, pods, services, vnet, add)
  const dns = parseAddress(dnsServiceIp)
  if (!contains(services, dns))
    add(
      'DnsServiceIpOutOfServiceCidr',
      `The specified DNS service IP ${dnsServiceIp} is outside of the service CIDR ${serviceCidr}.`,
    )
  else if (dns <= services.first + 1)
    add(
      'InvalidParameter',
      `The DNS service IP ${dnsServiceIp} may not be one of the first two addresses of ${serviceCidr}: ${formatAddress(services.first + 1)} is kubernetes.default.`,
    )
  return problems
}

function podRangeProblems(
  { podCidr, serviceCidr }: NetworkDesign,
  pods: Range,
  services: Range,
  vnet: readonly Range[],
  add: (code: string, message: string) => void,
): void {
  if (overlaps(pods, services))
    add(
      'ServiceCidrOverlapPodCidr',
      `The specified service CIDR ${serviceCidr} is conflicted with the pod CIDR ${podCidr}.`,
    )
  const kept = ['172.30.0.0/16', '172.31.0.0/16'].find((range) => overlaps(parseRange(range), pods))
  if (kept !== undefined) add('InvalidParameter', `The pod CIDR ${podCidr} overlaps ${kept}, which is reserved.`)
  if (vnet.some((whole) => overlaps(whole, pods)))
    add('InvalidParameter', `The pod CIDR ${podCidr} overlaps the address space of the virtual network.`)
}

function isWithin(inner: Range, outer: Range): boolean {
  return inner.prefixLength >= outer.prefixLength && contains(outer, inner.first)
}
