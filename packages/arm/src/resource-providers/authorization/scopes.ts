// Extension resources hang on a scope: a subscription, a group, a resource, or a child of one.

import { resourceNotFound } from '../../azure-errors.ts'
import { param, type ArmRequest } from '../../front-door/route.ts'
import type { Hub } from '../../hub.ts'
import type { Resource } from '../../records.ts'
import { groupOfId } from '../../resource-id.ts'
import { keys } from '../../store-keyspace.ts'
import { readGroup } from '../resources/groups.ts'

const subscription = '/subscriptions/:subscription'
const group = `${subscription}/resourcegroups/:group`
const resource = `${group}/providers/:namespace/:type/:name`

export const scopePaths: readonly string[] = [subscription, group, resource, `${resource}/:childType/:child`]

/** The id of the request's scope as it is kept; throws where it is not there. */
export async function readScope(hub: Hub, request: ArmRequest): Promise<string> {
  const subscriptionId = param(request, 'subscription')
  const { group: name, namespace, type, childType, child } = request.params
  if (name === undefined) return `/subscriptions/${subscriptionId}`
  const found = await readGroup(hub.store, { subscriptionId, resourceGroup: name })
  if (type === undefined) return found.value.id
  const top = `${found.value.id}/providers/${namespace}/${type}/${param(request, 'name')}`
  const stored = await hub.store.get<Resource>(keys.resource(top))
  if (stored === undefined)
    throw resourceNotFound(`${namespace}/${type}/${param(request, 'name')}`, groupOfId(top)!.resourceGroup)
  return child === undefined ? stored.value.id : `${stored.value.id}/${childType}/${child}`
}
