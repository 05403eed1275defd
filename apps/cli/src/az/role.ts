// `az role`: what roles there are, and who has one where.

import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { Command } from 'commander'
import { AzError } from './az-error.ts'
import { addLeaf, required } from './command.ts'
import { flatten, present, resourceGroupOf, type ArmResource } from './resources.ts'
import { listAll, subscriptionPath, type CommonFlags, type Session } from './session.ts'

interface ScopeFlags extends CommonFlags {
  readonly scope?: string
  readonly resourceGroup?: string
}

interface AssignmentFlags extends ScopeFlags {
  readonly assignee?: string
  readonly assigneeObjectId?: string
  readonly assigneePrincipalType?: string
  readonly role?: string
  readonly name?: string
  readonly description?: string
  readonly ids?: readonly string[]
  readonly all?: boolean
  readonly includeInherited?: boolean
}

interface DefinitionFlags extends ScopeFlags {
  readonly name?: string
  readonly customRoleOnly?: string | boolean
  readonly roleDefinition?: string
}

interface Principal {
  readonly id: string
  readonly appId: string
  readonly displayName: string
}

interface Assignment extends ArmResource {
  readonly properties: {
    readonly scope: string
    readonly roleDefinitionId: string
    readonly principalId: string
  } & ArmResource['properties']
}

const provider = 'providers/Microsoft.Authorization'
const isGuid = (text: string): boolean => /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text)
const version = 'api-version=2022-04-01'

export function scopeOf(session: Session, flags: ScopeFlags): string {
  if (flags.scope !== undefined) return flags.scope
  const subscription = subscriptionPath(session, flags)
  return flags.resourceGroup === undefined
    ? subscription
    : `${subscription}/resourceGroups/${encodeURIComponent(flags.resourceGroup)}`
}

const scoped = (command: Command): Command =>
  command
    .option('--scope <id>', 'scope, such as the id of a group or a resource')
    .option('-g, --resource-group <name>', 'the scope is this group')

export function addRole(az: Command, session: Session): void {
  const role = az.command('role').description('Manage Azure role-based access control.')
  addAssignment(role.command('assignment').description('Manage role assignments.'), session)
  addDefinition(role.command('definition').description('Manage role definitions.'), session)
}

function addAssignment(parent: Command, session: Session): void {
  const who = (command: Command): Command =>
    scoped(command)
      .option('--assignee <id>', 'app id or object id of a service principal or an identity')
      .option('--assignee-object-id <id>', 'object id; the directory is not asked')
      .option('--assignee-principal-type <type>', 'User, Group or ServicePrincipal')
  addLeaf<AssignmentFlags>(parent, session, 'create', {
    description: 'Create a new role assignment.',
    flags: (command) =>
      who(command)
        .addOption(required('--role <role>', 'name or id of the role'))
        .option('-n, --name <guid>', 'name of the assignment')
        .option('--description <text>', 'why'),
    run: async (_, flags) => flatten(await createAssignment(session, flags)),
  })
  addLeaf<AssignmentFlags>(parent, session, 'list', {
    description: 'List role assignments.',
    flags: (command) =>
      who(command)
        .option('--role <role>', 'only of this role')
        .option('--all', 'at every scope of the subscription')
        .option('--include-inherited', 'those of the scopes above as well'),
    row: (({ principalName, roleDefinitionName, scope }: Readonly<Record<string, unknown>>) => ({
      Principal: principalName,
      Role: roleDefinitionName,
      Scope: scope,
    })) as never,
    run: (_, flags) => shownAssignments(session, flags),
  })
  addLeaf<AssignmentFlags>(parent, session, 'delete', {
    description: 'Delete role assignments.',
    flags: (command) =>
      who(command)
        .option('--role <role>', 'only of this role')
        .option('--ids <id...>', 'ids of assignments')
        .option('--include-inherited', 'those of the scopes above as well')
        .option('-y, --yes', 'accepted for the sake of scripts'),
    run: async (_, flags) => {
      if (
        flags.ids === undefined &&
        flags.assignee === undefined &&
        flags.assigneeObjectId === undefined &&
        flags.role === undefined &&
        flags.scope === undefined &&
        flags.resourceGroup === undefined
      )
        throw new AzError('Please provide at least one of --ids, --assignee, --role, --scope and --resource-group.', 2)
      const ids = flags.ids ?? (await assignments(session, flags)).map(({ id }) => id)
      for (const path of ids) await session.arm().send({ method: 'DELETE', path: `${path}?${version}` })
      return undefined
    },
  })
}

