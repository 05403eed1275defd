// Role assignments as they are kept, and the question that every request asks: may this principal do this here?

import { groupId, groupOfId } from '../../resource-id.ts'
import { stableGuid } from '../../stable-guid.ts'
import { keys, type ResourceStore, type Stored } from '../../store-keyspace.ts'
import { groupsOf } from '../directory/directory-groups.ts'
import { builtInRoles, ownerRole } from './built-in-roles.ts'
import { holdsAt, permits, type RoleDefinition, type WantedAction } from './role-definition.ts'

export const principalTypes = ['User', 'Group', 'ServicePrincipal', 'ForeignGroup', 'Device'] as const
export type PrincipalType = (typeof principalTypes)[number]

export interface RoleAssignment {
  readonly kind: 'roleAssignment'
  /** A GUID. */
  readonly name: string
  /** The id that it holds at, and below. */
  readonly scope: string
  /** The name of its role definition, a GUID. */
  readonly role: string
  readonly principalId: string
  readonly principalType: PrincipalType
  readonly description?: string
  /** ISO 8601. */
  readonly createdOn: string
  readonly updatedOn: string
  /** Object ids. */
  readonly createdBy: string
  readonly updatedBy: string
}

export const assignmentKey = ({ scope, name }: Pick<RoleAssignment, 'scope' | 'name'>): string =>
  `${keys.roleAssignments(scope)}${name.toLowerCase()}`

/** Those at the scope and below it, less those whose scope is gone. */
export async function assignmentsBelow(
  store: ResourceStore,
  scope: string,
): Promise<readonly Stored<RoleAssignment>[]> {
  const all = await store.list<RoleAssignment>(keys.roleAssignments(scope))
  const alive = await Promise.all(all.map(({ value }) => isThere(store, value.scope)))
  return all.filter((_, index) => alive[index])
}

/** What lies above groups is always there; children go by the resource that they are of. */
async function isThere(store: ResourceStore, scope: string): Promise<boolean> {
  const group = groupOfId(scope)
  if (group === undefined) return true
  const top = /^\/subscriptions\/[^/]+\/resourcegroups\/[^/]+\/providers\/[^/]+\/[^/]+\/[^/]+/i.exec(scope)?.[0]
  return (await store.get(keys.resource(top ?? groupId(group)))) !== undefined
}

/** The role of this GUID, built in or of the user's own. */
export async function roleOf(store: ResourceStore, name: string): Promise<RoleDefinition | undefined> {
  const builtIn = builtInRoles.find((role) => role.name === name.toLowerCase())
  return builtIn ?? (await store.get<RoleDefinition>(keys.roleDefinition(name)))?.value
}

export interface Granted {
  readonly scope: string
  readonly role: RoleDefinition
  /** The name of the assignment. */
  readonly assignment: string
}

/** Everything that one principal was granted in a subscription, itself or as a member of a group. */
export class Access {
  readonly #granted: readonly Granted[]

  constructor(granted: readonly Granted[]) {
    this.#granted = granted
  }

  may(wanted: WantedAction, scope: string): boolean {
    return this.grantOf(wanted, scope) !== undefined
  }

  /** The first assignment that permits it. */
  grantOf(wanted: WantedAction, scope: string): Granted | undefined {
    return this.#granted.find((each) => holdsAt(each.scope, scope) && permits(each.role, wanted))
  }

  /** Whether anything was granted at all. */
  get isAny(): boolean {
    return this.#granted.length > 0
  }
}

export async function accessOf(store: ResourceStore, subscriptionId: string, principalId: string): Promise<Access> {
  const all = await store.list<RoleAssignment>(keys.roleAssignments(`/subscriptions/${subscriptionId}`))
  const ids = [principalId, ...(await groupsOf(store, principalId))].map((id) => id.toLowerCase())
  const own = all.filter(({ value }) => ids.includes(value.principalId.toLowerCase()))
  const granted = await Promise.all(
    own.map(async ({ value }) => {
      const role = await roleOf(store, value.role)
      if (role === undefined || !(await isThere(store, value.scope))) return []
      return [{ scope: value.scope, role, assignment: value.name }]
    }),
  )
  return new Access(granted.flat())
}

/** Whoever starts the server owns its subscriptions, as whoever buys one of Azure's does. */
export async function ensureOwner(
  store: ResourceStore,
  owner: { readonly subscriptionId: string; readonly principalId: string; readonly at: string },
): Promise<void> {
  const scope = `/subscriptions/${owner.subscriptionId}`
  const held = await store.list<RoleAssignment>(keys.roleAssignments(scope))
  const owns = ({ value }: Stored<RoleAssignment>): boolean =>
    value.principalId === owner.principalId &&
    value.role === ownerRole &&
    value.scope.toLowerCase() === scope.toLowerCase()
  if (held.some(owns)) return
  const value: RoleAssignment = {
    kind: 'roleAssignment',
    name: stableGuid(`owner:${owner.subscriptionId}:${owner.principalId}`),
    scope,
    role: ownerRole,
    principalId: owner.principalId,
    principalType: 'ServicePrincipal',
    createdOn: owner.at,
    updatedOn: owner.at,
    createdBy: '',
    updatedBy: '',
  }
  await store.commit([{ kind: 'put', key: assignmentKey(value), value, expected: 0 }])
}

/** A resource that is made anew under an old name is another: nobody was granted anything on it. */
export async function forgetAssignments(store: ResourceStore, scope: string): Promise<void> {
  for (const { key, modRevision } of await store.list<RoleAssignment>(keys.roleAssignments(scope)))
    await store.commit([{ kind: 'delete', key, expected: modRevision }])
}
