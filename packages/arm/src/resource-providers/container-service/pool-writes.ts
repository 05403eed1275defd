// Writes to agent pools: alone, or as part of a cluster's.

import { uuid } from '@aksel/base/ids'
import type { Scope } from '@aksel/base/scope'
import { changeNotAllowed, invalidParameter, notAllowed, operationInProgress } from '../../azure-errors.ts'
import { callerOf, type ArmRequest } from '../../front-door/route.ts'
import type { Hub } from '../../hub.ts'
import { newOperation, startOf } from '../../operations.ts'
import { hasGpus } from './gpus.ts'
import { poolId, type ClusterRef, type PoolRef } from '../../resource-id.ts'
import { chosenSnapshot, type SnapshotChoice } from './snapshots.ts'
import { defaultVmSize } from './vm-sizes.ts'
import { keys, type Change, type ResourceStore, type Stored } from '../../store-keyspace.ts'
import type { ClusterRecord, Json, OperationRecord, PoolProperties, PoolRecord, Tags } from '../../records.ts'
import { objectAt, readObject, textAt } from '../body.ts'
import { readTags } from '../resources/names.ts'
import { isAutomatic, judgeAutomaticPools } from './automatic.ts'
import { simulatedTag } from './bodies.ts'
import { readWorld } from '../network/network-world.ts'
import { judgeNetworkChoice } from './network-choice.ts'
import { maxPodsDefaults, modelOf } from './network-model.ts'
import { isSimulatedIn } from '../resources/groups.ts'
import { findPool, judgeIdle, poolsOf, readParent } from './cluster-store.ts'
import { nextVersions, upgradeAfter } from './pool-versions.ts'
import { judgePoolName, nextPool, poolDefaults, readPool, type PoolContext } from './pool-properties.ts'
import { judgePreconditions } from './preconditions.ts'
import { judgeStrict, recordedOfPool } from './recorded.ts'
import { judgeQuota } from './usages.ts'
import { judgeUpgradeWish } from './upgrade-checks.ts'

export function poolContext(
  cluster: Pick<ClusterRecord, 'version' | 'location' | 'properties'>,
  given: Json = {},
): PoolContext {
  const model = modelOf(cluster.properties.networkProfile, given)
  return {
    clusterVersion: cluster.version,
    location: cluster.location,
    maxPodsDefault: maxPodsDefaults[model],
  }
}

export interface PoolWrite {
  readonly ref: PoolRef
  readonly given: Json
  readonly existing: PoolRecord | undefined
  readonly cluster: Pick<ClusterRecord, 'id' | 'version' | 'location' | 'properties'>
  readonly operationId: string
  readonly simulatedByDefault: boolean
  /** What its `creationData` names, if that is new. */
  readonly snapshot?: SnapshotChoice | undefined
}

/** The pool after the write; throws what Azure would refuse. */
export function writtenPool(scope: Scope, write: PoolWrite): PoolRecord {
  const { ref, existing, cluster } = write
  const context = poolContext(cluster, { ...existing?.properties, ...write.given })
  const { tags: givenTags, ...asGiven } = write.given
  const given = { ...ofSnapshot(write.snapshot), ...asGiven }
  const properties = withSpotRules(nextPool(given, existing?.properties, context))
  const tags = givenTags === undefined ? existing?.tags : withoutOurs(readTags(givenTags))
  // There is no Windows machine to run one on, and no GPU to hand out.
  const isWindows = properties.osType === 'Windows'
  if (existing === undefined && isWindows && ref.pool.length > 6) {
    throw invalidParameter(
      'agentPoolProfile.name',
      `Windows agent pool name '${ref.pool}' must have at most 6 characters`,
    )
  }
  const simulated =
    existing?.simulated ??
    (isWindows || hasGpus(properties.vmSize) || (givenTags as Tags | undefined)?.[simulatedTag] === 'true')
  if (existing !== undefined && !existing.simulated && (givenTags as Tags | undefined)?.[simulatedTag] === 'true') {
    throw changeNotAllowed(`properties.tags['${simulatedTag}']`)
  }
  const { nodeImageVersion: asked, powerState, ...kept } = properties
  const power = powerAfter(powerState, existing, properties)
  const nowMs = scope.clock.now()
  const goal = nextVersions({ properties, asked: asked ?? write.snapshot?.versions.image, existing, nowMs })
  const upgrade = upgradeAfter(existing, goal, properties)
  return {
    kind: 'pool',
    id: existing?.id ?? poolId(ref),
    name: existing?.name ?? judgePoolName(ref.pool),
    clusterId: cluster.id.toLowerCase(),
    properties: kept as PoolProperties,
    ...(tags === undefined ? {} : { tags }),
    eTag: uuid(scope.random),
    simulated: simulated || (existing === undefined && write.simulatedByDefault),
    version: goal.kubernetes,
    nodeImageVersion: goal.image,
    ...(power === undefined ? {} : { power }),
    ...(upgrade === undefined ? {} : { upgrade }),
    ...(existing?.recentlyUsed === undefined ? {} : { recentlyUsed: existing.recentlyUsed }),
    nextInstance: existing?.nextInstance ?? 0,
    ...(existing?.identities === undefined ? {} : { identities: existing.identities }),
    recorded: recordedOfPool(properties, poolDefaults(context)),
    progress: { provisioningState: stateOf(existing, { properties, upgrade, power }), operationId: write.operationId },
  }
}

