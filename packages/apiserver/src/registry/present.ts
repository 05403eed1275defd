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
import type { Turns } from '../turns.ts'

export interface Presentation {
  readonly negotiated: Negotiated
  readonly includeObject: IncludeObject
  readonly nowMs: number
  readonly protobuf: ProtobufEncoder
  readonly turns: Turns
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

/** Large lists in JSON go out piece by piece. YAML is made of one whole text; protobuf begins with the length of the whole. */
export function isStreamed(how: Presentation, list: ListResult): boolean {
  if (how.negotiated.encoding !== 'json') return false
  return isWholeJson(how) ? isLargeList(list.records) : list.records.length > KEPT_MAX
}

export function piecesOfList(row: KindRow, how: Presentation, list: ListResult): Pieces {
  if (isWholeJson(how)) {
    const head = { kind: row.listKind, apiVersion: groupVersionOf(row), metadata: listMetadata(list) }
    return listPieces(JSON.stringify(head).slice(0, -1), list.records, how.turns)
  }
  const pieces = (): AsyncGenerator<Uint8Array> => formedPieces(formOf(row, how, list), list.records, how.turns)
  return { [Symbol.asyncIterator]: pieces, inTurns: pieces }
}

/** A list whose items are made of the objects, in JSON. */
interface ListForm {
  readonly head: object
  readonly items: 'rows' | 'items'
  readonly item: (object: KubernetesObject) => unknown
  /**
   * What an item shows of managedFields: all that the object has, nothing, or so many braces before its end, with which its metadata
   * closes. Columns of custom kinds may ask for them.
   */
  readonly managers: 'object' | 'none' | '}}' | '}}}'
}

function formOf(row: KindRow, { negotiated, nowMs, includeObject }: Presentation, list: ListResult): ListForm {
  const { metaVersion } = negotiated
  const apiVersion = `meta.k8s.io/${metaVersion}`
  const metadata = listMetadata(list)
  if (negotiated.form === 'table')
    return {
      head: { kind: 'Table', apiVersion, metadata, columnDefinitions: columnDefinitions(row) },
      items: 'rows',
      item: (object) => tableRow(row, object, nowMs, includeObject, metaVersion),
      managers:
        row.custom !== undefined || includeObject === 'Object' ? 'object' : includeObject === 'None' ? 'none' : '}}}',
    }
  return {
    head: { kind: 'PartialObjectMetadataList', apiVersion, metadata },
    items: 'items',
    item: (object) => partialOf(object, metaVersion),
    managers: '}}',
  }
}

function itemText({ item, managers }: ListForm, record: StoredRecord): string {
  if (managers === 'object') return stringifyJson(item(record.object))
  const { object, managedFields } = record.lean()
  const text = stringifyJson(item(object))
  if (managers === 'none' || managedFields === undefined) return text
  return `${text.slice(0, -managers.length)},"managedFields":${managedFields}${managers}`
}

async function* formedPieces(
  form: ListForm,
  records: readonly StoredRecord[],
  turns: Turns,
): AsyncGenerator<Uint8Array> {
  yield Buffer.from(`${JSON.stringify(form.head).slice(0, -1)},"${form.items}":[`)
  let isFirst = true
  for await (const slice of slicesOf(records, turns)) {
    const inside = slice.map((record) => itemText(form, record)).join(',')
    yield Buffer.from(isFirst ? inside : `,${inside}`)
    isFirst = false
  }
  yield listEnd
}

/** What the list's JSON says, of the objects that the server has parsed. */
export function wholeListValue(row: KindRow, list: ListResult): Json {
  const items = list.records.map((record) => record.object)
  return { kind: row.listKind, apiVersion: groupVersionOf(row), metadata: listMetadata(list), items }
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
/** The objects of longer lists are not kept parsed: who reads them whole is seldom followed by another at once. */
const KEPT_MAX = 1000

/** Long lists are made in slices, so that others get their turn. */
export async function presentList(row: KindRow, how: Presentation, list: ListResult): Promise<Uint8Array> {
  const metadata = listMetadata(list)
  if (isWholeJson(how)) return wholeList(row, metadata, list.records)
  if (how.negotiated.encoding === 'protobuf') {
    const { message, type } = protobufForm(row, how, 'List')
    const pieces: Buffer[] = []
    for await (const slice of slicesOf(list.records, how.turns))
      pieces.push(how.protobuf.encodeItems(message, slice.map((record) => record.object) as unknown as readonly Json[]))
    return how.protobuf.listOf(type, metadata, pieces)
  }
  const pieces: Uint8Array[] = []
  for await (const piece of formedPieces(formOf(row, how, list), list.records, how.turns)) pieces.push(piece)
  return Buffer.concat(pieces)
}

/** Others get their turn between two slices; in long lists a slice is forgotten when it is done with. */
async function* slicesOf(records: readonly StoredRecord[], turns: Turns): AsyncGenerator<readonly StoredRecord[]> {
  for (let at = 0; at < records.length; at += SLICE) {
    if (at > 0) await turns.take()
    const slice = records.slice(at, at + SLICE)
    yield slice
    if (records.length > KEPT_MAX) for (const record of slice) record.forget()
  }
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
