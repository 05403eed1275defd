// The host ledger as a file of JSON lines: a record is one appended line, a strike another, and both are on disk before
// they are acknowledged. Lines waiting together share one fdatasync.

import { open, readFile, rename, mkdir, rm, writeFile, link, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import type { Scope } from '@aksel/base/scope'
import type { HostObject, Ledger, LedgerEntry } from './ledger.ts'
import { identify, isRunning } from './process-table.ts'

/*
 * ledger.jsonl, one object a line, each line ended by \n; a last line without it was torn by a crash and is dropped:
 *   {"id":7,"owner":"machine/n1","object":{"kind":"link","name":"aksel-1a2b3c"}}
 *   {"strike":7}
 * lock: {"pid":12,"startTicks":"345"} of the process that has it open.
 */
const FILE = 'ledger.jsonl'
const LOCK = 'lock'

/** Opens the ledger of a folder, making both when absent. Rejects when another living process has it open. */
export async function openFileLedger(scope: Scope, options: { readonly directory: string }): Promise<Ledger> {
  const { directory } = options
  await mkdir(directory, { recursive: true, mode: 0o700 })
  await takeLock(directory)
  try {
    const { entries, nextId, torn } = parseLedger(await readIfThere(join(directory, FILE)))
    if (torn) scope.log.warn('ledger ended in a torn line, which was never acknowledged', { directory })
    const file = await compact(directory, entries)
    return new FileLedger(directory, file, entries, nextId)
  } catch (error) {
    await rm(join(directory, LOCK), { force: true })
    throw error
  }
}

/** What still stands after reading all lines; `torn` when the last one was cut off. */
export function parseLedger(text: string): { entries: Map<number, LedgerEntry>; nextId: number; torn: boolean } {
  const entries = new Map<number, LedgerEntry>()
  let nextId = 1
  const lines = text.split('\n')
  const torn = lines.pop() !== ''
  for (const [index, line] of lines.entries()) {
    let value: LedgerEntry | { readonly strike: number }
    try {
      value = JSON.parse(line) as typeof value
    } catch (cause) {
      throw new Error(`Cannot read the host ledger: line ${index + 1} is damaged ("${line.slice(0, 80)}")`, { cause })
    }
    if ('strike' in value) {
      entries.delete(value.strike)
    } else {
      entries.set(value.id, value)
      nextId = Math.max(nextId, value.id + 1)
    }
  }
  return { entries, nextId, torn }
}

interface Waiting {
  readonly line: string
  readonly settle: (error?: unknown) => void
}

class FileLedger implements Ledger {
  readonly #directory: string
  readonly #file: FileHandle
  readonly #entries: Map<number, LedgerEntry>
  #nextId: number
  #waiting: Waiting[] = []
  #flushing: Promise<void> | undefined
  #failure: unknown

  constructor(directory: string, file: FileHandle, entries: Map<number, LedgerEntry>, nextId: number) {
    this.#directory = directory
    this.#file = file
    this.#entries = entries
    this.#nextId = nextId
  }

  async record(owner: string, object: HostObject): Promise<LedgerEntry> {
    const entry: LedgerEntry = { id: this.#nextId, owner, object }
    this.#nextId += 1
    // In memory at once: an undo that runs while the disk is busy must see what is about to be made.
    this.#entries.set(entry.id, entry)
    await this.#append(entry)
    return entry
  }

  async strike(entry: LedgerEntry): Promise<void> {
    if (!this.#entries.has(entry.id)) return
    await this.#append({ strike: entry.id })
    this.#entries.delete(entry.id)
  }

  entries(owner?: string): readonly LedgerEntry[] {
    const all = [...this.#entries.values()].filter((entry) => owner === undefined || entry.owner === owner)
    return all.sort((a, b) => b.id - a.id)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#failure instanceof LedgerClosed) return
    await this.#flushing
    this.#failure ??= new LedgerClosed()
    await this.#file.close()
    await rm(join(this.#directory, LOCK), { force: true })
  }

  #append(value: unknown): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure as Error)
    return new Promise((resolve, reject) => {
      const settle = (error?: unknown): void => (error === undefined ? resolve() : reject(error as Error))
      this.#waiting.push({ line: `${JSON.stringify(value)}\n`, settle })
      this.#flushing ??= this.#flush()
    })
  }

  async #flush(): Promise<void> {
    // One turn of the loop, so that records made side by side travel together.
    await Promise.resolve()
    while (this.#waiting.length > 0) {
      const batch = this.#waiting
      this.#waiting = []
      try {
        if (this.#failure !== undefined) throw this.#failure as Error
        await this.#file.appendFile(batch.map((waiting) => waiting.line).join(''))
        await this.#file.datasync()
        for (const waiting of batch) waiting.settle()
      } catch (error) {
        // What reached the disk is unknown after a failed write; only a reopened ledger may be trusted.
        this.#failure ??= new Error('Cannot write the host ledger; it refuses records until it is reopened', {
          cause: error,
        })
        for (const waiting of batch) waiting.settle(this.#failure)
      }
    }
    this.#flushing = undefined
  }
}

class LedgerClosed extends Error {
  constructor() {
    super('The host ledger is closed')
    this.name = 'LedgerClosed'
  }
}

/** Rewrites the file with what still stands, and opens it for appending. */
async function compact(directory: string, entries: ReadonlyMap<number, LedgerEntry>): Promise<FileHandle> {
  const next = join(directory, `${FILE}.next`)
  await rm(next, { force: true })
  const file = await open(next, 'a', 0o600)
  await file.appendFile([...entries.values()].map((entry) => `${JSON.stringify(entry)}\n`).join(''))
  await file.datasync()
  await rename(next, join(directory, FILE))
  const folder = await open(directory, 'r')
  await folder.sync()
  await folder.close()
  return file
}

async function takeLock(directory: string): Promise<void> {
  const path = join(directory, LOCK)
  const mine = JSON.stringify(await identify(process.pid))
  const candidate = `${path}.${process.pid}`
  await writeFile(candidate, mine)
  try {
    for (let attempt = 0; attempt < 3; attempt += 1) {
      try {
        // A hard link appears with its content, or not at all.
        await link(candidate, path)
        return
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
      }
      const holder = await readIfThere(path)
      if (holder !== '' && (await isRunning(JSON.parse(holder) as { pid: number; startTicks: string }))) {
        throw new Error(
          `Cannot open the host ledger ${directory}: process ${(JSON.parse(holder) as { pid: number }).pid} has it open`,
        )
      }
      await rm(path, { force: true })
    }
    throw new Error(`Cannot open the host ledger ${directory}: its lock changes hands`)
  } finally {
    await rm(candidate, { force: true })
  }
}

async function readIfThere(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return ''
    throw error
  }
}
