// The supervisor: store, fabric, machines, control planes and the Azure front door of one host, in one process.

import { mkdir } from 'node:fs/promises'
import { enableCompileCache } from 'node:module'
import { join } from 'node:path'
import { formatTime, systemClock } from '@aksel/base/clock'
import { systemRandom } from '@aksel/base/ids'
import type { Scope } from '@aksel/base/scope'
import { jsonLog } from './json-log.ts'
import { readServerOptions } from './options.ts'
import { startServer } from './server.ts'
import { writeServerFile } from './server-file.ts'

enableCompileCache()

const options = readServerOptions(process.argv.slice(2), process.env)
const stopping = new AbortController()
const scope: Scope = {
  clock: systemClock(),
  random: systemRandom(),
  log: jsonLog(options.logLevel),
  signal: stopping.signal,
}
const startedAt = formatTime(scope.clock.now())

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    scope.log.info('stopping', { signal })
    stopping.abort(new Error(`stopped by ${signal}`))
  })
}
// A promise nobody waits for is our bug; it must not take every cluster of the host down.
process.on('unhandledRejection', (error) =>
  scope.log.error('a promise was rejected and nobody waited for it', { error }),
)

try {
  await mkdir(join(options.dataDir, 'server'), { recursive: true, mode: 0o700 })
  await writeServerFile(options, { ready: false, startedAt })
  const server = await startServer(scope, options)
  await writeServerFile(options, { ready: true, startedAt })
  scope.log.info('ready', { armUrl: server.armUrl })
  await aborted(stopping.signal)
  await server[Symbol.asyncDispose]()
  process.exit(0)
} catch (error) {
  scope.log.error('the server did not start', { error })
  process.exit(1)
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
}