function ofSnapshot(snapshot: SnapshotChoice | undefined): Json {
  if (snapshot === undefined) return {}
  return { orchestratorVersion: snapshot.versions.kubernetes, osSKU: snapshot.osSKU }
}

interface NextState {
  readonly properties: PoolProperties
  readonly upgrade: PoolRecord['upgrade']
  readonly power: 'Stopped' | undefined
}

function stateOf(existing: PoolRecord | undefined, { properties, upgrade, power }: NextState): string {
  if (existing === undefined) return 'Creating'
  if (power !== existing.power) return power === 'Stopped' ? 'Stopping' : 'Starting'
  if (upgrade !== undefined) return 'Upgrading'
  return existing.properties.count === properties.count ? 'Updating' : 'Scaling'
}

/** A pool is stopped and started by what its `powerState` is to be. Throws what Azure would refuse. */
function powerAfter(
  powerState: unknown,
  existing: PoolRecord | undefined,
  next: PoolProperties,
): 'Stopped' | undefined {
  const code = (powerState as Json | undefined)?.['code'] ?? existing?.power ?? 'Running'
  if (code === 'Running') return undefined
  if (code !== 'Stopped') {
    throw invalidParameter(
      'agentPoolProfile.powerState.code',
      `${JSON.stringify(code)} is not one of the allowed values: Running, Stopped`,
    )
  }
  if (next.mode === 'System') throw notAllowed('An agent pool of mode System cannot be stopped.')
  if (existing?.power === 'Stopped') {
    if (existing.properties.count === next.count) return 'Stopped'
    throw notAllowed(`Agent pool '${existing.name}' is stopped: it can be scaled once it is started.`)
  }
  if (existing?.progress.provisioningState === 'Succeeded') return 'Stopped'
  throw notAllowed('An agent pool can be stopped only while it runs and its provisioning state is Succeeded.')
}

/** Spot pools carry the service's label and taint. */
function withSpotRules(pool: PoolProperties): PoolProperties {
  if (pool['scaleSetPriority'] !== 'Spot') return pool
  const key = 'kubernetes.azure.com/scalesetpriority'
  const taint = `${key}=spot:NoSchedule`
  const taints = pool.nodeTaints ?? []
  return {
    ...pool,
    nodeLabels: { ...pool.nodeLabels, [key]: 'spot' },
    nodeTaints: taints.includes(taint) ? taints : [...taints, taint],
  }
}

/** The tag is ours to show: what is simulated stands in the record. */
export function withoutOurs(tags: Tags | undefined): Tags | undefined {
  if (tags === undefined) return undefined
  return Object.fromEntries(Object.entries(tags).filter(([name]) => name !== simulatedTag))
}

/** PUT of one pool. */
export async function putPool(
  hub: Hub,
  request: ArmRequest,
  ref: PoolRef,
): Promise<{ readonly created: boolean; readonly pool: PoolRecord; readonly operation: OperationRecord }> {
  judgePoolName(ref.pool)
  callerOf(request)
  const given = readPool(objectAt(readObject(request.body), 'properties'), 'AgentPool.properties')
  return hub.store.decide(async () => {
    const cluster = await readParent(hub.store, ref, 'write')
    const pools = (await poolsOf(hub.store, cluster.value.id)).map(({ value }) => value)
    const current = await findPool(hub.store, ref)
    judgePreconditions(request, current?.value.eTag)
    judgeIdle(cluster.value, current === undefined ? [] : [current.value])
    judgeManualScale(given, current?.value)
    const operation = newOperation(request.scope, {
      subscriptionId: ref.subscriptionId,
      location: cluster.value.location,
      resourceId: current?.value.id ?? poolId(ref),
      outcome: 'resource',
    })
    const snapshot = await newSnapshot(hub.store, given, current?.value)
    const pool = writtenPool(request.scope, {
      ref,
      snapshot,
      given,
      existing: current?.value,
      cluster: cluster.value,
      operationId: operation.id,
      simulatedByDefault: cluster.value.tags?.[simulatedTag] === 'true' || (await isSimulatedIn(hub, ref)),
    })
    const all = [...pools.filter(({ name }) => name !== pool.name), pool]
    judgeSystemPools(all)
    if (isAutomatic(cluster.value)) judgeAutomaticPools([pool])
    await judgeQuota(hub, { subscriptionId: ref.subscriptionId, cluster: cluster.value, pools: all })
    judgeNetworkChoice(await readWorld(hub, ref.subscriptionId), cluster.value, all)
    if (pool.upgrade !== undefined && pool.version + pool.nodeImageVersion !== versionsText(current?.value)) {
      await judgeUpgradeWish(hub, {
        cluster: cluster.value,
        from: cluster.value.version,
        pools: [pool],
        target: cluster.value.version,
        upgradedPools: [pool.name],
        nowMs: request.scope.clock.now(),
      })
    }
    judgeStrict(hub.strict || request.headers['x-aksel-strict'] === 'true', pool.recorded)
    return {
      changes: [startOf(operation), putChange(pool, current), clusterUnchanged(cluster)],
      result: { created: current === undefined, pool, operation },
    }
  })
}

