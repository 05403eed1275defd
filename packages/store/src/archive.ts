// A cluster, or any part of a store, in one file: its state at one revision, in the form of a base of the log. Written beside
// the store while it goes on; read back whole or not at all. Keys lie below the prefix that was asked for, which is left out.

import { dirname } from 'node:path'
import type { Random } from '@aksel/base/ids'
import { isDiskError, type Disk, type DiskFile } from './disk.ts'
import { pathOf, removeFile } from './segment-files.ts'
import { decodeState, encodeHeader, HEADER_BYTES, RecordEncoder } from './segment-format.ts'
import { scanFile } from './segment-reader.ts'
import { createSegment, randomSalt } from './segment-writer.ts'
import { StoreError, type KeyValue, type Store } from './store.ts'

export interface Archive {
  /** The revision whose state it holds. */
  readonly revision: number
  readonly keys: number
  readonly sizeBytes: number
}

export interface ArchiveRequest {
  readonly disk: Disk
  /** Where it is to stand; what stands there is replaced when the new one is complete. */
  readonly path: string
  readonly store: Store
  readonly prefix: string
  readonly random: Random
}

/** A base of this number, so that a folder can begin with it. */
const NUMBER = 1
/** Keys read in one go: a millisecond or two. */
const PAGE_KEYS = 1_000
const SYNC_EVERY_BYTES = 8 << 20

/** Resolves when the archive is durable. A crash before leaves none, or the one before. */
export async function writeArchive(request: ArchiveRequest): Promise<Archive> {
  const { disk, path } = request
  const draft = `${path}.draft`
  await disk.makeDirectory(dirname(path))
  const file = await disk.open(draft, 'create')
  let archive: Archive
  try {
    archive = await fill(file, request)
  } catch (error) {
    await file.close()
    await removeFile(disk, draft).catch(() => undefined)
    throw error
  }
  await file.close()
  await disk.rename(draft, path)
  await disk.syncDirectory(dirname(path))
  return archive
}

async function fill(file: DiskFile, { store, prefix, random }: ArchiveRequest): Promise<Archive> {
  const salt = randomSalt(random)
  const encoder = new RecordEncoder(salt, 1 << 20)
  let endBytes = HEADER_BYTES
  let syncedBytes = 0
  let keys = 0
  let revision: number | undefined
  let from = prefix
  const flush = async (): Promise<void> => {
    await file.write(endBytes, encoder.bytes)
    endBytes += encoder.bytes.length
    encoder.reset()
    if (endBytes - syncedBytes < SYNC_EVERY_BYTES) return
    await file.datasync()
    syncedBytes = endBytes
  }
  for (;;) {
    const page = await store.range({ prefix, from, limit: PAGE_KEYS, ...(revision === undefined ? {} : { revision }) })
    if (revision === undefined) {
      revision = page.revision
      await file.write(0, encodeHeader({ kind: 'base', number: NUMBER, afterRevision: revision, salt }))
    }
    encoder.state(
      page.items.map((item) => ({ ...item, key: item.key.slice(prefix.length) })),
      revision,
    )
    keys += page.items.length
    await flush()
    if (page.remaining === 0) break
    from = `${page.items.at(-1)!.key}\0`
  }
  encoder.end(revision)
  await flush()
  await file.datasync()
  return { revision, keys, sizeBytes: endBytes }
}

/** Every key of the archive, in order. Throws `Corrupt` when it is not whole to its last byte. */
export async function readArchive(
  disk: Disk,
  path: string,
  visit: (item: KeyValue) => void = () => undefined,
): Promise<Archive> {
  const file = await disk.open(path, 'read')
  let keys = 0
  let isBase = false
  try {
    const scan = await scanFile(file, (header) => {
      isBase = header.kind === 'base'
      return (bytes, offset, record) => {
        if (record.kind !== 'state') return
        for (const item of decodeState(bytes, offset, record)) {
          keys += 1
          visit(item)
        }
      }
    })
    if (scan.header === undefined || !isBase || !scan.ended || scan.intactBytes < scan.sizeBytes) {
      const text = `Cannot read the archive ${path}: it is damaged at byte ${scan.intactBytes} of ${scan.sizeBytes}`
      throw new StoreError('Corrupt', text)
    }
    return { revision: scan.header.afterRevision, keys, sizeBytes: scan.sizeBytes }
  } finally {
    await file.close()
  }
}

/**
 * Makes the folder of a log store out of the archive: revisions stay what they were. The archive is linked where it can be, so
 * that it costs no copy; what a restore that was cut off left in the folder is replaced. Throws `Corrupt` before anything is
 * made.
 */
export async function restoreArchive(request: {
  readonly disk: Disk
  readonly path: string
  readonly directory: string
  readonly random: Random
}): Promise<Archive> {
  const { disk, path, directory, random } = request
  const archive = await readArchive(disk, path)
  await disk.makeDirectory(directory)
  const base = pathOf(directory, 'base', NUMBER)
  await removeFile(disk, base)
  try {
    await disk.link(path, base)
  } catch (error) {
    // Another file system: a copy then.
    if (!isDiskError(error, 'EXDEV', 'EPERM', 'EMLINK')) throw error
    await copy(disk, path, base)
  }
  const segment = await createSegment({ disk, directory, random }, NUMBER + 1, archive.revision)
  await segment.file.close()
  await disk.syncDirectory(directory)
  return archive
}

const COPY_BYTES = 4 << 20

async function copy(disk: Disk, from: string, to: string): Promise<void> {
  const source = await disk.open(from, 'read')
  try {
    const target = await disk.open(to, 'create')
    try {
      const sizeBytes = await source.sizeBytes()
      for (let at = 0; at < sizeBytes; at += COPY_BYTES) await target.write(at, await source.read(at, COPY_BYTES))
      await target.datasync()
    } finally {
      await target.close()
    }
  } finally {
    await source.close()
  }
}

/** Keys written in one transaction of a store that counts its own revisions. */
const BATCH_KEYS = 100
const EPOCH_SUFFIX = 'aksel.dev/schema-epoch'

/**
 * Writes the keys below another prefix, oldest change first, so that what was changed later never has a lower revision than what
 * was changed before. A watch or a list of the new place begins anew: revisions are the new store's.
 */
export async function copyInto(
  store: Store,
  prefix: string,
  items: readonly KeyValue[],
  tell: (written: number) => void = () => {},
): Promise<void> {
  let batch: KeyValue[] = []
  let written = 0
  const flush = async (): Promise<void> => {
    const writes = batch.map(({ key, value }) => ({ kind: 'put', key: `${prefix}${key}`, value }) as const)
    batch = []
    if (writes.length > 0) await store.transact({ guards: [], writes })
    tell((written += writes.length))
  }
  for (const item of items.toSorted((left, right) => left.modRevision - right.modRevision)) {
    // What was written before the schema's epoch must stay strictly older than it.
    if (batch.length === BATCH_KEYS || item.key.endsWith(EPOCH_SUFFIX)) await flush()
    batch.push(item)
  }
  await flush()
}
