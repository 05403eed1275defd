// Neighbours over HTTP: written, read, listed and deleted by their rows, with a header that says that nothing runs behind them.

import { page } from '../../front-door/pages.ts'
import { ok, param, type ArmRequest, type ArmResponse, type Route } from '../../front-door/route.ts'
import { resourceNotFound } from '../../azure-errors.ts'
import type { Hub } from '../../hub.ts'
import type { DocumentRecord, Json } from '../../records.ts'
import { groupId, type GroupRef } from '../../resource-id.ts'
import { keys, type Stored } from '../../store-keyspace.ts'
import { isObject, objectAt, readObject, textAt } from '../body.ts'
import { readGroup, readLiveGroup } from '../resources/groups.ts'
import { readLocation, readTags } from '../resources/names.ts'
import { invalidName, NOTHING_BEHIND, type NeighbourType } from './neighbour-type.ts'
import { neighbourTypes } from './neighbour-types.ts'

type NeighbourRecord = DocumentRecord & { readonly envelope?: Json; readonly secrets?: Readonly<Record<string, Json>> }

const subscriptionPath = '/subscriptions/:subscription'

export function neighbourRoutes(hub: Hub): readonly Route[] {
  return neighbourTypes.flatMap((type) => routesOf(hub, type))
}

function routesOf(hub: Hub, type: NeighbourType): readonly Route[] {
  const kind = `${type.namespace}/${type.path}`
  const one = `${subscriptionPath}/resourcegroups/:group/providers/${kind}/:name`
  return [
    {
      method: 'GET',
      path: `${subscriptionPath}/providers/${kind}`,
      handle: (request) => list(hub, request, type, `/subscriptions/${param(request, 'subscription')}`),
    },
    {
      method: 'GET',
      path: `${subscriptionPath}/resourcegroups/:group/providers/${kind}`,
      handle: async (request) => list(hub, request, type, (await readGroup(hub.store, refOf(request))).value.id),
    },
    { method: 'GET', path: one, handle: async (request) => ok(bodyOf((await read(hub, request, type)).value)) },
    { method: 'PUT', path: one, handle: (request) => put(hub, request, type) },
    { method: 'PATCH', path: one, handle: (request) => patch(hub, request, type) },
    { method: 'DELETE', path: one, handle: (request) => remove(hub, request, type) },
    ...(type.taken === undefined
      ? []
      : [
          {
            method: 'POST' as const,
            path: `${subscriptionPath}/providers/${type.namespace}/checkNameAvailability`,
            handle: (request: ArmRequest) => availability(hub, request, type),
          },
        ]),
    ...Object.keys(type.secrets ?? {}).map((action): Route => ({
      method: 'POST',
      path: `${one}/${action}`,
      handle: async (request) => ok(await secretOf(hub, request, type, action)),
    })),
  ]
}

/** Names that stand in the world's DNS are taken once, whatever the group. */
async function isTaken(hub: Hub, type: NeighbourType, name: string): Promise<boolean> {
  const kind = `${type.namespace}/${type.path}`
  const all = await hub.store.list<NeighbourRecord>(keys.below('/subscriptions'))
  return all.some(
    ({ value }) => value.kind === 'document' && value.type === kind && value.name.toLowerCase() === name.toLowerCase(),
  )
}

async function judgeFree(hub: Hub, type: NeighbourType, name: string): Promise<void> {
  if (type.taken === undefined || !(await isTaken(hub, type, name))) return
  throw type.taken(name)
}

/** `checkNameAvailability`: why a name cannot be had, as Azure says it. */
async function availability(hub: Hub, request: ArmRequest, type: NeighbourType): Promise<ArmResponse> {
  const name = textAt(readObject(request.body), 'name') ?? ''
  if (!type.nameForm.test(name))
    return ok({ nameAvailable: false, reason: 'Invalid', message: invalidName(type, name).message })
  if (!(await isTaken(hub, type, name))) return ok({ nameAvailable: true })
  return ok({ nameAvailable: false, reason: 'AlreadyExists', message: type.taken!(name).message })
}

function refOf(request: ArmRequest): GroupRef {
  return { subscriptionId: param(request, 'subscription'), resourceGroup: param(request, 'group') }
}

function keyOf(request: ArmRequest, type: NeighbourType): string {
  return keys.resource(`${groupId(refOf(request))}/providers/${type.namespace}/${type.path}/${param(request, 'name')}`)
}

async function read(hub: Hub, request: ArmRequest, type: NeighbourType): Promise<Stored<NeighbourRecord>> {
  await readGroup(hub.store, refOf(request))
  const stored = await hub.store.get<NeighbourRecord>(keyOf(request, type))
  if (stored?.value.kind === 'document') return stored
  const name = `${type.namespace}/${type.path}/${param(request, 'name')}`
  throw resourceNotFound(name, param(request, 'group'))
}

