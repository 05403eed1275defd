// What one pass of the reconciler over one cluster has in hand.

import type { Scope } from '@aksel/base/scope'
import type { MachineProvider } from '@aksel/provider/machine-provider'
import type { Suppliers } from '../../hub.ts'
import type { ResourceStore } from '../../store-keyspace.ts'
import { groupOfId } from '../../resource-id.ts'
import type { ClusterRecord, PoolRecord } from '../../records.ts'

export interface Pass {
  readonly scope: Scope
  /** Ends the waiting of this pass, because there is news; orders already given to suppliers go on. */
  readonly signal: AbortSignal
  readonly store: ResourceStore
  readonly suppliers: Suppliers
  readonly limits: ReconcileLimits
  /** What this process has already seen to; starts empty with every start of the server. */
  readonly seen: Seen
  /** Tells people what is being done for a cluster or a pool. */
  readonly tell: (resourceId: string, step: string) => void
}

export interface ReconcileLimits {
  /** Machines ordered at once, per cluster. */
  readonly machinesAtOnce: number
  /** How long an operation waits for its nodes. */
  readonly readyTimeoutMs: number
  /** Tries before an operation fails. */
  readonly triesMax: number
  readonly firstRetryMs: number
}

export const defaultLimits: ReconcileLimits = {
  machinesAtOnce: 4,
  readyTimeoutMs: 10 * 60_000,
  triesMax: 4,
  firstRetryMs: 500,
}

export interface Seen {
  /** Clusters whose contents were put in place, by id. */
  readonly prepared: Set<string>
  /** Machines that were created or taken up, by cluster and name. */
  readonly machines: Set<string>
  /** What of application routing was put in place, by cluster. */
  readonly routing: Map<string, string>
  /** When an operation began to wait for nodes, in monotonic milliseconds. */
  readonly waitingSince: Map<string, number>
}

export function nothingSeen(): Seen {
  return { prepared: new Set(), routing: new Map(), machines: new Set(), waitingSince: new Map() }
}

/** The engine's name for a cluster. */
export function engineId(cluster: Pick<ClusterRecord, 'id'>): string {
  return cluster.id.toLowerCase()
}

export function machinesOfPool(pass: Pass, pool: Pick<PoolRecord, 'simulated'>): MachineProvider {
  return pass.suppliers.machines(pool.simulated)
}

export function subscriptionOf(id: string): string {
  const group = groupOfId(id)
  if (group === undefined) throw new Error(`Resource id "${id}" lies in no group`)
  return group.subscriptionId
}

/** Runs the work with at most `limit` at once; waits for all, then throws the first failure. */
export async function inParallel<T>(
  items: readonly T[],
  limit: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const queue = [...items]
  const failures: unknown[] = []
  const worker = async (): Promise<void> => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) {
      await work(item).catch((error: unknown) => void failures.push(error))
    }
  }
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, worker))
  if (failures.length > 0) throw failures[0] as Error
}
