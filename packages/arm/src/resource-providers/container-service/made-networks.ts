// What a cluster makes of the network: the route table of kubenet, public addresses and NAT gateways that its machines leave by.

import { isDeepStrictEqual } from 'node:util'
import type { ClusterNetwork } from '../../machine-spec.ts'
import { digitsOf } from '../../plan.ts'
import type { ClusterRecord, DocumentRecord } from '../../records.ts'
import { sameId } from '../../resource-id.ts'
import { keys } from '../../store-keyspace.ts'
import { reservedDocument, tellFabric } from '../network/network-passes.ts'
import { childrenOf, referenceAt, type ChildDocument } from '../network/network-references.ts'
import { readWorld } from '../network/network-world.ts'
import { machinesOf } from './cluster-store.ts'
import { modelOf } from './network-model.ts'
import { outboundAddressIds, ownNetworkId } from './outbound.ts'
import { engineId, subscriptionOf, type Pass } from './pass.ts'

/** Idempotent. The network's document is there already. */
export async function ensureMadeResources(pass: Pass, cluster: ClusterRecord, network: ClusterNetwork): Promise<void> {
  await ensureOutbound(pass, cluster, network)
  if (modelOf(cluster.properties.networkProfile) === 'kubenet') await ensureRouteTable(pass, cluster, network)
}

async function ensureOutbound(pass: Pass, cluster: ClusterRecord, network: ClusterNetwork): Promise<void> {
  const ids = outboundAddressIds(cluster)
  for (const id of ids) {
    const made = await ensureDocument(pass, cluster, id, {
      sku: { name: 'Standard', tier: 'Regional' },
      tags: { 'aks-managed-cluster-name': cluster.name, 'aks-managed-type': 'aks-slb-managed-outbound-ip' },
      properties: { publicIPAllocationMethod: 'Static', publicIPAddressVersion: 'IPv4', idleTimeoutInMinutes: 30 },
    })
    await pass.store.decide(async () => {
      const stored = await pass.store.get<DocumentRecord>(made)
      const value = stored === undefined ? undefined : await reservedDocument(pass, stored.value)
      if (stored === undefined || value === stored.value) return { changes: [], result: undefined }
      return { changes: [{ kind: 'put', key: made, value, expected: stored.modRevision }], result: undefined }
    })
  }
  if (cluster.properties.networkProfile['outboundType'] !== 'managedNATGateway') return
  const id = ownNetworkId(cluster, 'natGateways', `aks-natgateway-${digitsOf(cluster.uid)}`)
  await ensureDocument(pass, cluster, id, {
    sku: { name: 'Standard' },
    properties: { idleTimeoutInMinutes: 4, publicIpAddresses: ids.map((address) => ({ id: address })) },
  })
  await attach(pass, network, 'natGateway', id)
}

async function ensureRouteTable(pass: Pass, cluster: ClusterRecord, network: ClusterNetwork): Promise<void> {
  const id = ownNetworkId(cluster, 'routeTables', tableNameOf(cluster))
  const world = await readWorld(pass, subscriptionOf(cluster.id))
  if (tableIdOf(world.documents.get(network.virtualNetworkId.toLowerCase())?.value, network.subnetId) !== undefined)
    return
  await ensureDocument(pass, cluster, id, { properties: { disableBgpRoutePropagation: false, routes: [] } })
  await attach(pass, network, 'routeTable', id)
}

/** Makes the document where there is none; returns its key. */
async function ensureDocument(
  pass: Pass,
  cluster: ClusterRecord,
  id: string,
  content: Pick<DocumentRecord, 'properties' | 'sku' | 'tags'>,
): Promise<string> {
  const key = keys.resource(id)
  const [name, path] = id.split('/').toReversed() as [string, string]
  const value: DocumentRecord = {
    kind: 'document',
    id,
    name,
    type: `Microsoft.Network/${path}`,
    location: cluster.location,
    ...content,
  }
  if ((await pass.store.get(key)) === undefined) await pass.store.commit([{ kind: 'put', key, value, expected: 0 }])
  return key
}

