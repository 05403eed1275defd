// Managed clusters over HTTP.

import { groupId, type ClusterRef } from '../../resource-id.ts'
import { operationHeaders } from '../../operations.ts'
import { page } from '../../front-door/pages.ts'
import { ok, param, type ArmRequest, type ArmResponse, type Route } from '../../front-door/route.ts'
import type { Hub } from '../../hub.ts'
import type { ClusterRecord, Json } from '../../records.ts'
import { readGroup } from '../resources/groups.ts'
import { badRequest, notAllowed } from '../../azure-errors.ts'
import { withPublicName } from './api-access.ts'
import { recordedHeaders } from './bodies.ts'
import { listWithPools, poolsOf, readCluster } from './cluster-store.ts'
import { beginClusterDelete, patchClusterTags, putCluster, recordedOf } from './cluster-writes.ts'
import { isObject, textAt } from '../body.ts'
import { withKubelogin } from './kubelogin.ts'
import { engineId } from './pass.ts'
import { judgePreconditions } from './preconditions.ts'

const provider = 'providers/Microsoft.ContainerService/managedClusters'
const inGroup = `/subscriptions/:subscription/resourcegroups/:group/${provider}`
export const clusterPath = `${inGroup}/:cluster`

export function clusterRoutes(hub: Hub): readonly Route[] {
  const credential =
    (role: 'admin' | 'user', name: string): Route['handle'] =>
    (request) =>
      credentials(hub, request, role, name)
  return [
    {
      method: 'GET',
      path: `/subscriptions/:subscription/${provider}`,
      handle: (request) => list(hub, request, `/subscriptions/${param(request, 'subscription')}`),
    },
    { method: 'GET', path: inGroup, handle: (request) => listInGroup(hub, request) },
    { method: 'GET', path: clusterPath, handle: async (request) => ok(await read(hub, request)) },
    { method: 'PUT', path: clusterPath, handle: (request) => put(hub, request) },
    { method: 'PATCH', path: clusterPath, handle: (request) => patch(hub, request) },
    { method: 'DELETE', path: clusterPath, handle: (request) => remove(hub, request) },
    { method: 'POST', path: `${clusterPath}/listClusterAdminCredential`, handle: credential('admin', 'clusterAdmin') },
    { method: 'POST', path: `${clusterPath}/listClusterUserCredential`, handle: credential('user', 'clusterUser') },
    {
      method: 'POST',
      path: `${clusterPath}/listClusterMonitoringUserCredential`,
      handle: credential('user', 'clusterMonitoringUser'),
    },
    {
      method: 'POST',
      path: `${clusterPath}/accessProfiles/:role/listCredential`,
      handle: (request) => accessProfile(hub, request),
    },
  ]
}

export function clusterRef(request: ArmRequest): ClusterRef {
  return {
    subscriptionId: param(request, 'subscription'),
    resourceGroup: param(request, 'group'),
    cluster: param(request, 'cluster'),
  }
}

async function bodyOf(hub: Hub, cluster: ClusterRecord): Promise<Json> {
  const pools = await poolsOf(hub.store, cluster.id)
  return hub.clusterBodies.of(
    cluster,
    pools.map(({ value }) => value),
    hub.suppliers.engine.status(engineId(cluster)),
  )
}

async function read(hub: Hub, request: ArmRequest): Promise<Json> {
  return bodyOf(hub, (await readCluster(hub.store, clusterRef(request))).value)
}

async function listInGroup(hub: Hub, request: ArmRequest): Promise<ArmResponse> {
  const ref = { subscriptionId: param(request, 'subscription'), resourceGroup: param(request, 'group') }
  await readGroup(hub.store, ref)
  return list(hub, request, groupId(ref))
}

async function list(hub: Hub, request: ArmRequest, below: string): Promise<ArmResponse> {
  const clusters = await listWithPools(hub.store, below)
  return page(request, clusters, ({ cluster, pools }) =>
    hub.clusterBodies.of(cluster, pools, hub.suppliers.engine.status(engineId(cluster))),
  )
}

async function put(hub: Hub, request: ArmRequest): Promise<ArmResponse> {
  const { created, cluster, pools, operation } = await putCluster(hub, request, clusterRef(request))
  hub.wake(cluster.id)
  return {
    status: created ? 201 : 200,
    body: hub.clusterBodies.of(cluster, pools, hub.suppliers.engine.status(engineId(cluster))),
    headers: { ...operationHeaders(operation, request.origin), ...recordedHeaders(recordedOf(cluster, pools)) },
  }
}

async function patch(hub: Hub, request: ArmRequest): Promise<ArmResponse> {
  return ok(await bodyOf(hub, await patchClusterTags(hub, request, clusterRef(request))))
}

async function remove(hub: Hub, request: ArmRequest): Promise<ArmResponse> {
  const ref = clusterRef(request)
  const operation = await beginClusterDelete(hub, request.scope, ref, (cluster) =>
    judgePreconditions(request, cluster?.eTag),
  )
  if (operation === undefined) {
    await readGroup(hub.store, ref)
    return { status: 204 }
  }
  hub.wake(operation.resourceId)
  return { status: 202, headers: operationHeaders(operation, request.origin) }
}

export async function kubeconfig(hub: Hub, request: ArmRequest, role: 'admin' | 'user'): Promise<string> {
  const { value } = await readCluster(hub.store, clusterRef(request))
  if (
    value.properties['disableLocalAccounts'] === true &&
    (role === 'admin' || !isObject(value.properties['aadProfile']))
  ) {
    throw badRequest('Getting static credential is not allowed because this cluster is set to disable local accounts.')
  }
  if (hub.suppliers.engine.status(engineId(value)) === undefined) {
    throw notAllowed(
      `The control plane of managed cluster '${value.name}' is not there yet: its provisioning state is ${value.progress.provisioningState}.`,
    )
  }
  const own = await hub.suppliers.engine.kubeconfig(engineId(value), role)
  const text = request.query['server-fqdn']?.toLowerCase() === 'public' ? withPublicName(own, value) : own
  const entra = value.properties['aadProfile']
  const format = request.query['format']?.toLowerCase()
  if (role === 'admin') return text
  if (format === 'azure') {
    throw badRequest("The format 'azure' of user credentials is no longer supported by kubectl: use 'exec'.", 'format')
  }
  return isObject(entra) ? withKubelogin(text, textAt(entra, 'tenantID') ?? hub.tenantId) : text
}

async function credentials(hub: Hub, request: ArmRequest, role: 'admin' | 'user', name: string): Promise<ArmResponse> {
  const text = await kubeconfig(hub, request, role)
  return ok({ kubeconfigs: [{ name, value: Buffer.from(text).toString('base64') }] })
}

/** The older form of the credential calls. */
async function accessProfile(hub: Hub, request: ArmRequest): Promise<ArmResponse> {
  const role = param(request, 'role')
  const text = await kubeconfig(hub, request, role.toLowerCase() === 'clusteradmin' ? 'admin' : 'user')
  const { value } = await readCluster(hub.store, clusterRef(request))
  return ok({
    id: `${value.id}/accessProfiles/${role}`,
    name: role,
    type: 'Microsoft.ContainerService/ManagedClusters/AccessProfiles',
    location: value.location,
    properties: { kubeConfig: Buffer.from(text).toString('base64') },
  })
}
