// Template specs: templates that are kept as resources, version by version, for deployments to link to.

import { ArmError } from '@aksel/base/errors'
import { parentNotFound, resourceNotFound } from '../../azure-errors.ts'
import { page } from '../../front-door/pages.ts'
import { ok, param, type ArmRequest, type ArmResponse, type Route } from '../../front-door/route.ts'
import type { Hub } from '../../hub.ts'
import type { DocumentRecord, Json, Tags } from '../../records.ts'
import { groupId, type GroupRef } from '../../resource-id.ts'
import { keys, type Stored } from '../../store-keyspace.ts'
import { isObject, objectAt, readObject } from '../body.ts'
import { readGroup, readLiveGroup } from './groups.ts'
import { readLocation, readTags } from './names.ts'

const specType = 'Microsoft.Resources/templateSpecs'
const versionType = `${specType}/versions`

interface VersionRecord {
  readonly kind: 'templateSpecVersion'
  readonly id: string
  readonly name: string
  readonly location: string
  readonly tags?: Tags
  readonly properties: Json
}

export function templateSpecRoutes(hub: Hub): readonly Route[] {
  const inSubscription = `/subscriptions/:subscription/providers/${specType}`
  const inGroup = `/subscriptions/:subscription/resourcegroups/:group/providers/${specType}`
  const one = `${inGroup}/:spec`
  const version = `${one}/versions/:version`
  return [
    {
      method: 'GET',
      path: inSubscription,
      handle: (request) => list(hub, request, `/subscriptions/${param(request, 'subscription')}`),
    },
    {
      method: 'GET',
      path: inGroup,
      handle: async (request) => list(hub, request, (await readGroup(hub.store, refOf(request))).value.id),
    },
    {
      method: 'GET',
      path: one,
      handle: async (request) => ok(await specBody(hub, request, await readSpec(hub, request))),
    },
    { method: 'PUT', path: one, handle: (request) => putSpec(hub, request) },
    { method: 'DELETE', path: one, handle: (request) => removeSpec(hub, request) },
    { method: 'GET', path: `${one}/versions`, handle: (request) => listVersions(hub, request) },
    {
      method: 'GET',
      path: version,
      handle: async (request) => ok(versionBody((await readVersion(hub, request)).value)),
    },
    { method: 'PUT', path: version, handle: (request) => putVersion(hub, request) },
    { method: 'DELETE', path: version, handle: (request) => removeVersion(hub, request) },
  ]
}

const refOf = (request: ArmRequest): GroupRef => ({
  subscriptionId: param(request, 'subscription'),
  resourceGroup: param(request, 'group'),
})

const specId = (request: ArmRequest): string =>
  `${groupId(refOf(request))}/providers/${specType}/${param(request, 'spec')}`

async function readSpec(hub: Hub, request: ArmRequest): Promise<Stored<DocumentRecord>> {
  await readGroup(hub.store, refOf(request))
  const found = await hub.store.get<DocumentRecord>(keys.resource(specId(request)))
  if (found === undefined) throw resourceNotFound(`${specType}/${param(request, 'spec')}`, param(request, 'group'))
  return found
}

async function list(hub: Hub, request: ArmRequest, below: string): Promise<ArmResponse> {
  const all = await hub.store.list<DocumentRecord>(keys.below(below))
  const found = all.filter(({ value }) => value.kind === 'document' && value.type === specType)
  const bodies = await Promise.all(found.map((stored) => specBody(hub, request, stored)))
  return page(request, bodies)
}

const versionsOf = (hub: Hub, spec: DocumentRecord): Promise<readonly Stored<VersionRecord>[]> =>
  hub.store.list<VersionRecord>(keys.below(`${spec.id}/versions`))

/** With `$expand=versions` the versions stand in it, without their templates. */
async function specBody(hub: Hub, request: ArmRequest, { value }: Stored<DocumentRecord>): Promise<Json> {
  const { kind: _, progress: __, ...shown } = value
  if (request.query['$expand']?.toLowerCase() !== 'versions') return shown
  const versions = (await versionsOf(hub, value)).map(({ value: each }) => [
    each.name,
    { description: each.properties['description'] ?? '' },
  ])
  return { ...shown, properties: { ...value.properties, versions: Object.fromEntries(versions) as Json } }
}

