// Groups in Microsoft Graph: made, filled, emptied, asked for. Whoever may grant roles may write them.

import { ArmError } from '@aksel/base/errors'
import { uuid } from '@aksel/base/ids'
import type { ClientIdentity } from '../../front-door/client-identity.ts'
import { ok, param, type ArmRequest, type ArmResponse, type Route } from '../../front-door/route.ts'
import type { Hub } from '../../hub.ts'
import type { Json } from '../../records.ts'
import { keys, type Stored } from '../../store-keyspace.ts'
import { readObject, textAt } from '../body.ts'
import { principals } from './directory.ts'
import { directoryGroups, type DirectoryGroup } from './directory-groups.ts'
import { graphFilter } from './graph-filter.ts'
import { graphNotFound, judgeWriter, principalBody } from './graph-routes.ts'

export function graphGroupRoutes(hub: Hub, clients: readonly ClientIdentity[]): readonly Route[] {
  const row = (method: Route['method'], path: string, handle: Route['handle']): Route => ({
    method,
    path: `/v1.0${path}`,
    versionless: true,
    handle,
  })
  return [
    row('GET', '/groups', (request) => list(hub, request)),
    row('POST', '/groups', (request) => create(hub, request)),
    row('GET', '/groups/:id', async (request) => ok(groupBody((await find(hub, request)).value))),
    row('DELETE', '/groups/:id', (request) => remove(hub, request)),
    row('GET', '/groups/:id/members', (request) => members(hub, clients, request)),
    row('POST', '/groups/:id/members/$ref', (request) => add(hub, clients, request)),
    row('DELETE', '/groups/:id/members/:member/$ref', (request) => takeOut(hub, request)),
    row('POST', '/directoryObjects/getByIds', (request) => byIds(hub, clients, request)),
  ]
}

async function list(hub: Hub, request: ArmRequest): Promise<ArmResponse> {
  const all = (await directoryGroups(hub.store)).map(({ value }) => groupBody(value))
  const value = all.filter(graphFilter(request.query['$filter']))
  return ok({ '@odata.context': `${request.origin}/v1.0/$metadata#groups`, value })
}

async function find(hub: Hub, request: ArmRequest): Promise<Stored<DirectoryGroup>> {
  const found = await hub.store.get<DirectoryGroup>(keys.directoryGroup(param(request, 'id')))
  if (found === undefined) throw graphNotFound(param(request, 'id'))
  return found
}

async function create(hub: Hub, request: ArmRequest): Promise<ArmResponse> {
  await judgeWriter(hub, request)
  const body = readObject(request.body)
  const [displayName, mailNickname] = [textAt(body, 'displayName'), textAt(body, 'mailNickname')]
  for (const [name, value] of Object.entries({ displayName, mailNickname }))
    if (value === undefined || value === '')
      throw new ArmError(400, 'Request_BadRequest', `A value is required for property '${name}' of resource 'Group'.`)
  const value: DirectoryGroup = {
    kind: 'directoryGroup',
    id: uuid(request.scope.random),
    displayName: displayName!,
    mailNickname: mailNickname!,
    description: textAt(body, 'description') ?? null,
    createdDateTime: new Date(request.scope.clock.now()).toISOString(),
    members: [],
  }
  await hub.store.commit([{ kind: 'put', key: keys.directoryGroup(value.id), value, expected: 0 }])
  return { status: 201, body: groupBody(value) }
}

async function remove(hub: Hub, request: ArmRequest): Promise<ArmResponse> {
  await judgeWriter(hub, request)
  const { key, modRevision } = await find(hub, request)
  await hub.store.commit([{ kind: 'delete', key, expected: modRevision }])
  return { status: 204 }
}

async function members(hub: Hub, clients: readonly ClientIdentity[], request: ArmRequest): Promise<ArmResponse> {
  return objects(hub, clients, (await find(hub, request)).value.members)
}

/** Who the object ids are: those that are known. */
async function byIds(hub: Hub, clients: readonly ClientIdentity[], request: ArmRequest): Promise<ArmResponse> {
  const ids = readObject(request.body)['ids']
  return objects(hub, clients, Array.isArray(ids) ? ids.map(String) : [])
}

async function objects(hub: Hub, clients: readonly ClientIdentity[], ids: readonly string[]): Promise<ArmResponse> {
  const has = (id: string): boolean => ids.some((each) => each.toLowerCase() === id.toLowerCase())
  const known = (await principals(hub.store, clients)).filter(({ objectId }) => has(objectId))
  const groups = (await directoryGroups(hub.store)).filter(({ value }) => has(value.id))
  return ok({
    value: [
      ...known.map((each) => ({ '@odata.type': '#microsoft.graph.servicePrincipal', ...principalBody(each) })),
      ...groups.map(({ value }) => ({ '@odata.type': '#microsoft.graph.group', ...groupBody(value) })),
    ],
  })
}

/** The body names the new member by its address in Graph. */
async function add(hub: Hub, clients: readonly ClientIdentity[], request: ArmRequest): Promise<ArmResponse> {
  await judgeWriter(hub, request)
  const group = await find(hub, request)
  const id = (textAt(readObject(request.body), '@odata.id') ?? '').split('/').at(-1)!.toLowerCase()
  const isKnown =
    (await principals(hub.store, clients)).some(({ objectId }) => objectId.toLowerCase() === id) ||
    (await directoryGroups(hub.store)).some(({ value }) => value.id.toLowerCase() === id)
  if (!isKnown) throw graphNotFound(id)
  await hub.store.update<DirectoryGroup>(group.key, (value) => {
    if (value.members.includes(id))
      throw new ArmError(
        400,
        'Request_BadRequest',
        "One or more added object references already exist for the following modified properties: 'members'.",
      )
    return { ...value, members: [...value.members, id] }
  })
  return { status: 204 }
}

async function takeOut(hub: Hub, request: ArmRequest): Promise<ArmResponse> {
  await judgeWriter(hub, request)
  const group = await find(hub, request)
  const id = param(request, 'member').toLowerCase()
  if (!group.value.members.includes(id)) throw graphNotFound(id)
  await hub.store.update<DirectoryGroup>(group.key, (value) => ({
    ...value,
    members: value.members.filter((each) => each !== id),
  }))
  return { status: 204 }
}

function groupBody({ id, displayName, mailNickname, description, createdDateTime }: DirectoryGroup): Json {
  const shown = { id, displayName, mailNickname, description, createdDateTime }
  return { ...shown, groupTypes: [], mailEnabled: false, securityEnabled: true }
}
