// A call inside the process: no TLS and no framing, everything else as over the wire.

import { parseJson } from '@aksel/base/json'
import { AsyncQueue } from '@aksel/base/queue'
import type { ApiRequest, ApiResponse, Transport } from '@aksel/client/transport'
import type { Fence } from '@aksel/runtime/fenced-client'
import type { UserInfo } from '../authentication/user-info.ts'
import type { Outcome } from '../pipeline.ts'
import type { LiveCalls } from './live-calls.ts'
import { isPushed, type AnswerBody, type IncomingCall, type PushedBody, type Sink } from './message.ts'

export function inProcessTransport(
  run: (call: IncomingCall) => Promise<Outcome>,
  user: UserInfo,
  calls: LiveCalls,
  fence?: Fence,
): Transport {
  return {
    async send(request: ApiRequest): Promise<ApiResponse> {
      request.signal?.throwIfAborted()
      const live = calls.begin()
      const abort = (): void => live.abort()
      request.signal?.addEventListener('abort', abort, { once: true })
      const unheard = (): void => request.signal?.removeEventListener('abort', abort)
      const over = (): void => {
        unheard()
        live.abort()
      }
      const outcome = await run({
        method: request.method,
        url: request.path,
        headers: request.headers,
        body: once(request.body),
        signal: live.signal,
        peer: { kind: 'user', user },
        remoteAddress: '127.0.0.1',
        ...(fence === undefined ? {} : { fence }),
      })
      if (outcome === 'upgraded') throw new Error('Cannot upgrade a call inside the process: it has no connection')
      const { status, headers, body, value } = outcome
      const shared = value === undefined ? {} : { value }
      if (body instanceof Uint8Array) {
        // Whoever has a whole answer waits for nothing that an abort would end.
        unheard()
        live.done()
        return { status, headers, body: once(body), ...shared }
      }
      const pieces = readable(body, over, request.signal)
      if (isPushed(body) && body.tellsEvents === true)
        return { status, headers, body: pieces, events: eventsOf(body, over, request.signal) }
      if (value === undefined) return { status, headers, body: pieces }
      const whole = (): unknown => {
        over()
        return value()
      }
      return { status, headers, body: pieces, value: whole }
    },
  }
}

async function* once(body: Uint8Array | undefined): AsyncGenerator<Uint8Array> {
  if (body !== undefined) yield body
}

/** Ends the call when its reader stops reading. */
async function* readable(
  body: Exclude<AnswerBody, Uint8Array>,
  over: () => void,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  try {
    if (isPushed(body)) {
      const sink = new QueueSink()
      body.start(sink)
      for await (const piece of sink.queue) {
        sink.taken(piece.length)
        yield piece
      }
    } else yield* body
    signal?.throwIfAborted()
  } finally {
    over()
  }
}

interface WatchEvent {
  readonly type: string
  readonly object: unknown
}

/** A watch without bytes: what the server has parsed once is shared by all who watch in this process. */
async function* eventsOf(
  body: PushedBody,
  over: () => void,
  signal: AbortSignal | undefined,
): AsyncGenerator<WatchEvent> {
  try {
    const sink = new EventSink()
    body.start(sink)
    for await (const { type, record } of sink.queue) {
      sink.taken(record.sizeBytes)
      yield { type, object: record.object }
    }
    signal?.throwIfAborted()
  } finally {
    over()
  }
}

interface ToldEvent {
  readonly type: string
  readonly record: { readonly object: unknown; readonly sizeBytes: number }
}

/** What a reader has not taken yet. */
class Inbox<T> {
  readonly queue = new AsyncQueue<T>()
  bufferedBytes = 0
  #waiting: (() => void) | undefined

  put(value: T, sizeBytes: number): void {
    this.bufferedBytes += sizeBytes
    this.queue.push(value)
  }

  whenTaken(done: () => void): void {
    if (this.bufferedBytes === 0) setImmediate(done)
    else this.#waiting = done
  }

  taken(bytes: number): void {
    this.bufferedBytes -= bytes
    const done = this.#waiting
    if (this.bufferedBytes > 0 || done === undefined) return
    this.#waiting = undefined
    setImmediate(done)
  }

  end(): void {
    this.queue.end()
  }
}

class QueueSink extends Inbox<Uint8Array> implements Sink {
  write(piece: Uint8Array): void {
    this.put(piece, piece.length)
  }
}

class EventSink extends Inbox<ToldEvent> implements Sink {
  event(type: string, record: ToldEvent['record']): void {
    this.put({ type, record }, record.sizeBytes)
  }

  /** Bookmarks and errors, a line each. */
  write(piece: Uint8Array): void {
    const { type, object } = parseJson(piece) as WatchEvent
    this.event(type, { object, sizeBytes: piece.length })
  }
}
