// Reading clusters, their pools and machines from the store.

import { notAllowed, operationInProgress, parentNotFound, poolNotFound, resourceNotFound } from '../../azure-errors.ts'
import { clusterId, groupId, poolId, type ClusterRef, type PoolRef } from '../../resource-id.ts'
import { keys, type ResourceStore, type Stored } from '../../store-keyspace.ts'
import type { ClusterRecord, MachineRecord, PoolRecord, Resource } from '../../records.ts'
import { readGroup } from '../resources/groups.ts'

export const clusterType = 'Microsoft.ContainerService/managedClusters'

export async function findCluster(store: ResourceStore, ref: ClusterRef): Promise<Stored<ClusterRecord> | undefined> {
  return store.get<ClusterRecord>(keys.resource(clusterId(ref)))
}

/** Throws ResourceGroupNotFound or ResourceNotFound. */
export async function readCluster(store: ResourceStore, ref: ClusterRef): Promise<Stored<ClusterRecord>> {
  const stored = await findCluster(store, ref)
  if (stored !== undefined) return stored
  await readGroup(store, ref)
  throw resourceNotFound(`${clusterType}/${ref.cluster}`, ref.resourceGroup)
}

/** The cluster of a pool; throws ParentResourceNotFound. */
export async function readParent(
  store: ResourceStore,
  ref: ClusterRef,
  action: 'read' | 'write',
): Promise<Stored<ClusterRecord>> {
  const stored = await findCluster(store, ref)
  if (stored !== undefined) return stored
  await readGroup(store, ref)
  throw parentNotFound(action, 'managedClusters/agentPools', clusterId(ref))
}

export async function listClusters(store: ResourceStore, below: string): Promise<readonly ClusterRecord[]> {
  const all = await store.list<Resource & { readonly kind: string }>(keys.below(below))
  return all.flatMap(({ value }) => (value.kind === 'cluster' ? [value as ClusterRecord] : []))
}

export interface ClusterWithPools {
  readonly cluster: ClusterRecord
  readonly pools: readonly PoolRecord[]
}

/** In one read, however many there are. */
export async function listWithPools(store: ResourceStore, below: string): Promise<readonly ClusterWithPools[]> {
  const all = await store.list<Resource & { readonly kind: string }>(keys.below(below))
  const pools = new Map<string, PoolRecord[]>()
  for (const { value } of all) {
    if (value.kind !== 'pool') continue
    const pool = value as unknown as PoolRecord
    const id = pool.clusterId.toLowerCase()
    pools.set(id, [...(pools.get(id) ?? []), pool])
  }
  return all.flatMap(({ value }) => {
    if (value.kind !== 'cluster') return []
    const cluster = value as ClusterRecord
    return [{ cluster, pools: pools.get(cluster.id.toLowerCase()) ?? [] }]
  })
}

export async function clustersOfGroup(
  store: ResourceStore,
  ref: { readonly subscriptionId: string; readonly resourceGroup: string },
): Promise<readonly ClusterRecord[]> {
  return listClusters(store, groupId(ref))
}

/** In the order in which they were made: the numbers are kept by name, so by name. */
export async function poolsOf(store: ResourceStore, id: string): Promise<readonly Stored<PoolRecord>[]> {
  return store.list<PoolRecord>(keys.below(`${id}/agentpools`))
}

export async function findPool(store: ResourceStore, ref: PoolRef): Promise<Stored<PoolRecord> | undefined> {
  return store.get<PoolRecord>(keys.resource(poolId(ref)))
}

export async function readPoolRecord(store: ResourceStore, ref: PoolRef): Promise<Stored<PoolRecord>> {
  const cluster = await readParent(store, ref, 'read')
  const stored = await findPool(store, ref)
  if (stored === undefined) throw poolNotFound(ref.pool, cluster.value.id)
  return stored
}

export async function machinesOf(store: ResourceStore, id: string): Promise<readonly Stored<MachineRecord>[]> {
  return store.list<MachineRecord>(keys.machines(id))
}

/** Throws where an operation on the cluster or on one of these pools is in progress. */
export function judgeIdle(cluster: ClusterRecord, pools: readonly PoolRecord[], mayBeStopped = false): void {
  if (cluster.progress.operationId !== undefined || cluster.progress.deleting === true) {
    throw operationInProgress(cluster.progress.provisioningState)
  }
  if (cluster.power === 'Stopped' && !mayBeStopped) {
    throw notAllowed(
      `The managed cluster '${cluster.name}' is stopped: only start and delete are allowed until it is started. See https://aka.ms/aks-stopped-cluster for more details.`,
    )
  }
  const busy = pools.find(({ progress }) => progress.operationId !== undefined || progress.deleting === true)
  if (busy !== undefined) throw operationInProgress(`${busy.name} - ${busy.progress.provisioningState}`)
}
