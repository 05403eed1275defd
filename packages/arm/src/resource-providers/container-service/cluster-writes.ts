// Writes to managed clusters: create, update, tags, delete. Each is one transaction that also starts its operation.

import { createHash } from 'node:crypto'
import { uuid } from '@aksel/base/ids'
import type { Scope } from '@aksel/base/scope'
import { ArmError } from '@aksel/base/errors'
import { invalidParameter, missingParameter } from '../../azure-errors.ts'
import { callerOf, type ArmRequest } from '../../front-door/route.ts'
import { objectIdOf } from '../../front-door/client-identity.ts'
import type { Hub } from '../../hub.ts'
import { endOf, newOperation, startOf } from '../../operations.ts'
import { clusterId, type ClusterRef } from '../../resource-id.ts'
import { keys, type Change, type Stored } from '../../store-keyspace.ts'
import type {
  ClusterOrigin,
  ClusterRecord,
  Json,
  OperationRecord,
  PoolRecord,
  Progress,
  SystemData,
} from '../../records.ts'
import { isObject, objectAt, readObject } from '../body.ts'
import { isSimulatedIn, readLiveGroup } from '../resources/groups.ts'
import { readLocation, readTags } from '../resources/names.ts'
import { automaticPools, isAutomatic, judgeAutomatic, judgeAutomaticPools } from './automatic.ts'
import { askedOf, judgeTier, skuAfter } from './cluster-sku.ts'
import { readWorld } from '../network/network-world.ts'
import { chosenSubnet, judgeNetworkChoice } from './network-choice.ts'
import { simulatedTag } from './bodies.ts'
import {
  clusterDefaults,
  judgeClusterName,
  nextCluster,
  nextVersion,
  readCluster as readBody,
} from './cluster-properties.ts'
import { clusterType, findCluster, judgeIdle, poolsOf, readCluster } from './cluster-store.ts'
import { judgePoolName, readPool } from './pool-properties.ts'
import { judgeEntra, withTenant } from './entra.ts'
import { newSnapshot, putChange, writtenPool } from './pool-writes.ts'
import { judgePreconditions } from './preconditions.ts'
import { judgeSpotUpgrade } from './spot-properties.ts'
import { judgeQuota } from './usages.ts'
import { judgeUpgradeWish } from './upgrade-checks.ts'
import { judgeStrict, recordedOfCluster } from './recorded.ts'

export interface ClusterWritten {
  readonly created: boolean
  readonly cluster: ClusterRecord
  readonly pools: readonly PoolRecord[]
  readonly operation: OperationRecord
}

/** PUT of a cluster with the pools that its body names. Pools that it does not name stay as they are. */
export async function putCluster(
  hub: Hub,
  request: ArmRequest,
  ref: ClusterRef,
  origin?: ClusterOrigin,
): Promise<ClusterWritten> {
  judgeClusterName(ref.cluster)
  const body = readObject(request.body)
  const { given, pools: givenPools } = readBody(objectAt(body, 'properties'))
  return hub.store.decide(async () => {
    const group = await readLiveGroup(hub.store, ref)
    const location = readLocation(body['location'] ?? group.location, clusterType)
    const current = await findCluster(hub.store, ref)
    judgePreconditions(request, current?.value.eTag)
    const standing = current === undefined ? [] : await poolsOf(hub.store, current.value.id)
    if (current !== undefined) {
      judgeLocation(current.value, location)
      judgeIdle(
        current.value,
        standing.map(({ value }) => value),
      )
    }
    const operation = newOperation(request.scope, {
      subscriptionId: ref.subscriptionId,
      location,
      resourceId: current?.value.id ?? clusterId(ref),
      outcome: 'resource',
    })
    const cluster = writtenCluster(request, {
      ref,
      group: group.name,
      location,
      body,
      given,
      current: current?.value,
      subnetId: current === undefined ? chosenSubnet(givenPools) : current.value.subnetId,
      origin,
      operation,
    })
    const asked = isAutomatic(cluster) && current === undefined ? (givenPools ?? automaticPools) : givenPools
    const written = await writePools(hub, request.scope, { ref, cluster, givenPools: asked, standing, operation })
    const pools = [
      ...standing.map(({ value }) => value).filter(({ name }) => !written.some((pool) => pool.name === name)),
      ...written,
    ]
    judgeSystem(pools, asked)
    if (isAutomatic(cluster)) judgeAutomaticPools(pools)
    await judgeQuota(hub, { subscriptionId: ref.subscriptionId, cluster, pools })
    judgeNetworkChoice(await readWorld(hub, ref.subscriptionId), cluster, pools)
    judgeStrict(isStrict(hub, request), recordedOf(cluster, written))
    if (current !== undefined) {
      await judgeUpgradeBegun(hub, {
        cluster,
        before: current.value,
        pools,
        standing,
        nowMs: request.scope.clock.now(),
      })
    }
    const changes: Change[] = [
      startOf(operation),
      { kind: 'put', key: keys.resource(cluster.id), value: cluster, expected: current?.modRevision ?? 0 },
      ...written.map((pool) =>
        putChange(
          pool,
          standing.find(({ value }) => value.name === pool.name),
        ),
      ),
    ]
    return { changes, result: { created: current === undefined, cluster, pools: byName(pools), operation } }
  })
}

