// What a decision about a network resource looks at: the other network resources of the subscription, and who holds addresses.

import { createHash } from 'node:crypto'
import { formatAddress, parseAddress } from '@aksel/base/ipv4'
import type { SubnetEgress } from '@aksel/provider/fabric'
import type { Machine } from '@aksel/provider/machine-provider'
import type { Hub } from '../../hub.ts'
import { networkOf, subnetOf } from '../../machine-spec.ts'
import type { ClusterRecord, DocumentRecord, PoolRecord, Resource } from '../../records.ts'
import { keys, type Stored } from '../../store-keyspace.ts'
import { outboundAddressIds } from '../container-service/outbound.ts'
import { balancerViews, frontendId, type BalancedCluster, type BalancerViews } from './load-balancer-views.ts'
import { childrenOf, referenceAt, type ChildDocument } from './network-references.ts'
import { ipv6RangeOf } from '../container-service/address-families.ts'
import { modelOf, podAddressesPerNode } from '../container-service/network-model.ts'

export const networkNamespace = 'Microsoft.Network'

/** An address of a subnet and the IP configuration that has it. */
export interface TakenAddress {
  readonly address: number
  readonly owner: string
}

export interface NetworkWorld {
  /** By id in lower case. */
  readonly documents: ReadonlyMap<string, Stored<DocumentRecord>>
  /** By the subnet's id in lower case. */
  readonly taken: ReadonlyMap<string, readonly TakenAddress[]>
  /** Subnets that pools are told to use, in lower case, with the pool's id; they may have no machine yet. */
  readonly claims: ReadonlyMap<string, string>
  /** Addresses that pools take when they are whole, by the subnet's id in lower case. */
  readonly wanted: ReadonlyMap<string, readonly { readonly pool: string; readonly count: number }[]>
  /** Ranges of IPv6 of its clusters' pods, by the network's id in lower case. */
  readonly ipv6PodPrefixes: ReadonlyMap<string, readonly string[]>
  /** Ranges of pods beside the network's own, by the network's id in lower case. */
  readonly podPrefixes: ReadonlyMap<string, readonly { readonly cluster: string; readonly prefix: string }[]>
  /** How clusters want their machines and pods to leave, by the subnet's id in lower case. */
  readonly egress: ReadonlyMap<string, SubnetEgress>
  /** What clusters make of their services: shown, and never written. Computed when first asked for. */
  readonly balancers: () => ShownBalancers
}

export interface ShownBalancers extends Pick<BalancerViews, 'frontends' | 'health'> {
  /** By id in lower case. */
  readonly views: ReadonlyMap<string, Stored<DocumentRecord>>
}

