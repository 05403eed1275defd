// Writes a base: one file that replaces all segments up to a number. It is made from memory, in slices of a few
// milliseconds, while commits go on in the segment behind it.

import { dirname } from 'node:path'
import type { Disk, DiskFile } from './disk.ts'
import type { Mvcc } from './mvcc.ts'
import { draftPathOf, pathOf } from './segment-files.ts'
import { encodeHeader, HEADER_BYTES, RecordEncoder } from './segment-format.ts'
import type { KeyValue } from './store.ts'

export interface BaseRequest {
  readonly disk: Disk
  readonly directory: string
  readonly core: Mvcc
  /** The last segment that it replaces. */
  readonly number: number
  /** The revision whose state is written; the caller keeps it readable. */
  readonly floor: number
  /** The last revision of that segment. */
  readonly revision: number
  readonly salt: number
  /** Aborts when the store closes. */
  readonly signal: AbortSignal
}

/** Encoded in one go: about a millisecond. */
const SLICE_BYTES = 256 << 10
/** A long fdatasync would hold up those of the commits. */
const SYNC_EVERY_BYTES = 4 << 20

/** Returns the size of the base, which is durable and counts. Until then a crash finds the log as it was. */
export async function writeBase(request: BaseRequest): Promise<number> {
  const { disk, directory, number } = request
  const draft = draftPathOf(directory, number)
  const file = await disk.open(draft, 'create')
  let sizeBytes: number
  try {
    sizeBytes = await fill(file, request)
  } finally {
    await file.close()
  }
  const path = pathOf(directory, 'base', number)
  await disk.rename(draft, path)
  await disk.syncDirectory(dirname(path))
  return sizeBytes
}

async function fill(file: DiskFile, request: BaseRequest): Promise<number> {
  const { core, floor, revision, number, salt, signal } = request
  const encoder = new RecordEncoder(salt, SLICE_BYTES * 2)
  let endBytes = HEADER_BYTES
  let unsynced = 0
  const flush = async (): Promise<void> => {
    const { bytes } = encoder
    await file.write(endBytes, bytes)
    endBytes += bytes.length
    unsynced += bytes.length
    encoder.reset()
    if (unsynced >= SYNC_EVERY_BYTES) {
      await file.datasync()
      unsynced = 0
    }
    signal.throwIfAborted()
  }
  await file.write(0, encodeHeader({ kind: 'base', number, afterRevision: floor, salt }))
  let from: string | undefined = ''
  while (from !== undefined) {
    from = encodeState(encoder, core, floor, from)
    await flush()
  }
  let done = floor
  while (done < revision) {
    done = encodeChanges(encoder, core, done, revision)
    await flush()
  }
  encoder.end(revision)
  await flush()
  await file.datasync()
  return endBytes
}

/** Encodes a slice of the state; returns where the next begins, undefined when there is none. */
function encodeState(encoder: RecordEncoder, core: Mvcc, floor: number, from: string): string | undefined {
  const items: KeyValue[] = []
  let bytes = 0
  let next: string | undefined
  core.visitAt(floor, from, (item) => {
    if (bytes >= SLICE_BYTES) {
      next = item.key
      return false
    }
    bytes += item.key.length + item.value.byteLength
    items.push(item)
    return true
  })
  encoder.state(items, floor)
  return next
}

/** Encodes a slice of the changes above `after`; returns the last revision encoded. */
function encodeChanges(encoder: RecordEncoder, core: Mvcc, after: number, last: number): number {
  let done = after
  core.changesAfter(after, (change) => {
    if (change.revision > last || encoder.bytes.length >= SLICE_BYTES) return false
    encoder.transaction(change, { first: false })
    done = change.revision
    return true
  })
  return done
}
