// Starts a program that outlives us. It stands in the ledger and in its cgroup before its first instruction runs:
// a shell holds the place until both are done, and gives up by itself when we die first.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { open } from 'node:fs/promises'
import type { Socket } from 'node:net'
import type { Ledger, LedgerEntry } from './ledger.ts'
import { addToCgroup } from './cgroups.ts'
import { identify, type ProcessIdentity } from './process-table.ts'

export interface ProcessRequest {
  readonly ledger: Ledger
  readonly owner: string
  readonly argv: readonly string[]
  readonly env?: Readonly<Record<string, string | undefined>>
  readonly cwd?: string
  /** Standard output and error are appended here; thrown away when absent. */
  readonly logFile?: string
  /** An existing cgroup that it starts in. */
  readonly cgroup?: string
}

export interface StartedProcess extends ProcessIdentity {
  readonly entry: LedgerEntry
  /** Resolves when the process has ended, as long as we live to see it. */
  readonly exited: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>
}

// Descriptor 3 is the gate: a line opens it, end of file means that whoever started us is gone.
const GATE = 'read -r _ <&3 || exit 125; exec 3<&-; exec "$@"'

/** Starts the program in a session of its own, with an empty standard input. */
export async function startProcess(request: ProcessRequest): Promise<StartedProcess> {
  const log = request.logFile === undefined ? undefined : await open(request.logFile, 'a', 0o640)
  try {
    const output = log === undefined ? 'ignore' : log.fd
    const child = spawn('/bin/sh', ['-c', GATE, 'sh', ...request.argv], {
      detached: true,
      stdio: ['ignore', output, output, 'pipe'],
      ...(request.env === undefined ? {} : { env: request.env }),
      ...(request.cwd === undefined ? {} : { cwd: request.cwd }),
    })
    await once(child, 'spawn')
    const exited = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) =>
      child.once('exit', (code, signal) => resolve({ code, signal })),
    )
    const gate = child.stdio[3] as Socket
    // A child that is killed while the line is on its way resets the gate; who waits for it sees `exited`.
    gate.on('error', () => {})
    try {
      const identity = await identify(child.pid!)
      if (identity === undefined) throw new Error(`Cannot start "${request.argv.join(' ')}": its process ended at once`)
      const entry = await request.ledger.record(request.owner, { kind: 'process', ...identity })
      if (request.cgroup !== undefined) await addToCgroup(request.cgroup, identity.pid)
      gate.end('\n')
      child.unref()
      return { ...identity, entry, exited }
    } catch (error) {
      gate.destroy()
      throw error
    }
  } finally {
    await log?.close()
  }
}
