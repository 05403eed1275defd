// The small resources below a cluster over HTTP: each kind is listed, read, written and deleted the same way.

import { uuid } from '@aksel/base/ids'
import { resourceNotFound } from '../../azure-errors.ts'
import { page } from '../../front-door/pages.ts'
import { callerOf, ok, param, type ArmRequest, type ArmResponse, type Route } from '../../front-door/route.ts'
import type { Hub } from '../../hub.ts'
import { operationHeaders, startOf } from '../../operations.ts'
import type { ClusterChildRecord, ClusterRecord, Json, OperationRecord } from '../../records.ts'
import { keys, type Change, type Stored } from '../../store-keyspace.ts'
import { objectAt, readObject } from '../body.ts'
import { readLocation, readTags } from '../resources/names.ts'
import { recordedHeaders } from './bodies.ts'
import { judgeIdle, operationOn, readyCluster } from './child-operations.ts'
import { childBody, childId, childrenOf, childType, type ChildKind } from './cluster-children.ts'
import { clusterPath, clusterRef } from './cluster-routes.ts'
import { readParent } from './cluster-store.ts'
import { isStrict, systemData } from './cluster-writes.ts'
import { judgePreconditions } from './preconditions.ts'
import { judgeStrict } from './recorded.ts'

export function childRoutes(hub: Hub, kind: ChildKind): readonly Route[] {
  const all = `${clusterPath}/${kind.collection}`
  const one = `${all}/:child`
  const tagged: Route = { method: 'PATCH', path: one, handle: (request) => patchTags(hub, kind, request) }
  return [
    { method: 'GET', path: all, handle: (request) => list(hub, kind, request) },
    { method: 'GET', path: one, handle: (request) => show(hub, kind, request) },
    { method: 'PUT', path: one, handle: (request) => put(hub, kind, request) },
    ...(kind.isTracked === true ? [tagged] : []),
    { method: 'DELETE', path: one, handle: (request) => remove(hub, kind, request) },
  ]
}

async function list(hub: Hub, kind: ChildKind, request: ArmRequest): Promise<ArmResponse> {
  const { value: cluster } = await readParent(hub.store, clusterRef(request), 'read')
  const all = await childrenOf(hub.store, cluster.id, kind.collection)
  return page(request, all, ({ value }) => childBody(kind, value, cluster))
}

/** With its cluster; throws ParentResourceNotFound or ResourceNotFound. */
export async function readChild(
  hub: Hub,
  kind: ChildKind,
  request: ArmRequest,
): Promise<{ readonly cluster: ClusterRecord; readonly stored: Stored<ClusterChildRecord> }> {
  const ref = clusterRef(request)
  const { value: cluster } = await readParent(hub.store, ref, 'read')
  const name = param(request, 'child')
  const stored = await hub.store.get<ClusterChildRecord>(keyOf(cluster, kind, name))
  if (stored !== undefined) return { cluster, stored }
  throw resourceNotFound(`${childType(kind.collection)}/${ref.cluster}/${name}`, ref.resourceGroup)
}

const keyOf = (cluster: ClusterRecord, { collection }: ChildKind, name: string): string =>
  keys.resource(childId(cluster, collection, name))

async function show(hub: Hub, kind: ChildKind, request: ArmRequest): Promise<ArmResponse> {
  const { cluster, stored } = await readChild(hub, kind, request)
  return ok(childBody(kind, stored.value, cluster))
}

interface Written {
  readonly created: boolean
  readonly cluster: ClusterRecord
  readonly record: ClusterChildRecord
  readonly operation: OperationRecord
  readonly recorded: readonly string[]
}

async function put(hub: Hub, kind: ChildKind, request: ArmRequest): Promise<ArmResponse> {
  kind.judgeName(param(request, 'child'))
  callerOf(request)
  const body = readObject(request.body)
  const written = await hub.store.decide(() => decidePut(hub, kind, request, body))
  const { created, cluster, record, operation, recorded } = written
  hub.wake(record.clusterId)
  return {
    status: created ? 201 : 200,
    body: childBody(kind, record, cluster),
    headers: { ...operationHeaders(operation, request.origin), ...recordedHeaders(recorded) },
  }
}