async function putSpec(hub: Hub, request: ArmRequest): Promise<ArmResponse> {
  const name = judgedName(param(request, 'spec'), 'template spec')
  const body = readObject(request.body)
  const location = readLocation(body['location'], specType)
  const tags = readTags(body['tags'])
  return hub.store.decide(async () => {
    const group = await readLiveGroup(hub.store, refOf(request))
    const key = keys.resource(specId(request))
    const before = await hub.store.get<DocumentRecord>(key)
    const value: DocumentRecord = {
      kind: 'document',
      id: before?.value.id ?? `${group.id}/providers/${specType}/${name}`,
      name: before?.value.name ?? name,
      type: specType,
      location,
      ...(tags === undefined ? {} : { tags }),
      properties: objectAt(body, 'properties'),
    }
    const { kind: _, ...shown } = value
    return {
      changes: [{ kind: 'put', key, value, expected: before?.modRevision ?? 0 }],
      result: { status: before === undefined ? 201 : 200, body: shown },
    }
  })
}

function judgedName(name: string, what: string): string {
  if (/^[-\w.()]{1,90}$/.test(name)) return name
  throw new ArmError(
    400,
    'InvalidTemplateSpecName',
    `The name '${name}' of the ${what} is not valid: it has 1 to 90 letters, digits, '-', '_', '.', '(' and ')'.`,
  )
}

async function removeSpec(hub: Hub, request: ArmRequest): Promise<ArmResponse> {
  return hub.store.decide(async () => {
    const stored = await hub.store.get<DocumentRecord>(keys.resource(specId(request)))
    if (stored === undefined) return { changes: [], result: { status: 204 } }
    const gone = [stored, ...(await versionsOf(hub, stored.value))]
    return {
      changes: gone.map(({ key, modRevision }) => ({ kind: 'delete' as const, key, expected: modRevision })),
      result: { status: 200 },
    }
  })
}

const versionKey = (request: ArmRequest): string =>
  keys.resource(`${specId(request)}/versions/${param(request, 'version')}`)

async function listVersions(hub: Hub, request: ArmRequest): Promise<ArmResponse> {
  const spec = await readSpec(hub, request)
  return page(
    request,
    (await versionsOf(hub, spec.value)).map(({ value }) => versionBody(value)),
  )
}

async function readVersion(hub: Hub, request: ArmRequest): Promise<Stored<VersionRecord>> {
  await readSpec(hub, request)
  const found = await hub.store.get<VersionRecord>(versionKey(request))
  if (found !== undefined) return found
  const name = `${param(request, 'spec')}/versions/${param(request, 'version')}`
  throw resourceNotFound(`${specType}/${name}`, param(request, 'group'))
}

async function putVersion(hub: Hub, request: ArmRequest): Promise<ArmResponse> {
  const name = judgedName(param(request, 'version'), 'template spec version')
  const body = readObject(request.body)
  const location = readLocation(body['location'], versionType)
  const tags = readTags(body['tags'])
  const properties = objectAt(body, 'properties')
  if (!isObject(properties['mainTemplate']))
    throw new ArmError(
      400,
      'InvalidTemplateSpecVersion',
      "The template spec version has no 'mainTemplate': an ARM template as a JSON object is required.",
    )
  return hub.store.decide(async () => {
    await readLiveGroup(hub.store, refOf(request))
    const spec = await hub.store.get<DocumentRecord>(keys.resource(specId(request)))
    if (spec === undefined) throw parentNotFound('write', versionType, specId(request))
    const before = await hub.store.get<VersionRecord>(versionKey(request))
    const value: VersionRecord = {
      kind: 'templateSpecVersion',
      id: `${spec.value.id}/versions/${before?.value.name ?? name}`,
      name: before?.value.name ?? name,
      location,
      ...(tags === undefined ? {} : { tags }),
      properties,
    }
    return {
      changes: [{ kind: 'put', key: versionKey(request), value, expected: before?.modRevision ?? 0 }],
      result: { status: before === undefined ? 201 : 200, body: versionBody(value) },
    }
  })
}

async function removeVersion(hub: Hub, request: ArmRequest): Promise<ArmResponse> {
  return hub.store.decide(async () => {
    const stored = await hub.store.get<VersionRecord>(versionKey(request))
    if (stored === undefined) return { changes: [], result: { status: 204 } }
    return {
      changes: [{ kind: 'delete', key: stored.key, expected: stored.modRevision }],
      result: { status: 200 },
    }
  })
}

function versionBody({ id, name, location, tags, properties }: VersionRecord): Json {
  return { id, name, type: versionType, location, ...(tags === undefined ? {} : { tags }), properties }
}
