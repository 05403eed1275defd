// What a cluster and its pools may choose of the user's networks: subnets that are there, in one network, and large enough.

import { overlaps, parseRange, readRange, type Range } from '@aksel/base/ipv4'
import { AksError, invalidParameter } from '../../azure-errors.ts'
import { networkOf, networkOfSubnet, subnetOf } from '../../machine-spec.ts'
import type { ClusterRecord, Json, PoolRecord } from '../../records.ts'
import { objectAt, textAt } from '../body.ts'
import { referenceAt } from '../network/network-references.ts'
import { subnetsOf, type NetworkWorld, type SubnetPlace } from '../network/network-world.ts'
import { isDualStack } from './address-families.ts'
import { isFlat, isStaticBlock, modelOf, podAddressesPerNode } from './network-model.ts'
import { judgeNodeLimit } from './node-limits.ts'

/** Azure keeps five addresses of each subnet. */
const reserved = 5

/** The subnet that a cluster's first pools name; undefined where the service is to make the network. */
export function chosenSubnet(pools: readonly Json[] | undefined): string | undefined {
  const named = (pools ?? []).map((pool) => textAt(pool, 'vnetSubnetID')).find((id) => id !== undefined && id !== '')
  return named
}

/** Throws what Azure would refuse. `pools` are all of the cluster as they will be. */
export function judgeNetworkChoice(world: NetworkWorld, cluster: ClusterRecord, pools: readonly PoolRecord[]): void {
  const places = new Map(subnetsOf(world).map((place) => [place.id.toLowerCase(), place]))
  const networkId = networkOf(cluster, cluster.id.split('/')[2]!).virtualNetworkId.toLowerCase()
  const staying = pools.filter(({ progress }) => progress.deleting !== true)
  const network = cluster.properties.networkProfile
  for (const pool of staying) {
    for (const name of ['vnetSubnetID', 'podSubnetID'] as const) {
      const id = textAt(pool.properties, name)
      if (id === undefined || id === '') continue
      const place = places.get(id.toLowerCase())
      if (place === undefined || place.network.value.location !== cluster.location) throw subnetNotFound(id, name)
      if (networkOfSubnet(id).toLowerCase() !== networkId) throw otherNetwork(id, name, networkId)
      judgeRanges(cluster, place)
      judgeDelegation(place, name)
      if (isDualStack(network)) throw singleStack(id, name)
    }
    judgePods(cluster, pool)
  }
  judgeNodeLimit(cluster, staying)
  judgeNeighbours(cluster, world, networkId)
  judgeOutbound(cluster, staying, places)
  if (cluster.subnetId === undefined && !isFlat(modelOf(network))) return
  judgeSizes(cluster, staying, world, places)
}

function subnetNotFound(id: string, name: string): AksError {
  return new AksError(
    400,
    'InvalidResourceReference',
    `Resource ${id} referenced by the agent pool was not found. Please make sure that the referenced resource exists, and that both resources are in the same region.`,
    { target: `agentPoolProfile.${name}` },
  )
}

/** Networks of the user's own have IPv4 alone here. */
function singleStack(id: string, name: string): AksError {
  return invalidParameter(
    `agentPoolProfile.${name}`,
    `subnet ${id} has no IPv6 address prefix, which a dual-stack cluster needs`,
  )
}

function otherNetwork(id: string, name: string, networkId: string): AksError {
  return invalidParameter(
    `agentPoolProfile.${name}`,
    `all agent pools must have subnets of one virtual network: ${id} does not lie in ${networkId}`,
  )
}

/** The cluster's own ranges and those of subnets that it uses are apart. */
function judgeRanges({ properties }: ClusterRecord, { subnet }: SubnetPlace): void {
  const { serviceCidr, podCidr } = properties.networkProfile
  const prefix = String(subnet.properties['addressPrefix'])
  const meets = (range: Range | undefined): boolean => range !== undefined && overlaps(range, parseRange(prefix))
  if (meets(readRange(serviceCidr))) {
    throw new AksError(
      400,
      'ServiceCidrOverlapExistingSubnetsCidr',
      `The specified service CIDR ${serviceCidr} is conflicted with an existing subnet CIDR ${prefix}`,
      { target: 'networkProfile.serviceCIDR' },
    )
  }
  if (podCidr === undefined || !meets(readRange(podCidr))) return
  throw invalidParameter('networkProfile.podCidr', `pod CIDR ${podCidr} overlaps the subnet CIDR ${prefix}`)
}

const ownService = 'microsoft.containerservice/managedclusters'

function judgeDelegation({ id, subnet }: SubnetPlace, name: string): void {
  const delegations = subnet.properties['delegations']
  if (!Array.isArray(delegations)) return
  const services = delegations.map((each) => textAt(objectAt(each as Json, 'properties'), 'serviceName')?.toLowerCase())
  const foreign = services.find(
    (service) => service !== undefined && (service !== ownService || name === 'vnetSubnetID'),
  )
  if (foreign === undefined) return
  throw invalidParameter(`agentPoolProfile.${name}`, `subnet ${id} is delegated to ${foreign} and takes no nodes`)
}

