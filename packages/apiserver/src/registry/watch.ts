// WATCH: the changes of a resource as they are committed. The bytes of an event are made once and shared by all who watch
// in the same form; a watcher that does not keep up is cut off, so that it lists again.

import type { KindRow } from '@aksel/api/kind-row'
import type { Clock, Timer } from '@aksel/base/clock'
import type { ApiError } from '@aksel/base/errors'
import type { PushedBody, Sink } from '../http/message.ts'
import type { RecordChange, RecordStore } from './record-store.ts'
import type { StoredRecord } from './record.ts'
import type { Selection } from './selection.ts'

export const watchEventTypes = ['ADDED', 'MODIFIED', 'DELETED'] as const
export type WatchEventType = (typeof watchEventTypes)[number]

/** How objects are written in this watch; `event` may be called for the same record by many watchers. */
export interface EventEncoder {
  event(type: WatchEventType, record: StoredRecord): Uint8Array
  bookmark(resourceVersion: string, initialEventsEnd: boolean): Uint8Array
}

export interface WatchRequest {
  readonly row: KindRow
  readonly namespace: string
  readonly selection: Selection
  readonly afterRevision: number
  /** Sent before all changes, as ADDED. */
  readonly initial: readonly StoredRecord[]
  /** A bookmark closes the initial events. */
  readonly endsInitialEvents: boolean
  readonly bookmarks: boolean
  readonly timeoutMs: number
  readonly signal: AbortSignal
  readonly encoder: EventEncoder
}

const BOOKMARK_EVERY_MS = 60_000
/** What a watcher may leave unread. */
const BUFFER_MAX_BYTES = 16 * 1024 * 1024

export function watchBody(records: RecordStore, clock: Clock, request: WatchRequest): PushedBody {
  return {
    start(sink) {
      new WatchSession(records, clock, request, sink).run()
    },
  }
}

class WatchSession {
  readonly #records: RecordStore
  readonly #clock: Clock
  readonly #request: WatchRequest
  readonly #sink: Sink
  readonly #stop = new AbortController()
  readonly #timers: Timer[] = []
  #revision: number
  #bookmarked: number

  constructor(records: RecordStore, clock: Clock, request: WatchRequest, sink: Sink) {
    this.#records = records
    this.#clock = clock
    this.#request = request
    this.#sink = sink
    this.#revision = request.afterRevision
    this.#bookmarked = request.afterRevision
  }

  run(): void {
    const { request, sink } = { request: this.#request, sink: this.#sink }
    if (request.signal.aborted) return this.#end()
    request.signal.addEventListener('abort', this.#end, { once: true })
    for (const record of request.initial) sink.write(request.encoder.event('ADDED', record))
    if (request.endsInitialEvents) sink.write(request.encoder.bookmark(String(this.#revision), true))
    this.#timers.push(this.#clock.after(request.timeoutMs, this.#end))
    if (request.bookmarks) this.#armBookmark()
    try {
      this.#records.watch(request.row, {
        namespace: request.namespace,
        name: request.selection.name,
        afterRevision: request.afterRevision,
        signal: this.#stop.signal,
        deliver: (changes, revision) => this.#deliver(changes, revision),
        ended: (error) => this.#fail(error),
      })
    } catch (error) {
      this.#fail(error as ApiError)
    }
  }

  #deliver(changes: readonly RecordChange[], revision: number): void {
    this.#revision = revision
    for (const change of changes) {
      const seen = seenAs(change, this.#request.selection)
      if (seen === undefined) continue
      this.#sink.write(this.#request.encoder.event(seen.type, seen.record))
    }
    if (this.#sink.bufferedBytes > BUFFER_MAX_BYTES) this.#end()
  }

  #armBookmark(): void {
    this.#timers[1] = this.#clock.after(BOOKMARK_EVERY_MS, () => {
      if (this.#revision > this.#bookmarked) {
        this.#sink.write(this.#request.encoder.bookmark(String(this.#revision), false))
        this.#bookmarked = this.#revision
      }
      this.#armBookmark()
    })
  }

  /** An error in the middle of a watch is its last event. */
  #fail(error: ApiError): void {
    if (this.#stop.signal.aborted) return
    const status =
      typeof error.toStatus === 'function' ? error.toStatus() : { kind: 'Status', code: 500, message: String(error) }
    this.#sink.write(Buffer.from(`{"type":"ERROR","object":${JSON.stringify(status)}}\n`))
    this.#end()
  }

  readonly #end = (): void => {
    if (this.#stop.signal.aborted) return
    this.#stop.abort()
    this.#request.signal.removeEventListener('abort', this.#end)
    for (const timer of this.#timers) timer[Symbol.dispose]()
    this.#sink.end()
  }
}

/** A change as a watcher with a selection sees it: what leaves the selection is deleted to it. */
function seenAs(
  change: RecordChange,
  { matches }: Selection,
): { readonly type: WatchEventType; readonly record: StoredRecord } | undefined {
  const { type, record, before } = change
  if (matches === undefined) return { type, record }
  const was = before !== undefined && matches(before)
  const is = type !== 'DELETED' && matches(record)
  if (is) return { type: was ? 'MODIFIED' : 'ADDED', record }
  return was ? { type: 'DELETED', record } : undefined
}

const newline = Buffer.from('}\n')

/** Events with whole objects. One per server: the last event is kept, since many watchers want the same one at once. */
export class JsonEventEncoder {
  #last: { readonly type: WatchEventType; readonly record: StoredRecord; readonly bytes: Uint8Array } | undefined

  for(row: KindRow): EventEncoder {
    const groupVersion = row.group === '' ? row.version : `${row.group}/${row.version}`
    return {
      event: (type, record) => this.#event(type, record),
      bookmark: (resourceVersion, initialEventsEnd) =>
        bookmarkOf(row.kind, groupVersion, resourceVersion, initialEventsEnd),
    }
  }

  #event(type: WatchEventType, record: StoredRecord): Uint8Array {
    const last = this.#last
    if (last !== undefined && last.record === record && last.type === type) return last.bytes
    const bytes = Buffer.concat([Buffer.from(`{"type":"${type}","object":`), record.json(), newline])
    this.#last = { type, record, bytes }
    return bytes
  }
}

export function bookmarkOf(
  kind: string,
  apiVersion: string,
  resourceVersion: string,
  initialEventsEnd: boolean,
): Uint8Array {
  const annotations = initialEventsEnd ? { annotations: { 'k8s.io/initial-events-end': 'true' } } : {}
  const object = { kind, apiVersion, metadata: { resourceVersion, ...annotations } }
  return Buffer.from(`${JSON.stringify({ type: 'BOOKMARK', object })}\n`)
}
