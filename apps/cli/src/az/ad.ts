// `az ad sp`: service principals, the clients that roles are granted to.

import type { Command } from 'commander'
import { AzError } from './az-error.ts'
import { addLeaf, parseCount, required } from './command.ts'
import { createAssignment } from './role.ts'
import { listAll, type CommonFlags, type Session } from './session.ts'

interface RbacFlags extends CommonFlags {
  readonly name?: string
  readonly role?: string
  readonly scopes?: readonly string[]
  readonly years?: number
}

interface ListFlags extends CommonFlags {
  readonly displayName?: string
  readonly id?: string
  readonly all?: boolean
}

interface Principal {
  readonly id: string
  readonly appId: string
  readonly displayName: string
}

const yearMs = 365 * 86_400_000

export function addAd(az: Command, session: Session): void {
  const sp = az
    .command('ad')
    .description('Manage the applications of the tenant.')
    .command('sp')
    .description('Manage service principals.')
  addLeaf<RbacFlags>(sp, session, 'create-for-rbac', {
    description: 'Create an application and its service principal with a secret, and grant it a role.',
    flags: (command) =>
      command
        .option('-n, --name <name>', 'display name')
        .option('--role <role>', 'role that it is granted')
        .option('--scopes <id...>', 'where it is granted')
        .option('--years <count>', 'how long the secret holds', parseCount),
    run: (_, flags) => createForRbac(session, flags),
  })
  const row = (({ displayName, id, appId }: Principal) => ({ DisplayName: displayName, Id: id, AppId: appId })) as never
  addLeaf<ListFlags>(sp, session, 'list', {
    description: 'List service principals.',
    flags: (command) =>
      command
        .option('--display-name <prefix>', 'beginning of the name')
        .option('--all', 'accepted for the sake of scripts'),
    row,
    run: async (_, { displayName = '' }) =>
      (await listAll<Principal>(session, '/v1.0/servicePrincipals')).filter((each) =>
        each.displayName.toLowerCase().startsWith(displayName.toLowerCase()),
      ),
  })
  addLeaf<ListFlags>(sp, session, 'show', {
    description: 'Get one service principal.',
    flags: (command) => command.addOption(required('--id <id>', 'its app id or object id')),
    row,
    run: (_, { id }) => find(session, id!),
  })
  addLeaf<ListFlags>(sp, session, 'delete', {
    description: 'Delete a service principal and its application.',
    flags: (command) => command.addOption(required('--id <id>', 'its app id or object id')),
    run: async (_, { id }) => {
      const { appId } = await find(session, id!)
      await session.arm().send({ method: 'DELETE', path: `/v1.0/applications/${appId}` })
      return undefined
    },
  })
}

async function find(session: Session, id: string): Promise<Principal> {
  const all = await listAll<Principal>(session, '/v1.0/servicePrincipals')
  const found = all.find((each) => [each.id, each.appId].some((known) => known.toLowerCase() === id.toLowerCase()))
  if (found === undefined) throw new AzError(`Service principal '${id}' doesn't exist`, 3)
  return found
}

async function createForRbac(session: Session, flags: RbacFlags): Promise<unknown> {
  if ((flags.role === undefined) !== (flags.scopes === undefined))
    throw new AzError('Usage error: To create role assignments, specify both --role and --scopes.', 2)
  const arm = session.arm()
  const displayName = flags.name ?? `azure-cli-${new Date().toISOString().slice(0, 19).replaceAll(':', '-')}`
  const post = async <T>(path: string, body: unknown): Promise<T> =>
    (await arm.send<T>({ method: 'POST', path, body })).body
  const app = await post<Principal>('/v1.0/applications', { displayName })
  const principal = await post<Principal>('/v1.0/servicePrincipals', { appId: app.appId })
  const endDateTime = new Date(Date.now() + (flags.years ?? 1) * yearMs).toISOString()
  const secret = await post<{ readonly secretText: string }>(`/v1.0/applications/${app.id}/addPassword`, {
    passwordCredential: { displayName: 'rbac', endDateTime },
  })
  for (const scope of flags.scopes ?? [])
    await createAssignment(session, { scope, role: flags.role!, assigneeObjectId: principal.id })
  session.terminal.error(
    'WARNING: The output includes credentials that you must protect. Be sure that you do not include these credentials in your code or check the credentials into your source control.\n',
  )
  return { appId: app.appId, displayName, password: secret.secretText, tenant: arm.connection.tenantId }
}
