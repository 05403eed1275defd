// LIST: the records that match, in pages where asked for, all at one revision.

import type { KindRow } from '@aksel/api/kind-row'
import { ApiError, isReason } from '@aksel/base/errors'
import { continueExpired, encodeToken, tokenOf } from './continue-token.ts'
import { gather, turnFor } from './gather.ts'
import { listMatchOf } from './list-options.ts'
import type { StoredRecord } from './record.ts'
import type { RecordStore } from './record-store.ts'
import { integerOf, resourceVersionOf, selectionOf, type Selection } from './selection.ts'

export interface ListResult {
  readonly records: readonly StoredRecord[]
  readonly resourceVersion: string
  readonly continueToken: string
  /** Known only for lists without selectors. */
  readonly remainingItemCount: number | undefined
}

/** Pages of more are made in a turn of their own. */
const PAGE_AT_ONCE_MAX = 100

export async function listRecords(
  records: RecordStore,
  row: KindRow,
  namespace: string,
  query: URLSearchParams,
): Promise<ListResult> {
  const selection = selectionOf(row, query)
  const limit = limitOf(query)
  const exact = exactRevision(query)
  const token = tokenOf(query)
  const revision = token === undefined ? exact : token.rv < 0 ? undefined : token.rv
  const wanted = resourceVersionOf(query)
  if (revision === undefined && wanted !== undefined && !(await records.has(wanted)))
    throw tooLarge(wanted, records.revision)
  if (selection.name !== '' && limit === 0 && revision === undefined && (!row.namespaced || namespace !== '')) {
    return oneRecord(records, row, namespace, selection)
  }
  if (token === undefined && revision === undefined) {
    const few = indexedFew(records, row, namespace, { selection, limit })
    if (few !== undefined) return few
  }
  if (limit === 0 || limit > PAGE_AT_ONCE_MAX) await turnFor(records, row, namespace)
  if (limit === 0 && token === undefined) {
    const found = await gather(records, row, { namespace, revision }, selection)
    const resourceVersion = String(found.revision)
    return { records: found.records, resourceVersion, continueToken: '', remainingItemCount: undefined }
  }
  try {
    return await pageOf(records, row, namespace, { selection, limit, from: token?.start, revision })
  } catch (error) {
    if (token === undefined || !isReason(error, 'Expired')) throw error
    throw continueExpired(token.start)
  }
}

/** Through the indexes of labels and fields, where they narrow it down to one page. */
function indexedFew(
  records: RecordStore,
  row: KindRow,
  namespace: string,
  { selection, limit }: { readonly selection: Selection; readonly limit: number },
): ListResult | undefined {
  const found = records.found(row, namespace, selection.terms)
  if (found === undefined) return undefined
  const kept = found.records.filter((record) => selection.matches!(record))
  if (limit > 0 && kept.length > limit) return undefined
  const resourceVersion = String(found.revision)
  return { records: kept, resourceVersion, continueToken: '', remainingItemCount: undefined }
}

interface Paging {
  readonly selection: Selection
  readonly limit: number
  readonly from: string | undefined
  readonly revision: number | undefined
}

/** Reads on until the page is full: a selector may skip many. */
async function pageOf(records: RecordStore, row: KindRow, namespace: string, paging: Paging): Promise<ListResult> {
  const { selection, limit } = paging
  const found: StoredRecord[] = []
  let { from, revision } = paging
  while (true) {
    const missing = limit === 0 ? undefined : limit - found.length
    const page = await records.page(row, { namespace, from, limit: missing, revision })
    revision = page.revision
    for (const record of page.records)
      if (selection.matches === undefined || selection.matches(record)) found.push(record)
    from = page.next
    const isFull = limit > 0 && found.length >= limit
    if (from !== undefined && !isFull) continue
    return {
      records: found,
      resourceVersion: String(revision),
      continueToken: from === undefined ? '' : encodeToken({ rv: revision, start: from }),
      remainingItemCount: from === undefined || selection.matches !== undefined ? undefined : page.remaining,
    }
  }
}

async function oneRecord(
  records: RecordStore,
  row: KindRow,
  namespace: string,
  selection: Selection,
): Promise<ListResult> {
  const revision = records.revision
  const record = await records.get(row, namespace, selection.name)
  const isMatch = record !== undefined && (selection.matches?.(record) ?? true)
  const resourceVersion = String(Math.max(revision, record?.revision ?? 0))
  return { records: isMatch ? [record] : [], resourceVersion, continueToken: '', remainingItemCount: undefined }
}

/** The revision that must be read, and no other. */
function exactRevision(query: URLSearchParams): number | undefined {
  const match = listMatchOf(query)
  const wanted = resourceVersionOf(query)
  if (match === 'Exact') return wanted
  // Upstream's rule for paged lists: the version that is named is the one that is read.
  return match === undefined && wanted !== undefined && wanted > 0 && limitOf(query) > 0 ? wanted : undefined
}

function limitOf(query: URLSearchParams): number {
  return Math.max(integerOf(query, 'limit') ?? 0, 0)
}

export function tooLarge(wanted: number, current: number): ApiError {
  return new ApiError('Timeout', `Too large resource version: ${wanted}, current: ${current}`, {
    details: {
      retryAfterSeconds: 1,
      causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }],
    },
  })
}
