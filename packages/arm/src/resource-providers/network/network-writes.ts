// Writes of network resources: one guarded transaction each, and an operation that ends when the fabric has followed.

import { ArmError } from '@aksel/base/errors'
import { resourceNotFound } from '../../azure-errors.ts'
import type { ArmRequest } from '../../front-door/route.ts'
import type { Hub } from '../../hub.ts'
import { endOf, newOperation, startOf } from '../../operations.ts'
import type { DocumentRecord, Json, OperationRecord } from '../../records.ts'
import { documentId, type GroupRef } from '../../resource-id.ts'
import { keys, type Change, type Stored } from '../../store-keyspace.ts'
import { isObject, objectAt, readObject, textAt } from '../body.ts'
import { readLiveGroup } from '../resources/groups.ts'
import { readLocation, readTags } from '../resources/names.ts'
import { etagOf } from './network-bodies.ts'
import { unreadable } from './network-errors.ts'
import { judgeWritable } from './load-balancers.ts'
import { judgeNetworkName, readList, type ChildType, type NetworkType, type WriteContext } from './network-type.ts'
import { childrenOf, type ChildDocument } from './network-references.ts'
import { networkNamespace, readWorld } from './network-world.ts'

export interface NetworkRef extends GroupRef {
  readonly type: NetworkType
  readonly name: string
}

export interface Written {
  readonly created: boolean
  readonly stored: Stored<DocumentRecord>
  readonly operation: OperationRecord
}

export function networkResourceId(ref: NetworkRef): string {
  return documentId(ref, `${networkNamespace}/${ref.type.path}`, ref.name)
}

/** Throws ResourceNotFound. */
export async function readResource(
  hub: Pick<Hub, 'store' | 'suppliers'>,
  ref: NetworkRef,
): Promise<Stored<DocumentRecord>> {
  const stored = await hub.store.get<DocumentRecord>(keys.resource(networkResourceId(ref)))
  if (stored?.value.kind === 'document') return stored
  const view = (await readWorld(hub, ref.subscriptionId)).balancers().views.get(networkResourceId(ref).toLowerCase())
  if (view !== undefined) return view
  throw resourceNotFound(`${networkNamespace}/${ref.type.path}/${ref.name}`, ref.resourceGroup)
}

export async function putResource(hub: Hub, request: ArmRequest, ref: NetworkRef): Promise<Written> {
  judgeNetworkName(ref.name)
  const body = readObject(request.body)
  const given = objectAt(body, 'properties')
  return hub.store.decide(async () => {
    const group = await readLiveGroup(hub.store, ref)
    const world = await readWorld(hub, ref.subscriptionId)
    judgeWritable(world, networkResourceId(ref))
    const before = await hub.store.get<DocumentRecord>(keys.resource(networkResourceId(ref)))
    judgeEtag(request, before)
    const location = readLocation(body['location'], `${networkNamespace}/${ref.type.path}`)
    if (before !== undefined && before.value.location !== location)
      throw wrongLocation(before.value, location, group.name)
    const envelope = { ...ref.type.envelope, ...envelopeOf(before?.value ?? {}), ...envelopeOf(body) }
    const id = before?.value.id ?? networkResourceId({ ...ref, resourceGroup: group.name })
    const context: WriteContext = {
      id,
      name: before?.value.name ?? ref.name,
      location,
      before: before?.value,
      world,
      envelope,
    }
    const properties = ref.type.write({ ...given, ...writtenChildren(ref.type, given, context) }, context)
    const tags = readTags(body['tags'])
    const { sku, zones } = envelope as { readonly sku?: Json; readonly zones?: readonly string[] }
    return commitment(request, hub, before, {
      kind: 'document',
      id,
      name: context.name,
      type: `${networkNamespace}/${ref.type.path}`,
      location,
      ...(tags === undefined ? {} : { tags }),
      ...(sku === undefined ? {} : { sku }),
      ...(zones === undefined ? {} : { zones }),
      properties,
    })
  })
}

