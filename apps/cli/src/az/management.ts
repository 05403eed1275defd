// `az lock` and `az tag`: what is managed about resources rather than in them.

import { Option, type Command } from 'commander'
import { AzError } from './az-error.ts'
import { addLeaf, required } from './command.ts'
import { flatten, parsePairs, type ArmResource } from './resources.ts'
import { get, listAll, subscriptionPath, type CommonFlags, type Session } from './session.ts'

interface ScopeFlags extends CommonFlags {
  readonly resourceGroup?: string
  readonly resource?: string
  readonly resourceType?: string
  readonly namespace?: string
}

interface LockFlags extends ScopeFlags {
  readonly name: string
}

interface CreateFlags extends LockFlags {
  readonly lockType: string
  readonly notes?: string
}

interface TagFlags extends CommonFlags {
  readonly resourceId: string
}

interface UpdateFlags extends TagFlags {
  readonly operation: string
  readonly tags: readonly string[]
}

const scoped = (command: Command): Command =>
  command
    .option('-g, --resource-group <name>', 'name of the resource group')
    .option('--resource <name>', 'name or id of the resource that is locked')
    .option('--resource-type <type>', 'its type, such as Microsoft.Network/virtualNetworks')
    .option('--namespace <namespace>', 'its provider, where the type does not name it')

const named = (command: Command): Command =>
  scoped(command).addOption(required('-n, --name <name>', 'name of the lock'))

/** The id that a lock is for. */
function scopeOf(session: Session, flags: ScopeFlags): string {
  if (flags.resource?.startsWith('/') === true) return flags.resource
  const subscription = subscriptionPath(session, flags)
  if (flags.resource === undefined) {
    return flags.resourceGroup === undefined
      ? subscription
      : `${subscription}/resourceGroups/${encodeURIComponent(flags.resourceGroup)}`
  }
  if (flags.resourceGroup === undefined || flags.resourceType === undefined)
    throw new AzError('--resource needs --resource-group and --resource-type, or must be an id.', 2)
  const type = flags.namespace === undefined ? flags.resourceType : `${flags.namespace}/${flags.resourceType}`
  const group = `${subscription}/resourceGroups/${encodeURIComponent(flags.resourceGroup)}`
  return `${group}/providers/${type}/${encodeURIComponent(flags.resource)}`
}

const locksOf = (session: Session, flags: ScopeFlags): string =>
  `${scopeOf(session, flags)}/providers/Microsoft.Authorization/locks`
const pathOf = (session: Session, flags: LockFlags): string =>
  `${locksOf(session, flags)}/${encodeURIComponent(flags.name)}`

const row = ({ name, level, resourceGroup, notes }: Readonly<Record<string, unknown>>): object => ({
  Name: name,
  Level: level,
  ResourceGroup: resourceGroup,
  Notes: notes,
})

export function addLock(az: Command, session: Session): void {
  const lock = az.command('lock').description('Manage Azure locks.')
  addLeaf<CreateFlags>(lock, session, 'create', {
    description: 'Create a lock.',
    flags: (command) =>
      named(command)
        .addOption(required('-t, --lock-type <type>', 'the level').choices(['CanNotDelete', 'ReadOnly']))
        .option('--notes <text>', 'why there is a lock'),
    row: row as never,
    run: async (_, flags) => {
      const properties = { level: flags.lockType, ...(flags.notes === undefined ? {} : { notes: flags.notes }) }
      const path = pathOf(session, flags)
      return flatten((await session.arm().send<ArmResource>({ method: 'PUT', path, body: { properties } })).body)
    },
  })
  addLeaf<LockFlags>(lock, session, 'show', {
    description: 'Show the properties of a lock.',
    flags: named,
    row: row as never,
    run: async (_, flags) => flatten(await get<ArmResource>(session, pathOf(session, flags))),
  })
  addLeaf<ScopeFlags>(lock, session, 'list', {
    description: 'List locks at a scope and below it.',
    flags: scoped,
    row: row as never,
    run: async (_, flags) => (await listAll<ArmResource>(session, locksOf(session, flags))).map(flatten),
  })
  addLeaf<LockFlags>(lock, session, 'delete', {
    description: 'Delete a lock.',
    flags: named,
    run: async (_, flags) => {
      await session.arm().send({ method: 'DELETE', path: pathOf(session, flags) })
      return undefined
    },
  })
}

const tagsOf = (flags: TagFlags): string => `${flags.resourceId}/providers/Microsoft.Resources/tags/default`
const tagged = (command: Command): Command =>
  command.addOption(required('--resource-id <id>', 'id of the group or resource'))

export function addTag(az: Command, session: Session): void {
  const tag = az.command('tag').description('Manage the tags of a group or a resource.')
  addLeaf<TagFlags>(tag, session, 'list', {
    description: 'List its tags.',
    flags: tagged,
    run: (_, flags) => get(session, tagsOf(flags)),
  })
  addLeaf<UpdateFlags>(tag, session, 'update', {
    description: 'Merge, replace or delete some of its tags.',
    flags: (command) =>
      tagged(command)
        .addOption(
          new Option('--operation <operation>', 'what to do')
            .choices(['Merge', 'Replace', 'Delete'])
            .makeOptionMandatory(),
        )
        .addOption(required('--tags <key=value...>', 'space-separated tags')),
    run: async (_, flags) => {
      const body = { operation: flags.operation, properties: { tags: parsePairs(flags.tags) } }
      return (await session.arm().send({ method: 'PATCH', path: tagsOf(flags), body })).body
    },
  })
}
