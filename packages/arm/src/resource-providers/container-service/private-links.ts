// Private link of a cluster's API server: what of it there is here. Clusters that are private are reached inside their network alone;
// there are no private endpoints and no private link services, so that no connection ever stands.

import { badRequest, missingParameter, resourceNotFound } from '../../azure-errors.ts'
import { ok, param, type ArmRequest, type ArmResponse, type Route } from '../../front-door/route.ts'
import type { Hub } from '../../hub.ts'
import type { ClusterRecord, Json } from '../../records.ts'
import { readObject, textAt } from '../body.ts'
import { isPrivate } from './api-access.ts'
import { clusterPath, clusterRef } from './cluster-routes.ts'
import { readCluster } from './cluster-store.ts'

const type = 'Microsoft.ContainerService/managedClusters/privateEndpointConnections'
/** The only part of a cluster that private endpoints connect to. */
const groupId = 'management'

export function privateLinkRoutes(hub: Hub): readonly Route[] {
  const connections = `${clusterPath}/privateEndpointConnections`
  const one = `${connections}/:connection`
  return [
    {
      method: 'GET',
      path: connections,
      handle: async (request) => {
        await readCluster(hub.store, clusterRef(request))
        return ok({ value: [] })
      },
    },
    { method: 'GET', path: one, handle: (request) => noConnection(hub, request) },
    { method: 'PUT', path: one, handle: (request) => noConnection(hub, request) },
    {
      method: 'DELETE',
      path: one,
      handle: async (request) => {
        await readCluster(hub.store, clusterRef(request))
        return { status: 204 }
      },
    },
    {
      method: 'GET',
      path: `${clusterPath}/privateLinkResources`,
      handle: async (request) => ok({ value: [resourceOf(await privateCluster(hub, request))] }),
    },
    {
      method: 'POST',
      path: `${clusterPath}/resolvePrivateLinkServiceId`,
      handle: (request) => resolve(hub, request),
    },
  ]
}

/** Throws for a cluster that is not private. */
async function privateCluster(hub: Hub, request: ArmRequest): Promise<ClusterRecord> {
  const { value } = await readCluster(hub.store, clusterRef(request))
  if (isPrivate(value.properties)) return value
  throw badRequest(`Private cluster is not enabled for managed cluster '${value.name}'.`)
}

/** They are made from the other side, by a private endpoint; Azure approves here what stands already. */
async function noConnection(hub: Hub, request: ArmRequest): Promise<ArmResponse> {
  const { value } = await readCluster(hub.store, clusterRef(request))
  throw resourceNotFound(`${type}/${value.name}/${param(request, 'connection')}`, param(request, 'group'))
}

function resourceOf({ id }: ClusterRecord): Json {
  return {
    id: `${id}/privateLinkResources/${groupId}`,
    name: groupId,
    type: 'Microsoft.ContainerService/managedClusters/privateLinkResources',
    groupId,
    requiredMembers: [groupId],
  }
}

/** Azure names a service of its own network there, for its network provider alone; here none stands behind it. */
async function resolve(hub: Hub, request: ArmRequest): Promise<ArmResponse> {
  const asked = readObject(request.body)
  const cluster = await privateCluster(hub, request)
  const wanted = textAt(asked, 'groupId') ?? textAt(asked, 'name')
  if (wanted === undefined || wanted === '') throw missingParameter('groupId')
  if (wanted.toLowerCase() !== groupId)
    throw badRequest(`The private link resource '${wanted}' is not known: '${groupId}' is.`, 'groupId')
  return ok(resourceOf(cluster))
}
