// Network resources over HTTP: the same five operations for every type and every child, from its row.

import { page } from '../../front-door/pages.ts'
import { ok, param, type ArmRequest, type ArmResponse, type Route } from '../../front-door/route.ts'
import type { Hub } from '../../hub.ts'
import { operationHeaders } from '../../operations.ts'
import type { OperationRecord } from '../../records.ts'
import type { GroupRef } from '../../resource-id.ts'
import { operationResult, operationStatus } from '../container-service/location-routes.ts'
import { readGroup } from '../resources/groups.ts'
import { childBody, resourceBody } from './network-bodies.ts'
import { childNotFound } from './network-errors.ts'
import type { ChildType, NetworkType } from './network-type.ts'
import { networkTypes } from './network-types.ts'
import { childrenOf } from './network-references.ts'
import { networkNamespace, readWorld } from './network-world.ts'
import {
  beginDelete,
  deleteChild,
  patchTags,
  putChild,
  putResource,
  readResource,
  type NetworkRef,
  type Written,
} from './network-writes.ts'

const subscriptionPath = '/subscriptions/:subscription'

export function networkRoutes(hub: Hub): readonly Route[] {
  const location = `${subscriptionPath}/providers/${networkNamespace}/locations/:location`
  return [
    { method: 'GET', path: `${location}/operations/:operation`, handle: (request) => operationStatus(hub, request) },
    {
      method: 'GET',
      path: `${location}/operationresults/:operation`,
      handle: (request) => operationResult(hub, request),
    },
    ...networkTypes.flatMap((type) => [
      ...resourceRoutes(hub, type),
      ...type.children.flatMap((child) => childRoutes(hub, type, child)),
    ]),
  ]
}

function resourceRoutes(hub: Hub, type: NetworkType): readonly Route[] {
  const everywhere = `${subscriptionPath}/providers/${networkNamespace}/${type.path}`
  const all = `${subscriptionPath}/resourcegroups/:group/providers/${networkNamespace}/${type.path}`
  const one = `${all}/:name`
  return [
    {
      method: 'GET',
      path: everywhere,
      handle: (request) => list(hub, request, type, `/subscriptions/${param(request, 'subscription')}`),
    },
    {
      method: 'GET',
      path: all,
      handle: async (request) => list(hub, request, type, (await readGroup(hub.store, groupOf(request))).value.id),
    },
    { method: 'GET', path: one, handle: async (request) => ok(await body(hub, refOf(request, type))) },
    {
      method: 'PUT',
      path: one,
      handle: async (request) => {
        const ref = refOf(request, type)
        const written = await putResource(hub, request, ref)
        const { created, operation } = written
        return started(hub, request, { created, operation, body: await body(hub, ref) })
      },
    },
    {
      method: 'PATCH',
      path: one,
      handle: async (request) => {
        const ref = refOf(request, type)
        await patchTags(hub, request, ref)
        return ok(await body(hub, ref))
      },
    },
    { method: 'DELETE', path: one, handle: (request) => remove(hub, request, refOf(request, type)) },
  ]
}

function childRoutes(hub: Hub, type: NetworkType, child: ChildType): readonly Route[] {
  const all = `${subscriptionPath}/resourcegroups/:group/providers/${networkNamespace}/${type.path}/:name/${child.path}`
  const one = `${all}/:child`
  const wanted = (request: ArmRequest): { readonly child: ChildType; readonly name: string } => ({
    child,
    name: param(request, 'child'),
  })
  return [
    {
      method: 'GET',
      path: all,
      handle: async (request) => page(request, await childBodies(hub, refOf(request, type), child)),
    },
    { method: 'GET', path: one, handle: async (request) => ok(await oneChild(hub, request, type, child)) },
    {
      method: 'PUT',
      path: one,
      handle: async (request) => {
        const { created, operation } = await putChild(hub, request, refOf(request, type), wanted(request))
        return started(hub, request, { created, operation, body: await oneChild(hub, request, type, child) })
      },
    },
    {
      method: 'DELETE',
      path: one,
      handle: async (request) => {
        const written = await deleteChild(hub, request, refOf(request, type), wanted(request))
        return written === undefined ? { status: 204 } : deleting(hub, request, written.operation)
      },
    },
  ]
}

function groupOf(request: ArmRequest): GroupRef {
  return { subscriptionId: param(request, 'subscription'), resourceGroup: param(request, 'group') }
}

function refOf(request: ArmRequest, type: NetworkType): NetworkRef {
  return { ...groupOf(request), type, name: param(request, 'name') }
}

async function list(hub: Hub, request: ArmRequest, type: NetworkType, below: string): Promise<ArmResponse> {
  const world = await readWorld(hub, param(request, 'subscription'))
  const prefix = `${below}/`.toLowerCase()
  const found = [...world.documents.values(), ...world.balancers().views.values()].filter(
    ({ value }) => value.type === `${networkNamespace}/${type.path}` && value.id.toLowerCase().startsWith(prefix),
  )
  return page(
    request,
    found.map((stored) => resourceBody(type, stored, world)),
  )
}

async function body(hub: Hub, ref: NetworkRef): Promise<unknown> {
  await readGroup(hub.store, ref)
  return resourceBody(ref.type, await readResource(hub, ref), await readWorld(hub, ref.subscriptionId))
}

async function childBodies(hub: Hub, ref: NetworkRef, child: ChildType): Promise<readonly unknown[]> {
  const stored = await readResource(hub, ref)
  const world = await readWorld(hub, ref.subscriptionId)
  return childrenOf(stored.value.properties, child.path).map((each) => childBody(ref.type, child, each, stored, world))
}

async function oneChild(hub: Hub, request: ArmRequest, type: NetworkType, child: ChildType): Promise<unknown> {
  const ref = refOf(request, type)
  const stored = await readResource(hub, ref)
  const name = param(request, 'child')
  const found = childrenOf(stored.value.properties, child.path).find(
    (each) => each.name.toLowerCase() === name.toLowerCase(),
  )
  if (found === undefined) throw childNotFound(`${stored.value.id}/${child.path}/${name}`)
  return childBody(type, child, found, stored, await readWorld(hub, ref.subscriptionId))
}

function started(
  hub: Hub,
  request: ArmRequest,
  { created, operation, body: shown }: Pick<Written, 'created' | 'operation'> & { readonly body: unknown },
): ArmResponse {
  hub.wake(operation.resourceId)
  return { status: created ? 201 : 200, body: shown, headers: operationHeaders(operation, request.origin) }
}

async function remove(hub: Hub, request: ArmRequest, ref: NetworkRef): Promise<ArmResponse> {
  const operation = await beginDelete(hub, request, ref)
  if (operation !== undefined) return deleting(hub, request, operation)
  await readGroup(hub.store, ref)
  return { status: 204 }
}

function deleting(hub: Hub, request: ArmRequest, operation: OperationRecord): ArmResponse {
  hub.wake(operation.resourceId)
  return { status: 202, headers: operationHeaders(operation, request.origin) }
}
