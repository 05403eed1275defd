// What lies around a cluster of Azure: its pools, their subnets, and Network Watcher's answers about its nodes. Asked of Resource
// Manager by whoever has its credentials; a cluster elsewhere has none of it.

import type { Node, Service } from '@aksel/api/types/core-v1'
import { contains, parseAddress, readAddress, readRange } from '@aksel/base/ipv4'

/** One call of Resource Manager: the body of its answer. Rejects where it refuses. */
export type AskArm = (call: {
  readonly method: 'GET' | 'POST'
  readonly path: string
  readonly body?: unknown
}) => Promise<unknown>

export interface PoolView {
  readonly name: string
  readonly provisioningState: string
  readonly error?: { readonly code: string; readonly message: string }
}

export interface SubnetView {
  readonly id: string
  readonly name: string
  readonly addressPrefix: string
  /** Addresses that somebody may have: without Azure's five. */
  readonly usable: number
  readonly taken: number
  /** What one more node takes. */
  readonly perNode: number
  readonly pools: readonly string[]
}

/** A packet that must pass, and what the security group says of it. */
export interface FlowVerdict {
  readonly purpose: 'registries' | 'node-to-node' | 'service'
  readonly node: string
  readonly direction: 'Inbound' | 'Outbound'
  readonly remote: string
  readonly port: number
  readonly access: 'Allow' | 'Deny'
  readonly rule: string
  readonly securityGroup: string
  /** Of purpose `service`. */
  readonly service?: { readonly namespace: string; readonly name: string }
}

/** Where a packet goes that must arrive. */
export interface HopVerdict {
  readonly purpose: 'outside' | 'pods'
  readonly node: string
  readonly destination: string
  readonly nextHopType: string
  readonly nextHopAddress?: string
  readonly routeTable: string
  /** Of purpose `pods`: the node whose pods they are, and its address. */
  readonly to?: { readonly node: string; readonly address: string }
}

export interface Surroundings {
  readonly cluster: string
  readonly pools: readonly PoolView[]
  readonly subnets: readonly SubnetView[]
  readonly flows: readonly FlowVerdict[]
  readonly hops: readonly HopVerdict[]
}

/** Any address outside: where registries and package sources are. */
const OUTSIDE = '20.61.97.128'
/** From where people come: an address set aside for documents. */
const VISITOR = '203.0.113.10'
const QUESTIONS_MAX = 40
const AZURE_KEEPS = 5

interface Reference {
  readonly id?: string
}
interface ClusterBody {
  readonly properties: {
    readonly nodeResourceGroup: string
    readonly networkProfile: {
      readonly networkPlugin: string
      readonly networkPluginMode?: string
      readonly outboundType?: string
    }
    readonly agentPoolProfiles: readonly {
      readonly name: string
      readonly maxPods?: number
      readonly vnetSubnetID?: string
      readonly podSubnetID?: string
      readonly provisioningState: string
      readonly status?: { readonly provisioningError?: { readonly code: string; readonly message: string } }
    }[]
  }
}
interface SubnetBody {
  readonly id: string
  readonly name: string
  readonly properties: {
    readonly addressPrefix: string
    readonly ipConfigurations?: readonly unknown[]
    readonly networkSecurityGroup?: Reference
  }
}
interface NetworkBody {
  readonly id: string
  readonly properties: { readonly subnets?: readonly SubnetBody[] }
}
interface RuleBody {
  readonly properties: {
    readonly access: string
    readonly direction: string
    readonly destinationAddressPrefix?: string
    readonly destinationAddressPrefixes?: readonly string[]
    readonly destinationPortRange?: string
    readonly destinationPortRanges?: readonly string[]
  }
}

interface PlacedNode {
  readonly name: string
  readonly address: string
  readonly podCidr: string | undefined
  /** The machine's id in Azure. */
  readonly machine: string
  readonly subnet: SubnetBody
}

/** `clusterId`: of the managed cluster. Rejects with what Resource Manager refuses. */
export async function gatherSurroundings(
  ask: AskArm,
  clusterId: string,
  { nodes, services }: { readonly nodes: readonly Node[]; readonly services: readonly Service[] },
): Promise<Surroundings> {
  const [, , subscription] = clusterId.split('/')
  const { properties: cluster } = (await ask({ method: 'GET', path: clusterId })) as ClusterBody
  const listed = (await ask({
    method: 'GET',
    path: `/subscriptions/${subscription}/providers/Microsoft.Network/virtualNetworks`,
  })) as { readonly value: readonly NetworkBody[] }
  const subnets = subnetsOfCluster(listed.value, cluster)
  const placed = nodes.flatMap((node) => place(node, subnets) ?? [])
  const watcher = `/subscriptions/${subscription}/resourceGroups/${cluster.nodeResourceGroup}/providers/Microsoft.Network/networkWatchers/aksel`
  const questions = new Questions(ask, watcher)
  return {
    cluster: clusterId.split('/').at(-1)!,
    pools: cluster.agentPoolProfiles.map(({ name, provisioningState, status }) => ({
      name,
      provisioningState,
      ...(status?.provisioningError === undefined ? {} : { error: status.provisioningError }),
    })),
    subnets: subnets.map((subnet) => viewOf(subnet, cluster)),
    flows: await askFlows(questions, placed, services),
    hops: await askHops(questions, placed, cluster),
  }
}