function judgePods({ properties }: ClusterRecord, { properties: pool, name }: PoolRecord): void {
  const model = modelOf(properties.networkProfile, pool)
  const podSubnet = textAt(pool, 'podSubnetID') ?? ''
  if (podSubnet !== '' && model !== 'podSubnet') {
    throw invalidParameter(
      'agentPoolProfile.podSubnetID',
      `agent pool '${name}' names a pod subnet, which needs network plugin azure without overlay`,
    )
  }
  if (podSubnet !== '' && (textAt(pool, 'vnetSubnetID') ?? '') === '') {
    throw invalidParameter('agentPoolProfile.podSubnetID', `agent pool '${name}' has a pod subnet and no vnetSubnetID`)
  }
  const mode = textAt(pool, 'podIPAllocationMode')
  if (mode === undefined) return
  if (!['dynamicindividual', 'staticblock'].includes(mode.toLowerCase())) {
    throw invalidParameter(
      'agentPoolProfile.podIPAllocationMode',
      `'${mode}' is not one of the allowed values: DynamicIndividual, StaticBlock`,
    )
  }
  if (model !== 'podSubnet' && isStaticBlock(pool)) {
    throw invalidParameter('agentPoolProfile.podIPAllocationMode', 'StaticBlock needs a podSubnetID')
  }
}

/** The network's router knows one way to each range: clusters in one network have pod ranges apart. */
function judgeNeighbours({ id, properties }: ClusterRecord, world: NetworkWorld, networkId: string): void {
  const { podCidr } = properties.networkProfile
  const own = podCidr === undefined ? undefined : readRange(podCidr)
  if (own === undefined) return
  const other = (world.podPrefixes.get(networkId) ?? []).find(
    ({ cluster, prefix }) => cluster.toLowerCase() !== id.toLowerCase() && overlaps(parseRange(prefix), own),
  )
  if (other === undefined) return
  throw invalidParameter(
    'networkProfile.podCidr',
    `pod CIDR ${podCidr} overlaps ${other.prefix} of ${other.cluster}, which is in the same virtual network`,
  )
}

/** Ways out that the user's own subnets have to offer. */
function judgeOutbound(
  { properties }: ClusterRecord,
  pools: readonly PoolRecord[],
  places: ReadonlyMap<string, SubnetPlace>,
): void {
  const type = String(properties.networkProfile['outboundType'])
  const isOwn = pools.some((pool) => (textAt(pool.properties, 'vnetSubnetID') ?? '') !== '')
  const target = 'networkProfile.outboundType'
  if (type === 'managedNATGateway' && isOwn) {
    throw invalidParameter(
      target,
      'outbound type managedNATGateway cannot be used with a subnet of your own, use userAssignedNATGateway',
    )
  }
  if (type !== 'userDefinedRouting' && type !== 'userAssignedNATGateway') return
  if (!isOwn) throw invalidParameter(target, `outbound type ${type} needs a vnetSubnetID`)
  for (const pool of pools) {
    const place = places.get((textAt(pool.properties, 'vnetSubnetID') ?? '').toLowerCase())
    if (place === undefined) continue
    if (type === 'userAssignedNATGateway' && referenceAt(place.subnet.properties, 'natGateway') === undefined) {
      throw invalidParameter(target, `outbound type ${type} needs a NAT gateway on subnet ${place.id}`)
    }
    if (type === 'userDefinedRouting' && referenceAt(place.subnet.properties, 'routeTable') === undefined) {
      throw new AksError(
        400,
        'ExistingRouteTableNotAssociatedWithSubnet',
        `An existing route table has not been associated with subnet ${place.id}. Please update the route table association`,
        { target },
      )
    }
  }
}

/** Addresses that nodes and pods of all pools will take: the greatest count of a pool that scales itself. */
function judgeSizes(
  cluster: ClusterRecord,
  pools: readonly PoolRecord[],
  world: NetworkWorld,
  places: ReadonlyMap<string, SubnetPlace>,
): void {
  const wanted = new Map<string, number>()
  const add = (id: string, count: number): void =>
    void wanted.set(id.toLowerCase(), (wanted.get(id.toLowerCase()) ?? 0) + count)
  for (const pool of pools) {
    const { properties } = pool
    const nodes = Math.max(
      properties.count,
      properties['enableAutoScaling'] === true ? Number(properties['maxCount']) : 0,
    )
    const subnetId = subnetOf(cluster, pool)
    const model = modelOf(cluster.properties.networkProfile, properties)
    add(subnetId, nodes)
    const perNode = podAddressesPerNode(model, properties)
    if (perNode > 0) add(model === 'podSubnet' ? textAt(properties, 'podSubnetID')! : subnetId, nodes * perNode)
  }
  const own = new Set(pools.map(({ id }) => id.toLowerCase()))
  for (const [id, count] of wanted) {
    const prefix = textAt(places.get(id)?.subnet.properties ?? {}, 'addressPrefix') ?? '10.224.0.0/16'
    const others = (world.wanted.get(id) ?? []).filter(({ pool }) => !own.has(pool.toLowerCase()))
    const total = others.reduce((sum, other) => sum + other.count, count)
    const available = parseRange(prefix).size - reserved
    if (total <= available) continue
    throw new AksError(
      400,
      'InsufficientSubnetSize',
      `Pre-allocated IPs ${total} exceeds IPs available ${available} in Subnet Cidr ${prefix}, Subnet Name ${id.split('/').at(-1)}. If Autoscaler is enabled, the max-count from each nodepool is counted towards this total (which means that pre-allocated IPs count represents a theoretical max value, not the actual number of IPs requested). http://aka.ms/aks/insufficientsubnetsize`,
      { target: 'agentPoolProfile.count' },
    )
  }
}