/** Made when it is first asked for, the same from then on. */
async function secretOf(hub: Hub, request: ArmRequest, type: NeighbourType, action: string): Promise<Json> {
  const { key } = await read(hub, request, type)
  const fresh = type.secrets![action]!(request.scope)
  const kept = await hub.store.update<NeighbourRecord>(key, (value) =>
    value.secrets?.[action] === undefined ? { ...value, secrets: { ...value.secrets, [action]: fresh } } : undefined,
  )
  return kept?.secrets?.[action] ?? fresh
}

async function list(hub: Hub, request: ArmRequest, type: NeighbourType, below: string): Promise<ArmResponse> {
  const wanted = `${type.namespace}/${type.path}`
  const all = await hub.store.list<NeighbourRecord>(keys.below(below))
  const found = all.filter(({ value }) => value.kind === 'document' && value.type === wanted)
  return page(
    request,
    found.map(({ value }) => bodyOf(value)),
  )
}

async function put(hub: Hub, request: ArmRequest, type: NeighbourType): Promise<ArmResponse> {
  const name = param(request, 'name')
  if (!type.nameForm.test(name)) throw invalidName(type, name)
  const body = readObject(request.body)
  const envelope = envelopeOf(type, body)
  const given = objectAt(body, 'properties')
  type.judge?.(given, envelope)
  const location = readLocation(body['location'], `${type.namespace}/${type.path}`)
  const tags = readTags(body['tags'])
  return hub.store.decide(async () => {
    const group = await readLiveGroup(hub.store, refOf(request))
    const key = keyOf(request, type)
    const before = await hub.store.get<NeighbourRecord>(key)
    const id = before?.value.id ?? `${group.id}/providers/${type.namespace}/${type.path}/${name}`
    if (before === undefined) await judgeFree(hub, type, name)
    const made =
      before === undefined ? madeBy(hub, request, type, id, envelope) : keptOf(type, hub, request, before.value)
    const value: NeighbourRecord = {
      kind: 'document',
      id,
      name: before?.value.name ?? name,
      type: `${type.namespace}/${type.path}`,
      location,
      ...(tags === undefined ? {} : { tags }),
      envelope,
      ...(before?.value.secrets === undefined ? {} : { secrets: before.value.secrets }),
      properties: { ...type.defaults, ...given, ...made },
    }
    const expected = before?.modRevision ?? 0
    return {
      changes: [{ kind: 'put', key, value, expected }],
      result: { status: before === undefined ? 201 : 200, body: bodyOf(value), headers: NOTHING_BEHIND },
    }
  })
}

function madeBy(hub: Hub, request: ArmRequest, type: NeighbourType, id: string, envelope: Json): Json {
  const { scope } = request
  const name = param(request, 'name')
  return type.made({
    scope,
    id,
    name,
    subscriptionId: param(request, 'subscription'),
    tenantId: hub.tenantId,
    envelope,
  })
}

/** What the service once made stays, whoever writes again. */
function keptOf(type: NeighbourType, hub: Hub, request: ArmRequest, before: NeighbourRecord): Json {
  const names = Object.keys(madeBy(hub, request, type, before.id, before.envelope ?? {}))
  return Object.fromEntries(names.map((name) => [name, before.properties[name]]))
}

function envelopeOf(type: NeighbourType, body: Json): Json {
  const names = type.envelope ?? []
  return Object.fromEntries(names.flatMap((name) => (body[name] === undefined ? [] : [[name, body[name]]])))
}

async function patch(hub: Hub, request: ArmRequest, type: NeighbourType): Promise<ArmResponse> {
  const stored = await read(hub, request, type)
  const body = readObject(request.body)
  const next = await hub.store.update<NeighbourRecord>(stored.key, (value) => {
    const tags = readTags(body['tags'])
    const envelope = { ...value.envelope, ...envelopeOf(type, body) }
    const properties = isObject(body['properties']) ? { ...value.properties, ...body['properties'] } : value.properties
    type.judge?.(properties, envelope)
    return { ...value, ...(tags === undefined ? {} : { tags }), envelope, properties }
  })
  return ok(bodyOf(next ?? stored.value), NOTHING_BEHIND)
}

async function remove(hub: Hub, request: ArmRequest, type: NeighbourType): Promise<ArmResponse> {
  await readGroup(hub.store, refOf(request))
  return hub.store.decide(async () => {
    const stored = await hub.store.get<NeighbourRecord>(keyOf(request, type))
    if (stored === undefined) return { changes: [], result: { status: 204 } }
    const children = await hub.store.list(keys.below(stored.value.id))
    const gone = [stored, ...children]
    return {
      changes: gone.map(({ key, modRevision }) => ({ kind: 'delete', key, expected: modRevision })),
      result: { status: 200 },
    }
  })
}

function bodyOf({ id, name, type, location, tags, envelope, properties }: NeighbourRecord): Json {
  return { id, name, type, location, ...(tags === undefined ? {} : { tags }), ...envelope, properties }
}
