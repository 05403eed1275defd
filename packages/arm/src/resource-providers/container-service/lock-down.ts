// Node resource groups that are locked down: whoever wants to change what lies in one changes its cluster instead.

import { createHash } from 'node:crypto'
import { ArmError } from '@aksel/base/errors'
import { callerOf, type ArmRequest, type Route } from '../../front-door/route.ts'
import type { ClusterRecord, GroupRecord } from '../../records.ts'
import { groupId } from '../../resource-id.ts'
import { keys, type ResourceStore } from '../../store-keyspace.ts'
import { objectAt } from '../body.ts'

const subscriptionParts = ['subscription', 'subscriptionId'] as const

/** The same rows; those that change something in a group ask first whether it is locked down. */
export function withLockDown(store: ResourceStore, routes: readonly Route[]): readonly Route[] {
  return routes.map((route) => {
    if (route.method === 'GET' || route.method === 'HEAD' || !/resourcegroups\/:group/i.test(route.path)) return route
    return {
      ...route,
      handle: async (request) => {
        await judgeLockDown(store, request)
        return route.handle(request)
      },
    }
  })
}

/** Throws DenyAssignmentAuthorizationFailed. */
async function judgeLockDown(store: ResourceStore, request: ArmRequest): Promise<void> {
  const subscriptionId = subscriptionParts.map((name) => request.params[name]).find((value) => value !== undefined)
  const resourceGroup = request.params['group']
  if (subscriptionId === undefined || resourceGroup === undefined) return
  const group = (await store.get<GroupRecord>(keys.resource(groupId({ subscriptionId, resourceGroup }))))?.value
  if (group?.managedBy === undefined) return
  const cluster = (await store.get<ClusterRecord>(keys.resource(group.managedBy)))?.value
  if (cluster === undefined || !isLockedDown(cluster)) return
  const { clientId, objectId } = callerOf(request)
  const scope = request.url.split('?')[0]!
  const denial = createHash('sha256').update(group.id.toLowerCase()).digest('hex').slice(0, 32)
  throw new ArmError(
    403,
    'DenyAssignmentAuthorizationFailed',
    `The client '${clientId}' with object id '${objectId}' has permission to perform action '${actionOf(request)}' on scope '${scope}'; however, the access is denied because of the deny assignment with name 'AKS node resource group lockdown for ${cluster.name}' and Id '${denial}' at scope '${group.id}'.`,
  )
}

export function isLockedDown({ properties }: Pick<ClusterRecord, 'properties'>): boolean {
  return objectAt(properties, 'nodeResourceGroupProfile')['restrictionLevel'] === 'ReadOnly'
}

/** `Microsoft.Network/virtualNetworks/write` */
function actionOf({ method, url }: ArmRequest): string {
  const [path] = url.split('?')
  const [, namespace = 'Microsoft.Resources', rest = 'resourceGroups/x'] =
    /\/providers\/([^/]+)\/(.+)$/i.exec(path!) ?? []
  const types = rest.split('/').filter((_, at) => at % 2 === 0)
  return `${namespace}/${types.join('/')}/${method === 'DELETE' ? 'delete' : method === 'POST' ? 'action' : 'write'}`
}
