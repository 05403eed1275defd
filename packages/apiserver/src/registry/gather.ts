// All objects that are selected, at one revision, gone through in slices: so that a list of a hundred thousand holds up nobody, and
// what was parsed to look into an object is not kept until the last one was looked at.

import type { KindRow } from '@aksel/api/kind-row'
import { isReason } from '@aksel/base/errors'
import { SLICE_KEYS } from './facet-index.ts'
import type { Found, PageQuery, RecordStore } from './record-store.ts'
import type { StoredRecord } from './record.ts'
import type { Selection } from './selection.ts'

/** Only so often is a walk begun again whose revision was compacted under it; then the error is the caller's. */
const TRIES = 3

/** Lists of more than these wait for their turn before they are made. */
const AT_ONCE_MAX = 100

/** Resolves when all records of the row may be gone through: at once where they are few. */
export async function turnFor(records: RecordStore, row: KindRow, namespace: string): Promise<void> {
  if ((records.countNow(row, namespace) ?? 0) > AT_ONCE_MAX) await records.turns.take()
}

export type GatherQuery = Pick<PageQuery, 'namespace' | 'revision'>

/** Throws Expired where the revision that is asked for is gone. */
export async function gather(
  records: RecordStore,
  row: KindRow,
  query: GatherQuery,
  selection: Selection,
): Promise<Found> {
  for (let left = TRIES; ; left--) {
    try {
      return await walk(records, row, query, selection)
    } catch (error) {
      if (query.revision !== undefined || left === 1 || !isReason(error, 'Expired')) throw error
    }
  }
}

async function walk(
  records: RecordStore,
  row: KindRow,
  { namespace, revision: asked }: GatherQuery,
  { matches, readsFields }: Selection,
): Promise<Found> {
  const kept: StoredRecord[] = []
  const limit = SLICE_KEYS[readsFields ? 'field' : 'label']
  let revision = asked
  for (let from: string | undefined; ;) {
    const page = await records.page(row, { namespace, from, limit, revision })
    revision = page.revision
    for (const record of page.records) if (matches === undefined || matches(record)) kept.push(record)
    from = page.next
    if (from === undefined) return { records: kept, revision }
    for (const record of page.records) record.forget()
    await records.turns.take()
  }
}
