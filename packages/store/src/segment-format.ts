// How the log looks on disk. Integers are little-endian; a revision has 48 bits, enough for 8,900 years at 1,000 a second.
//
// A folder holds segments `00000001.log`, `00000002.log`, … of consecutive numbers and at most one base `00000007.base`,
// which replaces all segments up to its number. Both are a header and records:
//
//     header, 32 bytes                          record, 32 bytes and a body
//      0  "AKSELLOG"                             0  mark 0x4b4c5341 ("ASLK")
//      8  u16 format version (1)                 4  u32 CRC-32 of bytes 8 to the end, begun with the salt
//     10  u16 1 segment, 2 base                  8  u32 bytes of the body
//     12  u32 number of the file                12  u8  1 transaction, 2 state, 3 end
//     16  u48 revision before the first record  13  u8  flags: 1 first of its batch
//     22  u16 zero                              14  u16 zero
//     24  u32 salt                              16  u48 revision
//     28  u32 CRC-32 of bytes 0 to 27           22  u48 milliseconds since the Unix epoch
//                                               28  u32 number of entries in the body
//
//     entry of a transaction                    entry of a state
//      0  u8  1 put, 2 delete                    0  u48 revision that created the key
//      1  u8  zero                               6  u48 revision that changed it last
//      2  u16 bytes of the key                  12  u16 bytes of the key
//      4  u32 bytes of the value                14  u16 zero
//      8  key, value                            16  u32 bytes of the value
//                                               20  key, value
//
// A batch is what one write and one fdatasync made durable. It is written only after the batch before it is durable, so
// a valid first record of a batch proves that nothing before it may be damaged: what is, is bit rot, not a torn tail.
// A base is one state per few hundred kilobytes, the transactions since, and an end; a segment closed in good order
// has an end too, as a batch of its own.
// The salt keeps bytes of another file, or of a value, from being taken for a record.

import { crc32 } from 'node:zlib'
import type { Change } from './mvcc.ts'
import type { Delete, KeyValue, Put } from './store.ts'

export const HEADER_BYTES = 32
export const RECORD_HEADER_BYTES = 32
export const RECORD_MARK = Buffer.from('ASLK', 'latin1')
/** Longer bodies are not written: a length beyond this is damage. */
export const BODY_BYTES_MAX = 1 << 30

const MAGIC = Buffer.from('AKSELLOG', 'latin1')
const FORMAT_VERSION = 1

export const fileKinds = ['segment', 'base'] as const
export type FileKind = (typeof fileKinds)[number]

export interface FileHeader {
  readonly kind: FileKind
  readonly number: number
  /** The revision before the first record; of a base, the revision that its state shows. */
  readonly afterRevision: number
  readonly salt: number
}

export interface RecordHeader {
  readonly kind: 'transaction' | 'state' | 'end'
  readonly first: boolean
  readonly revision: number
  readonly timeMs: number
  readonly entries: number
  readonly bodyBytes: number
}

const recordKinds = ['transaction', 'state', 'end'] as const
const FIRST_OF_BATCH = 1

export function encodeHeader(header: FileHeader): Buffer {
  const bytes = Buffer.alloc(HEADER_BYTES)
  MAGIC.copy(bytes)
  bytes.writeUInt16LE(FORMAT_VERSION, 8)
  bytes.writeUInt16LE(fileKinds.indexOf(header.kind) + 1, 10)
  bytes.writeUInt32LE(header.number, 12)
  bytes.writeUIntLE(header.afterRevision, 16, 6)
  bytes.writeUInt32LE(header.salt, 24)
  bytes.writeUInt32LE(crc32(bytes.subarray(0, 28)), 28)
  return bytes
}

