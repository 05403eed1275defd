// What a decision about a network resource looks at: the other network resources of the subscription, and who holds addresses.

import { parseAddress } from '@aksel/base/ipv4'
import type { SubnetEgress } from '@aksel/provider/fabric'
import type { Hub } from '../../hub.ts'
import { networkOf, subnetOf } from '../../machine-spec.ts'
import type { ClusterRecord, DocumentRecord, PoolRecord, Resource } from '../../records.ts'
import { keys, type Stored } from '../../store-keyspace.ts'
import { outboundAddressIds } from '../container-service/outbound.ts'
import { childrenOf, referenceAt, type ChildDocument } from './network-references.ts'
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
  /** Ranges of pods beside the network's own, by the network's id in lower case. */
  readonly podPrefixes: ReadonlyMap<string, readonly { readonly cluster: string; readonly prefix: string }[]>
  /** How clusters want their machines to leave, by the subnet's id in lower case. */
  readonly egress: ReadonlyMap<string, SubnetEgress>
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
    if (way !== undefined) egress.set(subnetId, way)
    const machines = hub.suppliers.machines(pool.simulated).list(cluster.id.toLowerCase())
    const own = machines.filter(({ name, address }) => address !== '' && name.startsWith(`aks-${pool.name}-`))
    const known = taken.get(subnetId) ?? []
    taken.set(subnetId, [
      ...known,
      ...own.map(({ name, address }) => ({ address: parseAddress(address), owner: configurationOf(cluster, name) })),
    ])
  }
  const podPrefixes = new Map<string, { readonly cluster: string; readonly prefix: string }[]>()
  for (const cluster of clusters.values()) {
    const { podCidr } = cluster.properties.networkProfile
    const id = networkOf(cluster, subscriptionId).virtualNetworkId.toLowerCase()
    if (podCidr !== undefined) add(podPrefixes, id, { cluster: cluster.id, prefix: podCidr })
  }
  return { documents, taken, claims, wanted, podPrefixes, egress }
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
  map.set(key, [...(map.get(key) ?? []), value])
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