interface UpgradeBegun {
  readonly cluster: ClusterRecord
  readonly before: ClusterRecord
  readonly pools: readonly PoolRecord[]
  readonly standing: readonly Stored<PoolRecord>[]
  readonly nowMs: number
}

/** What stops an upgrade stops it before it has begun. */
async function judgeUpgradeBegun(hub: Hub, { cluster, before, pools, standing, nowMs }: UpgradeBegun): Promise<void> {
  const upgraded = pools.filter((pool) => upgrades(pool, standing))
  const upgradedPools = upgraded.map(({ name }) => name)
  if (cluster.version !== before.version) judgeSpotUpgrade(upgraded)
  if (cluster.version === before.version && upgradedPools.length === 0) return
  const target = cluster.version
  await judgeUpgradeWish(hub, { cluster, from: before.version, pools, target, upgradedPools, nowMs })
}

function upgrades(pool: PoolRecord, standing: readonly Stored<PoolRecord>[]): boolean {
  const before = standing.find(({ value }) => value.name === pool.name)?.value
  if (before === undefined || pool.upgrade === undefined) return false
  return before.version !== pool.version || before.nodeImageVersion !== pool.nodeImageVersion
}

/** What of a cluster and of pools changes nothing; a pool's paths begin with its name. */
export function recordedOf(cluster: ClusterRecord, pools: readonly PoolRecord[]): readonly string[] {
  return [...cluster.recorded, ...pools.flatMap((pool) => pool.recorded.map((path) => `${pool.name}.${path}`))]
}

export function isStrict(hub: Pick<Hub, 'strict'>, request: ArmRequest): boolean {
  return hub.strict || request.headers['x-aksel-strict'] === 'true'
}

interface ClusterWrite {
  readonly ref: ClusterRef
  /** The group's name in its own casing. */
  readonly group: string
  readonly location: string
  readonly body: Json
  readonly given: Json
  readonly current: ClusterRecord | undefined
  readonly subnetId: string | undefined
  readonly origin: ClusterOrigin | undefined
  readonly operation: OperationRecord
}

function writtenCluster(request: ArmRequest, write: ClusterWrite): ClusterRecord {
  const { scope } = request
  const { ref, body, given, current, location } = write
  const { subnetId } = write
  const names = { cluster: ref.cluster, resourceGroup: write.group, location, ownNetwork: subnetId !== undefined }
  const sku = skuAfter(body['sku'], current)
  const { tenantId } = callerOf(request)
  const properties = withTenant(nextCluster(askedOf(sku, given, current), current, names), tenantId)
  if (isAutomatic({ sku })) judgeAutomatic(properties, isObject(body['sku']) ? body['sku'] : {})
  judgeEntra(properties, current?.properties, tenantId)
  judgeTier(sku, properties)
  const version = nextVersion(properties, current)
  const tags = readTags(body['tags'])
  const uid = current?.uid ?? Buffer.from(scope.random.nextBytes(12)).toString('hex')
  const id = current?.id ?? clusterId({ ...ref, resourceGroup: write.group })
  const origin = current === undefined ? write.origin : current.origin
  const identity = identityOf(body['identity'], current, id, tenantId)
  return {
    kind: 'cluster',
    ...(origin === undefined ? {} : { origin }),
    ...(subnetId === undefined ? {} : { subnetId }),
    id,
    name: current?.name ?? ref.cluster,
    type: clusterType,
    location,
    ...(tags === undefined ? {} : { tags }),
    sku,
    ...(identity === undefined ? {} : { identity }),
    envelope: Object.fromEntries(Object.entries(body).filter(([name]) => ['extendedLocation', 'kind'].includes(name))),
    properties,
    systemData: systemData(request, current?.systemData),
    eTag: uuid(scope.random),
    uid,
    fqdn:
      current?.fqdn ??
      `${properties.dnsPrefix || String(properties['fqdnSubdomain'])}-${uid.slice(0, 8)}.hcp.${location}.azmk8s.io`.toLowerCase(),
    version,
    ...(current?.kubeletIdentity === undefined ? {} : { kubeletIdentity: current.kubeletIdentity }),
    ...(current?.rotations === undefined ? {} : { rotations: current.rotations }),
    recorded: recordedOfCluster(properties, clusterDefaults(names, properties.networkProfile as unknown as Json)),
    progress: { provisioningState: stateOf(current, version), operationId: write.operation.id },
  }
}

