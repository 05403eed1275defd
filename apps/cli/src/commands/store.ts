// `aksel store`: checks or moves a store while no server has it open. The work is done by a program of the server's, which alone may
// touch stores.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { CommandError } from '../command-error.ts'
import { runningServer } from '../files.ts'
import type { CliOptions } from '../options.ts'

/** Rejects with what the program said when it fails. */
export async function runStore(options: CliOptions, args: readonly string[]): Promise<void> {
  const running = runningServer(options.dataDir)
  if (running !== undefined) {
    throw new CommandError(`The server runs, as process ${running.pid}. Stop it with "./aksel down" first.`)
  }
  const program = join(options.repositoryRoot, 'apps', 'server', 'src', 'store-main.ts')
  const child = spawn(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', program, '--data', options.dataDir, ...args],
    { stdio: ['ignore', 'inherit', 'pipe'], env: options.environment },
  )
  const said: Buffer[] = []
  child.stderr.on('data', (piece: Buffer) => said.push(piece))
  const [code] = (await once(child, 'close')) as [number | null]
  if (code !== 0) throw new CommandError(Buffer.concat(said).toString().trim())
}
