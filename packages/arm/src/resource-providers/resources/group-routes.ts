// Resource groups over HTTP, and the lists of what is in them.

import { groupNotFound, resourceNotFound } from '../../azure-errors.ts'
import { groupId, type GroupRef } from '../../resource-id.ts'
import { keys } from '../../store-keyspace.ts'
import { operationHeaders } from '../../operations.ts'
import { page } from '../../front-door/pages.ts'
import { ok, param, type ArmRequest, type ArmResponse, type Route } from '../../front-door/route.ts'
import type { Hub } from '../../hub.ts'
import type { DocumentRecord, GroupRecord, Json, Resource } from '../../records.ts'
import { readObject } from '../body.ts'
import { readWorld } from '../network/network-world.ts'
import { matchesFilter, parseFilter } from './filter.ts'
import { beginGroupDelete, groupBody, listGroups, listResources, putGroup, readGroup } from './groups.ts'
import { judgeGroupName, readGroupLocation, readTags } from './names.ts'

export function groupRoutes(hub: Hub): readonly Route[] {
  const all = '/subscriptions/:subscription/resourcegroups'
  const one = `${all}/:group`
  return [
    {
      method: 'GET',
      path: all,
      handle: async (request) =>
        page(request, (await listGroups(hub.store, param(request, 'subscription'))).map(groupBody)),
    },
    { method: 'PUT', path: one, handle: (request) => put(hub, request) },
    {
      method: 'GET',
      path: one,
      handle: async (request) => ok(groupBody((await readGroup(hub.store, refOf(request))).value)),
    },
    {
      method: 'HEAD',
      path: one,
      handle: async (request) => {
        const found = await hub.store.get(keys.resource(groupId(refOf(request))))
        return { status: found === undefined ? 404 : 204 }
      },
    },
    { method: 'PATCH', path: one, handle: (request) => patch(hub, request) },
    { method: 'DELETE', path: one, handle: (request) => remove(hub, request) },
    { method: 'GET', path: `${one}/resources`, handle: (request) => listInGroup(hub, request) },
    {
      method: 'GET',
      path: '/subscriptions/:subscription/resources',
      handle: (request) => list(hub, request, `/subscriptions/${param(request, 'subscription')}`),
    },
    {
      method: 'GET',
      path: `${one}/providers/:namespace/:type/:name`,
      handle: (request) => document(hub, request),
    },
  ]
}

function refOf(request: ArmRequest): GroupRef {
  return { subscriptionId: param(request, 'subscription'), resourceGroup: param(request, 'group') }
}

async function put(hub: Hub, request: ArmRequest): Promise<ArmResponse> {
  const ref = refOf(request)
  judgeGroupName(ref.resourceGroup)
  const body = readObject(request.body)
  const tags = readTags(body['tags'])
  const managedBy = body['managedBy']
  const { created, group } = await putGroup(hub.store, ref, {
    location: readGroupLocation(body['location'], ref.resourceGroup),
    ...(tags === undefined ? {} : { tags }),
    ...(typeof managedBy === 'string' ? { managedBy } : {}),
    ...(hub.sharing?.hasHost === true ? { host: hub.sharing.name } : {}),
  })
  return { status: created ? 201 : 200, body: groupBody(group) }
}

async function patch(hub: Hub, request: ArmRequest): Promise<ArmResponse> {
  const ref = refOf(request)
  const tags = readTags(readObject(request.body)['tags'])
  const next = await hub.store.update<GroupRecord>(keys.resource(groupId(ref)), (group) =>
    tags === undefined ? undefined : { ...group, tags },
  )
  if (next === undefined) throw groupNotFound(ref.resourceGroup)
  return ok(groupBody(next))
}

async function remove(hub: Hub, request: ArmRequest): Promise<ArmResponse> {
  const ref = refOf(request)
  const operation = await beginGroupDelete(request.scope, hub.store, ref)
  hub.wake(operation.resourceId)
  return { status: 202, headers: operationHeaders(operation, request.origin) }
}

async function listInGroup(hub: Hub, request: ArmRequest): Promise<ArmResponse> {
  const { value } = await readGroup(hub.store, refOf(request))
  return list(hub, request, value.id)
}

async function list(hub: Hub, request: ArmRequest, below: string): Promise<ArmResponse> {
  const filter = parseFilter(request.query['$filter'])
  const expanded = (request.query['$expand'] ?? '').toLowerCase().split(',').includes('provisioningstate')
  const { views } = (await readWorld(hub, param(request, 'subscription'))).balancers()
  const shown = [...views.values()].map(({ value }) => value)
  const within = shown.filter(({ id }) => id.toLowerCase().startsWith(`${below}/`.toLowerCase()))
  const all = [...(await listResources(hub.store, below)), ...within]
  const found = all.filter((resource) => matchesFilter(resource, filter))
  return page(
    request,
    found.map((resource) => genericBody(resource, expanded)),
  )
}

function genericBody(resource: Resource, expanded: boolean): Json {
  const { id, name, type, location, tags } = resource
  const { progress, envelope, ...own } = resource as Resource & {
    readonly envelope?: Json
    readonly progress?: { readonly provisioningState: string }
    readonly sku?: Json
    readonly identity?: Json
  }
  const { sku, identity } = { ...envelope, ...own } as { readonly sku?: Json; readonly identity?: Json }
  return {
    id,
    name,
    type,
    location,
    ...(tags === undefined ? {} : { tags }),
    ...(sku === undefined ? {} : { sku }),
    ...(identity === undefined ? {} : { identity }),
    ...(expanded ? { provisioningState: progress?.provisioningState ?? 'Succeeded' } : {}),
  }
}

/** Networks and the like that a cluster's own group holds: shown as documents. */
async function document(hub: Hub, request: ArmRequest): Promise<ArmResponse> {
  const ref = refOf(request)
  await readGroup(hub.store, ref)
  const type = `${param(request, 'namespace')}/${param(request, 'type')}`
  const name = param(request, 'name')
  const stored = await hub.store.get<DocumentRecord>(keys.resource(`${groupId(ref)}/providers/${type}/${name}`))
  if (stored?.value.kind !== 'document') throw resourceNotFound(`${type}/${name}`, ref.resourceGroup)
  const { kind: _, secrets: __, ...body } = stored.value as DocumentRecord & { readonly secrets?: unknown }
  return ok(body)
}
