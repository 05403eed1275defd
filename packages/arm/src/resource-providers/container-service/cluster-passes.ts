// One pass over a managed cluster: from what was written to what is, or until it is gone.

import { childScope } from '@aksel/base/scope'
import type { ArmErrorBody } from '@aksel/base/errors'
import { releaseAddresses } from '../network/network-passes.ts'
import { endOf } from '../../operations.ts'
import { networkOf } from '../../machine-spec.ts'
import { groupId, groupOfId } from '../../resource-id.ts'
import { changesMax, keys, type Change } from '../../store-keyspace.ts'
import type { ClusterRecord, DocumentRecord, GroupRecord, PoolRecord, Progress } from '../../records.ts'
import { isUpgrading } from '../../upgrade-plan.ts'
import { listClusters, machinesOf, poolsOf } from './cluster-store.ts'
import { standStill, stopPool } from './power.ts'
import { failChildren, reconcileChildren } from './cluster-child-passes.ts'
import { ensureApplicationRouting } from './application-routing.ts'
import { ensureFoundation, hostAddressName } from './foundation.ts'
import { failAuthenticators, reconcileAuthenticators } from './jwt-authenticator-passes.ts'
import { engineId, inParallel, machinesOfPool, subscriptionOf, type Pass } from './pass.ts'
import { ensureNodeRoutes, leaveMadeResources } from './made-networks.ts'
import { forgetMachine } from './machine-passes.ts'
import { planMachines, reconcilePool } from './pool-passes.ts'
import { upgradePool } from './pool-upgrade.ts'

/** Some pools failed; the others are as they should be. */
export class PoolsFailed extends Error {
  readonly failures: ReadonlyMap<string, unknown>

  constructor(failures: ReadonlyMap<string, unknown>) {
    const [first] = failures.values()
    super(first instanceof Error ? first.message : String(first), { cause: first })
    this.name = 'PoolsFailed'
    this.failures = failures
  }
}

/** `again` asks for another pass at once: something was written meanwhile. */
export async function reconcileCluster(pass: Pass, id: string): Promise<'done' | 'again'> {
  const stored = await pass.store.get<ClusterRecord>(keys.resource(id))
  if (stored === undefined) return 'done'
  const cluster = stored.value
  const scoped: Pass = { ...pass, scope: childScope(pass.scope, { cluster: cluster.id }) }
  if (cluster.progress.deleting === true) {
    await tearDown(scoped, cluster)
    return 'done'
  }
  if (cluster.power === 'Stopped') return (await standsStill(scoped, cluster)) ? 'done' : 'again'
  const controlPlane = await ensureFoundation(scoped, cluster)
  if (!(await reconcileAuthenticators(scoped, cluster))) return 'again'
  if (!(await reconcileChildren(scoped, cluster))) return 'again'
  const pools = await planMachines(scoped, cluster)
  if (pools === undefined) return 'again'
  const network = networkOf(cluster, subscriptionOf(cluster.id))
  const failures = new Map<string, unknown>()
  const finished = await Promise.all(
    pools.map(async ({ pool, turn }) => {
      try {
        if (pool.power === 'Stopped') await stopPool(scoped, cluster, pool)
        else await reconcilePool(scoped, cluster, pool, controlPlane)
        if (turn) await upgradePool(scoped, { cluster, pool, controlPlane })
        // Another pool of the same operation is upgraded first.
        else if (isUpgrading(pool)) return false
        await ensureNodeRoutes(scoped, cluster, network)
        return await finishPool(scoped, pool)
      } catch (error) {
        failures.set(pool.id, error)
        return true
      }
    }),
  )
  if (failures.size > 0) throw new PoolsFailed(failures)
  await ensureApplicationRouting(scoped, cluster)
  if (finished.includes(false)) return 'again'
  return (await finishCluster(scoped, cluster)) ? 'done' : 'again'
}

/** False where something was written anew meanwhile. */
async function standsStill(pass: Pass, cluster: ClusterRecord): Promise<boolean> {
  await standStill(pass, cluster)
  const pools = await poolsOf(pass.store, cluster.id)
  const finished = await Promise.all(pools.map(({ value }) => finishPool(pass, value)))
  return !finished.includes(false) && finishCluster(pass, cluster)
}

