// Writes answers: an object, a list or a watch, whole, as a table, or as metadata alone, in JSON or in protobuf.

import type { KindRow } from '@aksel/api/kind-row'
import { groupVersionOf, type KubernetesObject } from '@aksel/api/resource'
import { ApiError } from '@aksel/base/errors'
import { encodeJson, stringifyJson } from '@aksel/base/json'
import type { Negotiated } from '../http/accept.ts'
import type { Pieces } from '../http/message.ts'
import type { ProtobufEncoder } from '../protobuf/encode.ts'
import { bookmarkOf, jsonEvent, type EventEncoder, type EventEncoders } from './event-encoders.ts'
import { columnDefinitions, partialOf, tableRow, type IncludeObject } from './table.ts'
import type { ListResult } from './list.ts'
import { isLargeList, listPieces } from './list-body.ts'
import type { StoredRecord } from './record.ts'

export interface Presentation {
  readonly negotiated: Negotiated
  readonly includeObject: IncludeObject
  readonly nowMs: number
  readonly protobuf: ProtobufEncoder
}

type Json = Readonly<Record<string, unknown>>

/** Is the JSON of the object all that is asked for? YAML is made of it later. */
export function isWholeJson({ negotiated }: Presentation): boolean {
  return negotiated.form === 'object' && negotiated.encoding !== 'protobuf'
}

/** `json`: the object as it is sent whole. */
export function presentObject(
  row: KindRow,
  how: Presentation,
  object: KubernetesObject,
  json: () => Uint8Array,
): Uint8Array {
  if (isWholeJson(how)) return json()
  if (how.negotiated.encoding === 'protobuf') {
    const { message, type } = protobufForm(row, how, '')
    return how.protobuf.encode(message, type, object as unknown as Json)
  }
  if (how.negotiated.form === 'partial') return encodeJson(partialOf(object, how.negotiated.metaVersion))
  return encodeJson(tableOf(row, how, [object], { resourceVersion: object.metadata.resourceVersion ?? '' }))
}

/** Large lists of whole objects go out piece by piece. YAML is made of one whole text. */
export function isStreamed(how: Presentation, list: ListResult): boolean {
  return isWholeJson(how) && how.negotiated.encoding === 'json' && isLargeList(list.records)
}

export function wholeListPieces(row: KindRow, list: ListResult): Pieces {
  const head = { kind: row.listKind, apiVersion: groupVersionOf(row), metadata: listMetadata(list) }
  return listPieces(JSON.stringify(head).slice(0, -1), list.records)
}

function listMetadata(list: ListResult): Json {
  return {
    resourceVersion: list.resourceVersion,
    ...(list.continueToken === '' ? {} : { continue: list.continueToken }),
    ...(list.remainingItemCount === undefined ? {} : { remainingItemCount: list.remainingItemCount }),
  }
}

/** Objects that are made into their form in one go; a few milliseconds. */
const SLICE = 100

/** Long lists are made in slices, so that others get their turn. */
export async function presentList(row: KindRow, how: Presentation, list: ListResult): Promise<Uint8Array> {
  const metadata = {
    resourceVersion: list.resourceVersion,
    ...(list.continueToken === '' ? {} : { continue: list.continueToken }),
    ...(list.remainingItemCount === undefined ? {} : { remainingItemCount: list.remainingItemCount }),
  }
  if (isWholeJson(how)) return wholeList(row, metadata, list.records)
  const { form, encoding, metaVersion } = how.negotiated
  if (encoding === 'protobuf') {
    const { message, type } = protobufForm(row, how, 'List')
    const pieces = await inSlices(list.records, (records) =>
      how.protobuf.encodeItems(message, records.map((record) => record.object) as unknown as readonly Json[]),
    )
    return how.protobuf.listOf(type, metadata, pieces)
  }
  const apiVersion = `meta.k8s.io/${metaVersion}`
  if (form === 'table') {
    const rows = await inSlices(list.records, (records) =>
      jsonItems(records.map((record) => tableRow(row, record.object, how.nowMs, how.includeObject, metaVersion))),
    )
    const head = { kind: 'Table', apiVersion, metadata, columnDefinitions: columnDefinitions(row) }
    return jsonList(head, 'rows', rows)
  }
  const items = await inSlices(list.records, (records) =>
    jsonItems(records.map((record) => partialOf(record.object, metaVersion))),
  )
  return jsonList({ kind: 'PartialObjectMetadataList', apiVersion, metadata }, 'items', items)
}

