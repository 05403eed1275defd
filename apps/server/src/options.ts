// The server's options: flags and environment, read once into an object that nothing changes.

import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { parseSwitches, type ApiSwitches } from './api-switches.ts'
import { checkStoreName } from './open-store.ts'

export interface ServerOptions {
  readonly dataDir: string
  /** Nodes are hollow, whatever a pool asks for. */
  readonly simulated: boolean
  /** Port of the Azure front door on 127.0.0.1. */
  readonly port: number
  /** `log`, or the URL of an etcd. */
  readonly store: string
  readonly isRoot: boolean
  readonly repositoryRoot: string
  readonly logLevel: string
  /** Of every cluster of this server, now and later; what is absent stays as each cluster has it. */
  readonly switches: ApiSwitches
  readonly environment: Readonly<Record<string, string | undefined>>
}

export function readServerOptions(
  argv: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): ServerOptions {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      data: { type: 'string' },
      simulated: { type: 'boolean' },
      port: { type: 'string' },
      store: { type: 'string' },
      'log-level': { type: 'string' },
      'runtime-config': { type: 'string' },
      'feature-gates': { type: 'string' },
    },
  })
  const isRoot = process.getuid?.() === 0
  const shared = environment['XDG_DATA_HOME'] ?? join(homedir(), '.local', 'share')
  const store = checkStoreName(values.store ?? 'log')
  const port = Number(values.port ?? '8443')
  if (!Number.isInteger(port) || port < 0 || port > 65_535)
    throw new Error(`Cannot listen on port "${values.port}": a port is a number from 0 to 65535`)
  return {
    dataDir: resolve(values.data ?? environment['AKSEL_DATA'] ?? (isRoot ? '/var/lib/aksel' : join(shared, 'aksel'))),
    simulated: values.simulated === true || !isRoot,
    port,
    store,
    isRoot,
    repositoryRoot: fileURLToPath(new URL('../../..', import.meta.url)),
    logLevel: values['log-level'] ?? 'info',
    switches: switchesOf(values['runtime-config'], values['feature-gates']),
    environment,
  }
}

function switchesOf(runtimeConfig: string | undefined, featureGates: string | undefined): ApiSwitches {
  return {
    ...(runtimeConfig === undefined
      ? {}
      : { runtimeConfig: parseSwitches('runtime-config', runtimeConfig, { bare: true }) }),
    ...(featureGates === undefined
      ? {}
      : { featureGates: parseSwitches('feature-gates', featureGates, { bare: false }) }),
  }
}
