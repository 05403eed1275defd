// Agent pools over HTTP.

import { operationHeaders } from '../../operations.ts'
import { page } from '../../front-door/pages.ts'
import { ok, param, type ArmRequest, type ArmResponse, type Route } from '../../front-door/route.ts'
import type { Hub } from '../../hub.ts'
import type { PoolRef } from '../../resource-id.ts'
import { poolBody, recordedHeaders } from './bodies.ts'
import { clusterPath, clusterRef } from './cluster-routes.ts'
import { machinesOf, poolsOf, readParent, readPoolRecord } from './cluster-store.ts'
import { offeredVersions, poolUpgradesOf } from './kubernetes-versions.ts'
import { nodeImageOf } from './node-images.ts'
import { engineId } from './pass.ts'
import { beginPoolDelete, putPool } from './pool-writes.ts'
import { ArmError } from '@aksel/base/errors'

export const poolPath = `${clusterPath}/agentPools/:pool`

export function poolRoutes(hub: Hub): readonly Route[] {
  return [
    { method: 'GET', path: `${clusterPath}/agentPools`, handle: (request) => list(hub, request) },
    {
      method: 'GET',
      path: poolPath,
      handle: async (request) => ok(poolBody((await readPoolRecord(hub.store, poolRef(request))).value)),
    },
    { method: 'PUT', path: poolPath, handle: (request) => put(hub, request) },
    { method: 'DELETE', path: poolPath, handle: (request) => remove(hub, request) },
    { method: 'GET', path: `${poolPath}/upgradeProfiles/default`, handle: (request) => upgradeProfile(hub, request) },
    {
      method: 'GET',
      path: `${clusterPath}/availableAgentPoolVersions`,
      handle: (request) => availableVersions(hub, request),
    },
    {
      method: 'GET',
      path: `${poolPath}/machines`,
      handle: async (request) => page(request, await machineBodies(hub, request)),
    },
    { method: 'GET', path: `${poolPath}/machines/:machine`, handle: (request) => machine(hub, request) },
  ]
}

function poolRef(request: ArmRequest): PoolRef {
  return { ...clusterRef(request), pool: param(request, 'pool') }
}

async function list(hub: Hub, request: ArmRequest): Promise<ArmResponse> {
  const cluster = await readParent(hub.store, clusterRef(request), 'read')
  const pools = await poolsOf(hub.store, cluster.value.id)
  return page(
    request,
    pools.map(({ value }) => poolBody(value)),
  )
}

async function put(hub: Hub, request: ArmRequest): Promise<ArmResponse> {
  const ref = poolRef(request)
  const { created, pool, operation } = await putPool(hub, request, ref)
  hub.wake(pool.clusterId)
  return {
    status: created ? 201 : 200,
    body: poolBody(pool),
    headers: { ...operationHeaders(operation, request.origin), ...recordedHeaders(pool.recorded) },
  }
}

async function remove(hub: Hub, request: ArmRequest): Promise<ArmResponse> {
  const ref = poolRef(request)
  const operation = await beginPoolDelete(hub, request, ref)
  if (operation === undefined) return { status: 204 }
  hub.wake((await readParent(hub.store, ref, 'write')).value.id)
  return { status: 202, headers: operationHeaders(operation, request.origin) }
}

async function upgradeProfile(hub: Hub, request: ArmRequest): Promise<ArmResponse> {
  const parent = await readParent(hub.store, clusterRef(request), 'read')
  const { value } = await readPoolRecord(hub.store, poolRef(request))
  return ok({
    id: `${value.id}/upgradeProfiles/default`,
    name: 'default',
    type: 'Microsoft.ContainerService/managedClusters/agentPools/upgradeProfiles',
    properties: {
      kubernetesVersion: value.version,
      osType: value.properties.osType,
      upgrades: poolUpgradesOf(value.version, parent.value.version).map((kubernetesVersion) => ({ kubernetesVersion })),
      latestNodeImageVersion: nodeImageOf(value.properties.osSKU, value.version, request.scope.clock.now()),
      ...(value.recentlyUsed === undefined
        ? {}
        : {
            recentlyUsedVersions: value.recentlyUsed.map(({ kubernetes, image, atMs }) => ({
              orchestratorVersion: kubernetes,
              nodeImageVersion: image,
              timestamp: new Date(atMs).toISOString(),
            })),
          }),
    },
  })
}

/** Versions a new pool may have: the cluster's, and those behind it. */
async function availableVersions(hub: Hub, request: ArmRequest): Promise<ArmResponse> {
  const { value } = await readParent(hub.store, clusterRef(request), 'read')
  const minor = (version: string): number => Number(version.split('.')[1])
  const possible = offeredVersions.filter(({ version }) => minor(version) <= minor(value.version))
  return ok({
    id: `${value.id}/availableagentpoolversions`,
    name: 'default',
    type: 'Microsoft.ContainerService/managedClusters/availableAgentpoolVersions',
    properties: {
      agentPoolVersions: possible.map(({ version, isPreview }) => ({
        kubernetesVersion: version,
        ...(version === value.version ? { default: true } : {}),
        ...(isPreview ? { isPreview } : {}),
      })),
    },
  })
}

interface MachineBody {
  readonly name: string
}

async function machineBodies(hub: Hub, request: ArmRequest): Promise<readonly MachineBody[]> {
  const { value: pool } = await readPoolRecord(hub.store, poolRef(request))
  const records = (await machinesOf(hub.store, pool.clusterId)).filter(({ value }) => value.pool === pool.name)
  const machines = hub.suppliers.machines(pool.simulated).list(engineId({ id: pool.clusterId }))
  return records.map(({ value }) => {
    const address = machines.find(({ name }) => name === value.name)?.address
    return {
      id: `${pool.id}/machines/${value.name}`,
      name: value.name,
      type: 'Microsoft.ContainerService/managedClusters/agentPools/machines',
      ...(value.zone === undefined ? {} : { zones: [value.zone] }),
      properties: {
        network: { ipAddresses: address === undefined || address === '' ? [] : [{ family: 'IPv4', ip: address }] },
        resourceId: `${pool.id}/machines/${value.name}`,
        aksel: { simulated: pool.simulated },
      },
    }
  })
}

async function machine(hub: Hub, request: ArmRequest): Promise<ArmResponse> {
  const name = param(request, 'machine')
  const found = (await machineBodies(hub, request)).find((known) => known.name === name)
  if (found === undefined)
    throw new ArmError(404, 'NotFound', `Could not find machine '${name}' in agent pool '${param(request, 'pool')}'.`)
  return ok(found)
}
