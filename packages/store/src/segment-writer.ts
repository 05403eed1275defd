// The end of the log: writes batches to the newest segment and makes them durable, one at a time.

import type { Random } from '@aksel/base/ids'
import type { Disk, DiskFile } from './disk.ts'
import type { Change } from './mvcc.ts'
import { pathOf } from './segment-files.ts'
import { encodeHeader, HEADER_BYTES, RecordEncoder } from './segment-format.ts'

export interface LogFolder {
  readonly disk: Disk
  readonly directory: string
  readonly random: Random
}

/** The open segment that is written to. */
export interface OpenSegment {
  readonly file: DiskFile
  readonly number: number
  readonly salt: number
  /** Where the next record goes. All before it is durable. */
  readonly endBytes: number
}

/** Makes segment `number` durably, empty. One that a crash left half made is overwritten. */
export async function createSegment(folder: LogFolder, number: number, afterRevision: number): Promise<OpenSegment> {
  const salt = randomSalt(folder.random)
  const file = await folder.disk.open(pathOf(folder.directory, 'segment', number), 'create')
  try {
    await file.write(0, encodeHeader({ kind: 'segment', number, afterRevision, salt }))
    await file.datasync()
    await folder.disk.syncDirectory(folder.directory)
  } catch (error) {
    await file.close()
    throw error
  }
  return { file, number, salt, endBytes: HEADER_BYTES }
}

export function randomSalt(random: Random): number {
  return Buffer.from(random.nextBytes(4)).readUInt32LE(0)
}

export class SegmentWriter {
  readonly #folder: LogFolder
  #segment: OpenSegment
  #encoder: RecordEncoder
  #endBytes: number

  constructor(folder: LogFolder, segment: OpenSegment) {
    this.#folder = folder
    this.#segment = segment
    this.#encoder = new RecordEncoder(segment.salt)
    this.#endBytes = segment.endBytes
  }

  get number(): number {
    return this.#segment.number
  }

  get sizeBytes(): number {
    return this.#endBytes
  }

  /** Durable when it resolves. After a throw the tail must be dropped or the log be given up. */
  async append(batch: readonly Change[]): Promise<void> {
    this.#encoder.reset()
    for (const [i, change] of batch.entries()) this.#encoder.transaction(change, { first: i === 0 })
    await this.#write()
  }

  /** Says that the log ends here in good order, so that damage to the last batch is not taken for a torn tail. */
  async end(revision: number): Promise<void> {
    this.#encoder.reset()
    this.#encoder.end(revision)
    await this.#write()
  }

  async #write(): Promise<void> {
    const { bytes } = this.#encoder
    await this.#segment.file.write(this.#endBytes, bytes)
    await this.#segment.file.datasync()
    this.#endBytes += bytes.length
  }

  /** Removes what a refused batch left behind the durable end, durably. */
  async dropTail(): Promise<void> {
    await this.#segment.file.truncate(this.#endBytes)
    await this.#segment.file.datasync()
  }

  /** Goes on in a new segment; what was appended ends at `revision`. Returns the size of the one before. */
  async roll(revision: number): Promise<number> {
    const next = await createSegment(this.#folder, this.#segment.number + 1, revision)
    const before = this.#segment.file
    const sizeBytes = this.#endBytes
    this.#segment = next
    this.#encoder = new RecordEncoder(next.salt)
    this.#endBytes = next.endBytes
    await before.close()
    return sizeBytes
  }

  async close(): Promise<void> {
    await this.#segment.file.close()
  }
}
