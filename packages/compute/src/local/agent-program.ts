// How a machine's agent is started: the same on machines of pools and on hosts that joined.

import { join } from 'node:path'

/**
 * An agent makes little garbage at a time, keeps little, and lives long beside many others. Measured with 120 pods made and deleted
 * three times: 25 to 35 MB of its heap are alive, and by Node's own settings it came to hold 118 MB.
 */
const memory = {
  flags: [
    // A small young generation saves a third.
    '--max-semi-space-size=1',
    // V8 lets an old generation grow to a multiple of what was alive at the last collection; a third more is enough here.
    '--heap-growing-percent=30',
  ],
  // glibc keeps what threads have freed in an arena each; those of Node's are many and have little to do at a time.
  environment: { MALLOC_ARENA_MAX: '1' },
} as const

export interface AgentProgram {
  readonly argv: readonly string[]
  readonly environment: Readonly<Record<string, string>>
}

/** `environment` is that of whoever starts it: where compiled code is kept is handed on. */
export function agentProgram(
  repositoryRoot: string,
  environment: Readonly<Record<string, string | undefined>>,
): AgentProgram {
  const cache = environment['NODE_COMPILE_CACHE']
  const main = join(repositoryRoot, 'apps', 'node', 'src', 'main.ts')
  return {
    argv: [process.execPath, '--disable-warning=ExperimentalWarning', ...memory.flags, main],
    environment: { ...memory.environment, ...(cache === undefined ? {} : { NODE_COMPILE_CACHE: cache }) },
  }
}
