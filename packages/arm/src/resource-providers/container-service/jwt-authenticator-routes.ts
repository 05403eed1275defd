// JWT authenticators over HTTP.

import { resourceNotFound } from '../../azure-errors.ts'
import { page } from '../../front-door/pages.ts'
import { callerOf, ok, param, type ArmRequest, type ArmResponse, type Route } from '../../front-door/route.ts'
import type { Hub } from '../../hub.ts'
import { operationHeaders, startOf } from '../../operations.ts'
import type { ClusterRecord, JwtAuthenticatorRecord } from '../../records.ts'
import { keys, type Stored } from '../../store-keyspace.ts'
import { judgeIdle, operationOn, readyCluster } from './child-operations.ts'
import { systemData } from './cluster-writes.ts'
import { clusterPath, clusterRef } from './cluster-routes.ts'
import { readParent } from './cluster-store.ts'
import {
  authenticatorBody,
  authenticatorsOf,
  configurationOf,
  judgeAuthenticatorName,
  judgeFaults,
  jwtAuthenticatorType,
  readAuthenticator,
} from './jwt-authenticators.ts'
import { engineId } from './pass.ts'

const collectionPath = `${clusterPath}/jwtAuthenticators`
const path = `${collectionPath}/:authenticator`

export function jwtAuthenticatorRoutes(hub: Hub): readonly Route[] {
  return [
    { method: 'GET', path: collectionPath, handle: (request) => list(hub, request) },
    { method: 'GET', path, handle: async (request) => ok(authenticatorBody((await read(hub, request)).value)) },
    { method: 'PUT', path, handle: (request) => put(hub, request) },
    { method: 'DELETE', path, handle: (request) => remove(hub, request) },
  ]
}

async function list(hub: Hub, request: ArmRequest): Promise<ArmResponse> {
  const cluster = await readParent(hub.store, clusterRef(request), 'read')
  const all = await authenticatorsOf(hub.store, cluster.value.id)
  return page(
    request,
    all.map(({ value }) => authenticatorBody(value)),
  )
}

const keyOf = (cluster: ClusterRecord, name: string): string => keys.resource(`${cluster.id}/jwtAuthenticators/${name}`)

async function read(hub: Hub, request: ArmRequest): Promise<Stored<JwtAuthenticatorRecord>> {
  const ref = clusterRef(request)
  const cluster = await readParent(hub.store, ref, 'read')
  const name = param(request, 'authenticator')
  const found = await hub.store.get<JwtAuthenticatorRecord>(keyOf(cluster.value, name))
  if (found === undefined) throw resourceNotFound(`${jwtAuthenticatorType}/${ref.cluster}/${name}`, ref.resourceGroup)
  return found
}

async function put(hub: Hub, request: ArmRequest): Promise<ArmResponse> {
  const name = judgeAuthenticatorName(param(request, 'authenticator'))
  callerOf(request)
  const properties = readAuthenticator(request.body)
  const { created, record, operation } = await hub.store.decide(async () => {
    const cluster = await readyCluster(hub, request)
    const all = await authenticatorsOf(hub.store, cluster.id)
    const current = all.find(({ value }) => value.name === name)
    judgeIdle(current?.value)
    const others = all.filter(({ value }) => value.name !== name && value.progress.deleting !== true)
    const next = [...others.map(({ value }) => value), { name, properties }].toSorted((a, b) =>
      a.name < b.name ? -1 : 1,
    )
    const configuration = configurationOf(next.map((each) => each.properties))
    judgeFaults(
      hub.suppliers.engine.authenticationFaults(engineId(cluster), configuration),
      next.findIndex((each) => each.name === name),
    )
    const operation = operationOn(request, cluster, current?.value.id ?? idOf(cluster, name), 'resource')
    const record: JwtAuthenticatorRecord = {
      kind: 'jwtAuthenticator',
      id: current?.value.id ?? idOf(cluster, name),
      name,
      clusterId: cluster.id.toLowerCase(),
      properties,
      systemData: systemData(request, current?.value.systemData),
      progress: { provisioningState: current === undefined ? 'Creating' : 'Updating', operationId: operation.id },
    }
    const key = keyOf(cluster, name)
    return {
      changes: [startOf(operation), { kind: 'put', key, value: record, expected: current?.modRevision ?? 0 }],
      result: { created: current === undefined, record, operation },
    }
  })
  hub.wake(record.clusterId)
  const headers = operationHeaders(operation, request.origin)
  return { status: created ? 201 : 200, body: authenticatorBody(record), headers }
}

async function remove(hub: Hub, request: ArmRequest): Promise<ArmResponse> {
  const name = param(request, 'authenticator')
  const begun = await hub.store.decide(async () => {
    const cluster = await readyCluster(hub, request)
    const current = await hub.store.get<JwtAuthenticatorRecord>(keyOf(cluster, name))
    if (current === undefined) return { changes: [], result: undefined }
    judgeIdle(current.value)
    const operation = operationOn(request, cluster, current.value.id, 'nothing')
    const progress = { provisioningState: 'Deleting', deleting: true, operationId: operation.id }
    const value: JwtAuthenticatorRecord = { ...current.value, progress }
    return {
      changes: [startOf(operation), { kind: 'put', key: current.key, value, expected: current.modRevision }],
      result: { operation, clusterId: current.value.clusterId },
    }
  })
  if (begun === undefined) return { status: 204 }
  hub.wake(begun.clusterId)
  return { status: 202, headers: operationHeaders(begun.operation, request.origin) }
}

const idOf = (cluster: ClusterRecord, name: string): string => `${cluster.id}/jwtAuthenticators/${name}`