export async function createAssignment(session: Session, flags: AssignmentFlags): Promise<Assignment> {
  const scope = scopeOf(session, flags)
  const principalId = await objectIdOf(session, flags)
  if (principalId === undefined) throw new AzError('usage error: --assignee STRING | --assignee-object-id GUID', 2)
  const roleDefinitionId = (await definitionNamed(session, scope, flags.role!)).id
  const properties = present({
    roleDefinitionId,
    principalId,
    principalType:
      flags.assigneePrincipalType ?? (flags.assigneeObjectId === undefined ? undefined : 'ServicePrincipal'),
    description: flags.description,
  })
  const path = `${scope}/${provider}/roleAssignments/${flags.name ?? randomUUID()}?${version}`
  return (await session.arm().send<Assignment>({ method: 'PUT', path, body: { properties } })).body
}

async function objectIdOf(session: Session, flags: AssignmentFlags): Promise<string | undefined> {
  if (flags.assigneeObjectId !== undefined || flags.assignee === undefined) return flags.assigneeObjectId
  const wanted = flags.assignee.toLowerCase()
  const found = (await listAll<Principal>(session, '/v1.0/servicePrincipals')).find(({ id, appId, displayName }) =>
    [id, appId, displayName].some((each) => each.toLowerCase() === wanted),
  )
  if (found === undefined)
    throw new AzError(
      `Cannot find user or service principal in graph database for '${flags.assignee}'. If the assignee is an appId, make sure the corresponding service principal is created with 'az ad sp create --id ${flags.assignee}'.`,
    )
  return found.id
}

async function definitionNamed(session: Session, scope: string, role: string): Promise<ArmResource> {
  const name = role.split('/').at(-1)!
  const all = await listAll<ArmResource>(session, `${scope}/${provider}/roleDefinitions?${version}`)
  const found = all.find((each) =>
    isGuid(name)
      ? each.name === name.toLowerCase()
      : String(each.properties['roleName']).toLowerCase() === role.toLowerCase(),
  )
  if (found === undefined) throw new AzError(`Role '${role}' doesn't exist.`)
  return found
}

async function assignments(session: Session, flags: AssignmentFlags): Promise<readonly Assignment[]> {
  const scope = scopeOf(session, flags)
  const principalId = await objectIdOf(session, flags)
  const role = flags.role === undefined ? undefined : (await definitionNamed(session, scope, flags.role)).name
  const found = await listAll<Assignment>(session, `${scope}/${provider}/roleAssignments?${version}`)
  return found.filter(({ properties }) => {
    const at = properties.scope.toLowerCase()
    const isHere = at === scope.toLowerCase() || (flags.all === true && at.startsWith(`${scope.toLowerCase()}/`))
    const isAbove = flags.includeInherited === true && scope.toLowerCase().startsWith(`${at}/`)
    return (
      (isHere || isAbove) &&
      (principalId === undefined || principalId === properties.principalId) &&
      (role === undefined || properties.roleDefinitionId.endsWith(`/${role}`))
    )
  })
}

async function shownAssignments(session: Session, flags: AssignmentFlags): Promise<readonly unknown[]> {
  const found = await assignments(session, flags)
  const principals = await listAll<Principal>(session, '/v1.0/servicePrincipals')
  const roles = await listAll<ArmResource>(
    session,
    `${subscriptionPath(session, flags)}/${provider}/roleDefinitions?${version}`,
  )
  return found.map((each) => {
    const { principalId, roleDefinitionId, scope } = each.properties
    return {
      ...flatten(each),
      resourceGroup: resourceGroupOf(scope) === '' ? undefined : resourceGroupOf(scope),
      principalName: principals.find(({ id }) => id === principalId)?.appId ?? '',
      roleDefinitionName: roles.find(({ name }) => roleDefinitionId.endsWith(`/${name}`))?.properties['roleName'] ?? '',
    }
  })
}

