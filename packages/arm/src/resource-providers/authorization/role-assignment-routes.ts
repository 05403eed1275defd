// Role assignments over HTTP, at every scope, by name and by id.

import { ArmError } from '@aksel/base/errors'
import type { ClientIdentity } from '../../front-door/client-identity.ts'
import { page } from '../../front-door/pages.ts'
import { callerOf, ok, param, type ArmRequest, type ArmResponse, type Route } from '../../front-door/route.ts'
import type { Hub } from '../../hub.ts'
import type { Json } from '../../records.ts'
import { isGuid } from '../../stable-guid.ts'
import type { Stored } from '../../store-keyspace.ts'
import { objectAt, readObject, textAt } from '../body.ts'
import { principals } from '../directory/directory.ts'
import { directoryGroups } from '../directory/directory-groups.ts'
import { ownerRole } from './built-in-roles.ts'
import {
  assignmentKey,
  assignmentsBelow,
  principalTypes,
  roleOf,
  type PrincipalType,
  type RoleAssignment,
} from './role-assignments.ts'
import { holdsAt } from './role-definition.ts'
import { definitionId } from './role-definition-routes.ts'
import { readScope, scopePaths } from './scopes.ts'

const assignmentsMax = 4_000

export function roleAssignmentRoutes(hub: Hub, clients: readonly ClientIdentity[]): readonly Route[] {
  return scopePaths.flatMap((scope): readonly Route[] => {
    const all = `${scope}/providers/Microsoft.Authorization/roleAssignments`
    const one = `${all}/:assignment`
    return [
      { method: 'GET', path: all, handle: (request) => list(hub, request) },
      { method: 'GET', path: one, handle: async (request) => ok(body((await read(hub, request)).value)) },
      { method: 'PUT', path: one, handle: (request) => put(hub, request, clients) },
      { method: 'DELETE', path: one, handle: (request) => remove(hub, request) },
    ]
  })
}

/** Those above the scope, at it and, unless `atScope()` is asked for, below it. */
async function list(hub: Hub, request: ArmRequest): Promise<ArmResponse> {
  const scope = await readScope(hub, request)
  const filter = readFilter(request)
  const all = await assignmentsBelow(hub.store, `/subscriptions/${param(request, 'subscription')}`)
  const found = all.filter(({ value }) => {
    const above = holdsAt(value.scope, scope)
    return (above || (!filter.atScope && holdsAt(scope, value.scope))) && filter.matches(value)
  })
  return page(request, found, ({ value }) => body(value))
}

interface Filter {
  readonly atScope: boolean
  readonly matches: (assignment: RoleAssignment) => boolean
}

function readFilter(request: ArmRequest): Filter {
  const text = request.query['$filter'] ?? ''
  const parts = text === '' ? [] : text.split(/\s+and\s+/i).map((part) => part.trim())
  const ids: string[] = []
  for (const part of parts) {
    if (/^atScope\(\)$/i.test(part)) continue
    const id = /^(?:principalId\s+eq\s+'([^']+)'|assignedTo\('\{?([^'}]+)\}?'\))$/i.exec(part)
    if (id === null)
      throw new ArmError(400, 'InvalidFilter', `The filter '${text}' is not supported for role assignments.`)
    ids.push((id[1] ?? id[2]!).toLowerCase())
  }
  return {
    atScope: parts.some((part) => /^atScope\(\)$/i.test(part)),
    matches: ({ principalId }) => ids.every((id) => id === principalId.toLowerCase()),
  }
}

async function find(
  hub: Hub,
  request: ArmRequest,
): Promise<{ readonly scope: string; readonly name: string; readonly stored: Stored<RoleAssignment> | undefined }> {
  const scope = await readScope(hub, request)
  const name = param(request, 'assignment').toLowerCase()
  return { scope, name, stored: await hub.store.get<RoleAssignment>(assignmentKey({ scope, name })) }
}

async function read(hub: Hub, request: ArmRequest): Promise<Stored<RoleAssignment>> {
  const { stored, name } = await find(hub, request)
  if (stored !== undefined) return stored
  throw new ArmError(404, 'RoleAssignmentNotFound', `The role assignment '${name}' is not found.`)
}

interface Wanted {
  readonly role: string
  readonly principalId: string
  readonly principalType: PrincipalType
  readonly description?: string
}

async function put(hub: Hub, request: ArmRequest, clients: readonly ClientIdentity[]): Promise<ArmResponse> {
  if (!isGuid(param(request, 'assignment')))
    throw new ArmError(
      400,
      'InvalidRoleAssignmentId',
      `The role assignment ID '${param(request, 'assignment')}' is not valid. The role assignment ID must be a GUID.`,
    )
  const wanted = await readWanted(hub, request, clients)
  const { objectId } = callerOf(request)
  const at = new Date(request.scope.clock.now()).toISOString()
  return hub.store.decide(async () => {
    const { scope, name, stored } = await find(hub, request)
    await judgeScope(hub, wanted.role, scope)
    const held = await assignmentsBelow(hub.store, `/subscriptions/${param(request, 'subscription')}`)
    judgeAmongOthers(
      held.map(({ value }) => value),
      { ...wanted, scope, name },
      stored?.value,
    )
    const value: RoleAssignment = {
      kind: 'roleAssignment',
      name,
      scope,
      ...wanted,
      createdOn: stored?.value.createdOn ?? at,
      createdBy: stored?.value.createdBy ?? objectId,
      updatedOn: at,
      updatedBy: objectId,
    }
    return {
      changes: [{ kind: 'put', key: assignmentKey(value), value, expected: stored?.modRevision ?? 0 }],
      result: { status: stored === undefined ? 201 : 200, body: body(value) },
    }
  })
}

