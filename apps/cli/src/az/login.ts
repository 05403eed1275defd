// `az login` and `az logout`: another client than the one that `up` made, kept for the commands that follow.

import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Command } from 'commander'
import { ArmClient } from '../arm-client.ts'
import { readJsonFile, type ConnectionFile } from '../files.ts'
import { AzError } from './az-error.ts'
import { accounts } from './account.ts'
import { addLeaf } from './command.ts'
import type { CommonFlags, Session } from './session.ts'

interface LoginFlags extends CommonFlags {
  readonly servicePrincipal?: boolean
  readonly username?: string
  readonly password?: string
  readonly tenant?: string
  readonly allowNoSubscriptions?: boolean
}

type Login = Pick<ConnectionFile, 'tenantId' | 'clientId' | 'clientSecret'>

const loginFile = (homeDirectory: string): string => join(homeDirectory, '.aksel', 'az-login.json')

/** The connection as whoever signed in last has it; the server's own client where nobody did. */
export function signedIn(connection: ConnectionFile, homeDirectory: string): ConnectionFile {
  const login = readJsonFile<Login>(loginFile(homeDirectory))
  // A login at another server, or at one that was purged, says nothing about this one.
  return login === undefined || login.tenantId !== connection.tenantId ? connection : { ...connection, ...login }
}

export function addLogin(az: Command, session: Session): void {
  addLeaf<LoginFlags>(az, session, 'login', {
    description: 'Log in as a service principal; without one, as the client that "up" made.',
    flags: (command) =>
      command
        .option('--service-principal', 'the credential is of a service principal')
        .option('-u, --username <app-id>', 'its app id')
        .option('-p, --password <secret>', 'its secret')
        .option('-t, --tenant <tenant>', 'the tenant; the server’s own when absent')
        .option('--allow-no-subscriptions', 'also where no subscription can be seen'),
    run: async (_, flags) => login(session, flags),
  })
  addLeaf<CommonFlags>(az, session, 'logout', {
    description: 'Log out: commands are run as the client that "up" made.',
    flags: (command) => command.option('--username <app-id>', 'accepted for the sake of scripts'),
    run: async () => {
      rmSync(loginFile(session.homeDirectory), { force: true })
      return undefined
    },
  })
}

async function login(session: Session, flags: LoginFlags): Promise<unknown> {
  const own = session.arm().connection
  if (flags.servicePrincipal !== true) {
    if (flags.username !== undefined)
      throw new AzError('Nobody signs in as a person here: use --service-principal with --username and --password.', 2)
    rmSync(loginFile(session.homeDirectory), { force: true })
    return await accounts(session)
  }
  if (flags.username === undefined || flags.password === undefined)
    throw new AzError('the following arguments are required: --username/-u, --password/-p', 2)
  const tenantId = flags.tenant ?? own.tenantId
  const wanted: Login = { tenantId, clientId: flags.username, clientSecret: flags.password }
  const client = new ArmClient({ ...own, ...wanted })
  const found = await accounts({ ...session, arm: () => client })
  if (found.length === 0 && flags.allowNoSubscriptions !== true)
    throw new AzError(`No subscriptions found for ${flags.username}.`)
  const path = loginFile(session.homeDirectory)
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  writeFileSync(path, JSON.stringify(wanted), { mode: 0o600 })
  return found
}
