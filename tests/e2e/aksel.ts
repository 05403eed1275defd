// Runs the product as a user would: the launcher, with a data folder of its own, and the bundled kubectl.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { isLoopBeyondItsRole } from '@aksel/controllers/identities'
import { leaksIn, leaksInFiles, secretsIn, secretsInFolder, type Leak } from './secrets-in-logs.ts'

export const repositoryRoot = fileURLToPath(new URL('../..', import.meta.url))

/** How the data folders of this story are named; another story of the same host has its own. */
export const e2ePrefix = `aksel-e2e-${process.pid}-`

export interface Outcome {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

export interface RunOptions {
  readonly input?: string
  readonly timeoutMs?: number
  readonly environment?: Readonly<Record<string, string>>
}

/** Runs a program to its end; never rejects for its exit code. */
export function runProgram(argv: readonly string[], options: RunOptions = {}): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const child = spawn(argv[0]!, argv.slice(1), {
      cwd: repositoryRoot,
      env: { ...process.env, ...options.environment },
      stdio: ['pipe', 'pipe', 'pipe'],
    })
    const stdout: Buffer[] = []
    const stderr: Buffer[] = []
    const timer = setTimeout(() => child.kill('SIGKILL'), options.timeoutMs ?? 120_000)
    child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk))
    child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk))
    child.on('error', reject)
    child.on('close', (code, signal) => {
      clearTimeout(timer)
      const text = Buffer.concat(stderr).toString() + (signal === null ? '' : `\n[ended by ${signal}]`)
      resolve({ code: code ?? 1, stdout: Buffer.concat(stdout).toString(), stderr: text })
    })
    child.stdin.on('error', () => {})
    child.stdin.end(options.input ?? '')
  })
}

/** One data folder, and everything that is done with it. */
export class Aksel implements AsyncDisposable {
  readonly dataDir: string
  /** What may stand in no log, event, audit line or error, by what it is. */
  readonly planted = new Map<string, string>()
  readonly #errors: string[] = []

  constructor(dataDir: string) {
    this.dataDir = dataDir
  }

  /** A secret that is looked for when the story ends: its value, of 32 letters and digits. */
  plant(what: string): string {
    const value = `p1anted${randomBytes(13).toString('hex').slice(0, 25)}`
    this.planted.set(what, value)
    return value
  }

  static async inNewFolder(): Promise<Aksel> {
    return new Aksel(await mkdtemp(join(tmpdir(), e2ePrefix)))
  }

  async run(args: readonly string[], options: RunOptions = {}): Promise<Outcome> {
    const outcome = await runProgram([join(repositoryRoot, 'aksel'), ...args], {
      ...options,
      environment: { ...options.environment, AKSEL_DATA: this.dataDir },
    })
    this.#errors.push(outcome.stderr)
    return outcome
  }

  /** Standard output of a command that must succeed. */
  async ok(args: readonly string[], options: RunOptions = {}): Promise<string> {
    const outcome = await this.run(args, options)
    assert.equal(
      outcome.code,
      0,
      `aksel ${args.join(' ')}\n${outcome.stdout}\n${outcome.stderr}\n${outcome.code === 0 ? '' : await this.serverLogTail()}`,
    )
    return outcome.stdout
  }

  kubectl(args: string | readonly string[], options: RunOptions = {}): Promise<string> {
    return this.ok(['kubectl', ...words(args)], options)
  }

  /** What a command that must fail says. */
  async fails(args: readonly string[], options: RunOptions = {}): Promise<string> {
    const outcome = await this.run(args, options)
    assert.notEqual(outcome.code, 0, `aksel ${args.join(' ')} should have failed\n${outcome.stdout}`)
    return outcome.stderr + outcome.stdout
  }

  async json<T>(args: string | readonly string[]): Promise<T> {
    return JSON.parse(await this.kubectl([...words(args), '-o', 'json'])) as T
  }

  /** A command that goes on until it is stopped, such as `logs -f` or `port-forward`. */
  start(args: readonly string[]): LongCommand {
    return new LongCommand([join(repositoryRoot, 'aksel'), ...args], { AKSEL_DATA: this.dataDir })
  }

  async serverPid(): Promise<number> {
    return (JSON.parse(await readFile(join(this.dataDir, 'server', 'server.json'), 'utf8')) as { pid: number }).pid
  }

