// Whether a machine may be repaired by itself: not one that is off by order, goes, or is in somebody's hand already.

import type { ClusterRecord, MachineRecord, PoolRecord } from '../../records.ts'
import { keys, type ResourceStore } from '../../store-keyspace.ts'

/** Pure: undefined is a resource that is not there. */
export function judgeRepairable(
  cluster: Pick<ClusterRecord, 'power' | 'progress'> | undefined,
  pool: Pick<PoolRecord, 'power' | 'progress' | 'upgrade'> | undefined,
  machine: Pick<MachineRecord, 'step' | 'leavingSinceMs' | 'eviction' | 'quarantinedBy'> | undefined,
): boolean {
  if (cluster === undefined || pool === undefined || machine === undefined) return false
  if (cluster.power === 'Stopped' || pool.power === 'Stopped') return false
  if (cluster.progress.deleting === true || pool.progress.deleting === true) return false
  if (pool.upgrade !== undefined || machine.quarantinedBy !== undefined) return false
  return machine.step === undefined && machine.leavingSinceMs === undefined && machine.eviction === undefined
}

export async function mayRepair(store: ResourceStore, clusterId: string, name: string): Promise<boolean> {
  const machine = (await store.get<MachineRecord>(keys.machine(clusterId, name)))?.value
  if (machine === undefined) return false
  const [cluster, pool] = await Promise.all([
    store.get<ClusterRecord>(keys.resource(clusterId)),
    store.get<PoolRecord>(keys.resource(`${clusterId}/agentPools/${machine.pool}`)),
  ])
  return judgeRepairable(cluster?.value, pool?.value, machine)
}
