// Reads every byte of a log and says whether it is intact, without changing anything.

import { inspectLast, readWhole, Replay } from './recovery.ts'
import { isDiskError, type Disk } from './disk.ts'
import { findLogFiles } from './segment-files.ts'
import { StoreError } from './store.ts'

export interface CheckedLog {
  readonly revision: number
  readonly keys: number
  readonly files: number
  readonly bytes: number
  /** What a crash left unfinished at the end: nobody was told that it was written. */
  readonly tornBytes: number
}

/** Throws `Locked` while the store is open, `Corrupt` where something acknowledged may be damaged. */
export async function checkLog(disk: Disk, directory: string): Promise<CheckedLog> {
  await using _lock = await lock(disk, directory)
  const { base, segments } = await findLogFiles(disk, directory)
  const replay = new Replay({ historyRevisions: 1 })
  let bytes = base === 0 ? 0 : await readWhole({ disk, directory }, 'base', base, replay)
  for (const number of segments.slice(0, -1)) bytes += await readWhole({ disk, directory }, 'segment', number, replay)
  const last = segments.at(-1)
  const tail =
    last === undefined ? { sizeBytes: 0, tornBytes: 0 } : await inspectLast({ disk, directory }, last, replay)
  return {
    revision: replay.core.visible,
    keys: replay.core.count(''),
    files: segments.length + (base === 0 ? 0 : 1),
    bytes: bytes + tail.sizeBytes,
    tornBytes: tail.tornBytes,
  }
}

async function lock(disk: Disk, directory: string): Promise<AsyncDisposable> {
  try {
    return await disk.lock(directory)
  } catch (error) {
    if (!isDiskError(error, 'ELOCKED')) throw error
    throw new StoreError('Locked', `Cannot check the store: ${error.message}`, error)
  }
}