/** Lists of children as they are kept: each judged, each with a name. */
function writtenChildren(type: NetworkType, given: Json, context: WriteContext): Json {
  const lists = type.children.map((child) => {
    const items = readList(given, child.path)
    const standing = childrenOf(context.before?.properties ?? {}, child.path)
    if (items === undefined) return [child.path, child.kept ? standing : []]
    return [child.path, items.map((item) => writtenChild(child, textAt(item, 'name') ?? '', item, context))]
  })
  return Object.fromEntries(lists) as Json
}

function writtenChild(child: ChildType, name: string, item: Json, context: WriteContext): ChildDocument {
  judgeNetworkName(name)
  const childId = `${context.id}/${child.path}/${name}`
  const { provisioningState: _, ...properties } = objectAt(item, 'properties')
  return { name, properties: child.write(properties, { ...context, childId }) }
}

/** PUT of a child on its own: the parent with that child in its list. */
export async function putChild(
  hub: Hub,
  request: ArmRequest,
  ref: NetworkRef,
  wanted: { readonly child: ChildType; readonly name: string },
): Promise<Written> {
  const body = readObject(request.body)
  return changeChildren(hub, request, ref, wanted.child, (children, context) => {
    const at = children.findIndex(({ name }) => name.toLowerCase() === wanted.name.toLowerCase())
    const next = writtenChild(wanted.child, children[at]?.name ?? wanted.name, body, context)
    return { created: at < 0, children: at < 0 ? [...children, next] : children.with(at, next) }
  })
}

/** Undefined where there is no such child. */
export async function deleteChild(
  hub: Hub,
  request: ArmRequest,
  ref: NetworkRef,
  wanted: { readonly child: ChildType; readonly name: string },
): Promise<Written | undefined> {
  const parent = await readResource(hub, ref)
  const same = ({ name }: ChildDocument): boolean => name.toLowerCase() === wanted.name.toLowerCase()
  if (!childrenOf(parent.value.properties, wanted.child.path).some(same)) return undefined
  return changeChildren(
    hub,
    request,
    ref,
    wanted.child,
    (children) => ({ created: false, children: children.filter((each) => !same(each)) }),
    'nothing',
  )
}

async function changeChildren(
  hub: Hub,
  request: ArmRequest,
  ref: NetworkRef,
  child: ChildType,
  change: (
    children: readonly ChildDocument[],
    context: WriteContext,
  ) => { readonly created: boolean; readonly children: readonly ChildDocument[] },
  outcome: OperationRecord['outcome'] = 'resource',
): Promise<Written> {
  return hub.store.decide(async () => {
    await readLiveGroup(hub.store, ref)
    const before = await readResource(hub, ref)
    judgeEtag(request, before)
    const world = await readWorld(hub, ref.subscriptionId)
    judgeWritable(world, before.value.id)
    const { id, name, location, properties } = before.value
    const envelope = envelopeOf(before.value)
    const context: WriteContext = { id, name, location, before: before.value, world, envelope }
    const { created, children } = change(childrenOf(properties, child.path), context)
    const next = ref.type.write({ ...properties, [child.path]: children }, context)
    const decided = await commitment(request, hub, before, { ...before.value, properties: next }, outcome)
    return { ...decided, result: { ...decided.result, created } }
  })
}

/** DELETE: undefined where there is nothing. */
export async function beginDelete(
  hub: Hub,
  request: ArmRequest,
  ref: NetworkRef,
): Promise<OperationRecord | undefined> {
  return hub.store.decide(async () => {
    const before = await hub.store.get<DocumentRecord>(keys.resource(networkResourceId(ref)))
    const world = await readWorld(hub, ref.subscriptionId)
    const view = world.balancers().views.get(networkResourceId(ref).toLowerCase())
    if (view !== undefined) ref.type.judgeDelete(view.value, world)
    if (before?.value.kind !== 'document') return { changes: [], result: undefined }
    judgeEtag(request, before)
    ref.type.judgeDelete(before.value, world)
    const { changes, result } = await commitment(request, hub, before, before.value, 'nothing')
    return { changes, result: result.operation }
  })
}