async function decidePut(
  hub: Hub,
  kind: ChildKind,
  request: ArmRequest,
  body: Json,
): Promise<{ readonly changes: readonly Change[]; readonly result: Written }> {
  const cluster = await readyCluster(hub, request)
  const asked = param(request, 'child')
  const key = keyOf(cluster, kind, asked)
  const all = await childrenOf(hub.store, cluster.id, kind.collection)
  const current = all.find((stored) => stored.key === key)
  judgePreconditions(request, current?.value.eTag)
  judgeIdle(current?.value)
  const name = current?.value.name ?? asked
  const { properties, recorded = [] } = await kind.read({
    hub,
    request,
    cluster,
    name,
    given: objectAt(body, 'properties'),
    before: current?.value,
    others: all.filter((stored) => stored.key !== key).map(({ value }) => value),
  })
  judgeStrict(isStrict(hub, request), recorded)
  const id = current?.value.id ?? childId(cluster, kind.collection, name)
  const operation = operationOn(request, cluster, id, 'resource')
  const record: ClusterChildRecord = {
    kind: 'clusterChild',
    collection: kind.collection,
    id,
    name,
    clusterId: cluster.id.toLowerCase(),
    ...(kind.isTracked === true ? trackedOf(kind, cluster, body) : {}),
    properties,
    systemData: systemData(request, current?.value.systemData),
    eTag: uuid(request.scope.random),
    progress: { provisioningState: stateOf(kind, current?.value), operationId: operation.id },
  }
  return {
    changes: [startOf(operation), { kind: 'put', key, value: record, expected: current?.modRevision ?? 0 }],
    result: { created: current === undefined, cluster, record, operation, recorded },
  }
}

const stateOf = ({ firstState = 'Creating' }: ChildKind, before: ClusterChildRecord | undefined): string =>
  before === undefined ? firstState : 'Updating'

function trackedOf(
  { collection }: ChildKind,
  cluster: ClusterRecord,
  body: Json,
): Pick<ClusterChildRecord, 'location' | 'tags'> {
  const tags = readTags(body['tags'])
  const location = readLocation(body['location'] ?? cluster.location, childType(collection))
  return { location, ...(tags === undefined ? {} : { tags }) }
}

async function patchTags(hub: Hub, kind: ChildKind, request: ArmRequest): Promise<ArmResponse> {
  const tags = readTags(readObject(request.body)['tags'])
  return hub.store.decide(async () => {
    const { cluster, stored } = await readChild(hub, kind, request)
    judgePreconditions(request, stored.value.eTag)
    judgeIdle(stored.value)
    const value: ClusterChildRecord = {
      ...stored.value,
      ...(tags === undefined ? {} : { tags }),
      eTag: uuid(request.scope.random),
      systemData: systemData(request, stored.value.systemData),
    }
    return {
      changes: [{ kind: 'put', key: stored.key, value, expected: stored.modRevision }],
      result: ok(childBody(kind, value, cluster)),
    }
  })
}

async function remove(hub: Hub, kind: ChildKind, request: ArmRequest): Promise<ArmResponse> {
  const begun = await hub.store.decide(async () => {
    const cluster = await readyCluster(hub, request)
    const current = await hub.store.get<ClusterChildRecord>(keyOf(cluster, kind, param(request, 'child')))
    if (current === undefined) return { changes: [], result: undefined }
    judgePreconditions(request, current.value.eTag)
    judgeIdle(current.value)
    const operation = operationOn(request, cluster, current.value.id, 'nothing')
    const progress = { provisioningState: 'Deleting', deleting: true, operationId: operation.id }
    const value: ClusterChildRecord = { ...current.value, progress }
    return {
      changes: [startOf(operation), { kind: 'put', key: current.key, value, expected: current.modRevision }],
      result: { operation, clusterId: current.value.clusterId },
    }
  })
  if (begun === undefined) return { status: 204 }
  hub.wake(begun.clusterId)
  return { status: 202, headers: operationHeaders(begun.operation, request.origin) }
}
