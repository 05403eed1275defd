// CRI log files hold lines `TIME STREAM TAG TEXT`; this turns their bytes into what a person asked to see.

export interface LogFormat {
  /** Lines written before are left out, milliseconds since the epoch. */
  readonly sinceMs?: number
  /** Begins each line with its time. */
  readonly timestamps: boolean
  /** One stream only; both when absent. */
  readonly stream?: 'stdout' | 'stderr'
}

const NEWLINE = 0x0a
const SPACE = 0x20

/** Keeps the piece of a line that has not ended yet between calls. */
export class LogLines {
  readonly #format: LogFormat
  #rest: Buffer = Buffer.alloc(0)
  /** The line before was the first part of a longer one. */
  #continues = false

  constructor(format: LogFormat) {
    this.#format = format
  }

  /** The text of the complete lines in these bytes and what was kept before. */
  push(bytes: Buffer): Buffer {
    const all = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes])
    const parts: Buffer[] = []
    let start = 0
    for (let end = all.indexOf(NEWLINE); end >= 0; end = all.indexOf(NEWLINE, start)) {
      this.#add(all.subarray(start, end), parts)
      start = end + 1
    }
    this.#rest = Buffer.from(all.subarray(start))
    return parts.length === 1 ? parts[0]! : Buffer.concat(parts)
  }

  /** `F` ends a line, `P` says that the next record continues it. What is no such record is left out. */
  #add(line: Buffer, parts: Buffer[]): void {
    const timeEnd = line.indexOf(SPACE)
    const streamEnd = line.indexOf(SPACE, timeEnd + 1)
    if (timeEnd <= 0 || streamEnd < 0) return
    const tagEnd = line.indexOf(SPACE, streamEnd + 1)
    const tag = line.toString('latin1', streamEnd + 1, tagEnd < 0 ? line.length : tagEnd)
    const isPartial = tag.split(':')[0] === 'P'
    const isFirst = !this.#continues
    this.#continues = isPartial
    const { stream, sinceMs, timestamps } = this.#format
    if (stream !== undefined && line.toString('latin1', timeEnd + 1, streamEnd) !== stream) return
    if (sinceMs !== undefined && Date.parse(line.toString('latin1', 0, timeEnd)) < sinceMs) return
    if (timestamps && isFirst) parts.push(line.subarray(0, timeEnd + 1))
    if (tagEnd >= 0) parts.push(line.subarray(tagEnd + 1))
    if (!isPartial) parts.push(Buffer.of(NEWLINE))
  }
}
