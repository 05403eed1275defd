// One instance of the product for a benchmark: the launcher started as a user starts it, in a data folder of its own.

import { spawn } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CommandError } from '../../command-error.ts'
import type { CliOptions } from '../../options.ts'

export interface Instance extends AsyncDisposable {
  readonly dataDir: string
  /** Aborts with what `up` said when `up` fails. */
  readonly failed: AbortSignal
  /** Resolves with when the command ended, on the clock of `performance.now()`. */
  readonly upEnded: Promise<number>
  /** When the command was started, on the same clock. */
  readonly startedMs: number
}

/** Disposing runs `down --purge`, and removes the folder. */
export async function startInstance(options: CliOptions, request: { readonly nodes?: number }): Promise<Instance> {
  const dataDir = await mkdtemp(join(tmpdir(), 'aksel-bench-'))
  const failing = new AbortController()
  const nodes = request.nodes === undefined ? [] : ['--nodes', String(request.nodes)]
  const startedMs = performance.now()
  const upEnded = command(options, ['up', '--data', dataDir, ...nodes]).then(
    () => performance.now(),
    (error: unknown) => {
      failing.abort(error)
      throw error
    },
  )
  upEnded.catch(() => {})
  return {
    dataDir,
    failed: failing.signal,
    upEnded,
    startedMs,
    async [Symbol.asyncDispose]() {
      await upEnded.catch(() => {})
      await command(options, ['down', '--purge', '--data', dataDir])
      await rm(dataDir, { recursive: true, force: true })
    },
  }
}

/** No `up` or `down` may hold a benchmark up for longer. */
const COMMAND_MS = 180_000

/** Rejects with what the command wrote when it fails. */
function command(options: CliOptions, args: readonly string[]): Promise<void> {
  const child = spawn(join(options.repositoryRoot, 'aksel'), [...args], {
    cwd: options.repositoryRoot,
    env: options.environment,
    stdio: ['ignore', 'ignore', 'pipe'],
    timeout: COMMAND_MS,
  })
  const said: Buffer[] = []
  child.stderr.on('data', (piece: Buffer) => said.push(piece))
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code, signal) => {
      const how = signal === null ? 'failed' : `was ended by ${signal}`
      if (code === 0) resolve()
      else reject(new CommandError(`"aksel ${args.join(' ')}" ${how}:\n${Buffer.concat(said).toString()}`))
    })
  })
}

export async function readAuditLog(dataDir: string): Promise<string> {
  return readFile(join(dataDir, 'server', 'audit.jsonl'), 'utf8')
}

/** Whether the newest segments of the store hold this text. */
export async function storeHolds(dataDir: string, text: string): Promise<boolean> {
  const folder = join(dataDir, 'store')
  const names = await readdir(folder, { recursive: true })
  const files = await Promise.all(
    names.map(async (name) => {
      const info = await stat(join(folder, name))
      return { name, isFile: info.isFile(), changedMs: info.mtimeMs }
    }),
  )
  const newest = files.filter(({ isFile }) => isFile).toSorted((left, right) => right.changedMs - left.changedMs)
  for (const { name } of newest.slice(0, 4)) {
    if ((await readFile(join(folder, name))).includes(text)) return true
  }
  return false
}
