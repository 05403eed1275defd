// The environment and the folders, read once. Every command gets this object.

import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

export interface CliOptions {
  readonly repositoryRoot: string
  /** Where clusters, disks and logs live. */
  readonly dataDir: string
  readonly isRoot: boolean
  /** The compile cache of the launcher, handed on to the programs it starts. */
  readonly environment: Readonly<Record<string, string | undefined>>
}

export function readOptions(environment: Readonly<Record<string, string | undefined>>, dataDir?: string): CliOptions {
  const isRoot = process.getuid?.() === 0
  const asked = dataDir ?? environment['AKSEL_DATA']
  const shared = environment['XDG_DATA_HOME'] ?? join(homedir(), '.local', 'share')
  return {
    repositoryRoot: fileURLToPath(new URL('../../..', import.meta.url)),
    dataDir: resolve(asked ?? (isRoot ? '/var/lib/aksel' : join(shared, 'aksel'))),
    isRoot,
    environment,
  }
}