export async function readWorld(hub: Pick<Hub, 'store' | 'suppliers'>, subscriptionId: string): Promise<NetworkWorld> {
  const all = await hub.store.list<Resource & { readonly kind: string }>(keys.below(`/subscriptions/${subscriptionId}`))
  const documents = new Map<string, Stored<DocumentRecord>>()
  const clusters = new Map<string, ClusterRecord>()
  const pools: PoolRecord[] = []
  for (const stored of all) {
    const { kind, type, id } = stored.value
    if (kind === 'document' && type.startsWith(`${networkNamespace}/`)) {
      documents.set(id.toLowerCase(), stored as unknown as Stored<DocumentRecord>)
    } else if (kind === 'cluster') clusters.set(id.toLowerCase(), stored.value as unknown as ClusterRecord)
    else if (kind === 'pool') pools.push(stored.value as unknown as PoolRecord)
  }
  const taken = new Map<string, TakenAddress[]>()
  const claims = new Map<string, string>()
  const wanted = new Map<string, { readonly pool: string; readonly count: number }[]>()
  const egress = new Map<string, SubnetEgress>()
  const nodes = new Map<string, TakenAddress[]>()
  // Asked for once of each kind: providers look through all that they have, whosever it is.
  const machines = [false, true].map((simulated) => byCluster(hub.suppliers.machines(simulated).list()))
  for (const pool of pools) {
    const cluster = clusters.get(pool.clusterId.toLowerCase())
    if (cluster === undefined) continue
    const subnetId = subnetOf(cluster, pool).toLowerCase()
    claims.set(subnetId, pool.id)
    const model = modelOf(cluster.properties.networkProfile, pool.properties)
    const podSubnetId = (model === 'podSubnet' ? String(pool.properties['podSubnetID']) : subnetId).toLowerCase()
    claims.set(podSubnetId, pool.id)
    const { count } = pool.properties
    add(wanted, subnetId, { pool: pool.id, count })
    const forPods = podAddressesPerNode(model, pool.properties)
    if (forPods > 0) add(wanted, podSubnetId, { pool: pool.id, count: count * forPods })
    const way = egressOf(cluster, documents)
    // Pods with addresses of another subnet leave by that one's way, which the cluster's outbound type is for, too.
    if (way !== undefined) for (const id of [subnetId, podSubnetId]) egress.set(id, way)
    const ofCluster = machines[pool.simulated ? 1 : 0]!.get(cluster.id.toLowerCase()) ?? []
    const own = ofCluster.filter(({ name, address }) => address !== '' && name.startsWith(`aks-${pool.name}-`))
    for (const { name, address } of own) {
      const one = { address: parseAddress(address), owner: configurationOf(cluster, name) }
      add(taken, subnetId, one)
      add(nodes, cluster.id.toLowerCase(), one)
    }
  }
  const ipv6PodPrefixes = new Map<string, string[]>()
  const podPrefixes = new Map<string, { readonly cluster: string; readonly prefix: string }[]>()
  for (const cluster of clusters.values()) {
    const { podCidr } = cluster.properties.networkProfile
    const id = networkOf(cluster, subscriptionId).virtualNetworkId.toLowerCase()
    if (podCidr !== undefined) add(podPrefixes, id, { cluster: cluster.id, prefix: podCidr })
    const ipv6 = ipv6RangeOf(cluster.properties.networkProfile, 'podCidrs')
    if (ipv6 !== undefined) add(ipv6PodPrefixes, id, ipv6)
  }
  const standing = [...clusters.values()].map((cluster) => ({ cluster, standing: standingOf(hub, cluster) }))
  for (const { cluster, standing: own } of standing) {
    for (const each of own) {
      if (each.internal === undefined) continue
      const one = { address: parseAddress(each.address), owner: frontendId(cluster, each) }
      add(taken, each.internal.subnetId.toLowerCase(), one)
    }
  }
  let shown: ShownBalancers | undefined
  const balancers = (): ShownBalancers => (shown ??= shownBalancers(balancedClusters(standing, { documents, nodes })))
  return { documents, taken, claims, wanted, podPrefixes, ipv6PodPrefixes, egress, balancers }
}

function byCluster(machines: readonly Machine[]): ReadonlyMap<string, readonly Machine[]> {
  const found = new Map<string, Machine[]>()
  for (const machine of machines) add(found, machine.clusterId, machine)
  return found
}

function standingOf(
  { suppliers: { fabric } }: Pick<Hub, 'suppliers'>,
  cluster: ClusterRecord,
): BalancedCluster['standing'] {
  if (fabric === undefined) return []
  const id = cluster.id.toLowerCase()
  const network = networkOf(cluster, cluster.id.split('/')[2]!).virtualNetworkId.toLowerCase()
  return fabric.loadBalancersOf(network).filter(({ owner }) => owner?.clusterId === id)
}

