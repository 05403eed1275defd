// LIST: the records that match, in pages where asked for, all at one revision.

import { invalidError, forbidden } from '@aksel/api/field-errors'
import type { KindRow } from '@aksel/api/kind-row'
import { ApiError } from '@aksel/base/errors'
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

interface Token {
  /** The revision that all pages are read at. */
  readonly rv: number
  /** Where the page begins: `namespace/name` below the row's prefix. */
  readonly start: string
}

export async function listRecords(
  records: RecordStore,
  row: KindRow,
  namespace: string,
  query: URLSearchParams,
): Promise<ListResult> {
  const selection = selectionOf(row, query)
  const limit = integerOf(query, 'limit') ?? 0
  const token = tokenOf(query)
  const revision = token?.rv ?? exactRevision(row, query)
  const wanted = resourceVersionOf(query)
  if (revision === undefined && wanted !== undefined && !(await records.has(wanted)))
    throw tooLarge(wanted, records.revision)
  if (selection.name !== '' && limit === 0 && revision === undefined && (!row.namespaced || namespace !== '')) {
    return oneRecord(records, row, namespace, selection)
  }
  if (limit === 0 && token === undefined) {
    const page = await records.page(row, { namespace, revision })
    const kept = selection.matches === undefined ? page.records : page.records.filter(selection.matches)
    return { records: kept, resourceVersion: String(page.revision), continueToken: '', remainingItemCount: undefined }
  }
  return pageOf(records, row, namespace, { selection, limit, from: token?.start, revision })
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

function exactRevision(row: KindRow, query: URLSearchParams): number | undefined {
  const match = query.get('resourceVersionMatch') ?? ''
  const wanted = resourceVersionOf(query)
  if (match === '') {
    // Upstream's rule for paged lists: the version that is named is the one that is read.
    return wanted !== undefined && wanted > 0 && integerOf(query, 'limit') ? wanted : undefined
  }
  const refuse = (detail: string): ApiError =>
    invalidError({ group: 'meta.k8s.io', kind: 'ListOptions', name: '' }, [forbidden('resourceVersionMatch', detail)])
  if (match !== 'Exact' && match !== 'NotOlderThan') {
    throw refuse(`supported values: "Exact", "NotOlderThan"`)
  }
  if (wanted === undefined) throw refuse('resourceVersionMatch is forbidden unless resourceVersion is provided')
  if (match === 'NotOlderThan') return undefined
  if (wanted === 0) throw refuse('resourceVersionMatch "exact" is forbidden for resourceVersion "0"')
  return wanted
}

export function tooLarge(wanted: number, current: number): ApiError {
  return new ApiError('Timeout', `Too large resource version: ${wanted}, current: ${current}`, {
    details: {
      retryAfterSeconds: 1,
      causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }],
    },
  })
}

function encodeToken({ rv, start }: Token): string {
  return Buffer.from(JSON.stringify({ v: 'meta.k8s.io/v1', rv, start })).toString('base64url')
}

function tokenOf(query: URLSearchParams): Token | undefined {
  const text = query.get('continue') ?? ''
  if (text === '') return undefined
  if (resourceVersionOf(query) !== undefined && query.get('resourceVersion') !== '0') {
    throw new ApiError('BadRequest', 'specifying resource version is not allowed when using continue')
  }
  try {
    const { v, rv, start } = JSON.parse(Buffer.from(text, 'base64url').toString('utf8')) as Partial<Token> & {
      readonly v?: string
    }
    if (v === 'meta.k8s.io/v1' && Number.isSafeInteger(rv) && typeof start === 'string') return { rv: rv!, start }
  } catch {
    // Falls through: not a token of ours.
  }
  throw new ApiError('BadRequest', 'continue key is not valid: the token was not made by this server')
}
