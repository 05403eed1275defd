// A request and its answer as the pipeline sees them: the same for a TLS connection and for a call inside the process.

import type { Duplex } from 'node:stream'
import type { X509Certificate } from 'node:crypto'
import type { KubernetesObject } from '@aksel/api/resource'
import type { Fence } from '@aksel/runtime/fenced-client'
import type { UserInfo } from '../authentication/user-info.ts'

/** What is known of the caller before the request is looked at. */
export type Peer =
  /** Vouched for by the process itself. */
  | { readonly kind: 'user'; readonly user: UserInfo }
  | { readonly kind: 'tls'; readonly certificate: X509Certificate | undefined }

export interface IncomingCall {
  readonly method: string
  /** Path and query, as on the request line. */
  readonly url: string
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>
  /** Names and values in turn, as they came: tells apart what `headers` has joined. */
  readonly rawHeaders?: readonly string[]
  /** The body in pieces; read at most once. */
  readonly body: AsyncIterable<Uint8Array>
  /** Aborts when the caller is gone. */
  readonly signal: AbortSignal
  readonly peer: Peer
  readonly remoteAddress: string
  /** The term of the leader that calls; only a call inside the process has one. */
  readonly fence?: Fence
  /** The bare connection where the caller asked to upgrade it. */
  readonly upgrade?: { readonly socket: Duplex; readonly head: Uint8Array }
}

/** Each value of a header that may come more than once; a comma within one is no end of it. */
export function headerValues({ headers, rawHeaders }: IncomingCall, name: string): readonly string[] {
  const joined = headers[name]
  if (joined === undefined) return []
  if (rawHeaders === undefined) return [joined]
  if (!joined.includes(',')) return [utf8Text(joined)]
  return rawHeaders.flatMap((one, at) =>
    at % 2 === 0 && one.toLowerCase() === name ? [utf8Text(rawHeaders[at + 1]!)] : [],
  )
}

/** Off the wire each byte is one character; names may be more than ASCII. */
function utf8Text(value: string): string {
  return /^[\x20-\x7e]*$/.test(value) ? value : Buffer.from(value, 'latin1').toString('utf8')
}

/** Where a stream writes; `bufferedBytes` is what the other side has not taken yet. */
export interface Sink {
  readonly bufferedBytes: number
  write(piece: Uint8Array): void
  /** Calls back, later, when the other side has room again; never, when it is gone. */
  whenTaken(done: () => void): void
  /** An event of a watch, for a reader in this process: it needs no bytes. The object is shared and must never be changed. */
  event?(type: string, record: { readonly object: KubernetesObject; readonly sizeBytes: number }): void
  /** No more is written after this. */
  end(): void
}

/** A body that is pushed: watches share the pieces between many sinks. The signal of the call stops it. */
export interface PushedBody {
  start(sink: Sink): void
  /** Lines of JSON, of whole objects: a sink that takes events is handed those. */
  readonly tellsEvents?: boolean
}

/** A long body in pieces. Whoever iterates over it may keep them. */
export interface Pieces extends AsyncIterable<Uint8Array> {
  /** The same in two buffers that take turns: a piece must be written before the next but one is asked for. */
  inTurns(): AsyncIterable<Uint8Array>
}

export function comesInPieces(body: AsyncIterable<Uint8Array>): body is Pieces {
  return 'inTurns' in body
}

export type AnswerBody = Uint8Array | AsyncIterable<Uint8Array> | PushedBody

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: AnswerBody
  /** What the body is the JSON of, for a reader in this process. Shared: never change it. */
  readonly value?: () => unknown
  /** A body in pieces that is worth compressing for those who take it. */
  readonly isLarge?: boolean
}

export function isPushed(body: AnswerBody): body is PushedBody {
  return 'start' in body
}