/** The cluster's subnet names the resource, where it names none yet. */
async function attach(pass: Pass, network: ClusterNetwork, property: string, id: string): Promise<void> {
  const name = network.subnetId.split('/').at(-1)!.toLowerCase()
  await pass.store.update<DocumentRecord>(keys.resource(network.virtualNetworkId), (current) => {
    const subnets = childrenOf(current.properties, 'subnets')
    const at = subnets.findIndex((subnet) => subnet.name.toLowerCase() === name)
    const subnet = subnets[at]
    if (subnet === undefined || referenceAt(subnet.properties, property) !== undefined) return undefined
    const next: ChildDocument = { ...subnet, properties: { ...subnet.properties, [property]: { id } } }
    return { ...current, properties: { ...current.properties, subnets: subnets.with(at, next) } }
  })
}

function tableIdOf(network: DocumentRecord | undefined, subnetId: string): string | undefined {
  const name = subnetId.split('/').at(-1)!.toLowerCase()
  const subnet = childrenOf(network?.properties ?? {}, 'subnets').find((each) => each.name.toLowerCase() === name)
  return subnet === undefined ? undefined : referenceAt(subnet.properties, 'routeTable')
}

/** The user's own subnet and route table as they were before the cluster came. */
export async function leaveMadeResources(pass: Pass, cluster: ClusterRecord, network: ClusterNetwork): Promise<void> {
  if (cluster.subnetId === undefined || modelOf(cluster.properties.networkProfile) !== 'kubenet') return
  const key = keys.resource(network.virtualNetworkId)
  const tableId = tableIdOf((await pass.store.get<DocumentRecord>(key))?.value, network.subnetId)
  if (tableId === undefined) return
  const made = ownNetworkId(cluster, 'routeTables', tableNameOf(cluster))
  if (sameId(tableId, made)) await detach(pass, network, 'routeTable')
  else await writeRoutes(pass, cluster, tableId, [])
}

async function detach(pass: Pass, network: ClusterNetwork, property: string): Promise<void> {
  const name = network.subnetId.split('/').at(-1)!.toLowerCase()
  await pass.store.update<DocumentRecord>(keys.resource(network.virtualNetworkId), (current) => {
    const subnets = childrenOf(current.properties, 'subnets').map((subnet) => {
      if (subnet.name.toLowerCase() !== name) return subnet
      const { [property]: _, ...properties } = subnet.properties
      return { ...subnet, properties }
    })
    return { ...current, properties: { ...current.properties, subnets } }
  })
}

function tableNameOf(cluster: ClusterRecord): string {
  return `aks-agentpool-${digitsOf(cluster.uid)}-routetable`
}

/** kubenet: a route per node leads to its pods. Writes what is missing, and takes away what led to nodes that are gone. */
export async function ensureNodeRoutes(pass: Pass, cluster: ClusterRecord, network: ClusterNetwork): Promise<void> {
  if (modelOf(cluster.properties.networkProfile) !== 'kubenet') return
  const subscriptionId = subscriptionOf(cluster.id)
  const world = await readWorld(pass, subscriptionId)
  const tableId = tableIdOf(world.documents.get(network.virtualNetworkId.toLowerCase())?.value, network.subnetId)
  if (tableId === undefined) return
  const id = engineId(cluster)
  const addresses = new Map(
    [false, true]
      .flatMap((simulated) => pass.suppliers.machines(simulated).list(id))
      .map(({ name, address }) => [name, address]),
  )
  const machines = await machinesOf(pass.store, cluster.id)
  const wanted = machines.flatMap(({ value }): readonly ChildDocument[] => {
    const address = addresses.get(value.name) ?? ''
    if (address === '') return []
    const properties = { addressPrefix: value.podCidr, nextHopType: 'VirtualAppliance', nextHopIpAddress: address }
    return [{ name: `${value.name}____`, properties }]
  })
  if (!(await writeRoutes(pass, cluster, tableId, wanted))) return
  await tellFabric(pass, await readWorld(pass, subscriptionId), tableId)
}

/** The table with these routes in place of the cluster's former ones; others stay. False where nothing had to change. */
async function writeRoutes(
  pass: Pass,
  cluster: ClusterRecord,
  tableId: string,
  wanted: readonly ChildDocument[],
): Promise<boolean> {
  const digits = `-${digitsOf(cluster.uid)}-`
  const isOurs = ({ name }: ChildDocument): boolean => name.startsWith('aks-') && name.includes(digits)
  let changed = false
  await pass.store.update<DocumentRecord>(keys.resource(tableId), (current) => {
    const standing = childrenOf(current.properties, 'routes')
    const routes = [...standing.filter((route) => !isOurs(route)), ...wanted]
    changed = !isDeepStrictEqual(routes, standing)
    return changed ? { ...current, properties: { ...current.properties, routes } } : undefined
  })
  return changed
}