/** Those that pools name; for the others those of the network that AKS made. */
function subnetsOfCluster(networks: readonly NetworkBody[], cluster: ClusterBody['properties']): readonly SubnetBody[] {
  const named = new Set(
    cluster.agentPoolProfiles.flatMap(({ vnetSubnetID, podSubnetID }) =>
      [vnetSubnetID, podSubnetID].flatMap((id) => id?.toLowerCase() ?? []),
    ),
  )
  const isOwn = cluster.agentPoolProfiles.some(({ vnetSubnetID = '' }) => vnetSubnetID === '')
  const own = `/resourcegroups/${cluster.nodeResourceGroup.toLowerCase()}/`
  return networks
    .flatMap(({ properties }) => properties.subnets ?? [])
    .filter(({ id }) => named.has(id.toLowerCase()) || (isOwn && id.toLowerCase().includes(own)))
}

function viewOf({ id, name, properties }: SubnetBody, cluster: ClusterBody['properties']): SubnetView {
  const { addressPrefix, ipConfigurations = [] } = properties
  const isFlat =
    cluster.networkProfile.networkPlugin.toLowerCase() === 'azure' &&
    cluster.networkProfile.networkPluginMode?.toLowerCase() !== 'overlay'
  const pools = cluster.agentPoolProfiles.filter(
    ({ vnetSubnetID = '' }) => vnetSubnetID === '' || vnetSubnetID.toLowerCase() === id.toLowerCase(),
  )
  const podsOf = (pool: (typeof pools)[number]): number =>
    isFlat && (pool.podSubnetID ?? '') === '' ? (pool.maxPods ?? 30) : 0
  const perNode = Math.max(0, ...pools.map((pool) => 1 + podsOf(pool)))
  const nodes = ipConfigurations.length
  return {
    id,
    name,
    addressPrefix,
    usable: (readRange(addressPrefix)?.size ?? 0) - AZURE_KEEPS,
    taken: nodes * Math.max(1, perNode),
    perNode,
    pools: pools.map((pool) => pool.name),
  }
}

function place({ metadata, spec, status }: Node, subnets: readonly SubnetBody[]): PlacedNode | undefined {
  const address = status?.addresses?.find(({ type }) => type === 'InternalIP')?.address
  const machine = /^azure:\/\/(\/.*)$/.exec(spec?.providerID ?? '')?.[1]
  if (address === undefined || machine === undefined || readAddress(address) === undefined) return undefined
  const subnet = subnets.find(({ properties }) => {
    const range = readRange(properties.addressPrefix)
    return range !== undefined && contains(range, parseAddress(address))
  })
  return subnet === undefined ? undefined : { name: metadata.name, address, podCidr: spec?.podCIDR, machine, subnet }
}

class Questions {
  readonly #ask: AskArm
  readonly #watcher: string
  readonly #rules = new Map<string, Promise<readonly RuleBody[]>>()
  #left = QUESTIONS_MAX

  constructor(ask: AskArm, watcher: string) {
    this.#ask = ask
    this.#watcher = watcher
  }

  async flow(node: PlacedNode, flow: FlowQuestion): Promise<FlowVerdict | undefined> {
    if (node.subnet.properties.networkSecurityGroup?.id === undefined || this.#left-- <= 0) return undefined
    const isInbound = flow.direction === 'Inbound'
    const answer = (await this.#ask({
      method: 'POST',
      path: `${this.#watcher}/ipFlowVerify`,
      body: {
        targetResourceId: node.machine,
        direction: flow.direction,
        protocol: 'TCP',
        localIPAddress: node.address,
        localPort: String(isInbound ? flow.port : 50_000),
        remoteIPAddress: flow.remote,
        remotePort: String(isInbound ? 50_000 : flow.port),
      },
    })) as { readonly access: 'Allow' | 'Deny'; readonly ruleName: string; readonly networkSecurityGroup?: string }
    const opened = answer.access === 'Deny' && flow.frontend !== undefined && (await this.#opens(node, flow))
    return {
      purpose: flow.purpose,
      node: node.name,
      direction: flow.direction,
      remote: flow.remote,
      port: flow.port,
      access: opened ? 'Allow' : answer.access,
      rule: answer.ruleName.split('/').at(-1)!,
      securityGroup: answer.networkSecurityGroup ?? '',
      ...(flow.service === undefined ? {} : { service: flow.service }),
    }
  }