async function inSlices<T>(
  records: readonly StoredRecord[],
  make: (records: readonly StoredRecord[]) => T,
): Promise<readonly T[]> {
  const made: T[] = []
  for (let at = 0; at < records.length; at += SLICE) {
    if (at > 0) await new Promise<void>((resolve) => setImmediate(resolve))
    made.push(make(records.slice(at, at + SLICE)))
  }
  return made
}

/** The inside of a list. */
function jsonItems(values: readonly unknown[]): Buffer {
  return Buffer.from(stringifyJson(values).slice(1, -1))
}

function jsonList(head: object, name: string, pieces: readonly Buffer[]): Uint8Array {
  const start = Buffer.from(`${JSON.stringify(head).slice(0, -1)},"${name}":[`)
  return Buffer.concat([start, ...pieces.flatMap((piece, at) => (at === 0 ? [piece] : [comma, piece])), listEnd])
}

/** Throws NotAcceptable for tables: they have no protobuf. */
function protobufForm(
  row: KindRow,
  { negotiated }: Presentation,
  suffix: '' | 'List',
): { readonly message: string; readonly type: { readonly apiVersion: string; readonly kind: string } } {
  switch (negotiated.form) {
    case 'object':
      return {
        message: row.message,
        type: { apiVersion: groupVersionOf(row), kind: suffix === '' ? row.kind : row.listKind },
      }
    case 'partial':
      return {
        message: 'meta/v1.PartialObjectMetadata',
        type: { apiVersion: `meta.k8s.io/${negotiated.metaVersion}`, kind: `PartialObjectMetadata${suffix}` },
      }
    case 'table':
      throw new ApiError(
        'NotAcceptable',
        `object *${negotiated.metaVersion}.Table does not implement the protobuf marshalling interface and cannot be encoded to a protobuf message`,
      )
    default:
      return negotiated.form satisfies never
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
  encoders: EventEncoders,
): EventEncoder {
  if (isWholeJson(how)) return encoders.json(row)
  if (how.negotiated.encoding === 'protobuf') {
    const { message, type } = protobufForm(row, how, '')
    return encoders.protobuf(message, type)
  }
  return how.negotiated.form === 'table' ? tableEvents(row, how, nowMs) : partialEvents(how)
}

function partialEvents({ negotiated: { metaVersion } }: Presentation): EventEncoder {
  const type = { kind: 'PartialObjectMetadata', apiVersion: `meta.k8s.io/${metaVersion}` }
  return {
    event: (word, record) => jsonEvent(word, partialOf(record.object, metaVersion)),
    bookmark: (resourceVersion, ends) => jsonEvent('BOOKMARK', { ...type, ...bookmarkOf(resourceVersion, ends) }),
    error: (status) => jsonEvent('ERROR', status),
  }
}

function tableEvents(row: KindRow, how: Presentation, nowMs: () => number): EventEncoder {
  const apiVersion = `meta.k8s.io/${how.negotiated.metaVersion}`
  let first = true
  return {
    event(word, record) {
      const current = { ...how, nowMs: nowMs() }
      const table = tableOf(row, current, [record.object], { resourceVersion: record.resourceVersion }, first)
      first = false
      return jsonEvent(word, table)
    },
    bookmark(resourceVersion, ends) {
      const object = { kind: row.kind, apiVersion: groupVersionOf(row), ...bookmarkOf(resourceVersion, ends) }
      const rows = [{ cells: row.columns.map(() => null), ...tableObject(how, object) }]
      const columns = first ? columnDefinitions(row) : null
      first = false
      return jsonEvent('BOOKMARK', {
        kind: 'Table',
        apiVersion,
        metadata: { resourceVersion },
        columnDefinitions: columns,
        rows,
      })
    },
    error: (status) => jsonEvent('ERROR', status),
  }
}

/** The end of the initial events stands on the object: without it none would see it. */
function tableObject({ includeObject, negotiated }: Presentation, object: object): object {
  const whole = object as KubernetesObject
  return { object: includeObject === 'Object' ? whole : partialOf(whole, negotiated.metaVersion) }
}

function tableOf(
  row: KindRow,
  how: Presentation,
  objects: readonly KubernetesObject[],
  metadata: object,
  columns = true,
): object {
  const { includeObject, nowMs, negotiated } = how
  return {
    kind: 'Table',
    apiVersion: `meta.k8s.io/${negotiated.metaVersion}`,
    metadata,
    columnDefinitions: columns ? columnDefinitions(row) : null,
    rows: objects.map((object) => tableRow(row, object, nowMs, includeObject, negotiated.metaVersion)),
  }
}