/** PATCH: tags, replaced as a whole. */
export async function patchTags(hub: Hub, request: ArmRequest, ref: NetworkRef): Promise<void> {
  const tags = readTags(readObject(request.body)['tags'])
  const before = await readResource(hub, ref)
  judgeWritable(await readWorld(hub, ref.subscriptionId), before.value.id)
  judgeEtag(request, before)
  await hub.store.update<DocumentRecord>(before.key, (current) =>
    tags === undefined ? undefined : { ...current, tags },
  )
}

/** The record with a new operation; one that still runs is overtaken by it, as Azure does it. */
async function commitment(
  request: ArmRequest,
  hub: Pick<Hub, 'store'>,
  before: Stored<DocumentRecord> | undefined,
  next: DocumentRecord,
  outcome: OperationRecord['outcome'] = 'resource',
): Promise<{ readonly changes: readonly Change[]; readonly result: Written }> {
  const subscriptionId = next.id.split('/')[2]!
  const isWhole = outcome === 'nothing' && next === before?.value
  if (before?.value.progress?.deleting === true) {
    throw new ArmError(409, 'ResourceBeingDeleted', `Resource ${next.id} is being deleted.`)
  }
  const operation = newOperation(request.scope, {
    subscriptionId,
    location: next.location,
    resourceId: next.id,
    outcome,
  })
  const provisioningState = isWhole ? 'Deleting' : 'Updating'
  const value: DocumentRecord = {
    ...next,
    progress: { provisioningState, operationId: operation.id, ...(isWhole ? { deleting: true } : {}) },
  }
  const key = keys.resource(next.id)
  const running = before?.value.progress?.operationId
  const overtaken =
    running === undefined
      ? undefined
      : await endOf(request.scope, hub.store, subscriptionId, running, {
          status: 'Canceled',
          error: {
            code: 'CanceledAndSupersededDueToAnotherOperation',
            message: `Operation was canceled. Operation ${running} was superseded by operation ${operation.id}.`,
          },
        })
  const changes: Change[] = [
    startOf(operation),
    { kind: 'put', key, value, expected: before?.modRevision ?? 0 },
    ...(overtaken === undefined ? [] : [overtaken]),
  ]
  return { changes, result: { created: before === undefined, stored: { key, value, modRevision: 0 }, operation } }
}

function judgeEtag(request: ArmRequest, stored: Stored<DocumentRecord> | undefined): void {
  const match = request.headers['if-match']?.trim()
  const noneMatch = request.headers['if-none-match']?.trim()
  const fails =
    (noneMatch === '*' && stored !== undefined) ||
    (match !== undefined && match !== '*' && (stored === undefined || match !== etagOf(stored))) ||
    (match === '*' && stored === undefined)
  if (fails) throw new ArmError(412, 'PreconditionFailed', 'Precondition failed.')
}

function envelopeOf(source: object): Json {
  const body = source as Json
  const kept = ['sku', 'zones'].filter((name) => body[name] !== undefined && body[name] !== null)
  for (const name of kept) {
    if (name === 'sku' ? !isObject(body[name]) : !Array.isArray(body[name])) throw unreadable(name)
  }
  return Object.fromEntries(kept.map((name) => [name, body[name]]))
}

function wrongLocation(standing: DocumentRecord, location: string, group: string): ArmError {
  return new ArmError(
    409,
    'InvalidResourceLocation',
    `The resource '${standing.name}' already exists in location '${standing.location}' in resource group '${group}'. A resource with the same name cannot be created in location '${location}'. Please select a new resource name.`,
  )
}
