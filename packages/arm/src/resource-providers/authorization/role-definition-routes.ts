// Role definitions over HTTP: the built-in ones, and those of the user's own.

import { ArmError } from '@aksel/base/errors'
import { providers } from '../../front-door/api-versions.ts'
import { page } from '../../front-door/pages.ts'
import { callerOf, ok, param, type ArmRequest, type ArmResponse, type Route } from '../../front-door/route.ts'
import type { Hub } from '../../hub.ts'
import type { Json } from '../../records.ts'
import { isGuid } from '../../stable-guid.ts'
import { keys, type Stored } from '../../store-keyspace.ts'
import { isObject, objectAt, readObject, textAt } from '../body.ts'
import { builtInRoles } from './built-in-roles.ts'
import { assignmentsBelow, roleOf } from './role-assignments.ts'
import { holdsAt, type Permission, type RoleDefinition } from './role-definition.ts'
import { readScope, scopePaths } from './scopes.ts'

const provider = 'providers/Microsoft.Authorization/roleDefinitions'

export const definitionId = (subscription: string, name: string): string => `${subscription}/${provider}/${name}`

export function roleDefinitionRoutes(hub: Hub): readonly Route[] {
  return ['', ...scopePaths].flatMap((scope): readonly Route[] => {
    const all = `${scope}/${provider}`
    const one = `${all}/:definition`
    const reads: readonly Route[] = [
      { method: 'GET', path: all, handle: (request) => list(hub, request) },
      { method: 'GET', path: one, handle: async (request) => ok(body(request, await read(hub, request))) },
    ]
    if (scope === '') return reads
    return [
      ...reads,
      { method: 'PUT', path: one, handle: (request) => put(hub, request) },
      { method: 'DELETE', path: one, handle: (request) => remove(hub, request) },
    ]
  })
}

async function customRoles(hub: Hub): Promise<readonly Stored<RoleDefinition>[]> {
  return hub.store.list<RoleDefinition>(keys.roleDefinitions)
}

async function list(hub: Hub, request: ArmRequest): Promise<ArmResponse> {
  const scope = request.params['subscription'] === undefined ? '' : await readScope(hub, request)
  const matches = readFilter(request)
  const custom = (await customRoles(hub)).map(({ value }) => value)
  const assignable = custom.filter(({ assignableScopes }) =>
    assignableScopes.some((each) => holdsAt(each, scope) || holdsAt(scope, each)),
  )
  return page(request, [...builtInRoles, ...assignable].filter(matches), (role) => body(request, role))
}

function readFilter(request: ArmRequest): (role: RoleDefinition) => boolean {
  const text = request.query['$filter'] ?? ''
  if (text === '') return () => true
  const tests = text.split(/\s+and\s+/i).map((part): ((role: RoleDefinition) => boolean) => {
    if (/^\s*atScopeAndBelow\(\)\s*$|^\s*atScope\(\)\s*$/i.test(part)) return () => true
    const match = /^\s*(roleName|type)\s+eq\s+'((?:[^']|'')*)'\s*$/i.exec(part)
    if (match === null)
      throw new ArmError(400, 'InvalidFilter', `The filter '${text}' is not supported for role definitions.`)
    const wanted = match[2]!.replaceAll("''", "'").toLowerCase()
    const byName = match[1]!.toLowerCase() === 'rolename'
    return (role) => (byName ? role.roleName : role.type).toLowerCase() === wanted
  })
  return (role) => tests.every((matches) => matches(role))
}

async function read(hub: Hub, request: ArmRequest): Promise<RoleDefinition> {
  const name = param(request, 'definition')
  const found = await roleOf(hub.store, name)
  if (found !== undefined) return found
  throw new ArmError(
    404,
    'RoleDefinitionDoesNotExist',
    `The specified role definition with ID '${name}' does not exist.`,
  )
}

