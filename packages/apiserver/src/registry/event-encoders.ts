// The events of a watch as bytes, in each form. One of these per server: the last event of each kind is kept, since many
// watchers want the same one at once.

import type { KindRow } from '@aksel/api/kind-row'
import { groupVersionOf } from '@aksel/api/resource'
import { encodeJson } from '@aksel/base/json'
import type { ProtobufEncoder, TypedObject } from '../protobuf/encode.ts'
import type { StoredRecord } from './record.ts'

export const watchEventTypes = ['ADDED', 'MODIFIED', 'DELETED'] as const
export type WatchEventType = (typeof watchEventTypes)[number]

/** How objects are written in one watch; `event` may be called for the same record by many watchers. */
export interface EventEncoder {
  event(type: WatchEventType, record: StoredRecord): Uint8Array
  bookmark(resourceVersion: string, initialEventsEnd: boolean): Uint8Array
  /** The last event of a watch that failed. */
  error(status: object): Uint8Array
}

const newline = Buffer.from('}\n')

interface Kept {
  readonly type: WatchEventType
  readonly record: StoredRecord
  readonly bytes: Uint8Array
}

export class EventEncoders {
  readonly #protobuf: ProtobufEncoder
  #lastJson: Kept | undefined
  #lastProtobuf: Kept | undefined

  constructor(protobuf: ProtobufEncoder) {
    this.#protobuf = protobuf
  }

  /** Whole objects as lines of JSON. */
  json(row: KindRow): EventEncoder {
    const type = { kind: row.kind, apiVersion: groupVersionOf(row) }
    return {
      event: (word, record) => this.#json(word, record),
      bookmark: (resourceVersion, ends) => jsonEvent('BOOKMARK', { ...type, ...bookmarkOf(resourceVersion, ends) }),
      error: (status) => jsonEvent('ERROR', status),
    }
  }

  /** Whole objects, or their metadata alone, in frames of protobuf. */
  protobuf(message: string, type: TypedObject): EventEncoder {
    const encoder = this.#protobuf
    const isWhole = message !== 'meta/v1.PartialObjectMetadata'
    const frame = (word: string, object: object): Uint8Array =>
      encoder.frame(word, encoder.encode(message, type, object as Readonly<Record<string, unknown>>))
    return {
      event: (word, record) => (isWhole ? this.#framed(word, record, frame) : frame(word, record.object)),
      bookmark: (resourceVersion, ends) => frame('BOOKMARK', bookmarkOf(resourceVersion, ends)),
      error: (status) => encoder.frame('ERROR', statusAsProtobuf(encoder, status)),
    }
  }

  #json(type: WatchEventType, record: StoredRecord): Uint8Array {
    const last = this.#lastJson
    if (last !== undefined && last.record === record && last.type === type) return last.bytes
    const bytes = Buffer.concat([Buffer.from(`{"type":"${type}","object":`), record.json(), newline])
    this.#lastJson = { type, record, bytes }
    return bytes
  }

  #framed(type: WatchEventType, record: StoredRecord, frame: (word: string, object: object) => Uint8Array): Uint8Array {
    const last = this.#lastProtobuf
    if (last !== undefined && last.record === record && last.type === type) return last.bytes
    const bytes = frame(type, record.object)
    this.#lastProtobuf = { type, record, bytes }
    return bytes
  }
}

export function jsonEvent(type: string, object: object): Uint8Array {
  return Buffer.concat([Buffer.from(encodeJson({ type, object })), Buffer.from('\n')])
}

/** Only the version moves; at the end of the initial events it says that they were all. */
export function bookmarkOf(resourceVersion: string, initialEventsEnd: boolean): { readonly metadata: object } {
  const annotations = initialEventsEnd ? { annotations: { 'k8s.io/initial-events-end': 'true' } } : {}
  return { metadata: { resourceVersion, ...annotations } }
}

export function statusAsProtobuf(encoder: ProtobufEncoder, status: object): Buffer {
  const type = { apiVersion: 'v1', kind: 'Status' }
  return encoder.encode('meta/v1.Status', type, status as Readonly<Record<string, unknown>>)
}
