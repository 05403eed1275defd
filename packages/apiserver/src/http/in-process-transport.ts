// A call inside the process: no TLS and no framing, everything else as over the wire.

import { AsyncQueue } from '@aksel/base/queue'
import type { ApiRequest, ApiResponse, Transport } from '@aksel/client/transport'
import type { UserInfo } from '../authentication/user-info.ts'
import type { Outcome } from '../pipeline.ts'
import { isPushed, type AnswerBody, type IncomingCall, type Sink } from './message.ts'

export function inProcessTransport(
  run: (call: IncomingCall) => Promise<Outcome>,
  user: UserInfo,
  closed: AbortSignal,
): Transport {
  return {
    async send(request: ApiRequest): Promise<ApiResponse> {
      request.signal?.throwIfAborted()
      const done = new AbortController()
      const signal = AbortSignal.any([closed, done.signal, ...(request.signal === undefined ? [] : [request.signal])])
      const outcome = await run({
        method: request.method,
        url: request.path,
        headers: request.headers,
        body: once(request.body),
        signal,
        peer: { kind: 'user', user },
        remoteAddress: '127.0.0.1',
      })
      if (outcome === 'upgraded') throw new Error('Cannot upgrade a call inside the process: it has no connection')
      return { status: outcome.status, headers: outcome.headers, body: readable(outcome.body, done, request.signal) }
    },
  }
}

async function* once(body: Uint8Array | undefined): AsyncGenerator<Uint8Array> {
  if (body !== undefined) yield body
}

/** Ends the call when its reader stops reading. */
async function* readable(
  body: AnswerBody,
  done: AbortController,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  if (body instanceof Uint8Array) {
    yield body
    return
  }
  try {
    if (isPushed(body)) {
      const sink = new QueueSink()
      body.start(sink)
      for await (const piece of sink.queue) {
        sink.bufferedBytes -= piece.length
        yield piece
      }
    } else yield* body
    signal?.throwIfAborted()
  } finally {
    done.abort()
  }
}

class QueueSink implements Sink {
  readonly queue = new AsyncQueue<Uint8Array>()
  bufferedBytes = 0

  write(piece: Uint8Array): void {
    this.bufferedBytes += piece.length
    this.queue.push(piece)
  }

  end(): void {
    this.queue.end()
  }
}
