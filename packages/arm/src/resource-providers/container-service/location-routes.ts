// What a location tells: Kubernetes versions, and the state of operations; and the upgrades of a cluster.

import { ArmError } from '@aksel/base/errors'
import { resourceNotFound } from '../../azure-errors.ts'
import { heldOperation, operationHeaders, retryAfterSeconds, statusDocument } from '../../operations.ts'
import { ok, param, type ArmRequest, type ArmResponse, type Route } from '../../front-door/route.ts'
import type { Hub } from '../../hub.ts'
import { keys } from '../../store-keyspace.ts'
import type { ClusterRecord, OperationRecord, PoolRecord } from '../../records.ts'
import { clusterBody, poolBody } from './bodies.ts'
import { clusterPath, clusterRef } from './cluster-routes.ts'
import { poolsOf, readCluster } from './cluster-store.ts'
import { engineId } from './pass.ts'
import { minorOf, offeredVersions, poolUpgradesOf, upgradesOf } from './kubernetes-versions.ts'

const location = '/subscriptions/:subscription/providers/Microsoft.ContainerService/locations/:location'

export function locationRoutes(hub: Hub): readonly Route[] {
  return [
    { method: 'GET', path: `${location}/kubernetesVersions`, handle: () => ok({ values: versionValues() }) },
    { method: 'GET', path: `${location}/orchestrators`, handle: (request) => ok(orchestrators(request)) },
    { method: 'GET', path: `${location}/operations/:operation`, handle: (request) => operationStatus(hub, request) },
    {
      method: 'GET',
      path: `${location}/operationresults/:operation`,
      handle: (request) => operationResult(hub, request),
    },
    {
      method: 'GET',
      path: `${clusterPath}/upgradeProfiles/default`,
      handle: (request) => upgradeProfile(hub, request),
    },
    {
      method: 'GET',
      path: '/providers/Microsoft.ContainerService/operations',
      handle: () => ok({ value: operationList }),
    },
  ]
}

function versionValues(): readonly unknown[] {
  return [...new Set(offeredVersions.map(({ version }) => minorOf(version)))].map((minor) => {
    const patches = offeredVersions.filter(({ version }) => minorOf(version) === minor)
    return {
      version: minor,
      capabilities: { supportPlan: patches[0]!.supportPlans },
      ...(patches.some(({ isDefault }) => isDefault) ? { isDefault: true } : {}),
      ...(patches.every(({ isPreview }) => isPreview) ? { isPreview: true } : {}),
      patchVersions: Object.fromEntries(patches.map(({ version }) => [version, { upgrades: upgradesOf(version) }])),
    }
  })
}

/** The older list of versions. */
function orchestrators(request: ArmRequest): unknown {
  const type = 'Kubernetes'
  return {
    id: `/subscriptions/${param(request, 'subscription')}/providers/Microsoft.ContainerService/locations/${param(request, 'location')}/orchestrators`,
    name: 'default',
    type: 'Microsoft.ContainerService/locations/orchestrators',
    properties: {
      orchestrators: offeredVersions.map(({ version, isDefault, isPreview }) => ({
        orchestratorType: type,
        orchestratorVersion: version,
        ...(isDefault ? { default: true } : {}),
        ...(isPreview ? { isPreview } : {}),
        upgrades: upgradesOf(version).map((upgrade) => ({ orchestratorType: type, orchestratorVersion: upgrade })),
      })),
    },
  }
}

async function readOperation(hub: Hub, request: ArmRequest): Promise<OperationRecord> {
  const id = param(request, 'operation')
  const operation = await heldOperation(
    request.scope,
    hub.store,
    param(request, 'subscription'),
    id,
    request.headers['prefer'],
  )
  if (operation === undefined) throw new ArmError(404, 'OperationNotFound', `The operation '${id}' could not be found.`)
  return operation
}

export async function operationStatus(hub: Hub, request: ArmRequest): Promise<ArmResponse> {
  const operation = await readOperation(hub, request)
  const body = statusDocument(operation, hub.stepOf(operation.resourceId))
  return ok(body, operation.status === 'InProgress' ? stillRunning(request) : {})
}

function stillRunning(request: ArmRequest): Readonly<Record<string, string>> {
  const held = request.headers['prefer'] === undefined ? {} : { 'preference-applied': 'wait' }
  return { 'retry-after': String(retryAfterSeconds), ...held }
}

/** 202 while it runs; afterwards what the call would have answered had it waited. */
export async function operationResult(hub: Hub, request: ArmRequest): Promise<ArmResponse> {
  const operation = await readOperation(hub, request)
  if (operation.status === 'InProgress')
    return { status: 202, headers: { ...operationHeaders(operation, request.origin), ...stillRunning(request) } }
  if (operation.error !== undefined) throw new ArmError(400, operation.error.code, operation.error.message)
  if (operation.outcome === 'nothing') return { status: 204 }
  const stored = await hub.store.get<ClusterRecord | PoolRecord>(keys.resource(operation.resourceId))
  if (stored === undefined) return { status: 204 }
  if (stored.value.kind === 'pool') return ok(poolBody(stored.value))
  const pools = await poolsOf(hub.store, stored.value.id)
  return ok(
    clusterBody(
      stored.value,
      pools.map(({ value }) => value),
      hub.suppliers.engine.status(engineId(stored.value)),
    ),
  )
}

async function upgradeProfile(hub: Hub, request: ArmRequest): Promise<ArmResponse> {
  const { value } = await readCluster(hub.store, clusterRef(request))
  const offered = (versions: readonly string[]): unknown => versions.map((kubernetesVersion) => ({ kubernetesVersion }))
  const pools = await poolsOf(hub.store, value.id)
  if (pools.length === 0) throw resourceNotFound(`upgradeProfiles of ${value.name}`, clusterRef(request).resourceGroup)
  return ok({
    id: `${value.id}/upgradeprofiles/default`,
    name: 'default',
    type: 'Microsoft.ContainerService/managedClusters/upgradeprofiles',
    properties: {
      controlPlaneProfile: {
        kubernetesVersion: value.version,
        osType: 'Linux',
        upgrades: offered(upgradesOf(value.version)),
      },
      agentPoolProfiles: pools.map(({ value: pool }) => ({
        kubernetesVersion: pool.version,
        name: pool.name,
        osType: pool.properties.osType,
        upgrades: offered(poolUpgradesOf(pool.version, value.version)),
      })),
    },
  })
}

const described = (name: string, operation: string, resource: string): unknown => ({
  name: `Microsoft.ContainerService/${name}`,
  origin: 'user,system',
  display: { provider: 'Microsoft Container Service', resource, operation, description: operation },
})

const operationList: readonly unknown[] = [
  described('managedClusters/read', 'Get a managed cluster', 'Managed Clusters'),
  described('managedClusters/write', 'Create or update a managed cluster', 'Managed Clusters'),
  described('managedClusters/delete', 'Delete a managed cluster', 'Managed Clusters'),
  described('managedClusters/listClusterAdminCredential/action', 'List admin credentials', 'Managed Clusters'),
  described('managedClusters/listClusterUserCredential/action', 'List user credentials', 'Managed Clusters'),
  described('managedClusters/agentPools/read', 'Get an agent pool', 'Agent Pools'),
  described('managedClusters/agentPools/write', 'Create or update an agent pool', 'Agent Pools'),
  described('managedClusters/agentPools/delete', 'Delete an agent pool', 'Agent Pools'),
]
