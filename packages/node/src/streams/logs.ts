// Reads a container's log file as `kubectl logs` shows it: from the tail, since a time, and on as it grows.

import { watch } from 'node:fs'
import type { FSWatcher } from 'node:fs'
import { open, stat } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import type { Scope } from '@aksel/base/scope'
import { LogLines } from './log-lines.ts'
import type { LogFormat } from './log-lines.ts'

export interface LogOptions extends LogFormat {
  readonly path: string
  readonly tailLines?: number
  readonly limitBytes?: number
  /** Goes on after the end of the file until this settles: the container has ended and its output is in the file. */
  readonly followUntil?: Promise<unknown>
}

const CHUNK_BYTES = 64 * 1024

/** Text in pieces; ends at the end of the file, or of the container when following. A missing file throws ENOENT. */
export async function* readLog(scope: Scope, options: LogOptions): AsyncGenerator<Buffer> {
  let remaining = options.limitBytes ?? Infinity
  if (remaining <= 0) return
  for await (const text of linesOf(scope, options)) {
    if (text.length === 0) continue
    yield text.length > remaining ? text.subarray(0, remaining) : text
    remaining -= text.length
    if (remaining <= 0) return
  }
}

async function* linesOf(scope: Scope, options: LogOptions): AsyncGenerator<Buffer> {
  const lines = new LogLines(options)
  let file = await open(options.path, 'r')
  try {
    // The watch stands before the first read, so that no growth falls between the two.
    using growth = options.followUntil === undefined ? undefined : new Growth(scope, options.path, options.followUntil)
    // Who does not follow is shown the file as it is now: what is written meanwhile belongs to no count of lines.
    const { size } = await file.stat()
    let position = options.tailLines === undefined ? 0 : await tailStart(file, size, options.tailLines)
    if (growth === undefined) return void (yield* readToEnd(file, position, lines, size))
    while (true) {
      const { isOver } = growth
      position = yield* readToEnd(file, position, lines)
      const rotated = await reopened(options.path, file)
      if (rotated !== undefined) {
        const old = file
        file = rotated
        try {
          // What was written between our last read and the rotation.
          yield* readToEnd(old, position, lines)
        } finally {
          await old.close()
        }
        position = 0
        continue
      }
      if (isOver) return
      await growth.next()
    }
  } finally {
    await file.close()
  }
}

async function* readToEnd(
  file: FileHandle,
  from: number,
  lines: LogLines,
  until = Infinity,
): AsyncGenerator<Buffer, number> {
  let position = from
  while (true) {
    const wanted = Math.min(CHUNK_BYTES, until - position)
    if (wanted <= 0) return position
    const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(wanted), 0, wanted, position)
    if (bytesRead === 0) return position
    position += bytesRead
    yield lines.push(buffer.subarray(0, bytesRead))
  }
}

/** The file now at this path, where it is another one than that which is open. */
async function reopened(path: string, file: FileHandle): Promise<FileHandle | undefined> {
  const [there, ours] = await Promise.all([stat(path).catch(() => undefined), file.stat()])
  // Between its renaming and its making there is none for a moment; the directory's watch tells when it comes.
  return there === undefined || there.ino === ours.ino ? undefined : open(path, 'r')
}

/** Offset of the first of the last `count` whole lines among the first `size` bytes. */
async function tailStart(file: FileHandle, size: number, count: number): Promise<number> {
  if (count <= 0) return size
  const buffer = Buffer.allocUnsafe(CHUNK_BYTES)
  const last = size === 0 ? 0 : (await file.read(buffer, 0, 1, size - 1), buffer[0])
  // A line that is being written is not one yet.
  let seen = last === 0x0a ? 0 : -1
  let end = size
  while (end > 0) {
    const start = Math.max(0, end - CHUNK_BYTES)
    const { bytesRead } = await file.read(buffer, 0, end - start, start)
    for (let at = buffer.lastIndexOf(0x0a, bytesRead - 1); at >= 0; at = buffer.subarray(0, at).lastIndexOf(0x0a)) {
      // The newline that ends the file ends its last line.
      if (start + at < size - 1 && ++seen === count) return start + at + 1
    }
    end = start
  }
  return 0
}

/** Wakes when the file grew, was replaced, or the container ended. The directory is watched, as rotation renames. */
class Growth implements Disposable {
  readonly #watcher: FSWatcher
  readonly #signal: AbortSignal
  #changed = false
  #wake: (() => void) | undefined
  isOver = false

  constructor(scope: Scope, path: string, until: Promise<unknown>) {
    this.#signal = scope.signal
    const name = basename(path)
    this.#watcher = watch(dirname(path), { persistent: false }, (_event, changed) => {
      if (changed === null || changed === name) this.#poke()
    })
    // A directory that is removed ends the watch; the container's end tells the rest.
    this.#watcher.on('error', () => this.#poke())
    const over = (): void => {
      this.isOver = true
      this.#poke()
    }
    until.then(over, over)
    scope.signal.addEventListener('abort', this.#poke, { once: true })
  }

  /** Resolves when something changed since the last call; rejects with the signal's reason. */
  async next(): Promise<void> {
    if (!this.#changed && !this.#signal.aborted) await new Promise<void>((resolve) => (this.#wake = resolve))
    this.#wake = undefined
    this.#changed = false
    this.#signal.throwIfAborted()
  }

  [Symbol.dispose](): void {
    this.#watcher.close()
    this.#signal.removeEventListener('abort', this.#poke)
  }

  readonly #poke = (): void => {
    this.#changed = true
    this.#wake?.()
  }
}