async function put(hub: Hub, request: ArmRequest): Promise<ArmResponse> {
  const name = param(request, 'definition').toLowerCase()
  if (!isGuid(name))
    throw new ArmError(
      400,
      'InvalidRoleDefinitionId',
      `The role definition ID '${name}' is not valid. The role definition ID must be a GUID.`,
    )
  if (builtInRoles.some((role) => role.name === name)) throw builtInStays(name)
  const wanted = readDefinition(objectAt(readObject(request.body), 'properties'))
  const key = keys.roleDefinition(name)
  const at = new Date(request.scope.clock.now()).toISOString()
  const { objectId } = callerOf(request)
  return hub.store.decide(async () => {
    const others = [...builtInRoles, ...(await customRoles(hub)).map(({ value }) => value)]
    if (others.some((role) => role.name !== name && role.roleName.toLowerCase() === wanted.roleName.toLowerCase()))
      throw new ArmError(
        409,
        'RoleDefinitionWithSameNameExists',
        'A custom role with the same name already exists in this directory. Use a different name.',
      )
    const before = await hub.store.get<RoleDefinition>(key)
    const value: RoleDefinition = {
      kind: 'roleDefinition',
      name,
      type: 'CustomRole',
      ...wanted,
      createdOn: before?.value.createdOn ?? at,
      createdBy: before?.value.createdBy ?? objectId,
      updatedOn: at,
      updatedBy: objectId,
    }
    return {
      changes: [{ kind: 'put', key, value, expected: before?.modRevision ?? 0 }],
      result: { status: 201, body: body(request, value) },
    }
  })
}

function builtInStays(name: string): ArmError {
  return new ArmError(
    403,
    'RoleDefinitionUpdateNotPermitted',
    `The built-in role definition '${name}' cannot be changed.`,
  )
}

type Wanted = Pick<RoleDefinition, 'roleName' | 'description' | 'permissions' | 'assignableScopes'>

function readDefinition(properties: Json): Wanted {
  const roleName = textAt(properties, 'roleName') ?? ''
  if (roleName === '' || roleName.length > 512)
    throw new ArmError(400, 'RoleDefinitionNameInvalid', 'A role definition has a roleName of 1 to 512 characters.')
  const assignableScopes = textsAt(properties, 'assignableScopes')
  if (assignableScopes.length === 0 || !assignableScopes.every((scope) => /^\/subscriptions\/[^/]+/i.test(scope)))
    throw new ArmError(
      400,
      'InvalidAssignableScopes',
      'The assignable scopes of a custom role are ids of subscriptions, resource groups or resources, and there is at least one.',
    )
  const given = Array.isArray(properties['permissions']) ? (properties['permissions'] as readonly unknown[]) : []
  const permissions = given.filter(isObject).map((each): Permission => ({
    actions: textsAt(each, 'actions'),
    notActions: textsAt(each, 'notActions'),
    dataActions: textsAt(each, 'dataActions'),
    notDataActions: textsAt(each, 'notDataActions'),
  }))
  if (permissions.length === 0)
    throw new ArmError(
      400,
      'InvalidPermissions',
      'A role definition has at least one permission with actions or dataActions.',
    )
  for (const lists of permissions) for (const action of Object.values(lists).flat()) judgeAction(action)
  return { roleName, description: textAt(properties, 'description') ?? '', permissions, assignableScopes }
}

const namespaces = ['Microsoft.Support', 'Microsoft.Storage', ...providers.map(({ namespace }) => namespace)]

/** An action begins with a star or with a provider that is here, and ends with a verb or a star. */
function judgeAction(action: string): void {
  const [namespace, ...rest] = action.split('/') as [string, ...string[]]
  const known = namespace.includes('*') || namespaces.some((each) => each.toLowerCase() === namespace.toLowerCase())
  const ended = action.endsWith('*') || /^(read|write|delete|action)$/i.test(rest.at(-1) ?? '')
  if (known && ended) return
  throw new ArmError(
    400,
    'InvalidActionOrNotAction',
    `'${action}' does not match any of the actions supported by the providers.`,
  )
}

const textsAt = (from: Json, name: string): readonly string[] => {
  const value = from[name]
  return Array.isArray(value) ? value.map(String) : []
}

async function remove(hub: Hub, request: ArmRequest): Promise<ArmResponse> {
  const name = param(request, 'definition').toLowerCase()
  if (builtInRoles.some((role) => role.name === name)) throw builtInStays(name)
  const stored = await hub.store.get<RoleDefinition>(keys.roleDefinition(name))
  if (stored === undefined) return { status: 204 }
  const held = await assignmentsBelow(hub.store, '/subscriptions')
  if (held.some(({ value }) => value.role === name))
    throw new ArmError(
      400,
      'RoleDefinitionHasAssignments',
      'There are existing role assignments referencing role (code: RoleDefinitionHasAssignments).',
    )
  await hub.store.commit([{ kind: 'delete', key: stored.key, expected: stored.modRevision }])
  return ok(body(request, stored.value))
}

function body(request: ArmRequest, definition: RoleDefinition): Json {
  const { kind: _, name, permissions, ...role } = definition
  const subscription = request.params['subscription']
  return {
    id: definitionId(subscription === undefined ? '' : `/subscriptions/${subscription}`, name),
    name,
    type: 'Microsoft.Authorization/roleDefinitions',
    properties: { ...role, permissions },
  }
}