/** False where the pool was written anew meanwhile. */
async function finishPool(pass: Pass, pool: PoolRecord): Promise<boolean> {
  const { operationId } = pool.progress
  if (operationId === undefined) return true
  const key = keys.resource(pool.id)
  const current = await pass.store.get<PoolRecord>(key)
  if (current === undefined || current.value.progress.operationId !== operationId) return false
  if (pool.progress.deleting === true) {
    return commitEnd(pass, pool.id, operationId, { kind: 'delete', key, expected: current.modRevision })
  }
  const value: PoolRecord = { ...current.value, progress: endedProgress(pool.progress) }
  return commitEnd(pass, pool.id, operationId, { kind: 'put', key, value, expected: current.modRevision })
}

async function finishCluster(pass: Pass, cluster: ClusterRecord): Promise<boolean> {
  const { operationId } = cluster.progress
  if (operationId === undefined) return true
  const key = keys.resource(cluster.id)
  const current = await pass.store.get<ClusterRecord>(key)
  if (current === undefined || current.value.progress.operationId !== operationId) return false
  const value = endedCluster(pass, current.value)
  return commitEnd(pass, cluster.id, operationId, { kind: 'put', key, value, expected: current.modRevision })
}

function endedProgress({ canceling }: Progress): Progress {
  return { provisioningState: canceling === true ? 'Canceled' : 'Succeeded' }
}

/** After an abort it says which version and keys it really has. */
function endedCluster(pass: Pass, cluster: ClusterRecord): ClusterRecord {
  const status = pass.suppliers.engine.status(engineId(cluster))
  const canceled = cluster.progress.canceling === true && status !== undefined
  const keys = canceled && cluster.rotations !== undefined ? { rotations: status.rotations } : {}
  const ended: ClusterRecord = { ...cluster, ...keys, progress: endedProgress(cluster.progress) }
  const running = status?.kubernetesVersion ?? cluster.version
  if (cluster.progress.canceling !== true || running === cluster.version) return ended
  return { ...ended, version: running, properties: { ...ended.properties, kubernetesVersion: running } }
}

/** Writes the resource's end, and the operation's where the operation is its own. */
async function commitEnd(
  pass: Pass,
  resourceId: string,
  operationId: string,
  change: Change,
  error?: ArmErrorBody,
): Promise<boolean> {
  const end = await endOf(
    pass.scope,
    pass.store,
    subscriptionOf(resourceId),
    operationId,
    error === undefined ? undefined : { error },
  )
  const own =
    end?.kind === 'put' &&
    (end.value as { readonly resourceId: string }).resourceId.toLowerCase() === resourceId.toLowerCase()
  return pass.store.commit(own ? [change, end] : [change])
}

/** Everything in reverse; every step may have been done before. The record goes last. */
async function tearDown(pass: Pass, cluster: ClusterRecord): Promise<void> {
  const id = engineId(cluster)
  const pools = await poolsOf(pass.store, cluster.id)
  const machines = await machinesOf(pass.store, cluster.id)
  pass.tell(id, `Deleting the machines of ${cluster.name} (${machines.length})`)
  await inParallel(machines, pass.limits.machinesAtOnce, async ({ value }) => {
    const pool = pools.find((known) => known.value.name === value.pool)
    await machinesOfPool(pass, pool?.value ?? { simulated: false }).delete(pass.scope, id, value.name)
    await forgetMachine(pass, cluster, value.name)
  })
  pass.tell(id, `Deleting the control plane of ${cluster.name}`)
  await pass.suppliers.engine.delete(pass.scope, id)
  pass.seen.prepared.delete(id)
  await leaveNetwork(pass, cluster)
  await removeRecords(pass, cluster)
}

/** The network goes with the last cluster in it; the user's own stays as a resource. */
async function leaveNetwork(pass: Pass, cluster: ClusterRecord): Promise<void> {
  const { fabric } = pass.suppliers
  const subscriptionId = subscriptionOf(cluster.id)
  await leaveMadeResources(pass, cluster, networkOf(cluster, subscriptionId))
  if (fabric === undefined) return
  const idOf = (one: ClusterRecord): string => networkOf(one, subscriptionId).virtualNetworkId.toLowerCase()
  const id = idOf(cluster)
  const all = await listClusters(pass.store, `/subscriptions/${subscriptionId}`)
  const others = all.filter((other) => other.id !== cluster.id && idOf(other) === id)
  if (others.length === 0) return fabric.deleteVirtualNetwork(pass.scope, id)
  for (const { id: balancer, owner } of fabric.loadBalancersOf(id)) {
    if (owner?.clusterId !== engineId(cluster)) continue
    await fabric.deleteLoadBalancer(pass.scope, { virtualNetworkId: id, id: balancer })
  }
  await fabric.releaseHostAddress(pass.scope, { virtualNetworkId: id, name: hostAddressName(cluster) })
}

