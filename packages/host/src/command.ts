// The one door to programs of the host (ip, nft, mount, losetup…): arguments as a list, never a shell line.

import { spawn } from 'node:child_process'
import type { Scope } from '@aksel/base/scope'

export interface CommandOptions {
  /** Written to the program's standard input, which is then closed; empty when absent. */
  readonly input?: string | Uint8Array
  /** The program is killed after this time. 30 s when absent. */
  readonly timeoutMs?: number
}

export interface CommandResult {
  readonly stdout: string
}

/** What `run` is, as something to be handed in, so that a test records commands instead of running them. */
export interface CommandRunner {
  (scope: Scope, argv: readonly string[], options?: CommandOptions): Promise<CommandResult>
}

/** A program that could not be started, was killed, or ended with a code other than 0. */
export class CommandError extends Error {
  readonly command: string
  /** Undefined when it did not start or was killed. */
  readonly code: number | undefined
  readonly stderr: string
  readonly stdout: string

  constructor(parts: { command: string; code: number | undefined; reason: string; stderr: string; stdout: string }) {
    super(`Command "${parts.command}" ${parts.reason}${parts.stderr === '' ? '' : `: ${parts.stderr.trim()}`}`)
    this.name = 'CommandError'
    this.command = parts.command
    this.code = parts.code
    this.stderr = parts.stderr
    this.stdout = parts.stdout
  }
}

const TIMEOUT_MS = 30_000

/** Runs a program to its end. Rejects with a CommandError that names command, exit code and stderr; killed when the scope aborts. */
export const run: CommandRunner = (scope, argv, options = {}) => {
  const command = argv.join(' ')
  if (scope.signal.aborted) return Promise.reject(scope.signal.reason as Error)
  return new Promise((resolve, reject) => {
    const child = spawn(argv[0]!, argv.slice(1), { stdio: ['pipe', 'pipe', 'pipe'] })
    const stdout: Buffer[] = []
    const stderr: Buffer[] = []
    let killed: string | undefined
    const kill = (why: string): void => {
      killed = why
      child.kill('SIGKILL')
    }
    const onAbort = (): void => kill('was stopped because its caller was')
    const timeoutMs = options.timeoutMs ?? TIMEOUT_MS
    const timer = scope.clock.after(timeoutMs, () => kill(`did not end within ${timeoutMs} ms and was killed`))
    scope.signal.addEventListener('abort', onAbort, { once: true })

    const finish = (code: number | undefined, reason: string): void => {
      timer[Symbol.dispose]()
      scope.signal.removeEventListener('abort', onAbort)
      const out = Buffer.concat(stdout).toString()
      if (code === 0) return resolve({ stdout: out })
      reject(new CommandError({ command, code, reason, stderr: Buffer.concat(stderr).toString(), stdout: out }))
    }
    child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk))
    child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk))
    child.on('error', (error: NodeJS.ErrnoException) =>
      finish(
        undefined,
        error.code === 'ENOENT' ? 'did not start: the program is not installed' : `did not start (${error.message})`,
      ),
    )
    child.on('close', (code, signal) => {
      if (code !== null) finish(code, `failed with exit code ${code}`)
      else finish(undefined, killed ?? `was ended by ${signal}`)
    })
    // A program that ends without reading its input closes the pipe; its exit code tells the rest.
    child.stdin.on('error', () => {})
    child.stdin.end(options.input ?? '')
  })
}

/** Runs it and says whether it worked, for programs whose only failure is "it is not there". */
export async function succeeds(runner: CommandRunner, scope: Scope, argv: readonly string[]): Promise<boolean> {
  try {
    await runner(scope, argv)
    return true
  } catch (error) {
    if (error instanceof CommandError && error.code !== undefined) return false
    throw error
  }
}