  async serverLogTail(): Promise<string> {
    try {
      const log = await readFile(join(this.dataDir, 'server', 'log.jsonl'), 'utf8')
      return `--- server log ---\n${log.trim().split('\n').slice(-15).join('\n')}`
    } catch {
      return ''
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const refused = await this.#refusedLoops()
    const leaks = await this.leaks()
    const outcome = await this.run(['down', '--purge'])
    assert.equal(outcome.code, 0, outcome.stderr)
    await rm(this.dataDir, { recursive: true, force: true })
    assert.deepEqual(refused, [], 'a loop asked for more than its role gives it')
    assert.deepEqual(leaks, [], 'a secret stands where it may not')
  }

  /** Where a planted secret, a key or a token of the server, of a machine or of a cluster was told. */
  async leaks(): Promise<readonly Leak[]> {
    const secrets = new Map([...this.planted, ...(await secretsInFolder(this.dataDir))])
    // Where nothing runs any more, only the files are left.
    const { code, stdout } = await this.run(['kubectl', 'get', 'secrets,events', '-A', '-o', 'json'])
    const events: string[] = []
    const items = code === 0 ? (JSON.parse(stdout) as { readonly items: readonly Stored[] }).items : []
    for (const item of items) {
      if (item.kind === 'Event') events.push(JSON.stringify(item))
      for (const [key, value] of Object.entries(item.data ?? {}))
        for (const [name, one] of secretsIn(
          `Secret ${item.metadata.name} ${key}`,
          Buffer.from(value, 'base64').toString(),
        ))
          secrets.set(name, one)
    }
    return [
      ...(await leaksInFiles(this.dataDir, secrets)),
      ...leaksIn('events', events.join('\n'), secrets),
      ...leaksIn('errors of commands', this.#errors.join('\n'), secrets),
    ]
  }

  /** Whatever the test was about, no loop may have asked for what its role does not give it. */
  async #refusedLoops(): Promise<readonly string[]> {
    let lines: readonly string[] = []
    try {
      lines = (await readFile(join(this.dataDir, 'server', 'audit.jsonl'), 'utf8')).split('\n')
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    }
    return lines.filter((line) => {
      if (!line.includes('"code":403') || !line.endsWith('}')) return false
      return isLoopBeyondItsRole(JSON.parse(line) as Readonly<Record<string, unknown>>)
    })
  }
}

interface Stored {
  readonly kind: string
  readonly metadata: { readonly name: string }
  readonly data?: Readonly<Record<string, string>>
}

export class LongCommand implements AsyncDisposable {
  readonly #child
  #output = ''
  #changed: () => void = () => {}
  #ended = false

  constructor(argv: readonly string[], environment: Readonly<Record<string, string>>) {
    this.#child = spawn(argv[0]!, argv.slice(1), {
      cwd: repositoryRoot,
      env: { ...process.env, ...environment },
      stdio: ['pipe', 'pipe', 'pipe'],
    })
    const take = (chunk: Buffer): void => {
      this.#output += chunk.toString()
      this.#changed()
    }
    this.#child.stdout.on('data', take)
    this.#child.stderr.on('data', take)
    this.#child.on('close', () => {
      this.#ended = true
      this.#changed()
    })
  }

  write(text: string): void {
    this.#child.stdin.write(text)
  }

  /** Resolves with everything said so far once it matches; rejects with it after the deadline. */
  async says(pattern: RegExp, deadlineMs = 30_000): Promise<string> {
    const deadline = AbortSignal.timeout(deadlineMs)
    while (!pattern.test(this.#output)) {
      if (deadline.aborted || this.#ended)
        throw new Error(`expected ${pattern} in:\n${this.#output}${this.#ended ? '\n[ended]' : ''}`)
      await new Promise<void>((resolve) => {
        this.#changed = resolve
        deadline.addEventListener('abort', () => resolve(), { once: true })
      })
    }
    return this.#output
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#ended) return
    const closed = new Promise<void>((resolve) => this.#child.once('close', () => resolve()))
    this.#child.kill('SIGTERM')
    await closed
  }
}

function words(args: string | readonly string[]): readonly string[] {
  return typeof args === 'string' ? args.split(' ') : args
}
