// The audit log: one JSON line per request, appended in order and never in the way of an answer. Lines that come while others are
// being written go together in the next write.

import { open, type FileHandle } from 'node:fs/promises'
import type { Log } from '@aksel/base/log'

export interface AuditLog extends AsyncDisposable {
  readonly write: (entry: Readonly<Record<string, unknown>>) => void
}

/** What a full disk does not take is gone: the server's own log says so, once until it takes lines again. */
export async function openAuditLog(log: Log, path: string): Promise<AuditLog> {
  const appender = new Appender(log, await open(path, 'a', 0o600))
  return {
    write: (entry) => appender.add(`${JSON.stringify(entry)}\n`),
    [Symbol.asyncDispose]: () => appender.close(),
  }
}

class Appender {
  readonly #log: Log
  readonly #file: FileHandle
  #waiting = ''
  #writing: Promise<void> | undefined
  #hasFailed = false

  constructor(log: Log, file: FileHandle) {
    this.#log = log
    this.#file = file
  }

  add(line: string): void {
    this.#waiting += line
    this.#writing ??= this.#write()
  }

  async #write(): Promise<void> {
    // What this turn of the event loop answers goes with the first write.
    await new Promise((resolve) => setImmediate(resolve))
    while (this.#waiting !== '') {
      const text = this.#waiting
      this.#waiting = ''
      try {
        await this.#file.appendFile(text)
        this.#hasFailed = false
      } catch (error) {
        if (!this.#hasFailed) this.#log.error('audit entries could not be written', { error })
        this.#hasFailed = true
      }
    }
    this.#writing = undefined
  }

  async close(): Promise<void> {
    await this.#writing
    await this.#file.close()
  }
}
