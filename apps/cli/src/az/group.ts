// `az group`: resource groups.

import type { Command } from 'commander'
import { ArmError } from '@aksel/base/errors'
import { addLeaf, required } from './command.ts'
import { parsePairs, present, type ArmResource } from './resources.ts'
import { confirm, follow, get, listAll, subscriptionPath, type CommonFlags, type Session } from './session.ts'

interface NameFlags extends CommonFlags {
  readonly name: string
}

interface CreateFlags extends NameFlags {
  readonly location: string
  readonly tags?: readonly string[]
}

interface DeleteFlags extends NameFlags {
  readonly yes?: boolean
  readonly wait?: boolean
}

const row = ({ name, location, properties }: ArmResource): Readonly<Record<string, unknown>> => ({
  Name: name,
  Location: location,
  Status: properties['provisioningState'],
})

const pathOf = (session: Session, flags: NameFlags): string =>
  `${subscriptionPath(session, flags)}/resourcegroups/${encodeURIComponent(flags.name)}`

const named = (command: Command): Command =>
  command.addOption(required('-n, --name <name>', 'name of the resource group'))

export function addGroup(az: Command, session: Session): void {
  const group = az.command('group').description('Manage resource groups.')
  addLeaf<CreateFlags>(group, session, 'create', {
    description: 'Create a new resource group.',
    flags: (command) =>
      named(command)
        .addOption(required('-l, --location <location>', 'location, such as eastus'))
        .option('--tags <key=value...>', 'space-separated tags'),
    row,
    run: async (_, flags) => {
      const body = present({ location: flags.location, tags: parsePairs(flags.tags) })
      return (await session.arm().send({ method: 'PUT', path: pathOf(session, flags), body })).body
    },
  })
  addLeaf<NameFlags>(group, session, 'show', {
    description: 'Get a resource group.',
    flags: named,
    row,
    run: (_, flags) => get(session, pathOf(session, flags)),
  })
  addLeaf<CommonFlags>(group, session, 'list', {
    description: 'List resource groups.',
    flags: (command) => command,
    row,
    run: (_, flags) => listAll<ArmResource>(session, `${subscriptionPath(session, flags)}/resourcegroups`),
  })
  addLeaf<NameFlags>(group, session, 'exists', {
    description: 'Check if a resource group exists.',
    flags: named,
    run: async (_, flags) => {
      try {
        await session.arm().send({ method: 'HEAD', path: pathOf(session, flags) })
        return true
      } catch (error) {
        if (error instanceof ArmError && error.status === 404) return false
        throw error
      }
    },
  })
  addLeaf<DeleteFlags>(group, session, 'delete', {
    description: 'Delete a resource group and everything in it.',
    flags: (command) =>
      named(command)
        .option('-y, --yes', 'do not prompt for confirmation')
        .option('--no-wait', 'do not wait for the end'),
    run: async (_, flags) => {
      await confirm(session, flags.yes, 'Are you sure you want to perform this operation?')
      const started = await session.arm().send({ method: 'DELETE', path: pathOf(session, flags) })
      if (flags.wait !== false) await follow(session, started, flags)
      return undefined
    },
  })
}