  /** A rule may name the load balancer's own address: Network Watcher is asked about that of the machine. */
  async #opens(node: PlacedNode, { frontend = '', port }: FlowQuestion): Promise<boolean> {
    const id = node.subnet.properties.networkSecurityGroup!.id!
    const rules =
      this.#rules.get(id) ??
      this.#ask({ method: 'GET', path: id }).then(
        (body) =>
          (body as { readonly properties: { readonly securityRules?: readonly RuleBody[] } }).properties
            .securityRules ?? [],
      )
    this.#rules.set(id, rules)
    return (await rules).some(({ properties }) => {
      const { access, direction, destinationAddressPrefix, destinationAddressPrefixes = [] } = properties
      const ports = properties.destinationPortRanges ?? []
      return (
        access === 'Allow' &&
        direction === 'Inbound' &&
        [destinationAddressPrefix ?? '', ...destinationAddressPrefixes].some((prefix) => holds(prefix, frontend)) &&
        [properties.destinationPortRange ?? '', ...ports].some((range) => hasPort(range, port))
      )
    })
  }

  async hop(node: PlacedNode, destination: string): Promise<Omit<HopVerdict, 'purpose'> | undefined> {
    if (this.#left-- <= 0) return undefined
    const answer = (await this.#ask({
      method: 'POST',
      path: `${this.#watcher}/nextHop`,
      body: { targetResourceId: node.machine, sourceIPAddress: node.address, destinationIPAddress: destination },
    })) as { readonly nextHopType: string; readonly nextHopIpAddress?: string; readonly routeTableId?: string }
    return {
      node: node.name,
      destination,
      nextHopType: answer.nextHopType,
      ...(answer.nextHopIpAddress === undefined ? {} : { nextHopAddress: answer.nextHopIpAddress }),
      routeTable: answer.routeTableId ?? '',
    }
  }
}

interface FlowQuestion extends Pick<FlowVerdict, 'purpose' | 'direction' | 'remote' | 'port' | 'service'> {
  /** The load balancer's address. */
  readonly frontend?: string
}

function holds(prefix: string, address: string): boolean {
  const range = /^\d/.test(prefix) ? readRange(prefix.includes('/') ? prefix : `${prefix}/32`) : undefined
  return range !== undefined && contains(range, parseAddress(address))
}

function hasPort(text: string, port: number): boolean {
  if (text === '*') return true
  const [first = NaN, last = first] = text.split('-').map(Number)
  return port >= first && port <= last
}

/** One node for each subnet speaks for all of it: rules are the subnet's. */
async function askFlows(
  questions: Questions,
  nodes: readonly PlacedNode[],
  services: readonly Service[],
): Promise<readonly FlowVerdict[]> {
  const speakers = [...new Map(nodes.map((node) => [node.subnet.id, node])).values()]
  const verdicts: FlowVerdict[] = []
  for (const node of speakers) {
    const other = nodes.find(({ name }) => name !== node.name)
    const asked: FlowQuestion[] = [
      { purpose: 'registries', direction: 'Outbound', remote: OUTSIDE, port: 443 },
      ...(other === undefined
        ? []
        : ([{ purpose: 'node-to-node', direction: 'Inbound', remote: other.address, port: 10_250 }] as const)),
      ...services.flatMap((service) => serviceQuestions(service, other?.address)),
    ]
    for (const each of asked) {
      const verdict = await questions.flow(node, each)
      if (verdict !== undefined) verdicts.push(verdict)
    }
  }
  return verdicts
}

function serviceQuestions({ metadata, spec, status }: Service, neighbour: string | undefined): readonly FlowQuestion[] {
  const frontend = status?.loadBalancer?.ingress?.[0]?.ip
  if (spec?.type !== 'LoadBalancer' || frontend === undefined || readAddress(frontend) === undefined) return []
  const isInternal =
    metadata.annotations?.['service.beta.kubernetes.io/azure-load-balancer-internal']?.toLowerCase() === 'true'
  const allowed = spec.loadBalancerSourceRanges?.[0]?.split('/')[0]
  const remote = allowed !== undefined && allowed !== '0.0.0.0' ? allowed : isInternal ? neighbour : VISITOR
  if (remote === undefined) return []
  return (spec.ports ?? [])
    .filter(({ protocol = 'TCP' }) => protocol === 'TCP')
    .map(({ port }) => ({
      purpose: 'service' as const,
      direction: 'Inbound' as const,
      remote,
      port,
      frontend,
      service: { namespace: metadata.namespace!, name: metadata.name },
    }))
}

async function askHops(
  questions: Questions,
  nodes: readonly PlacedNode[],
  { networkProfile }: ClusterBody['properties'],
): Promise<readonly HopVerdict[]> {
  const verdicts: HopVerdict[] = []
  const isClosed = networkProfile.outboundType === 'none'
  for (const node of new Map(nodes.map((each) => [each.subnet.id, each])).values()) {
    const outside = isClosed ? undefined : await questions.hop(node, OUTSIDE)
    if (outside !== undefined) verdicts.push({ purpose: 'outside', ...outside })
    // Only kubenet leads pods by routes of the subnet.
    if (networkProfile.networkPlugin.toLowerCase() !== 'kubenet') continue
    for (const other of nodes) {
      const first = other.podCidr?.split('/')[0]
      if (other.name === node.name || first === undefined || readAddress(first) === undefined) continue
      const hop = await questions.hop(node, first)
      if (hop !== undefined)
        verdicts.push({ purpose: 'pods', ...hop, to: { node: other.name, address: other.address } })
    }
  }
  return verdicts
}
