// `aksel az`: the verbs and flags of az as its users know them, against this machine's front door.

import { homedir } from 'node:os'
import { createInterface } from 'node:readline/promises'
import { Command, CommanderError } from 'commander'
import { ArmClient } from '../arm-client.ts'
import { connectionFile, readJsonFile, type ConnectionFile } from '../files.ts'
import type { CliOptions } from '../options.ts'
import { addAccount } from './account.ts'
import { addAd } from './ad.ts'
import { addLogin, signedIn } from './login.ts'
import { addRole } from './role.ts'
import { addAks } from './aks.ts'
import { AzError, explain } from './az-error.ts'
import { usageError } from './command.ts'
import { addDeployment } from './deployment.ts'
import { addGroup } from './group.ts'
import { addLock, addTag } from './management.ts'
import { addMonitor } from './monitor.ts'
import { addNetwork } from './network.ts'
import type { Session, Terminal } from './session.ts'

/** Runs one command; returns the exit code. Errors are printed as az prints them. */
export async function runAz(
  options: CliOptions,
  args: readonly string[],
  terminal = processTerminal(),
): Promise<number> {
  const command = azCommand(sessionOf(options, terminal))
  try {
    await command.parseAsync(withoutAliases(args), { from: 'user' })
    return 0
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return 0
    const usage = error instanceof CommanderError ? usageError('', error.code, error.message) : error
    const { text, exitCode } = explain(usage)
    terminal.error(`${text}\n`)
    return exitCode
  }
}

/** The whole tree of commands. Parsing throws; nothing ends the process. */
export function azCommand(session: Session): Command {
  const az = new Command('az')
  az.description('The verbs and flags of the Azure CLI, against the front door of this machine.')
  addGroup(az, session)
  addAccount(az, session)
  addLogin(az, session)
  addAd(az, session)
  addRole(az, session)
  addAks(az, session)
  addNetwork(az, session)
  addDeployment(az, session)
  addLock(az, session)
  addTag(az, session)
  addMonitor(az, session)
  quieten(az, session.terminal)
  return az
}

function quieten(command: Command, terminal: Terminal): void {
  command.exitOverride()
  command.configureOutput({ writeOut: terminal.out, writeErr: () => {} })
  // A group without a verb is no error for az: it shows what there is.
  if (command.commands.length > 0) {
    command.allowExcessArguments().action(() => {
      const word = command.args[0]
      if (word !== undefined) throw new AzError(`'${word}' is misspelled or not recognized by the system.`, 2)
      terminal.out(command.helpInformation())
    })
  }
  for (const child of command.commands) quieten(child, terminal)
}

/** Second names of flags that az knows; commander has room for one long and one short name. */
function withoutAliases(args: readonly string[]): readonly string[] {
  const aliases: Readonly<Record<string, string>> = {
    ...(args[0] === 'group' ? { '-g': '--name', '--resource-group': '--name' } : {}),
    ...(args[0] === 'aks' && args[1] === 'nodepool' ? { '--nodepool-name': '--name' } : {}),
    ...(args[0] === 'rest' ? { '--url': '--uri' } : {}),
    '--dns-prefix': '--dns-name-prefix',
  }
  return args.map((arg) => {
    const [flag, ...value] = arg.split('=') as [string, ...string[]]
    const known = Object.hasOwn(aliases, flag) ? aliases[flag]! : undefined
    return known === undefined ? arg : [known, ...value].join('=')
  })
}

function sessionOf(options: CliOptions, terminal: Terminal): Session {
  let client: ArmClient | undefined
  return {
    options,
    terminal,
    homeDirectory: options.environment['HOME'] ?? homedir(),
    arm() {
      if (client !== undefined) return client
      const connection = readJsonFile<ConnectionFile>(connectionFile(options.dataDir))
      if (connection === undefined) {
        throw new AzError(`There is no server with the data folder "${options.dataDir}". Start one with "./aksel up".`)
      }
      client = new ArmClient(signedIn(connection, options.environment['HOME'] ?? homedir()))
      return client
    },
  }
}

function processTerminal(): Terminal {
  return {
    out: (text) => void process.stdout.write(text),
    error: (text) => void process.stderr.write(text),
    interactive: process.stdin.isTTY === true && process.stderr.isTTY === true,
    async ask(question) {
      const lines = createInterface({ input: process.stdin, output: process.stderr })
      try {
        return await lines.question(question)
      } finally {
        lines.close()
      }
    },
  }
}