/** Undefined when the bytes are no intact header. Throws for a format of a later version. */
export function decodeHeader(bytes: Buffer): FileHeader | undefined {
  if (bytes.length < HEADER_BYTES || crc32(bytes.subarray(0, 28)) !== bytes.readUInt32LE(28)) return undefined
  if (MAGIC.compare(bytes, 0, 8) !== 0) return undefined
  const version = bytes.readUInt16LE(8)
  if (version !== FORMAT_VERSION) throw new Error(`Cannot read a log of format ${version}: this program knows format 1`)
  const kind = fileKinds[bytes.readUInt16LE(10) - 1]
  if (kind === undefined) return undefined
  const afterRevision = bytes.readUIntLE(16, 6)
  return { kind, number: bytes.readUInt32LE(12), afterRevision, salt: bytes.readUInt32LE(24) }
}

/** The header of the record at `offset` and its body's place; undefined when no intact record lies there. */
export function decodeRecord(bytes: Buffer, offset: number, salt: number): RecordHeader | undefined {
  const header = peekRecord(bytes, offset)
  if (header === undefined) return undefined
  const end = offset + RECORD_HEADER_BYTES + header.bodyBytes
  if (end > bytes.length) return undefined
  return crc32(bytes.subarray(offset + 8, end), salt) === bytes.readUInt32LE(offset + 4) ? header : undefined
}

/** What the header at `offset` says, unchecked, so that a reader knows how much to read; undefined when it cannot be one. */
export function peekRecord(bytes: Buffer, offset: number): RecordHeader | undefined {
  if (offset + RECORD_HEADER_BYTES > bytes.length) return undefined
  if (RECORD_MARK.compare(bytes, offset, offset + 4) !== 0) return undefined
  const kind = recordKinds[bytes[offset + 12]! - 1]
  const bodyBytes = bytes.readUInt32LE(offset + 8)
  if (kind === undefined || bodyBytes > BODY_BYTES_MAX) return undefined
  return {
    kind,
    bodyBytes,
    first: (bytes[offset + 13]! & FIRST_OF_BATCH) !== 0,
    revision: bytes.readUIntLE(offset + 16, 6),
    timeMs: bytes.readUIntLE(offset + 22, 6),
    entries: bytes.readUInt32LE(offset + 28),
  }
}

/** The writes of the transaction whose record begins at `offset`. Values are copies. */
export function decodeWrites(bytes: Buffer, offset: number, header: RecordHeader): (Put | Delete)[] {
  const writes: (Put | Delete)[] = []
  let at = offset + RECORD_HEADER_BYTES
  for (let i = 0; i < header.entries; i++) {
    const isPut = bytes[at] === 1
    const keyEnd = at + 8 + bytes.readUInt16LE(at + 2)
    const valueEnd = keyEnd + bytes.readUInt32LE(at + 4)
    const key = bytes.toString('utf8', at + 8, keyEnd)
    writes.push(isPut ? { kind: 'put', key, value: copyOf(bytes, keyEnd, valueEnd) } : { kind: 'delete', key })
    at = valueEnd
  }
  return writes
}

/** The keys of the state record that begins at `offset`. Values are copies. */
export function decodeState(bytes: Buffer, offset: number, header: RecordHeader): KeyValue[] {
  const items: KeyValue[] = []
  let at = offset + RECORD_HEADER_BYTES
  for (let i = 0; i < header.entries; i++) {
    const keyEnd = at + 20 + bytes.readUInt16LE(at + 12)
    const valueEnd = keyEnd + bytes.readUInt32LE(at + 16)
    items.push({
      key: bytes.toString('utf8', at + 20, keyEnd),
      value: copyOf(bytes, keyEnd, valueEnd),
      createRevision: bytes.readUIntLE(at, 6),
      modRevision: bytes.readUIntLE(at + 6, 6),
    })
    at = valueEnd
  }
  return items
}

function copyOf(bytes: Buffer, start: number, end: number): Buffer {
  const copy = Buffer.allocUnsafeSlow(end - start)
  bytes.copy(copy, 0, start, end)
  return copy
}

