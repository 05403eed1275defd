// Node pool snapshots: what a pool ran when somebody asked, kept in a group as a resource of its own. Others begin with it.

import { AksError, invalidParameter, missingParameter, resourceNotFound } from '../../azure-errors.ts'
import { page } from '../../front-door/pages.ts'
import { ok, param, type ArmRequest, type ArmResponse, type Route } from '../../front-door/route.ts'
import type { Hub } from '../../hub.ts'
import type { DocumentRecord, Json, NodeVersions, PoolRecord } from '../../records.ts'
import { documentId, groupId, type GroupRef } from '../../resource-id.ts'
import { keys, type ResourceStore, type Stored } from '../../store-keyspace.ts'
import { objectAt, readObject, textAt } from '../body.ts'
import { readGroup, readLiveGroup } from '../resources/groups.ts'
import { readLocation, readTags } from '../resources/names.ts'
import { versionsOf } from '../../upgrade-plan.ts'

const type = 'Microsoft.ContainerService/snapshots'
const inSubscription = '/subscriptions/:subscription/providers/Microsoft.ContainerService/snapshots'
const inGroup = '/subscriptions/:subscription/resourcegroups/:group/providers/Microsoft.ContainerService/snapshots'

export function snapshotRoutes(hub: Hub): readonly Route[] {
  const path = `${inGroup}/:snapshot`
  return [
    { method: 'GET', path: inSubscription, handle: (request) => list(hub, request) },
    { method: 'GET', path: inGroup, handle: (request) => list(hub, request) },
    { method: 'GET', path, handle: async (request) => ok(bodyOf((await read(hub, request)).value)) },
    { method: 'PUT', path, handle: (request) => put(hub, request) },
    { method: 'PATCH', path, handle: (request) => patch(hub, request) },
    { method: 'DELETE', path, handle: (request) => remove(hub, request) },
  ]
}

function refOf(request: ArmRequest): GroupRef {
  return { subscriptionId: param(request, 'subscription'), resourceGroup: param(request, 'group') }
}

function idOf(request: ArmRequest): string {
  return documentId(refOf(request), type, param(request, 'snapshot'))
}

function bodyOf(record: DocumentRecord): Json {
  const { kind: _, ...snapshot } = record
  return snapshot
}

async function list(hub: Hub, request: ArmRequest): Promise<ArmResponse> {
  const { group } = request.params
  if (group !== undefined) await readGroup(hub.store, refOf(request))
  const below = group === undefined ? `/subscriptions/${param(request, 'subscription')}` : groupId(refOf(request))
  const all = await hub.store.list<DocumentRecord>(keys.below(below))
  const own = all.filter(({ value }) => value.kind === 'document' && value.type === type)
  return page(
    request,
    own.map(({ value }) => ({ ...bodyOf(value), name: value.name })),
  )
}

async function read(hub: Hub, request: ArmRequest): Promise<Stored<DocumentRecord>> {
  const stored = await hub.store.get<DocumentRecord>(keys.resource(idOf(request)))
  if (stored !== undefined) return stored
  await readGroup(hub.store, refOf(request))
  throw resourceNotFound(`${type}/${param(request, 'snapshot')}`, refOf(request).resourceGroup)
}

async function put(hub: Hub, request: ArmRequest): Promise<ArmResponse> {
  const body = readObject(request.body)
  const source = textAt(objectAt(objectAt(body, 'properties'), 'creationData'), 'sourceResourceId')
  if (source === undefined || source === '') throw missingParameter('creationData.sourceResourceId')
  return hub.store.decide(async () => {
    const group = await readLiveGroup(hub.store, refOf(request))
    const pool = (await hub.store.get<PoolRecord>(keys.resource(source)))?.value
    if (pool?.kind !== 'pool') {
      throw new AksError(
        400,
        'InvalidResourceReference',
        `Resource ${source} referenced by the snapshot was not found: it has to be an agent pool.`,
        { target: 'creationData.sourceResourceId' },
      )
    }
    const id = documentId({ ...refOf(request), resourceGroup: group.name }, type, param(request, 'snapshot'))
    const current = await hub.store.get<DocumentRecord>(keys.resource(id))
    const tags = readTags(body['tags'])
    const snapshot: DocumentRecord = {
      kind: 'document',
      id,
      name: param(request, 'snapshot'),
      type,
      location: readLocation(body['location'] ?? group.location, type),
      ...(tags === undefined ? {} : { tags }),
      properties: current?.value.properties ?? taken(pool, source),
    }
    const expected = current?.modRevision ?? 0
    return {
      changes: [{ kind: 'put', key: keys.resource(id), value: snapshot, expected }],
      result: { status: current === undefined ? 201 : 200, body: bodyOf(snapshot) },
    }
  })
}

/** What it runs now: an upgrade that is half done counts by what it began with. */
function taken(pool: PoolRecord, sourceResourceId: string): Json {
  const { kubernetes, image } = versionsOf({}, pool)
  return {
    creationData: { sourceResourceId },
    snapshotType: 'NodePool',
    kubernetesVersion: kubernetes,
    nodeImageVersion: image,
    osType: pool.properties.osType,
    osSku: pool.properties.osSKU,
    vmSize: pool.properties.vmSize,
    enableFIPS: pool.properties['enableFIPS'] === true,
  }
}

async function patch(hub: Hub, request: ArmRequest): Promise<ArmResponse> {
  const tags = readTags(readObject(request.body)['tags'])
  await read(hub, request)
  const changed = await hub.store.update<DocumentRecord>(keys.resource(idOf(request)), (current) => ({
    ...current,
    ...(tags === undefined ? {} : { tags }),
  }))
  return ok(bodyOf(changed!))
}

async function remove(hub: Hub, request: ArmRequest): Promise<ArmResponse> {
  const stored = await hub.store.get<DocumentRecord>(keys.resource(idOf(request)))
  if (stored === undefined) return { status: 204 }
  await hub.store.commit([{ kind: 'delete', key: stored.key, expected: stored.modRevision }])
  return { status: 200 }
}

export interface SnapshotChoice {
  readonly versions: NodeVersions
  readonly osSKU: string
}

/** What a pool begins with that names a snapshot; undefined for one that names none. Throws for one that is not there. */
export async function chosenSnapshot(
  store: ResourceStore,
  given: Json,
  vmSize: string | undefined,
): Promise<SnapshotChoice | undefined> {
  const source = textAt(objectAt(given, 'creationData'), 'sourceResourceId')
  if (source === undefined || source === '') return undefined
  const properties = (await store.get<DocumentRecord>(keys.resource(source)))?.value.properties
  if (properties === undefined) {
    throw new AksError(400, 'InvalidResourceReference', `The snapshot ${source} was not found.`, {
      target: 'agentPoolProfile.creationData.sourceResourceId',
    })
  }
  const text = (name: string): string => String(properties[name])
  if (vmSize !== undefined && familyOf(vmSize) !== familyOf(text('vmSize'))) {
    throw invalidParameter(
      'agentPoolProfile.creationData.sourceResourceId',
      `the snapshot was taken of VM size ${text('vmSize')}, which is of another family than ${vmSize}`,
    )
  }
  return {
    versions: { kubernetes: text('kubernetesVersion'), image: text('nodeImageVersion') },
    osSKU: text('osSku'),
  }
}

/** `D` of `Standard_D2s_v5`. */
function familyOf(vmSize: string): string | undefined {
  return /^Standard_([A-Z]+)/i.exec(vmSize)?.[1]?.toUpperCase()
}
