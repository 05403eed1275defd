// The audit log: one JSON line per entry, appended in order and never in the way of an answer. Lines that come while others are
// being written go together in the next write. A file that is full is put aside under the time at which it was.

import { open, readdir, rename, rm, type FileHandle } from 'node:fs/promises'
import { basename, dirname, extname, join } from 'node:path'
import { waitingSink, type AuditEvent, type AuditMode, type AuditSink } from '@aksel/apiserver/audit/event'
import type { Counter } from '@aksel/apiserver/metrics'
import { stringifyJson } from '@aksel/base/json'
import type { Clock } from '@aksel/base/clock'
import type { Log } from '@aksel/base/log'

export interface AuditLog extends AsyncDisposable {
  readonly write: AuditSink
}

/** By upstream's `--audit-log-maxsize`, `--audit-log-maxbackup` and `--audit-log-maxage`. 0: without a bound. */
export interface AuditLogLimits {
  readonly fileMaxBytes: number
  readonly backupsMax: number
  readonly ageMaxDays: number
}

/** What the CIS benchmark asks for. */
export const defaultAuditLogLimits: AuditLogLimits = {
  fileMaxBytes: 100 * 1024 * 1024,
  backupsMax: 10,
  ageMaxDays: 30,
}

export interface AuditLogSettings extends AuditLogLimits {
  /** `batch`: nobody waits for a line. */
  readonly mode?: AuditMode
  readonly lost?: Counter
}

/**
 * `path`: `-` is the standard output, which is put aside by nobody. What a full disk does not take is gone: the server's own log
 * says so, once until it takes lines again, and `lost` counts it.
 */
export async function openAuditLog(
  scope: { readonly log: Log; readonly clock: Clock },
  path: string,
  { mode = 'batch', lost, ...limits }: AuditLogSettings = defaultAuditLogLimits,
): Promise<AuditLog> {
  const isAwaited = mode !== 'batch'
  const output = path === '-' ? standardOutput() : await LogFile.open(scope, path, limits)
  const appender = new Appender(scope, output, { isAwaited, lost })
  const keep = (entry: AuditEvent): Promise<boolean> => appender.add(`${stringifyJson(entry)}\n`)
  return {
    write: isAwaited ? waitingSink(mode, keep) : (entry) => void keep(entry),
    [Symbol.asyncDispose]: () => appender.close(),
  }
}

/** Where lines go. Rejects where they cannot. */
interface Output extends AsyncDisposable {
  append(bytes: Uint8Array): Promise<void>
}

function standardOutput(): Output {
  return {
    append: (bytes) =>
      new Promise((resolve, reject) => {
        process.stdout.write(bytes, (error) => (error === null || error === undefined ? resolve() : reject(error)))
      }),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  }
}

/** What a crash of the process may take along, at most. */
const GATHER_MS = 5
/** As much is written at once. */
const GATHER_CHARS = 64 * 1024

class Appender {
  readonly #scope: { readonly log: Log; readonly clock: Clock }
  readonly #output: Output
  readonly #isAwaited: boolean
  readonly #lost: Counter | undefined
  #waiting = ''
  #waitingLines = 0
  /** Of the lines that wait: resolved when they were written, or are lost. */
  #kept = Promise.withResolvers<boolean>()
  #writing: Promise<void> | undefined
  #hasFailed = false
  #isClosing = false
  #enough: () => void = () => {}

  constructor(
    scope: { log: Log; clock: Clock },
    output: Output,
    { isAwaited, lost }: { readonly isAwaited: boolean; readonly lost: Counter | undefined },
  ) {
    this.#scope = scope
    this.#output = output
    this.#isAwaited = isAwaited
    this.#lost = lost
  }

