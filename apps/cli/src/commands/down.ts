// `aksel down`: ends the server and everything that was made on the host, by the ledgers. With --purge the data goes too.

import { existsSync, readdirSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { sleep, systemClock } from '@aksel/base/clock'
import { systemRandom } from '@aksel/base/ids'
import { silentLog } from '@aksel/base/log'
import type { Scope } from '@aksel/base/scope'
import type { HostObject } from '@aksel/host/ledger'
import { CommandError } from '../command-error.ts'
import { runningServer, serverFile, startTicksOf } from '../files.ts'
import type { CliOptions } from '../options.ts'
import { terminalProgress } from '../progress.ts'
import { removeData } from '../remove-data.ts'

const STOP_PATIENCE_MS = 15_000
const LOOK_AGAIN_MS = 20

export async function down(options: CliOptions, request: { readonly purge: boolean }): Promise<void> {
  if (!existsSync(options.dataDir)) {
    process.stdout.write(`Nothing to stop: there is no data in ${options.dataDir}.\n`)
    return
  }
  const scope: Scope = {
    clock: systemClock(),
    random: systemRandom(),
    log: silentLog(),
    signal: new AbortController().signal,
  }
  using progress = terminalProgress(process.stderr)
  progress.step('Stopping the server')
  await stopServer(scope, options.dataDir)
  progress.step('Stopping machines and networks')
  await undoHost(scope, options.dataDir, request)
  await rm(serverFile(options.dataDir), { force: true })
  if (request.purge) {
    progress.step('Removing data')
    await removeData(options.dataDir)
  }
  progress.done()
  process.stdout.write(
    request.purge
      ? 'Everything is stopped and removed.\n'
      : `Everything is stopped. Data is kept in ${options.dataDir}; "./aksel up" goes on from there.\n`,
  )
}

/** Asks first; a server that does not end in time is killed: what it acknowledged is on disk. */
async function stopServer(scope: Scope, dataDir: string): Promise<void> {
  const server = runningServer(dataDir)
  if (server === undefined) return
  process.kill(server.pid, 'SIGTERM')
  const startedMs = scope.clock.monotonicMs()
  let killed = false
  while (startTicksOf(server.pid) === server.startTicks) {
    if (!killed && scope.clock.monotonicMs() - startedMs > STOP_PATIENCE_MS) {
      process.kill(server.pid, 'SIGKILL')
      killed = true
    }
    await sleep(scope.clock, LOOK_AGAIN_MS)
  }
}

/** First every process, then what agents made (their ledgers lie in the machines' folders), then the rest and the folders. */
export async function undoHost(scope: Scope, dataDir: string, request: { readonly purge: boolean }): Promise<void> {
  const own = join(dataDir, 'ledger')
  const agents = machineLedgers(dataDir)
  if (![own, ...agents].some((path) => existsSync(path))) return
  if (process.getuid?.() !== 0)
    throw new CommandError('Machines and networks were made as root, and only root can remove them.')
  const failures: string[] = []
  await undoLedger(scope, { directory: own, failures, when: ({ kind }) => kind === 'process' || kind === 'cgroup' })
  for (const directory of agents) await undoLedger(scope, { directory, failures, when: () => true })
  // Without --purge the data stays, and with it the ledger's word on whose it is.
  await undoLedger(scope, { directory: own, failures, when: ({ kind }) => request.purge || kind !== 'path' })
  if (failures.length > 0)
    throw new CommandError(`Some of what was made on this host could not be removed:\n  ${failures.join('\n  ')}`)
}

interface LedgerUndo {
  readonly directory: string
  readonly when: (object: HostObject) => boolean
  readonly failures: string[]
}

async function undoLedger(scope: Scope, { directory, when, failures }: LedgerUndo): Promise<void> {
  if (!existsSync(directory)) return
  const { openFileLedger } = await import('@aksel/host/file-ledger')
  const { undoEntry } = await import('@aksel/host/undo')
  await using ledger = await openFileLedger(scope, { directory })
  for (const entry of ledger.entries().filter(({ object }) => when(object))) {
    try {
      await undoEntry(scope, { ledger }, entry)
    } catch (error) {
      failures.push(`${JSON.stringify(entry.object)}: ${error instanceof Error ? error.message : String(error)}`)
    }
  }
}

function machineLedgers(dataDir: string): readonly string[] {
  const machines = join(dataDir, 'machines')
  if (!existsSync(machines)) return []
  return readdirSync(machines).map((name) => join(machines, name, 'ledger'))
}
