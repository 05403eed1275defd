// Opens a log folder: reads the base and the segments behind it, drops a torn tail, refuses what is damaged.

import { Mvcc } from './mvcc.ts'
import { findLogFiles, pathOf, removeFile } from './segment-files.ts'
import { decodeState, decodeWrites, HEADER_BYTES, type FileHeader, type FileKind } from './segment-format.ts'
import { hasBatchBehindDamage, scanFile, type Scan, type VisitRecord } from './segment-reader.ts'
import { createSegment, type LogFolder, type OpenSegment } from './segment-writer.ts'
import type { DiskFile } from './disk.ts'
import { StoreError } from './store.ts'

export interface Recovered {
  readonly core: Mvcc
  /** The newest segment, ready to be written to. */
  readonly segment: OpenSegment
  readonly base: { readonly number: number; readonly sizeBytes: number }
  /** Sizes of the segments before the newest, by number. */
  readonly sealedBytes: ReadonlyMap<number, number>
  /** Bytes of a torn tail that were dropped. */
  readonly droppedBytes: number
}

/** History kept while reading: what lies further back goes as reading goes on. */
export interface RecoveryOptions {
  readonly historyRevisions: number
}

/** Throws `Corrupt` when something is damaged that may have been acknowledged; the folder is then left as it is. */
export async function recover(folder: LogFolder, options: RecoveryOptions): Promise<Recovered> {
  const { disk, directory } = folder
  const { base, segments, leftovers } = await findLogFiles(disk, directory)
  const replay = new Replay(options)
  const baseBytes = base === 0 ? 0 : await readWhole(folder, 'base', base, replay)
  const sealedBytes = new Map<number, number>()
  for (const number of segments.slice(0, -1)) {
    sealedBytes.set(number, await readWhole(folder, 'segment', number, replay))
  }
  const last = segments.at(-1)
  const open =
    last === undefined
      ? { segment: await createSegment(folder, 1, 0), droppedBytes: 0 }
      : await readLast(folder, last, replay)
  // Names that a crashed predecessor made may not be durable yet; what they lead to is about to be promised.
  await disk.syncDirectory(directory)
  for (const path of leftovers) await removeFile(disk, path)
  return { core: replay.core, base: { number: base, sizeBytes: baseBytes }, sealedBytes, ...open }
}

/** Takes records in order and builds the core from them. */
export class Replay {
  core = new Mvcc()
  readonly #historyRevisions: number

  constructor(options: RecoveryOptions) {
    this.#historyRevisions = options.historyRevisions
  }

  /** Checks that the file continues what was read. */
  begin(path: string, header: FileHeader, kind: FileKind, number: number): void {
    if (header.kind !== kind || header.number !== number) throw corrupt(path, 'it is another file')
    if (kind === 'base') this.core = new Mvcc(header.afterRevision)
    else if (header.afterRevision !== this.core.visible) {
      throw corrupt(path, `it begins after revision ${header.afterRevision}, not ${this.core.visible}`)
    }
  }

  visit(path: string): VisitRecord {
    return (bytes, offset, record) => {
      switch (record.kind) {
        case 'state':
          for (const item of decodeState(bytes, offset, record)) this.core.load(item)
          return
        case 'transaction': {
          const writes = decodeWrites(bytes, offset, record)
          const verdict = this.core.transact({ guards: [], writes }, record.timeMs)
          if (verdict.kind !== 'applied' || verdict.change.revision !== record.revision) {
            throw corrupt(path, `revision ${record.revision} does not follow revision ${this.core.visible}`)
          }
          this.core.advance(record.revision)
          this.core.forget(record.revision - this.#historyRevisions, 16)
          return
        }
        case 'end':
          if (record.revision === this.core.visible) return
          throw corrupt(path, `it ends at revision ${record.revision}, not ${this.core.visible}`)
        default:
          record.kind satisfies never
      }
    }
  }
}

/** Reads a file that must be intact to its last byte, and returns its size. */
export async function readWhole(
  folder: Pick<LogFolder, 'disk' | 'directory'>,
  kind: FileKind,
  number: number,
  replay: Replay,
): Promise<number> {
  const path = pathOf(folder.directory, kind, number)
  const file = await folder.disk.open(path, 'read')
  try {
    const scan = await readInto(path, file, { kind, number, replay })
    if (scan.header === undefined || scan.intactBytes < scan.sizeBytes) {
      throw corrupt(path, `it is damaged at byte ${scan.intactBytes} of ${scan.sizeBytes}`)
    }
    if (kind === 'base' && !scan.ended) throw corrupt(path, 'its end is missing')
    return scan.sizeBytes
  } finally {
    await file.close()
  }
}

interface Reading {
  readonly kind: FileKind
  readonly number: number
  readonly replay: Replay
}

async function readInto(path: string, file: DiskFile, reading: Reading): Promise<Scan> {
  const visit = reading.replay.visit(path)
  return await scanFile(file, (header) => {
    reading.replay.begin(path, header, reading.kind, reading.number)
    return visit
  })
}

/** Reads the newest segment as far as it is intact, and changes nothing. */
export async function inspectLast(
  { disk, directory }: Pick<LogFolder, 'disk' | 'directory'>,
  number: number,
  replay: Replay,
): Promise<{ readonly sizeBytes: number; readonly tornBytes: number }> {
  const path = pathOf(directory, 'segment', number)
  const file = await disk.open(path, 'read')
  try {
    const scan = await readInto(path, file, { kind: 'segment', number, replay })
    const tornBytes = scan.sizeBytes - scan.intactBytes
    if (tornBytes > 0 && (await hasBatchBehindDamage(file, scan))) {
      throw corrupt(path, `it is damaged at byte ${scan.intactBytes} of ${scan.sizeBytes}`)
    }
    return { sizeBytes: scan.sizeBytes, tornBytes }
  } finally {
    await file.close()
  }
}

async function readLast(
  folder: LogFolder,
  number: number,
  replay: Replay,
): Promise<{ readonly segment: OpenSegment; readonly droppedBytes: number }> {
  const path = pathOf(folder.directory, 'segment', number)
  const file = await folder.disk.open(path, 'modify')
  try {
    const scan = await readInto(path, file, { kind: 'segment', number, replay })
    const droppedBytes = scan.sizeBytes - scan.intactBytes
    if (droppedBytes > 0 && (await hasBatchBehindDamage(file, scan))) {
      throw corrupt(
        path,
        `it is damaged at byte ${scan.intactBytes} of ${scan.sizeBytes}, and what follows was written later`,
      )
    }
    if (scan.header === undefined) {
      await file.close()
      return { segment: await createSegment(folder, number, replay.core.visible), droppedBytes }
    }
    await settleTail(file, scan)
    const { salt } = scan.header
    return { segment: { file, number, salt, endBytes: scan.intactBytes }, droppedBytes }
  } catch (error) {
    await file.close().catch(() => undefined)
    throw error
  }
}

/**
 * Drops the torn tail and makes the last batch durable. The batch is written again because the kernel may show bytes
 * that it failed to write: after a failed fdatasync it takes them for clean, and syncing alone would do nothing.
 */
async function settleTail(file: DiskFile, scan: Scan): Promise<void> {
  if (scan.intactBytes < scan.sizeBytes) await file.truncate(scan.intactBytes)
  const from = scan.lastBatchOffset === HEADER_BYTES ? 0 : scan.lastBatchOffset
  await file.write(from, await file.read(from, scan.intactBytes - from))
  await file.datasync()
}

function corrupt(path: string, what: string): StoreError {
  return new StoreError('Corrupt', `Cannot open the store: ${path}: ${what}`)
}
