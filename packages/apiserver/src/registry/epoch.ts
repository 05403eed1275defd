// The schema epoch: from which revision on the store holds what this schema writes. Older values are made anew when they are
// read; in the background they are also written anew, so that one day none is left.

import type { KindRow } from '@aksel/api/kind-row'
import { encodeJson } from '@aksel/base/json'
import type { Scope } from '@aksel/base/scope'
import type { Store } from '@aksel/store/store'
import type { RecordStore } from './record-store.ts'

export interface Epoch {
  /** Values written below this revision may lack what this schema writes; 0 where none does any more. */
  readonly revision: number
  /** Says that every value was looked at. */
  finished(): Promise<void>
}

/** Reads or writes the epoch's marker. `epoch` names the schema: what it writes must never differ under one name. */
export async function enterEpoch(store: Store, keyPrefix: string, epoch: string): Promise<Epoch> {
  const markerKey = `${keyPrefix}aksel.dev/schema-epoch`
  const writtenKey = `${keyPrefix}aksel.dev/schema-epoch-written`
  const value = encodeJson({ epoch })
  const isMarked = async (key: string): Promise<boolean> => {
    const found = await store.get(key)
    return found !== undefined && Buffer.compare(found.value, value) === 0
  }
  const mark = async (key: string): Promise<number> => {
    const current = await store.get(key)
    if (current !== undefined && Buffer.compare(current.value, value) === 0) return current.modRevision
    const guard = { kind: 'revision', key, modRevision: current?.modRevision ?? 0 } as const
    const result = await store.transact({ guards: [guard], writes: [{ kind: 'put', key, value }] })
    return result.committed ? result.revision : mark(key)
  }
  const revision = await mark(markerKey)
  const finished = async (): Promise<void> => void (await mark(writtenKey))
  return { revision: (await isMarked(writtenKey)) ? 0 : revision, finished }
}

/** Records looked at before others get their turn. */
const PAGE = 100

/**
 * Writes the values of older schemas anew; resolves with how many there were. A value that someone changes meanwhile is of
 * this schema by that. Ends early, and unfinished, when the scope's signal aborts.
 */
export async function writeEpoch(
  scope: Scope,
  parts: { readonly records: RecordStore; readonly rows: readonly KindRow[]; readonly epoch: Epoch },
): Promise<number> {
  const { records, rows, epoch } = parts
  if (epoch.revision === 0) return 0
  let written = 0
  // Versions that are stored as another one are written with that one.
  for (const row of rows.filter((one) => !one.virtual && one.storedAs === undefined && one.custom === undefined)) {
    let from: string | undefined
    do {
      if (scope.signal.aborted) return written
      const page = await records.page(row, { namespace: '', from, limit: PAGE })
      for (const record of page.records) {
        if (record.revision >= epoch.revision) continue
        const now = await records.put(row, record.object, record, undefined)
        if (now !== undefined && now.revision !== record.revision) written += 1
      }
      from = page.next
      await new Promise<void>((resolve) => setImmediate(resolve))
    } while (from !== undefined)
  }
  await epoch.finished()
  records.leaveEpoch()
  if (written > 0) scope.log.info('objects of an older schema were written anew', { written })
  return written
}
