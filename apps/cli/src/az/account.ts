// `az account` and `az rest`: who one is, and any other call.

import { readFileSync } from 'node:fs'
import type { Command } from 'commander'
import { AzError } from './az-error.ts'
import { addLeaf, required } from './command.ts'
import { listAll, type CommonFlags, type Session } from './session.ts'

interface SubscriptionBody {
  readonly subscriptionId: string
  readonly tenantId: string
  readonly displayName: string
  readonly state: string
}

interface RestFlags extends CommonFlags {
  readonly method: string
  readonly uri: string
  readonly body?: string
}

/** The subscriptions that whoever is signed in may see, as az tells of them. */
export async function accounts(session: Session): Promise<readonly Readonly<Record<string, unknown>>[]> {
  const { connection } = session.arm()
  const found = await listAll<SubscriptionBody>(session, '/subscriptions?api-version=2022-12-01')
  return found.map(({ subscriptionId, tenantId, displayName, state }) => ({
    cloudName: 'Aksel',
    homeTenantId: tenantId,
    id: subscriptionId,
    isDefault: subscriptionId === connection.subscriptionId,
    managedByTenants: [],
    name: displayName,
    state,
    tenantId,
    user: { name: connection.clientId, type: 'servicePrincipal' },
  }))
}

export function addAccount(az: Command, session: Session): void {
  const account = az.command('account').description('Manage subscription information.')
  addLeaf<CommonFlags>(account, session, 'list', {
    description: 'List subscriptions.',
    flags: (command) =>
      command
        .option('--all', 'accepted for the sake of scripts')
        .option('--refresh', 'accepted for the sake of scripts'),
    row: ({ name, cloudName, id, tenantId, state, isDefault }: Readonly<Record<string, unknown>>) => ({
      Name: name,
      CloudName: cloudName,
      SubscriptionId: id,
      TenantId: tenantId,
      State: state,
      IsDefault: isDefault,
    }),
    run: () => accounts(session),
  })
  addLeaf<CommonFlags>(account, session, 'show', {
    description: 'Get the details of a subscription; the default one when none is named.',
    flags: (command) => command.option('-n, --name <name-or-id>', 'name or id of the subscription'),
    run: async (_, flags) => {
      const wanted = (flags as { readonly name?: string }).name ?? flags.subscription
      const found = (await accounts(session)).find(({ id, name, isDefault }) =>
        wanted === undefined ? isDefault === true : id === wanted || name === wanted,
      )
      if (found === undefined)
        throw new AzError(`Subscription '${wanted}' not found. Check the spelling and casing and try again.`)
      const { cloudName, ...rest } = found
      return { environmentName: cloudName, ...rest }
    },
  })
  addRest(az, session)
}

function addRest(az: Command, session: Session): void {
  addLeaf<RestFlags>(az, session, 'rest', {
    description: 'Invoke a custom request.',
    flags: (command) =>
      command
        .option('-m, --method <method>', 'delete, get, head, patch, post or put', 'get')
        .addOption(required('-u, --uri <uri>', 'request URL; one that begins with / is of the front door'))
        .option('-b, --body <body>', 'request body; @FILE reads it from a file'),
    run: async (_, flags) => {
      const { connection } = session.arm()
      const path = flags.uri.replaceAll('{subscriptionId}', connection.subscriptionId)
      if (!path.startsWith('/') && !path.startsWith(connection.armUrl)) {
        throw new AzError(`The token is only for ${connection.armUrl}: a request to '${path}' is not sent.`)
      }
      const text = flags.body?.startsWith('@') === true ? readFileSync(flags.body.slice(1), 'utf8') : flags.body
      const body = text === undefined ? {} : { body: parseBody(text) }
      return (await session.arm().send({ method: flags.method.toUpperCase(), path, ...body })).body
    },
  })
}

function parseBody(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new AzError(`argument --body/-b: this is not JSON: ${(error as Error).message}`, 2)
  }
}