function stateOf(current: ClusterRecord | undefined, version: string): string {
  if (current === undefined) return 'Creating'
  return current.version === version ? 'Updating' : 'Upgrading'
}

function identityOf(
  value: unknown,
  current: ClusterRecord | undefined,
  id: string,
  tenantId: string,
): Json | undefined {
  if (!isObject(value)) return current?.identity
  if (String(value['type']).toLowerCase() !== 'systemassigned') return value
  return { type: 'SystemAssigned', principalId: objectIdOf(id), tenantId }
}

export function systemData(request: ArmRequest, before: SystemData | undefined): SystemData {
  const caller = callerOf(request).clientId
  const at = new Date(request.scope.clock.now()).toISOString()
  return {
    createdBy: before?.createdBy ?? caller,
    createdByType: 'Application',
    createdAt: before?.createdAt ?? at,
    lastModifiedBy: caller,
    lastModifiedByType: 'Application',
    lastModifiedAt: at,
  }
}

function judgeLocation(cluster: ClusterRecord, location: string): void {
  if (cluster.location === location) return
  throw new ArmError(
    409,
    'InvalidResourceLocation',
    `The resource '${cluster.name}' already exists in location '${cluster.location}' in resource group. A resource with the same name cannot be created in location '${location}'. Please select a new resource name.`,
  )
}

async function writePools(
  hub: Hub,
  scope: Scope,
  write: {
    readonly ref: ClusterRef
    readonly cluster: ClusterRecord
    readonly givenPools: readonly Json[] | undefined
    readonly standing: readonly Stored<PoolRecord>[]
    readonly operation: OperationRecord
  },
): Promise<readonly PoolRecord[]> {
  const named = (write.givenPools ?? []).map((given) => ({ name: judgePoolName(given['name']), given }))
  const twice = named.find(({ name }, index) => named.findIndex((other) => other.name === name) !== index)
  if (twice !== undefined)
    throw invalidParameter('agentPoolProfiles', `Agentpool name '${twice.name}' is used more than once`)
  if (named.length > 100)
    throw invalidParameter('agentPoolProfiles', `${named.length} agent pools are more than the maximum of 100`)
  const clusterSimulated = write.cluster.tags?.[simulatedTag] === 'true'
  return Promise.all(
    named.map(async ({ name, given }) => {
      const existing = write.standing.find(({ value }) => value.name === name)?.value
      return writtenPool(scope, {
        ref: { ...write.ref, resourceGroup: groupNameOf(write.cluster.id), pool: name },
        given: readPool(given, `ManagedClusterAgentPoolProfile.${name}`),
        snapshot: await newSnapshot(hub.store, given, existing),
        existing,
        cluster: write.cluster,
        operationId: write.operation.id,
        simulatedByDefault: clusterSimulated || (await isSimulatedIn(hub, write.ref)),
      })
    }),
  )
}

function groupNameOf(id: string): string {
  return id.split('/')[4]!
}

function judgeSystem(pools: readonly PoolRecord[], given: readonly Json[] | undefined): void {
  if (pools.length === 0 && (given === undefined || given.length === 0)) throw missingParameter('agentPoolProfiles')
  if (pools.some(({ properties }) => properties.mode === 'System')) return
  throw invalidParameter('agentPoolProfiles', 'Must define at least one system pool')
}

