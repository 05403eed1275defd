// Reads a file of the log from front to back and says how far it is intact.

import type { DiskFile } from './disk.ts'
import {
  decodeHeader,
  decodeRecord,
  HEADER_BYTES,
  peekRecord,
  RECORD_HEADER_BYTES,
  RECORD_MARK,
  type FileHeader,
  type RecordHeader,
} from './segment-format.ts'

/** What was found in a file. Offsets are bytes from its start. */
export interface Scan {
  /** Undefined when the file's own header is damaged or incomplete. */
  readonly header: FileHeader | undefined
  readonly sizeBytes: number
  /** End of the last intact record before the first damaged one. */
  readonly intactBytes: number
  /** Where the last batch begins whose first record is intact; the header's end when there is none. */
  readonly lastBatchOffset: number
  /** The last intact record is an end. */
  readonly ended: boolean
}

/** `bytes` are used again for the next chunk: copy what is kept. */
export type VisitRecord = (bytes: Buffer, offset: number, record: RecordHeader) => void

const CHUNK_BYTES = 4 << 20

/** `begin` sees the header first and says who takes the records. */
export async function scanFile(file: DiskFile, begin: (header: FileHeader) => VisitRecord): Promise<Scan> {
  const sizeBytes = await file.sizeBytes()
  const header = decodeHeader(await file.read(0, HEADER_BYTES))
  const scan = { header, sizeBytes, intactBytes: HEADER_BYTES, lastBatchOffset: HEADER_BYTES, ended: false }
  if (header === undefined) return { ...scan, intactBytes: 0, lastBatchOffset: 0 }
  const visit = begin(header)
  let wantBytes = CHUNK_BYTES
  while (scan.intactBytes < sizeBytes) {
    const start = scan.intactBytes
    const bytes = await file.read(start, Math.min(wantBytes, sizeBytes - start))
    const consumed = visitIntact(bytes, header.salt, (offset, record) => {
      if (record.first) scan.lastBatchOffset = start + offset
      scan.ended = record.kind === 'end'
      visit(bytes, offset, record)
    })
    scan.intactBytes += consumed
    const next = peekRecord(bytes, consumed)
    const nextBytes = next === undefined ? RECORD_HEADER_BYTES : RECORD_HEADER_BYTES + next.bodyBytes
    // Damaged, or cut off by the end of the chunk? Only the latter is worth another read.
    const wasWhole = consumed + nextBytes <= bytes.length
    if (wasWhole || start + consumed + nextBytes > sizeBytes) break
    wantBytes = Math.max(CHUNK_BYTES, nextBytes)
  }
  return scan
}

/** Returns the bytes of the intact records at the front of `bytes`. */
function visitIntact(bytes: Buffer, salt: number, visit: (offset: number, record: RecordHeader) => void): number {
  let offset = 0
  for (let record = decodeRecord(bytes, 0, salt); record !== undefined; record = decodeRecord(bytes, offset, salt)) {
    visit(offset, record)
    offset += RECORD_HEADER_BYTES + record.bodyBytes
  }
  return offset
}

/**
 * Whether a batch was written behind the damage. If so all before it was durable and acknowledged: the damage is no torn
 * tail. Reads the rest of the file at once; a segment has some ten megabytes.
 */
export async function hasBatchBehindDamage(file: DiskFile, scan: Scan): Promise<boolean> {
  if (scan.header === undefined) return scan.sizeBytes > HEADER_BYTES
  const bytes = await file.read(scan.intactBytes, scan.sizeBytes - scan.intactBytes)
  for (let at = bytes.indexOf(RECORD_MARK, 1); at !== -1; at = bytes.indexOf(RECORD_MARK, at + 1)) {
    if (decodeRecord(bytes, at, scan.header.salt)?.first === true) return true
  }
  return false
}