/** Undefined where the pool names none, or the one that it began with. */
export async function newSnapshot(
  store: ResourceStore,
  given: Json,
  existing: PoolRecord | undefined,
): Promise<SnapshotChoice | undefined> {
  const before = textAt(objectAt(existing?.properties ?? {}, 'creationData'), 'sourceResourceId')
  const asked = textAt(objectAt(given, 'creationData'), 'sourceResourceId')
  if (before !== undefined && before === asked) return undefined
  return chosenSnapshot(store, given, textAt(given, 'vmSize') ?? existing?.properties.vmSize ?? defaultVmSize)
}

function versionsText(pool: PoolRecord | undefined): string {
  return pool === undefined ? '' : pool.version + pool.nodeImageVersion
}

function judgeManualScale(given: Json, existing: PoolRecord | undefined): void {
  if (existing?.properties['enableAutoScaling'] !== true || given['enableAutoScaling'] === false) return
  if (given['count'] !== undefined && given['count'] !== existing.properties.count) {
    throw notAllowed('Cannot scale cluster autoscaler enabled node pool.')
  }
}

export function judgeSystemPools(pools: readonly PoolRecord[]): void {
  if (pools.some(({ properties, progress }) => properties.mode === 'System' && progress.deleting !== true)) return
  throw notAllowed('There has to be at least one system agent pool.')
}

export function putChange(pool: PoolRecord, current: Stored<PoolRecord> | undefined): Change {
  return { kind: 'put', key: keys.resource(pool.id), value: pool, expected: current?.modRevision ?? 0 }
}

/** Written as it is, so that a write to the cluster meanwhile is noticed. */
export function clusterUnchanged(cluster: Stored<ClusterRecord>): Change {
  return { kind: 'put', key: cluster.key, value: cluster.value, expected: cluster.modRevision }
}

/** Begins the delete of a pool; undefined where there is none. A second delete joins the first. */
export async function beginPoolDelete(
  hub: Hub,
  request: ArmRequest,
  ref: PoolRef,
): Promise<OperationRecord | undefined> {
  return hub.store.decide(async () => {
    const cluster = await readParent(hub.store, ref, 'write')
    const current = await findPool(hub.store, ref)
    judgePreconditions(request, current?.value.eTag)
    if (current === undefined) return { changes: [], result: undefined }
    const { progress } = current.value
    if (progress.deleting === true && progress.operationId !== undefined) {
      const key = keys.operation(ref.subscriptionId, progress.operationId)
      return { changes: [], result: (await hub.store.get<OperationRecord>(key))?.value }
    }
    if (progress.operationId !== undefined)
      throw operationInProgress(`${current.value.name} - ${progress.provisioningState}`)
    judgeIdle(cluster.value, [])
    const pools = (await poolsOf(hub.store, cluster.value.id)).map(({ value }) => value)
    judgeSystemPools(pools.filter(({ name }) => name !== current.value.name))
    const operation = newOperation(request.scope, {
      subscriptionId: ref.subscriptionId,
      location: cluster.value.location,
      resourceId: current.value.id,
      outcome: 'nothing',
    })
    const pool: PoolRecord = {
      ...current.value,
      eTag: uuid(request.scope.random),
      ignoreDisruptionBudgets: request.query['ignore-pod-disruption-budget'] === 'true',
      progress: { provisioningState: 'Deleting', deleting: true, operationId: operation.id },
    }
    return {
      changes: [startOf(operation), putChange(pool, current), clusterUnchanged(cluster)],
      result: operation,
    }
  })
}

export function poolRefOf(ref: ClusterRef, pool: string): PoolRef {
  return { ...ref, pool }
}