async function readWanted(hub: Hub, request: ArmRequest, clients: readonly ClientIdentity[]): Promise<Wanted> {
  const given = objectAt(readObject(request.body), 'properties')
  const principalId = textAt(given, 'principalId') ?? ''
  const roleId = textAt(given, 'roleDefinitionId') ?? ''
  if (!isGuid(principalId))
    throw new ArmError(
      400,
      'InvalidPrincipalId',
      `The principal ID '${principalId}' is not valid. The principal ID must be a GUID.`,
    )
  if (given['condition'] !== undefined && given['condition'] !== null)
    throw new ArmError(
      400,
      'ConditionsNotSupported',
      'Conditions of role assignments are not evaluated here: an assignment with one would grant more than was meant.',
    )
  const role = await roleOf(hub.store, roleId.split('/').at(-1)!)
  if (role === undefined)
    throw new ArmError(
      400,
      'RoleDefinitionDoesNotExist',
      `The specified role definition with ID '${roleId.split('/').at(-1)}' does not exist.`,
    )
  const description = textAt(given, 'description')
  return {
    role: role.name,
    principalId,
    principalType: await principalTypeOf(hub, textAt(given, 'principalType'), principalId, clients),
    ...(description === undefined ? {} : { description }),
  }
}

/** Who says what the principal is need not wait until the directory knows it, as with Azure. */
async function principalTypeOf(
  hub: Hub,
  given: string | undefined,
  principalId: string,
  clients: readonly ClientIdentity[],
): Promise<PrincipalType> {
  if (given !== undefined && given !== '') {
    const known = principalTypes.find((type) => type.toLowerCase() === given.toLowerCase())
    if (known === undefined)
      throw new ArmError(
        400,
        'InvalidPrincipalType',
        `The principal type '${given}' is not one of ${principalTypes.join(', ')}.`,
      )
    return known
  }
  const groups = await directoryGroups(hub.store)
  if (groups.some(({ value }) => value.id.toLowerCase() === principalId.toLowerCase())) return 'Group'
  const all = await principals(hub.store, clients)
  if (all.some(({ objectId }) => objectId.toLowerCase() === principalId.toLowerCase())) return 'ServicePrincipal'
  throw new ArmError(
    400,
    'PrincipalNotFound',
    `Principal ${principalId.replaceAll('-', '')} does not exist in the directory ${hub.tenantId}. Check that you have the correct principal ID. If you are creating this principal and then immediately assigning a role, this error might be related to a replication delay. In this case, set the role assignment principalType property to a value, such as ServicePrincipal, User, or Group.`,
  )
}

async function judgeScope(hub: Hub, name: string, scope: string): Promise<void> {
  const role = (await roleOf(hub.store, name))!
  if (role.assignableScopes.some((assignable) => holdsAt(assignable, scope))) return
  throw new ArmError(
    400,
    'RoleDefinitionNotAssignableAtScope',
    `The role definition '${role.roleName}' cannot be assigned at the scope '${scope}': its assignable scopes are ${role.assignableScopes.join(', ')}.`,
  )
}

type Key = Wanted & Pick<RoleAssignment, 'scope' | 'name'>

function judgeAmongOthers(held: readonly RoleAssignment[], wanted: Key, before: RoleAssignment | undefined): void {
  const same = (left: string, right: string): boolean => left.toLowerCase() === right.toLowerCase()
  if (before !== undefined && (before.role !== wanted.role || !same(before.principalId, wanted.principalId)))
    throw new ArmError(
      400,
      'RoleAssignmentUpdateNotPermitted',
      'Tenant ID, application ID, principal ID, and scope are not allowed to be updated.',
    )
  const twin = held.find(
    (each) =>
      each.name !== wanted.name &&
      each.role === wanted.role &&
      same(each.principalId, wanted.principalId) &&
      same(each.scope, wanted.scope),
  )
  if (twin !== undefined)
    throw new ArmError(
      409,
      'RoleAssignmentExists',
      `The role assignment already exists. The ID of the existing role assignment is ${twin.name.replaceAll('-', '')}.`,
    )
  if (before === undefined && held.length >= assignmentsMax)
    throw new ArmError(
      400,
      'RoleAssignmentLimitExceeded',
      `No more role assignments can be created: a subscription has at most ${assignmentsMax}.`,
    )
}

async function remove(hub: Hub, request: ArmRequest): Promise<ArmResponse> {
  return hub.store.decide<ArmResponse>(async () => {
    const { stored } = await find(hub, request)
    if (stored === undefined) return { changes: [], result: { status: 204 } }
    const subscription = `/subscriptions/${param(request, 'subscription')}`
    const isOwner = ({ role, scope }: RoleAssignment): boolean =>
      role === ownerRole && scope.toLowerCase() === subscription.toLowerCase()
    const owners = (await assignmentsBelow(hub.store, subscription)).filter(({ value }) => isOwner(value))
    if (isOwner(stored.value) && owners.length === 1)
      throw new ArmError(400, 'CannotDeleteLastRbacAdminAssignment', 'Cannot delete the last RBAC admin assignment.')
    return {
      changes: [{ kind: 'delete', key: stored.key, expected: stored.modRevision }],
      result: { status: 200, body: body(stored.value) },
    }
  })
}

function body(assignment: RoleAssignment): Json {
  const { kind: _, name, scope, role, ...rest } = assignment
  const subscription = /^\/subscriptions\/[^/]+/i.exec(scope)?.[0] ?? ''
  return {
    id: `${scope}/providers/Microsoft.Authorization/roleAssignments/${name}`,
    name,
    type: 'Microsoft.Authorization/roleAssignments',
    properties: {
      roleDefinitionId: definitionId(subscription, role),
      scope,
      condition: null,
      conditionVersion: null,
      ...rest,
    },
  }
}