function balancedClusters(
  clusters: readonly Pick<BalancedCluster, 'cluster' | 'standing'>[],
  {
    documents,
    nodes,
  }: {
    readonly documents: ReadonlyMap<string, Stored<DocumentRecord>>
    readonly nodes: ReadonlyMap<string, readonly TakenAddress[]>
  },
): readonly BalancedCluster[] {
  const reserved = new Map<string, string>()
  const subnets = new Map<string, string>()
  for (const { value } of documents.values()) {
    const { ipAddress } = value.properties
    if (typeof ipAddress === 'string') reserved.set(ipAddress, value.id)
    for (const { name } of childrenOf(value.properties, 'subnets')) {
      const id = `${value.id}/subnets/${name}`
      subnets.set(id.toLowerCase(), id)
    }
  }
  return clusters.map(({ cluster, standing }) => {
    const isBalanced = cluster.properties.networkProfile['outboundType'] === 'loadBalancer'
    return {
      cluster,
      standing,
      nodes: (nodes.get(cluster.id.toLowerCase()) ?? []).map(({ address, owner }) => ({
        address: formatAddress(address),
        configuration: owner,
      })),
      outbound: isBalanced ? outboundAddressIds(cluster) : [],
      reserved,
      subnets,
    }
  })
}

/** The revision of a view, from which its etag comes, is a digest of what it says. */
function shownBalancers(balanced: readonly BalancedCluster[]): ShownBalancers {
  const all = balanced.map(balancerViews)
  const views = all.flatMap(({ documents }) =>
    documents.map((value) => {
      const digest = createHash('sha256').update(JSON.stringify(value)).digest('hex').slice(0, 12)
      return [value.id.toLowerCase(), { key: '', value, modRevision: Number.parseInt(digest, 16) }] as const
    }),
  )
  return {
    views: new Map(views),
    frontends: new Map(all.flatMap(({ frontends }) => [...frontends])),
    health: new Map(all.flatMap(({ health }) => [...health])),
  }
}

/** Undefined until the addresses are reserved, and where a gateway or routes see to it. */
function egressOf(
  cluster: ClusterRecord,
  documents: ReadonlyMap<string, Stored<DocumentRecord>>,
): SubnetEgress | undefined {
  if (cluster.properties.networkProfile['outboundType'] === 'none') return { kind: 'none' }
  const addresses = outboundAddressIds(cluster).flatMap((id) => {
    const address = documents.get(id.toLowerCase())?.value.properties['ipAddress']
    return typeof address === 'string' ? [address] : []
  })
  return addresses.length === 0 ? undefined : { kind: 'addresses', addresses }
}

function add<T>(map: Map<string, T[]>, key: string, value: T): void {
  const known = map.get(key)
  if (known === undefined) map.set(key, [value])
  else known.push(value)
}

/** The id that Azure would give to the IP configuration of a machine: a scale set's instance and its network interface. */
function configurationOf(cluster: ClusterRecord, machine: string): string {
  const [, scaleSet, instance] = /^(.*-vmss)([0-9a-z]{6})$/.exec(machine) ?? [machine, machine, '0']
  const group = `/subscriptions/${cluster.id.split('/')[2]}/resourceGroups/${cluster.properties.nodeResourceGroup}`
  const set = `${group}/providers/Microsoft.Compute/virtualMachineScaleSets/${scaleSet}`
  return `${set}/virtualMachines/${Number.parseInt(instance!, 36)}/networkInterfaces/${scaleSet}/ipConfigurations/ipconfig1`
}

export interface SubnetPlace {
  readonly id: string
  readonly network: Stored<DocumentRecord>
  readonly subnet: ChildDocument
}

/** All subnets of all networks. */
export function subnetsOf(world: NetworkWorld): readonly SubnetPlace[] {
  return [...world.documents.values()]
    .filter(({ value }) => value.type === 'Microsoft.Network/virtualNetworks')
    .flatMap((network) =>
      childrenOf(network.value.properties, 'subnets').map((subnet) => ({
        id: `${network.value.id}/subnets/${subnet.name}`,
        network,
        subnet,
      })),
    )
}

/** Subnets that name this resource in the property: `networkSecurityGroup`, `routeTable`, `natGateway`. */
export function subnetsWith(world: NetworkWorld, property: string, id: string): readonly SubnetPlace[] {
  return subnetsOf(world).filter(
    ({ subnet }) => referenceAt(subnet.properties, property)?.toLowerCase() === id.toLowerCase(),
  )
}
