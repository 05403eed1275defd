// Access control around every row: what was not granted is not done, in Azure's words, deployments' own requests included.

import { ArmError } from '@aksel/base/errors'
import { targetOf, type RequestTarget } from '../../front-door/request-target.ts'
import { callerOf, type ArmRequest, type ArmResponse, type Caller, type Route } from '../../front-door/route.ts'
import type { ResourceStore } from '../../store-keyspace.ts'
import { isObject } from '../body.ts'
import { linkedScopes } from './linked-scopes.ts'
import { accessOf, forgetAssignments, type Access } from './role-assignments.ts'

/** The same rows; each asks first whether its caller may. */
export function withAccess(store: ResourceStore, routes: readonly Route[]): readonly Route[] {
  return routes.map((route) => {
    if (route.open === true) return route
    if (route.path === '/subscriptions')
      return { ...route, handle: async (request) => keepItems(await route.handle(request), knows(store, request)) }
    return { ...route, handle: (request) => guarded(store, route, request) }
  })
}

async function guarded(store: ResourceStore, route: Route, request: ArmRequest): Promise<ArmResponse> {
  const target = targetOf(request)
  if (target === undefined) return route.handle(request)
  const caller = callerOf(request)
  if (caller.isService === true) return route.handle(request)
  const access = await accessOf(store, target.scopeId.split('/')[2]!, caller.objectId)
  if (!access.may(target, target.scopeId)) {
    if (target.kind !== 'read' || !access.isAny) throw authorizationFailed(caller, target)
    if (isCommon(target)) return route.handle(request)
    if (!/^\/subscriptions\/[^/]+(\/providers\/microsoft\.insights\/eventtypes\/management)?$/i.test(target.scopeId))
      throw authorizationFailed(caller, target)
    return onlyOwn(access, target, caller, await route.handle(request))
  }
  if (target.kind === 'write') judgeLinked(access, request, target, caller)
  const response = await route.handle(request)
  if (response.status === 201 && request.method === 'PUT' && !/^microsoft\.authorization\//i.test(target.action))
    await forgetAssignments(store, target.scopeId)
  return response
}

/** What anybody may read who was granted anything in a subscription: the subscription itself, and how operations stand. */
function isCommon({ action }: RequestTarget): boolean {
  return (
    /^microsoft\.resources\/subscriptions\/(read|locations\/read|providers\/read)$/i.test(action) ||
    /^microsoft\.[^/]+\/read$/i.test(action) ||
    /\/locations\/operation(s|results)\/read$/i.test(action)
  )
}

/** A list over a subscription shows each caller what he may see of it. */
async function onlyOwn(
  access: Access,
  target: RequestTarget,
  caller: Caller,
  response: ArmResponse,
): Promise<ArmResponse> {
  const { body } = response
  const items = isObject(body) && Array.isArray(body['value']) ? (body['value'] as readonly unknown[]) : undefined
  const idOf = (item: unknown): string => (isObject(item) && typeof item['id'] === 'string' ? item['id'] : '')
  if (items === undefined || !items.every((item) => /^\/subscriptions\/[^/]+\/resourcegroups\//i.test(idOf(item))))
    throw authorizationFailed(caller, target)
  // A list of all resources is judged by each one's own type.
  const actionOf = (item: unknown): string =>
    /\/resources\/read$/i.test(target.action) && isObject(item) ? `${String(item['type'])}/read` : target.action
  return keepItems(response, async (item) => access.may({ action: actionOf(item) }, idOf(item)))
}

async function keepItems(response: ArmResponse, keeps: (item: unknown) => Promise<boolean>): Promise<ArmResponse> {
  const { value, ...rest } = response.body as { readonly value: readonly unknown[] }
  const kept = await Promise.all(value.map(keeps))
  return { ...response, body: { value: value.filter((_, index) => kept[index]), ...rest } }
}

function knows(store: ResourceStore, request: ArmRequest): (item: unknown) => Promise<boolean> {
  const { objectId } = callerOf(request)
  return async (item) =>
    (await accessOf(store, String((item as { subscriptionId: unknown }).subscriptionId), objectId)).isAny
}

function judgeLinked(access: Access, request: ArmRequest, target: RequestTarget, caller: Caller): void {
  if (/^microsoft\.(authorization|resources)\//i.test(target.action)) return
  const denied = linkedScopes(request.body, target.scopeId).filter(
    ({ scope, action }) => !access.may({ action }, scope),
  )
  if (denied.length === 0) return
  const list = (of: readonly string[]): string => of.map((text) => `'${text}'`).join(',')
  throw new ArmError(
    403,
    'LinkedAuthorizationFailed',
    `The client '${caller.clientId}' with object id '${caller.objectId}' has permission to perform action '${target.action}' on scope '${target.scopeId}'; however, it does not have permission to perform action(s) ${list(denied.map(({ action }) => action))} on the linked scope(s) ${list(denied.map(({ scope }) => scope))} (respectively) or the linked scope(s) are invalid.`,
  )
}

function authorizationFailed(caller: Caller, { action, scopeId }: RequestTarget): ArmError {
  return new ArmError(
    403,
    'AuthorizationFailed',
    `The client '${caller.clientId}' with object id '${caller.objectId}' does not have authorization to perform action '${action}' over scope '${scopeId}' or the scope is invalid. If access was recently granted, please refresh your credentials.`,
  )
}
