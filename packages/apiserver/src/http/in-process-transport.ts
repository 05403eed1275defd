// A call inside the process: no TLS and no framing, everything else as over the wire.

import { AsyncQueue } from '@aksel/base/queue'
import type { ApiRequest, ApiResponse, Transport } from '@aksel/client/transport'
import type { Fence } from '@aksel/runtime/fenced-client'
import type { UserInfo } from '../authentication/user-info.ts'
import type { Outcome } from '../pipeline.ts'
import type { LiveCalls } from './live-calls.ts'
import { isPushed, type AnswerBody, type IncomingCall, type Sink } from './message.ts'

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
      const over = (): void => {
        request.signal?.removeEventListener('abort', abort)
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
      const { status, headers, body } = outcome
      if (!(body instanceof Uint8Array)) return { status, headers, body: readable(body, over, request.signal) }
      over()
      return { status, headers, body: once(body) }
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

class QueueSink implements Sink {
  readonly queue = new AsyncQueue<Uint8Array>()
  bufferedBytes = 0
  #waiting: (() => void) | undefined

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

  write(piece: Uint8Array): void {
    this.bufferedBytes += piece.length
    this.queue.push(piece)
  }

  end(): void {
    this.queue.end()
  }
}
