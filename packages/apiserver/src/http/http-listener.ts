// HTTP/1.1 and HTTP/2 requests become calls of the pipeline, and its answers go back over the same stream.

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2'
import type { Duplex } from 'node:stream'
import type { TLSSocket } from 'node:tls'
import { STATUS_CODES } from 'node:http'
import { constants } from 'node:http2'
import type { Outcome } from '../pipeline.ts'
import type { Entry } from './entrance.ts'
import type { LiveCalls } from './live-calls.ts'
import { comesInPieces, isPushed, type Answer, type IncomingCall, type Peer, type Sink } from './message.ts'

export type AnyRequest = IncomingMessage | Http2ServerRequest
export type AnyResponse = ServerResponse | Http2ServerResponse
export type Run = (call: IncomingCall) => Promise<Outcome>

const COLON = 0x3a

/** Certificates are parsed once per connection. */
export type PeerOf = (socket: Duplex) => Peer

export function peerReader(): PeerOf {
  const known = new WeakMap<Duplex, Peer>()
  return (socket) => {
    let peer = known.get(socket)
    if (peer === undefined) {
      known.set(socket, (peer = { kind: 'tls', certificate: (socket as TLSSocket).getPeerX509Certificate() }))
    }
    return peer
  }
}

/** What every request of a listener needs. */
export interface Serving {
  readonly run: Run
  readonly peerOf: PeerOf
  readonly calls: LiveCalls
  readonly entry: Entry
}

export async function handleRequest(serving: Serving, request: AnyRequest, response: AnyResponse): Promise<void> {
  const { run, peerOf, calls, entry } = serving
  const live = calls.begin()
  // Whoever has a whole answer waits for nothing that an abort would end.
  const sent = { isWhole: false }
  response.once('close', () => (sent.isWhole ? live.done() : live.abort()))
  // HTTP/2 keeps one stand-in per session for its socket; it is gone with the session.
  const socket = ('stream' in request ? request.stream.session?.socket : request.socket) as Duplex | undefined
  if (socket === undefined) return
  const entered = entry.enter(socket)
  if (entered !== undefined) await entered
  // Who has hung up while he waited costs nothing more.
  if (live.signal.aborted) return
  const outcome = await run(callOf(request, live.signal, peerOf(socket)))
  if (outcome === 'upgraded' || response.destroyed) return
  sent.isWhole = outcome.body instanceof Uint8Array
  await writeAnswer(request, response, outcome, live.signal)
}

export async function handleUpgrade(
  serving: Serving,
  request: IncomingMessage,
  socket: Duplex,
  head: Uint8Array,
): Promise<void> {
  const { run, peerOf, calls, entry } = serving
  const live = calls.begin()
  socket.once('close', () => live.abort())
  socket.on('error', () => live.abort())
  await entry.enter(socket)
  if (live.signal.aborted) return
  const outcome = await run({ ...callOf(request, live.signal, peerOf(socket)), upgrade: { socket, head } })
  if (outcome === 'upgraded' || socket.destroyed) return
  await writeRawAnswer(socket, outcome)
}

function callOf(request: AnyRequest, signal: AbortSignal, peer: Peer): IncomingCall {
  const headers: Record<string, string> = {}
  const received = request.headers
  // Off the wire: it has no keys but its own.
  for (const name in received) {
    const value = received[name]
    if (value === undefined || name.charCodeAt(0) === COLON) continue
    headers[name] = typeof value === 'string' ? value : value.join(', ')
  }
  return {
    method: request.method ?? 'GET',
    url: request.url ?? '/',
    headers,
    rawHeaders: request.rawHeaders,
    body: request,
    signal,
    peer,
    remoteAddress: request.socket?.remoteAddress ?? '',
  }
}

async function writeAnswer(
  request: AnyRequest,
  response: AnyResponse,
  answer: Answer,
  signal: AbortSignal,
): Promise<void> {
  const { body } = answer
  const writable = response as ServerResponse
  if (body instanceof Uint8Array) {
    const isEmpty = answer.status === 304 || answer.status === 204
    writable.writeHead(answer.status, isEmpty ? answer.headers : { ...answer.headers, 'content-length': body.length })
    writable.end(request.method === 'HEAD' || isEmpty ? undefined : body)
    if (!isWhole(request)) endUpload(request)
    return
  }
  writable.writeHead(answer.status, answer.headers)
  // A watch shows at once that it has begun.
  writable.flushHeaders?.()
  if (isPushed(body)) return body.start(sinkOf(writable))
  try {
    // One piece is made while the one before is written, and no more: a slow reader costs two pieces.
    let before: Promise<void> | undefined
    for await (const piece of comesInPieces(body) ? body.inTurns() : body) {
      const written = writing(writable, piece, signal)
      await before
      if (signal.aborted) return
      before = written
    }
    writable.end()
  } catch {
    writable.destroy()
  }
}

function isWhole(request: AnyRequest): boolean {
  return request.complete || ('stream' in request && request.stream.endAfterHeaders)
}

/** What is still sent to a server that has answered is read and forgotten, for so long. */
const LINGER_MS = 2_000

/** Who is answered before his body is over is to read the answer, not to find his connection reset: as Go's server does it. */
function endUpload(request: AnyRequest): void {
  const timer = setTimeout(() => {
    if (request.complete) return
    if ('stream' in request) request.stream.close(constants.NGHTTP2_CANCEL)
    else request.destroy()
  }, LINGER_MS)
  request.once('close', () => clearTimeout(timer))
  request.resume()
}

function sinkOf(response: ServerResponse): Sink {
  return {
    get bufferedBytes() {
      return response.writableLength
    },
    write: (piece) => void response.write(piece),
    whenTaken(done) {
      if (response.writableNeedDrain) response.once('drain', done)
      else setImmediate(done)
    },
    end: () => void response.end(),
  }
}

/** Resolves when the piece is on its way or nobody waits for it any more. */
function writing(response: ServerResponse, piece: Uint8Array, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve()
    const done = (): void => {
      signal.removeEventListener('abort', done)
      resolve()
    }
    signal.addEventListener('abort', done, { once: true })
    response.write(piece, done)
  })
}

/** On a bare connection: the answer's head by hand, and the connection ends with it. */
async function writeRawAnswer(socket: Duplex, answer: Answer): Promise<void> {
  const head = [`HTTP/1.1 ${answer.status} ${STATUS_CODES[answer.status] ?? ''}`, 'connection: close']
  const isWhole = answer.body instanceof Uint8Array
  if (isWhole) head.push(`content-length: ${(answer.body as Uint8Array).length}`)
  for (const [name, value] of Object.entries(answer.headers)) head.push(`${name}: ${value}`)
  socket.write(`${head.join('\r\n')}\r\n\r\n`)
  if (answer.body instanceof Uint8Array) socket.write(answer.body)
  else if (!isPushed(answer.body)) for await (const piece of answer.body) socket.write(piece)
  socket.end()
}