/** Encodes records one after the other into one buffer, which is used again after `reset`. */
export class RecordEncoder {
  readonly #salt: number
  #bytes: Buffer
  #end = 0

  constructor(salt: number, capacityBytes = 1 << 16) {
    this.#salt = salt
    this.#bytes = Buffer.allocUnsafeSlow(capacityBytes)
  }

  /** What was encoded since the last reset; valid until the next one. */
  get bytes(): Buffer {
    return this.#bytes.subarray(0, this.#end)
  }

  reset(): void {
    this.#end = 0
  }

  transaction(change: Change, options: { readonly first: boolean }): void {
    const start = this.#begin()
    for (const event of change.events) {
      if (event.kind === 'put') this.#write(1, event.item.key, event.item.value)
      else this.#write(2, event.key, noBytes)
    }
    const { revision, timeMs } = change
    this.#finish(start, { kind: 'transaction', first: options.first, revision, timeMs, entries: change.events.length })
  }

  /** `revision` is the one whose state this is a part of. */
  state(items: readonly KeyValue[], revision: number): void {
    const start = this.#begin()
    for (const { key, value, createRevision, modRevision } of items) {
      this.#reserve(20 + key.length * 3 + value.byteLength)
      const at = this.#end
      const bytes = this.#bytes
      const keyBytes = bytes.write(key, at + 20)
      bytes.writeUIntLE(createRevision, at, 6)
      bytes.writeUIntLE(modRevision, at + 6, 6)
      bytes.writeUInt16LE(keyBytes, at + 12)
      bytes.writeUInt16LE(0, at + 14)
      bytes.writeUInt32LE(value.byteLength, at + 16)
      bytes.set(value, at + 20 + keyBytes)
      this.#end = at + 20 + keyBytes + value.byteLength
    }
    this.#finish(start, { kind: 'state', first: false, revision, timeMs: 0, entries: items.length })
  }

  end(revision: number): void {
    this.#finish(this.#begin(), { kind: 'end', first: true, revision, timeMs: 0, entries: 0 })
  }

  #begin(): number {
    this.#reserve(RECORD_HEADER_BYTES)
    const start = this.#end
    this.#end += RECORD_HEADER_BYTES
    return start
  }

  #write(kind: 1 | 2, key: string, value: Uint8Array): void {
    this.#reserve(8 + key.length * 3 + value.byteLength)
    const at = this.#end
    const bytes = this.#bytes
    const keyBytes = bytes.write(key, at + 8)
    bytes[at] = kind
    bytes[at + 1] = 0
    bytes.writeUInt16LE(keyBytes, at + 2)
    bytes.writeUInt32LE(value.byteLength, at + 4)
    bytes.set(value, at + 8 + keyBytes)
    this.#end = at + 8 + keyBytes + value.byteLength
  }

  #finish(start: number, header: Omit<RecordHeader, 'bodyBytes'>): void {
    const bytes = this.#bytes
    RECORD_MARK.copy(bytes, start)
    bytes.writeUInt32LE(this.#end - start - RECORD_HEADER_BYTES, start + 8)
    bytes[start + 12] = recordKinds.indexOf(header.kind) + 1
    bytes[start + 13] = header.first ? FIRST_OF_BATCH : 0
    bytes.writeUInt16LE(0, start + 14)
    bytes.writeUIntLE(header.revision, start + 16, 6)
    bytes.writeUIntLE(Math.floor(header.timeMs), start + 22, 6)
    bytes.writeUInt32LE(header.entries, start + 28)
    bytes.writeUInt32LE(crc32(bytes.subarray(start + 8, this.#end), this.#salt), start + 4)
  }

  #reserve(count: number): void {
    const needed = this.#end + count
    if (needed <= this.#bytes.length) return
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, this.#bytes.length * 2))
    this.#bytes.copy(larger, 0, 0, this.#end)
    this.#bytes = larger
  }
}

const noBytes = Buffer.alloc(0)