/** With everything that lies below it: pools, authenticators, maintenance configurations. */
async function removeRecords(pass: Pass, cluster: ClusterRecord): Promise<void> {
  const own = { subscriptionId: subscriptionOf(cluster.id), resourceGroup: cluster.properties.nodeResourceGroup }
  const network = await pass.store.list<DocumentRecord>(keys.below(groupId(own)))
  await releaseAddresses(
    pass,
    network.map(({ value }) => value),
  )
  await pass.store.decide(async () => {
    const stored = await pass.store.get<ClusterRecord>(keys.resource(cluster.id))
    if (stored === undefined) return { changes: [], result: undefined }
    const ref = { subscriptionId: subscriptionOf(cluster.id), resourceGroup: cluster.properties.nodeResourceGroup }
    const group = await pass.store.get<GroupRecord>(keys.resource(groupId(ref)))
    const ours = group?.value.managedBy?.toLowerCase() === cluster.id.toLowerCase()
    const children = await pass.store.list<unknown>(keys.below(cluster.id))
    const documents = ours ? await pass.store.list<DocumentRecord>(keys.below(groupId(ref))) : []
    const below = [...children, ...documents]
    // More than one transaction takes goes first; the cluster with its end, at last, at once.
    const isMuch = below.length > changesMax / 2
    if (isMuch && !(await pass.store.removeAll(below)))
      throw new Error(`What lies in ${cluster.name} changed while it was taken away`)
    const gone = [stored, ...(isMuch ? [] : below), ...(ours && group !== undefined ? [group] : [])]
    const { operationId } = stored.value.progress
    const end =
      operationId === undefined ? undefined : await endOf(pass.scope, pass.store, ref.subscriptionId, operationId)
    const changes: Change[] = gone.map(({ key, modRevision }) => ({ kind: 'delete', key, expected: modRevision }))
    return { changes: end === undefined ? changes : [...changes, end], result: undefined }
  })
}

/** Ends the operations in progress as failed, and says why on the resources. False where none was in progress. */
export async function failCluster(
  pass: Pass,
  id: string,
  error: unknown,
  bodyOf: (error: unknown) => ArmErrorBody,
): Promise<boolean> {
  const failures = error instanceof PoolsFailed ? error.failures : undefined
  const reason = bodyOf(error instanceof PoolsFailed ? error.cause : error)
  const stored = await pass.store.get<ClusterRecord>(keys.resource(id))
  if (stored === undefined) return false
  const failed = [await failAuthenticators(pass, id, reason), await failChildren(pass, id, reason)]
  let ended = failed.includes(true)
  for (const { value } of await poolsOf(pass.store, id)) {
    if (value.progress.operationId === undefined) continue
    ended = true
    const own =
      failures?.has(value.id) === true
        ? bodyOf(failures.get(value.id))
        : unfinished(value, failures)
          ? reason
          : undefined
    await endPool(pass, value, own)
  }
  const { operationId, deleting } = stored.value.progress
  if (operationId === undefined) return ended
  const progress = { provisioningState: 'Failed', error: reason, ...(deleting === true ? { deleting } : {}) }
  await endWith(pass, stored.value.id, operationId, progress, reason)
  return true
}

/** Its part was not done: nothing was, or its upgrade was still to come. */
function unfinished(pool: PoolRecord, failures: ReadonlyMap<string, unknown> | undefined): boolean {
  return failures === undefined || pool.upgrade !== undefined
}

async function endPool(pass: Pass, pool: PoolRecord, error: ArmErrorBody | undefined): Promise<void> {
  const progress = {
    provisioningState: error === undefined ? 'Succeeded' : 'Failed',
    ...(error === undefined ? {} : { error }),
    ...(pool.progress.deleting === true ? { deleting: true } : {}),
  }
  await endWith(pass, pool.id, pool.progress.operationId!, progress, error)
}

async function endWith(
  pass: Pass,
  resourceId: string,
  operationId: string,
  progress: ClusterRecord['progress'],
  error: ArmErrorBody | undefined,
): Promise<void> {
  const key = keys.resource(resourceId)
  while (true) {
    const current = await pass.store.get<ClusterRecord | PoolRecord>(key)
    if (current === undefined || current.value.progress.operationId !== operationId) return
    const value = { ...current.value, progress }
    if (
      await commitEnd(pass, resourceId, operationId, { kind: 'put', key, value, expected: current.modRevision }, error)
    )
      return
  }
}

/** The group that a cluster lies in: its delete may have been waiting for this one. */
export function parentGroupId(id: string): string {
  return groupId(groupOfId(id)!)
}
