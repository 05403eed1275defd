// `aksel store`: checks or moves a store while no server has it open. The work is done by a program of the server's, which alone may
// touch stores.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join, resolve } from 'node:path'
import { CommandError } from '../command-error.ts'
import { runningServer } from '../files.ts'
import type { CliOptions } from '../options.ts'

export type StoreOrder =
  | { readonly command: 'check'; readonly json: boolean; readonly archive: string | undefined }
  | { readonly command: 'move'; readonly json: boolean; readonly to: string }

/** Rejects with what the program said last when it fails. An archive can be checked while the server runs. */
export async function runStore(options: CliOptions, order: StoreOrder): Promise<void> {
  const running = runningServer(options.dataDir)
  const isAlone = order.command === 'check' && order.archive !== undefined
  if (running !== undefined && !isAlone) {
    throw new CommandError(`The server runs, as process ${running.pid}. Stop it with "./aksel down" first.`)
  }
  const program = join(options.repositoryRoot, 'apps', 'server', 'src', 'store-main.ts')
  const child = spawn(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', program, '--data', options.dataDir, ...argumentsOf(order)],
    { stdio: ['ignore', 'inherit', 'pipe'], env: options.environment },
  )
  // Its last line is the error where it fails; what came before was progress.
  let last = ''
  child.stderr.setEncoding('utf8').on('data', (piece: string) => {
    const lines = `${last}${piece}`.split(/(?<=\n)/)
    last = lines.pop() ?? ''
    for (const line of lines) process.stderr.write(line)
  })
  const [code] = (await once(child, 'close')) as [number | null]
  if (code !== 0) throw new CommandError(last.trim())
  process.stderr.write(last)
}

function argumentsOf(order: StoreOrder): readonly string[] {
  const json = order.json ? ['--json'] : []
  if (order.command === 'move') return ['move', '--to', order.to, ...json]
  return ['check', ...(order.archive === undefined ? [] : [resolve(order.archive)]), ...json]
}
