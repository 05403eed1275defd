// `az aks jwtauthenticator`: external identity providers of a cluster.

import { readFileSync } from 'node:fs'
import type { Command } from 'commander'
import { AzError } from './az-error.ts'
import { addLeaf, required } from './command.ts'
import { inCluster, poolPath, waiting, type ClusterFlags, type NameFlags } from './nodepool.ts'
import type { ArmResource } from './resources.ts'
import { confirm, follow, get, listAll, type Session } from './session.ts'

interface WriteFlags extends NameFlags {
  readonly configFile: string
}

const row = ({ name, properties }: ArmResource): Readonly<Record<string, unknown>> => ({
  Name: name,
  Issuer: (properties['issuer'] as { readonly url?: string } | undefined)?.url,
  ProvisioningState: properties['provisioningState'],
})

function pathOf(session: Session, flags: ClusterFlags, name?: string): string {
  const all = poolPath(session, flags).replace(/agentPools$/, 'jwtAuthenticators')
  return name === undefined ? all : `${all}/${encodeURIComponent(name)}`
}

const named = (command: Command): Command =>
  inCluster(command).addOption(required('-n, --name <name>', 'name of the JWT authenticator'))
const written = (command: Command): Command =>
  waiting(named(command)).addOption(
    required(
      '--config-file <file>',
      'JSON file with issuer, claimMappings, claimValidationRules and userValidationRules',
    ),
  )

export function addJwtAuthenticator(aks: Command, session: Session): void {
  const group = aks.command('jwtauthenticator').description('Manage external identity providers of a cluster.')
  addLeaf<ClusterFlags>(group, session, 'list', {
    description: 'List the JWT authenticators of a cluster.',
    flags: inCluster,
    row,
    run: (_, flags) => listAll<ArmResource>(session, pathOf(session, flags)),
  })
  addLeaf<NameFlags>(group, session, 'show', {
    description: 'Show a JWT authenticator.',
    flags: named,
    row,
    run: (_, flags) => get<ArmResource>(session, pathOf(session, flags, flags.name)),
  })
  addLeaf<WriteFlags>(group, session, 'add', {
    description: 'Add a JWT authenticator to a cluster.',
    flags: written,
    row,
    run: async (_, flags) => {
      const existing = await listAll<ArmResource>(session, pathOf(session, flags))
      if (existing.some(({ name }) => name === flags.name))
        throw new AzError(
          `JWT authenticator '${flags.name}' already exists. Use 'az aks jwtauthenticator update' to change it.`,
        )
      return put(session, flags)
    },
  })
  addLeaf<WriteFlags>(group, session, 'update', {
    description: 'Change a JWT authenticator.',
    flags: written,
    row,
    run: async (_, flags) => {
      await get<ArmResource>(session, pathOf(session, flags, flags.name))
      return put(session, flags)
    },
  })
  addLeaf<NameFlags & { readonly yes?: boolean }>(group, session, 'delete', {
    description: 'Remove a JWT authenticator from a cluster.',
    flags: (command) => waiting(named(command)).option('-y, --yes', 'do not prompt for confirmation'),
    run: async (_, flags) => {
      await confirm(session, flags.yes, `Are you sure you want to delete the JWT authenticator '${flags.name}'?`)
      const started = await session.arm().send({ method: 'DELETE', path: pathOf(session, flags, flags.name) })
      if (flags.wait !== false) await follow(session, started, flags)
      return undefined
    },
  })
}

async function put(session: Session, flags: WriteFlags): Promise<ArmResource | undefined> {
  const path = pathOf(session, flags, flags.name)
  const started = await session.arm().send({ method: 'PUT', path, body: { properties: readConfig(flags.configFile) } })
  if (flags.wait === false) return undefined
  await follow(session, started, flags)
  return get<ArmResource>(session, path)
}

function readConfig(file: string): unknown {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    throw new AzError(`Cannot read the config file '${file}': ${(error as Error).message}`)
  }
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new AzError(`The config file '${file}' holds no JSON: ${(error as Error).message}`)
  }
}