  /** Never rejects; false: the line is lost. */
  add(line: string): Promise<boolean> {
    this.#waiting += line
    this.#waitingLines += 1
    const kept = this.#kept.promise
    if (this.#waiting.length >= GATHER_CHARS) this.#enough()
    this.#writing ??= this.#write()
    return kept
  }

  async #write(): Promise<void> {
    while (this.#waiting !== '') {
      await this.#gather()
      const bytes = Buffer.from(this.#waiting)
      const lines = this.#waitingLines
      const kept = this.#kept
      this.#waiting = ''
      this.#waitingLines = 0
      this.#kept = Promise.withResolvers()
      try {
        await this.#output.append(bytes)
        this.#hasFailed = false
        kept.resolve(true)
      } catch (error) {
        if (!this.#hasFailed) this.#scope.log.error('audit entries could not be written', { error })
        this.#hasFailed = true
        this.#lost?.add('plugin="log"', lines)
        kept.resolve(false)
      }
    }
    this.#writing = undefined
  }

  /** A trip to the disk costs more than a line: what the next few milliseconds answer goes with it, unless somebody waits. */
  #gather(): Promise<void> {
    if (this.#waiting.length >= GATHER_CHARS || this.#isClosing || this.#isAwaited) return Promise.resolve()
    return new Promise((resolve) => {
      this.#enough = resolve
      this.#scope.clock.after(GATHER_MS, resolve)
    })
  }

  async close(): Promise<void> {
    this.#isClosing = true
    this.#enough()
    await this.#writing
    await this.#output[Symbol.asyncDispose]()
  }
}

/** A file that is put aside when it is full. */
class LogFile implements Output {
  readonly #clock: Clock
  readonly #path: string
  readonly #limits: AuditLogLimits
  #file: FileHandle
  #bytes: number

  private constructor(clock: Clock, path: string, limits: AuditLogLimits, file: FileHandle, bytes: number) {
    this.#clock = clock
    this.#path = path
    this.#limits = limits
    this.#file = file
    this.#bytes = bytes
  }

  static async open({ clock }: { readonly clock: Clock }, path: string, limits: AuditLogLimits): Promise<LogFile> {
    const file = await open(path, 'a', 0o600)
    return new LogFile(clock, path, limits, file, (await file.stat()).size)
  }

  async append(bytes: Uint8Array): Promise<void> {
    const { fileMaxBytes } = this.#limits
    if (fileMaxBytes > 0 && this.#bytes > 0 && this.#bytes + bytes.length > fileMaxBytes) await this.#rotate()
    await this.#file.appendFile(bytes)
    this.#bytes += bytes.length
  }

  async #rotate(): Promise<void> {
    const extension = extname(this.#path)
    const stem = basename(this.#path, extension)
    const stamp = new Date(this.#clock.now()).toISOString().replaceAll(':', '-').replace('Z', '')
    const next = await open(`${this.#path}.next`, 'a', 0o600)
    await rename(this.#path, join(dirname(this.#path), `${stem}-${stamp}${extension}`))
    await rename(`${this.#path}.next`, this.#path)
    await this.#file.close()
    this.#file = next
    this.#bytes = 0
    await this.#prune(stem, extension)
  }

  /** Backups carry their time in their name, so that age and order are read from it. */
  async #prune(stem: string, extension: string): Promise<void> {
    const { backupsMax, ageMaxDays } = this.#limits
    const form = /^(\d{4}-\d\d-\d\dT)(\d\d)-(\d\d)-(\d\d\.\d{3})$/
    const backups = (await readdir(dirname(this.#path)))
      .filter((name) => name.startsWith(`${stem}-`) && name.endsWith(extension))
      .map((name) => ({ name, at: form.exec(name.slice(stem.length + 1, name.length - extension.length)) }))
      .flatMap(({ name, at }) =>
        at === null ? [] : [{ name, atMs: Date.parse(`${at[1]}${at[2]}:${at[3]}:${at[4]}Z`) }],
      )
      .sort((a, b) => b.atMs - a.atMs)
    const oldestMs = ageMaxDays === 0 ? -Infinity : this.#clock.now() - ageMaxDays * 86_400_000
    const kept = backupsMax === 0 ? backups.length : backupsMax
    for (const [at, { name, atMs }] of backups.entries())
      if (at >= kept || atMs < oldestMs) await rm(join(dirname(this.#path), name), { force: true })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close()
  }
}
