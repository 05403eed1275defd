// The files of a log folder: their names, and which of them count.

import { join } from 'node:path'
import { isDiskError, type Disk } from './disk.ts'
import type { FileKind } from './segment-format.ts'
import { StoreError } from './store.ts'

const fileName = /^(\d{8})\.(log|base)$/
const DRAFT_SUFFIX = '.draft'

/** The files that make up the log, in the order in which they are read, and those that a crash left over. */
export interface LogFiles {
  /** Number of the base; 0 when there is none. */
  readonly base: number
  /** Numbers of the segments behind the base, without a gap. Empty only in a new folder. */
  readonly segments: readonly number[]
  /** Paths that no longer count. */
  readonly leftovers: readonly string[]
}

export function pathOf(directory: string, kind: FileKind, number: number): string {
  return join(directory, `${String(number).padStart(8, '0')}.${kind === 'base' ? 'base' : 'log'}`)
}

/** Where a base is written before it counts. */
export function draftPathOf(directory: string, number: number): string {
  return pathOf(directory, 'base', number) + DRAFT_SUFFIX
}

/** Throws `Corrupt` when a segment is missing. */
export async function findLogFiles(disk: Disk, directory: string): Promise<LogFiles> {
  const leftovers: string[] = []
  const bases: number[] = []
  const logs: number[] = []
  for (const name of await disk.list(directory)) {
    if (name.endsWith(DRAFT_SUFFIX)) leftovers.push(join(directory, name))
    const [, number, suffix] = fileName.exec(name) ?? []
    if (number === undefined) continue
    if (suffix === 'base') bases.push(Number(number))
    else logs.push(Number(number))
  }
  const base = Math.max(0, ...bases)
  const segments = logs.filter((number) => number > base).toSorted((a, b) => a - b)
  for (const number of bases) if (number < base) leftovers.push(pathOf(directory, 'base', number))
  for (const number of logs) if (number <= base) leftovers.push(pathOf(directory, 'segment', number))
  for (const [i, number] of segments.entries()) {
    if (number !== base + 1 + i) throw missing(directory, base + 1 + i)
  }
  if (base > 0 && segments.length === 0) throw missing(directory, base + 1)
  return { base, segments, leftovers }
}

function missing(directory: string, number: number): StoreError {
  return new StoreError('Corrupt', `Cannot open the store: ${pathOf(directory, 'segment', number)} is missing`)
}

/** Removes the file; one that is gone already is fine. */
export async function removeFile(disk: Disk, path: string): Promise<void> {
  try {
    await disk.remove(path)
  } catch (error) {
    if (!isDiskError(error, 'ENOENT')) throw error
  }
}
