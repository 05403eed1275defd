// Writes answers: an object, a list or a watch, whole, as a table, or as metadata alone.

import type { KindRow } from '@aksel/api/kind-row'
import { groupVersionOf, type KubernetesObject } from '@aksel/api/resource'
import { encodeJson } from '@aksel/base/json'
import type { Negotiated } from '../http/accept.ts'
import { bookmarkOf, type EventEncoder, type JsonEventEncoder } from './watch.ts'
import { columnDefinitions, partialOf, tableRow, type IncludeObject } from './table.ts'
import type { ListResult } from './list.ts'
import type { StoredRecord } from './record.ts'

export interface Presentation {
  readonly negotiated: Negotiated
  readonly includeObject: IncludeObject
  readonly nowMs: number
}

/** `json`: the object as it is sent whole. */
export function presentObject(
  row: KindRow,
  how: Presentation,
  object: KubernetesObject,
  json: () => Uint8Array,
): Uint8Array {
  switch (how.negotiated.form) {
    case 'object':
      return json()
    case 'table':
      return encodeJson(tableOf(row, how, [object], { resourceVersion: object.metadata.resourceVersion ?? '' }))
    case 'partial':
      return encodeJson(partialOf(object))
    default:
      return how.negotiated.form satisfies never
  }
}

export function presentList(row: KindRow, how: Presentation, list: ListResult): Uint8Array {
  const metadata = {
    resourceVersion: list.resourceVersion,
    ...(list.continueToken === '' ? {} : { continue: list.continueToken }),
    ...(list.remainingItemCount === undefined ? {} : { remainingItemCount: list.remainingItemCount }),
  }
  switch (how.negotiated.form) {
    case 'object':
      return wholeList(row, metadata, list.records)
    case 'table':
      return encodeJson(
        tableOf(
          row,
          how,
          list.records.map((record) => record.object),
          metadata,
        ),
      )
    case 'partial':
      return encodeJson({
        kind: 'PartialObjectMetadataList',
        apiVersion: 'meta.k8s.io/v1',
        metadata,
        items: list.records.map((record) => partialOf(record.object)),
      })
    default:
      return how.negotiated.form satisfies never
  }
}

const comma = Buffer.from(',')
const listEnd = Buffer.from(']}\n')

function wholeList(row: KindRow, metadata: object, records: readonly StoredRecord[]): Uint8Array {
  const head = { kind: row.listKind, apiVersion: groupVersionOf(row), metadata }
  const pieces: Uint8Array[] = [Buffer.from(`${JSON.stringify(head).slice(0, -1)},"items":[`)]
  for (const [at, record] of records.entries()) {
    if (at > 0) pieces.push(comma)
    pieces.push(record.json())
  }
  pieces.push(listEnd)
  return Buffer.concat(pieces)
}

/** An encoder per watch: a table's first event carries the columns. */
export function presentEvents(
  row: KindRow,
  how: Presentation,
  nowMs: () => number,
  json: JsonEventEncoder,
): EventEncoder {
  if (how.negotiated.form === 'object') return json.for(row)
  const isTable = how.negotiated.form === 'table'
  let first = true
  const line = (type: string, object: unknown): Uint8Array => Buffer.from(`${JSON.stringify({ type, object })}\n`)
  return {
    event(type, record) {
      if (!isTable) return line(type, partialOf(record.object))
      const current = { ...how, nowMs: nowMs() }
      const table = tableOf(row, current, [record.object], { resourceVersion: record.resourceVersion }, first)
      first = false
      return line(type, table)
    },
    bookmark(resourceVersion, initialEventsEnd) {
      if (!isTable) return bookmarkOf('PartialObjectMetadata', 'meta.k8s.io/v1', resourceVersion, initialEventsEnd)
      const annotations = initialEventsEnd ? { annotations: { 'k8s.io/initial-events-end': 'true' } } : {}
      const object = {
        kind: 'PartialObjectMetadata',
        apiVersion: 'meta.k8s.io/v1',
        metadata: { resourceVersion, ...annotations },
      }
      const rows = [{ cells: row.columns.map(() => null), object }]
      const columns = first ? columnDefinitions(row) : null
      first = false
      return line('BOOKMARK', {
        kind: 'Table',
        apiVersion: 'meta.k8s.io/v1',
        metadata: { resourceVersion },
        columnDefinitions: columns,
        rows,
      })
    },
  }
}

function tableOf(
  row: KindRow,
  how: Presentation,
  objects: readonly KubernetesObject[],
  metadata: object,
  columns = true,
): unknown {
  return {
    kind: 'Table',
    apiVersion: 'meta.k8s.io/v1',
    metadata,
    columnDefinitions: columns ? columnDefinitions(row) : null,
    rows: objects.map((object) => tableRow(row, object, how.nowMs, how.includeObject)),
  }
}
