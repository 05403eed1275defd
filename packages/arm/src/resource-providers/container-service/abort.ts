// Aborting: the operation that runs ends as canceled, and one of its own puts what is half done in order. Nothing is rolled back.

import type { Scope } from '@aksel/base/scope'
import { notAllowed } from '../../azure-errors.ts'
import type { Hub } from '../../hub.ts'
import { endOf } from '../../operations.ts'
import type { Change } from '../../store-keyspace.ts'
import type { ClusterRecord, MachineRecord, OperationRecord, PoolRecord, Progress } from '../../records.ts'
import { machinesOf } from './cluster-store.ts'
import { engineId, subscriptionOf } from './pass.ts'

/** The operation that can be aborted; throws where there is none. */
export function abortable(progress: Progress, what: string): string {
  if (progress.deleting === true) throw notAllowed(`The delete of ${what} cannot be aborted.`)
  if (progress.canceling === true) throw notAllowed(`The operation on ${what} is being aborted already.`)
  if (progress.operationId === undefined) {
    throw notAllowed(`There is no operation in progress on ${what} that could be aborted.`)
  }
  return progress.operationId
}

export interface Aborted {
  readonly cluster: ClusterRecord
  /** Pools that the operation works on. */
  readonly pools: readonly PoolRecord[]
  readonly aborted: string
  /** The abort's own. */
  readonly operation: OperationRecord
}

export interface AbortChanges {
  readonly cluster: ClusterRecord
  readonly pools: readonly PoolRecord[]
  readonly more: readonly Change[]
}

export async function abortChanges(hub: Hub, scope: Scope, what: Aborted): Promise<AbortChanges> {
  const { cluster, pools, aborted, operation } = what
  const progress: Progress = { provisioningState: 'Canceling', canceling: true, operationId: operation.id }
  const machines = (await machinesOf(hub.store, cluster.id)).map(({ value }) => value)
  return {
    cluster: cluster.progress.operationId === aborted ? { ...cluster, progress } : cluster,
    pools: pools.map((pool) => ({ ...asItIs(hub, cluster, pool, machines), progress })),
    more: await canceled(hub, scope, subscriptionOf(cluster.id), aborted),
  }
}

/** No more machines are ordered: the count is what is there. One that has none yet keeps its wish. */
function asItIs(hub: Hub, cluster: ClusterRecord, pool: PoolRecord, machines: readonly MachineRecord[]): PoolRecord {
  if (pool.upgrade !== undefined || pool.power === 'Stopped') return pool
  const all = hub.suppliers.machines(pool.simulated).list(engineId(cluster))
  const there = new Set(all.flatMap(({ name, state }) => (state === 'Running' ? [name] : [])))
  const own = machines.filter(
    (machine) => machine.pool === pool.name && machine.leavingSinceMs === undefined && there.has(machine.name),
  )
  const count = Math.min(own.length, Math.max(pool.properties.count, 1))
  return count === 0 ? pool : { ...pool, properties: { ...pool.properties, count } }
}

async function canceled(hub: Hub, scope: Scope, subscriptionId: string, id: string): Promise<readonly Change[]> {
  const error = { code: 'Canceled', message: 'The operation was canceled by a request to abort it.' }
  const end = await endOf(scope, hub.store, subscriptionId, id, { error, status: 'Canceled' })
  return end === undefined ? [] : [end]
}