function byName(pools: readonly PoolRecord[]): readonly PoolRecord[] {
  return pools.toSorted((left, right) => (left.name < right.name ? -1 : 1))
}

/** PATCH: tags, replaced as a whole. */
export async function patchClusterTags(hub: Hub, request: ArmRequest, ref: ClusterRef): Promise<ClusterRecord> {
  const tags = readTags(readObject(request.body)['tags'])
  return hub.store.decide(async () => {
    const current = await readCluster(hub.store, ref)
    judgePreconditions(request, current.value.eTag)
    judgeIdle(current.value, [])
    const cluster: ClusterRecord = {
      ...current.value,
      ...(tags === undefined ? {} : { tags }),
      eTag: uuid(request.scope.random),
      systemData: systemData(request, current.value.systemData),
    }
    return {
      changes: [{ kind: 'put', key: current.key, value: cluster, expected: current.modRevision }],
      result: cluster,
    }
  })
}

/** Begins the delete; undefined where there is nothing. It overtakes whatever is in progress, and joins a delete. */
export async function beginClusterDelete(
  hub: Pick<Hub, 'store'>,
  scope: Scope,
  ref: ClusterRef,
  judge: (cluster: ClusterRecord | undefined) => void = () => {},
): Promise<OperationRecord | undefined> {
  return hub.store.decide(async () => {
    const current = await findCluster(hub.store, ref)
    judge(current?.value)
    if (current === undefined) return { changes: [], result: undefined }
    const { progress } = current.value
    if (progress.deleting === true && progress.operationId !== undefined) {
      const key = keys.operation(ref.subscriptionId, progress.operationId)
      return { changes: [], result: (await hub.store.get<OperationRecord>(key))?.value }
    }
    const operation = newOperation(scope, {
      subscriptionId: ref.subscriptionId,
      location: current.value.location,
      resourceId: current.value.id,
      outcome: 'nothing',
    })
    const pools = await poolsOf(hub.store, current.value.id)
    const cluster: ClusterRecord = {
      ...current.value,
      progress: { provisioningState: 'Deleting', deleting: true, operationId: operation.id },
    }
    const changes: Change[] = [
      startOf(operation),
      { kind: 'put', key: current.key, value: cluster, expected: current.modRevision },
      ...pools.map((pool) => ({
        kind: 'put' as const,
        key: pool.key,
        value: deletingPool(pool.value),
        expected: pool.modRevision,
      })),
      ...(await overtaken(hub, scope, ref.subscriptionId, current.value)),
    ]
    return { changes, result: operation }
  })
}

function deletingPool(pool: PoolRecord): PoolRecord {
  return { ...pool, progress: { provisioningState: 'Deleting', deleting: true } }
}

/** Operations in progress, on the cluster and on what lies below it, end as overtaken by the delete. */
async function overtaken(
  hub: Pick<Hub, 'store'>,
  scope: Scope,
  subscriptionId: string,
  cluster: ClusterRecord,
): Promise<readonly Change[]> {
  const below = await hub.store.list<{ readonly progress?: Progress }>(keys.below(cluster.id))
  const ids = [cluster.progress.operationId, ...below.map(({ value }) => value.progress?.operationId)]
  const error = {
    code: 'AKSOperationPreemptedByDelete',
    message: 'The operation was preempted by a delete of the managed cluster.',
  }
  const ends: Change[] = []
  for (const id of new Set(ids.filter((known) => known !== undefined))) {
    const end = await endOf(scope, hub.store, subscriptionId, id, { error })
    if (end !== undefined) ends.push(end)
  }
  return ends
}

export function kubeletIdentity(cluster: ClusterRecord, subscriptionId: string): Json {
  const name = `${cluster.name}-agentpool`
  const group = `/subscriptions/${subscriptionId}/resourcegroups/${cluster.properties.nodeResourceGroup}`
  const resourceId = `${group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/${name}`
  const clientHex = createHash('sha256').update(`client:${resourceId.toLowerCase()}`).digest('hex')
  const clientId = `${clientHex.slice(0, 8)}-${clientHex.slice(8, 12)}-4${clientHex.slice(13, 16)}-8${clientHex.slice(17, 20)}-${clientHex.slice(20, 32)}`
  return { resourceId, clientId, objectId: objectIdOf(resourceId) }
}
