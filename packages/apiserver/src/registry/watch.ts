// WATCH: the changes of a resource as they are committed. The bytes of an event are made once and shared by all who watch
// in the same form; a watcher that does not keep up is cut off, so that it lists again.

import type { KindRow } from '@aksel/api/kind-row'
import type { Clock, Timer } from '@aksel/base/clock'
import type { ApiError } from '@aksel/base/errors'
import type { PushedBody, Sink } from '../http/message.ts'
import type { EventEncoder, WatchEventType } from './event-encoders.ts'
import type { RecordChange, RecordStore } from './record-store.ts'
import type { StoredRecord } from './record.ts'
import type { Selection } from './selection.ts'
import type { EventMeasure } from './watch-metrics.ts'

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
  /** The encoder writes whole objects as JSON. */
  readonly isWholeJson: boolean
  /** Told of every event that is sent. */
  readonly measure: EventMeasure
}

const BOOKMARK_EVERY_MS = 60_000
const BOOKMARK_BEFORE_END_MS = 2_000
/** Initial events written in one go. */
const INITIAL_SLICE = 100
/** What a watcher may leave unread. */
const BUFFER_MAX_BYTES = 16 * 1024 * 1024

export function watchBody(records: RecordStore, clock: Clock, request: WatchRequest): PushedBody {
  return {
    tellsEvents: request.isWholeJson,
    start(sink) {
      new WatchSession(records, clock, request, sink).run()
    },
  }
}

class WatchSession {
  readonly #records: RecordStore
  readonly #clock: Clock
  readonly #request: Omit<WatchRequest, 'initial'>
  readonly #sink: Sink
  readonly #stop = new AbortController()
  readonly #timers: Timer[] = []
  /** Let go of when it is sent: a watch lasts. */
  #initial: readonly StoredRecord[]
  #revision: number
  #bookmarked: number
  #endsAtMs = 0

  constructor(records: RecordStore, clock: Clock, { initial, ...request }: WatchRequest, sink: Sink) {
    this.#records = records
    this.#clock = clock
    this.#request = request
    this.#sink = sink
    this.#initial = initial
    this.#revision = request.afterRevision
    this.#bookmarked = request.afterRevision
  }

  run(): void {
    const request = this.#request
    if (request.signal.aborted) return this.#end()
    request.signal.addEventListener('abort', this.#end, { once: true })
    this.#endsAtMs = this.#clock.monotonicMs() + request.timeoutMs
    this.#timers.push(this.#clock.after(request.timeoutMs, this.#end))
    this.#sendInitial(0)
  }

  /** In slices, each when the one before was taken: a long list holds up nobody and fills no buffer. Changes follow when it is sent. */
  #sendInitial(from: number): void {
    const { encoder, endsInitialEvents, bookmarks } = this.#request
    if (this.#stop.signal.aborted) return
    const initial = this.#initial
    const until = Math.min(from + INITIAL_SLICE, initial.length)
    for (let at = from; at < until; at += 1) {
      const record = initial[at]!
      this.#send('ADDED', record)
      if (initial.length > INITIAL_SLICE) record.forget()
    }
    if (until < initial.length) {
      this.#sink.whenTaken(() => void this.#records.turns.take().then(() => this.#sendInitial(until)))
      return
    }
    this.#initial = []
    if (endsInitialEvents) this.#sink.write(encoder.bookmark(String(this.#revision), true))
    if (bookmarks) this.#armBookmark()
    this.#follow()
  }

  #follow(): void {
    const request = this.#request
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
      this.#send(seen.type, seen.record)
    }
    if (this.#sink.bufferedBytes > BUFFER_MAX_BYTES) this.#end()
  }

  #send(type: WatchEventType, record: StoredRecord): void {
    const { encoder, isWholeJson, measure } = this.#request
    if (this.#sink.event !== undefined && isWholeJson) {
      measure(record.sizeBytes)
      this.#sink.event(type, record)
      return
    }
    const event = encoder.event(type, record)
    measure(event.length)
    this.#sink.write(event)
  }

  /** Every minute, and shortly before the watch ends, so that the next one begins where this one was. */
  #armBookmark(): void {
    const leftMs = this.#endsAtMs - this.#clock.monotonicMs() - BOOKMARK_BEFORE_END_MS
    const waitMs = leftMs > 0 ? Math.min(leftMs, BOOKMARK_EVERY_MS) : BOOKMARK_EVERY_MS
    this.#timers[1] = this.#clock.after(waitMs, () => {
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
    this.#sink.write(this.#request.encoder.error(status))
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
  // What a watcher is told to forget is what it knew, with the version at which it was to be forgotten.
  return was ? { type: 'DELETED', record: type === 'DELETED' ? record : before.at(record.revision) } : undefined
}
