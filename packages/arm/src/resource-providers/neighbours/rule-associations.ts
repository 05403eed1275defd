// Which data collection rules and endpoints a resource is associated with: an extension that hangs on any resource. Kept; nothing
// collects here, and a `Warning` header says so.

import { page } from '../../front-door/pages.ts'
import { ok, param, type ArmRequest, type ArmResponse, type Route } from '../../front-door/route.ts'
import { resourceNotFound } from '../../azure-errors.ts'
import type { Hub } from '../../hub.ts'
import type { DocumentRecord, Json } from '../../records.ts'
import { sameId } from '../../resource-id.ts'
import { keys } from '../../store-keyspace.ts'
import { objectAt, readObject, textAt } from '../body.ts'
import { readScope, scopePaths } from '../authorization/scopes.ts'
import { invalidProperty, NOTHING_BEHIND } from './neighbour-type.ts'

const associationType = 'Microsoft.Insights/dataCollectionRuleAssociations'

interface AssociationRecord {
  readonly kind: 'ruleAssociation'
  readonly id: string
  readonly name: string
  readonly properties: Json
}

export function ruleAssociationRoutes(hub: Hub): readonly Route[] {
  const onResources = scopePaths.slice(2).flatMap((scope): readonly Route[] => {
    const all = `${scope}/providers/${associationType}`
    const one = `${all}/:association`
    return [
      { method: 'GET', path: all, handle: (request) => list(hub, request) },
      { method: 'GET', path: one, handle: (request) => read(hub, request) },
      { method: 'PUT', path: one, handle: (request) => put(hub, request) },
      { method: 'DELETE', path: one, handle: (request) => remove(hub, request) },
    ]
  })
  const ofTargets = ['dataCollectionRules', 'dataCollectionEndpoints'].map((type): Route => ({
    method: 'GET',
    path: `/subscriptions/:subscription/resourcegroups/:group/providers/Microsoft.Insights/${type}/:name/associations`,
    handle: (request) =>
      listOf(hub, { ...request, params: { ...request.params, namespace: 'Microsoft.Insights', type } }),
  }))
  return [...onResources, ...ofTargets]
}

const associationId = (scope: string, request: ArmRequest): string =>
  `${scope}/providers/${associationType}/${param(request, 'association')}`

async function list(hub: Hub, request: ArmRequest): Promise<ArmResponse> {
  const scope = await readScope(hub, request)
  const all = await hub.store.list<AssociationRecord>(keys.below(`${scope}/providers/${associationType}`))
  return page(request, all, ({ value }) => body(value))
}

/** Those that name the rule or the endpoint. */
async function listOf(hub: Hub, request: ArmRequest): Promise<ArmResponse> {
  const target = await readScope(hub, request)
  const all = await hub.store.list<AssociationRecord>(keys.below(`/subscriptions/${param(request, 'subscription')}`))
  const found = all.filter(
    ({ value }) => value.kind === 'ruleAssociation' && targetsOf(value.properties).some((id) => sameId(id, target)),
  )
  return page(request, found, ({ value }) => body(value))
}

const targetsOf = (properties: Json): readonly string[] =>
  ['dataCollectionRuleId', 'dataCollectionEndpointId'].flatMap((name) => textAt(properties, name) ?? [])

async function read(hub: Hub, request: ArmRequest): Promise<ArmResponse> {
  const scope = await readScope(hub, request)
  const found = await hub.store.get<AssociationRecord>(keys.resource(associationId(scope, request)))
  if (found !== undefined) return ok(body(found.value))
  throw resourceNotFound(`${associationType}/${param(request, 'association')}`, param(request, 'group'))
}

async function put(hub: Hub, request: ArmRequest): Promise<ArmResponse> {
  const scope = await readScope(hub, request)
  const name = param(request, 'association')
  const given = objectAt(readObject(request.body), 'properties')
  const targets = targetsOf(given)
  if (targets.length !== 1)
    throw invalidProperty(
      'properties',
      `it names either dataCollectionRuleId or dataCollectionEndpointId, and not ${targets.length} of them`,
    )
  // Azure has one name for the association with an endpoint.
  if (given['dataCollectionEndpointId'] !== undefined && name !== 'configurationAccessEndpoint')
    throw invalidProperty('name', "an association with an endpoint is named 'configurationAccessEndpoint'")
  const target = await hub.store.get<DocumentRecord>(keys.resource(targets[0]!))
  if (target === undefined) throw invalidProperty('properties', `'${targets[0]}' is not there`)
  const key = keys.resource(associationId(scope, request))
  return hub.store.decide(async () => {
    const before = await hub.store.get<AssociationRecord>(key)
    const value: AssociationRecord = {
      kind: 'ruleAssociation',
      id: before?.value.id ?? associationId(scope, request),
      name: before?.value.name ?? name,
      properties: given,
    }
    return {
      changes: [{ kind: 'put', key, value, expected: before?.modRevision ?? 0 }],
      result: { status: before === undefined ? 201 : 200, body: body(value), headers: NOTHING_BEHIND },
    }
  })
}

async function remove(hub: Hub, request: ArmRequest): Promise<ArmResponse> {
  const scope = await readScope(hub, request)
  return hub.store.decide(async () => {
    const stored = await hub.store.get<AssociationRecord>(keys.resource(associationId(scope, request)))
    if (stored === undefined) return { changes: [], result: { status: 204 } }
    const { key, modRevision } = stored
    return { changes: [{ kind: 'delete', key, expected: modRevision }], result: { status: 200 } }
  })
}

function body({ id, name, properties }: AssociationRecord): Json {
  return { id, name, type: associationType, properties: { ...properties, provisioningState: 'Succeeded' } }
}
