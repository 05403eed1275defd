// The file that tells others which process the server is, and whether it answers.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ServerOptions } from './options.ts'
import { writeDurableFile } from '@aksel/host/durable-file'

export const serverVersion = '0.1.0'

export async function writeServerFile(
  options: ServerOptions,
  state: { readonly ready: boolean; readonly startedAt: string },
): Promise<void> {
  const stat = readFileSync('/proc/self/stat', 'utf8')
  const startTicks = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]
  const text = JSON.stringify({
    pid: process.pid,
    startTicks,
    ready: state.ready,
    simulated: options.simulated,
    store: options.store,
    version: serverVersion,
    startedAt: state.startedAt,
  })
  await writeDurableFile(join(options.dataDir, 'server', 'server.json'), `${text}\n`)
}