function addDefinition(parent: Command, session: Session): void {
  const shown = ({ id, name, properties }: ArmResource): Readonly<Record<string, unknown>> => {
    const { type, ...rest } = properties
    return { id, name, ...rest, roleType: type, type: 'Microsoft.Authorization/roleDefinitions' }
  }
  const row = (({ roleName, roleType, description }: Readonly<Record<string, unknown>>) => ({
    Name: roleName,
    Type: roleType,
    Description: description,
  })) as never
  addLeaf<DefinitionFlags>(parent, session, 'list', {
    description: 'List role definitions.',
    flags: (command) =>
      scoped(command)
        .option('-n, --name <name>', 'name or GUID of the role')
        .option('--custom-role-only [yes]', 'only those of your own'),
    row,
    run: async (_, flags) => {
      const all = await listAll<ArmResource>(
        session,
        `${scopeOf(session, flags)}/${provider}/roleDefinitions?${version}`,
      )
      const wanted = flags.name?.toLowerCase()
      const onlyCustom = flags.customRoleOnly !== undefined && flags.customRoleOnly !== 'false'
      return all
        .filter(({ properties }) => !onlyCustom || properties['type'] === 'CustomRole')
        .filter(
          ({ name, properties }) =>
            wanted === undefined || [name, String(properties['roleName']).toLowerCase()].includes(wanted),
        )
        .map(shown)
    },
  })
  const written = (command: Command): Command =>
    command.addOption(required('--role-definition <json>', 'description of the role; @FILE reads it from a file'))
  for (const verb of ['create', 'update'] as const) {
    addLeaf<DefinitionFlags>(parent, session, verb, {
      description: verb === 'create' ? 'Create a custom role definition.' : 'Update a role definition.',
      flags: written,
      row,
      run: async (_, flags) => shown(await writeDefinition(session, flags, verb)),
    })
  }
  addLeaf<DefinitionFlags>(parent, session, 'delete', {
    description: 'Delete a role definition.',
    flags: (command) => scoped(command).addOption(required('-n, --name <name>', 'name or GUID of the role')),
    run: async (_, flags) => {
      const { id } = await definitionNamed(session, scopeOf(session, flags), flags.name!)
      await session.arm().send({ method: 'DELETE', path: `${id}?${version}` })
      return undefined
    },
  })
}

/** az takes the members in either casing: `Name`, `Actions`, `AssignableScopes`. */
async function writeDefinition(
  session: Session,
  flags: DefinitionFlags,
  verb: 'create' | 'update',
): Promise<ArmResource> {
  const text = flags.roleDefinition!.startsWith('@')
    ? readFileSync(flags.roleDefinition!.slice(1), 'utf8')
    : flags.roleDefinition!
  const given = parseObject(text)
  const at = (name: string): unknown =>
    Object.entries(given).find(([known]) => known.toLowerCase() === name.toLowerCase())?.[1]
  const wantedName = at('roleName') ?? at('name')
  const roleName = typeof wantedName === 'string' ? wantedName : ''
  const scopes = at('assignableScopes')
  const first = Array.isArray(scopes) ? String(scopes[0]) : subscriptionPath(session, flags)
  const name = verb === 'create' ? randomUUID() : (await definitionNamed(session, first, roleName)).name
  const permission = {
    actions: at('actions') ?? [],
    notActions: at('notActions') ?? [],
    dataActions: at('dataActions') ?? [],
    notDataActions: at('notDataActions') ?? [],
  }
  const properties = {
    roleName,
    description: at('description') ?? '',
    type: 'CustomRole',
    assignableScopes: scopes,
    permissions: at('permissions') ?? [permission],
  }
  const path = `${first}/${provider}/roleDefinitions/${name}?${version}`
  return (await session.arm().send<ArmResource>({ method: 'PUT', path, body: { properties } })).body
}

function parseObject(text: string): Readonly<Record<string, unknown>> {
  try {
    return JSON.parse(text) as Readonly<Record<string, unknown>>
  } catch (error) {
    throw new AzError(`argument --role-definition: this is not JSON: ${(error as Error).message}`, 2)
  }
}
