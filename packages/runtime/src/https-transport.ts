// The transport that reaches an API server over TLS. One HTTP/2 session carries every call and watch; a server that
// offers only HTTP/1.1 is spoken to over kept-alive sockets.

import { Agent, request as httpsRequest } from 'node:https'
import type { IncomingMessage } from 'node:http'
import { connect as connectHttp2, constants } from 'node:http2'
import type { ClientHttp2Session, ClientHttp2Stream } from 'node:http2'
import { isIP } from 'node:net'
import { connect as connectTls } from 'node:tls'
import type { TLSSocket } from 'node:tls'
import { systemClock } from '@aksel/base/clock'
import type { Clock } from '@aksel/base/clock'
import type { ApiRequest, ApiResponse, Transport } from '@aksel/client/transport'
import type { ClusterAccess } from './kubeconfig.ts'
import { keepAlive } from './http2-keep-alive.ts'

export interface HttpsTransportOptions extends ClusterAccess {
  readonly clock?: Clock
  /** Asked for every connection, before the certificate of the options: who renews it hands it in. */
  readonly credentials?: () => { readonly certPem: string; readonly keyPem: string } | undefined
}

/** A node reads many watches over one session: a slow reader of one must not close the window of all. */
const SESSION_WINDOW_BYTES = 16 * 1024 * 1024
const STREAM_WINDOW_BYTES = 1024 * 1024
const CONNECT_TIMEOUT_MS = 10_000
/** Of what waits to be sent: beyond Node's ten, four large writes at once would have every later call of the session refused here. */
const SESSION_MEMORY_MAX_MIB = 512

export interface HttpsTransport extends Transport, AsyncDisposable {
  /** The next call opens a connection of its own, with the credentials of then; what runs goes on where it is. */
  reconnect(): void
}

/**
 * Nothing is opened before the first request; a broken session is replaced by the next one. `send` rejects with the
 * socket's error; a GET that a dying connection lost is sent once more. Disposing ends every call and watch.
 */
export function createHttpsTransport(options: HttpsTransportOptions): HttpsTransport {
  return new Connection(options)
}

class Connection implements HttpsTransport {
  readonly #options: HttpsTransportOptions
  readonly #clock: Clock
  readonly #url: URL
  #session: Promise<ClientHttp2Session | undefined> | undefined
  /** Set when the server chose HTTP/1.1. */
  #agent: Agent | undefined
  #disposed = false

  constructor(options: HttpsTransportOptions) {
    this.#options = options
    this.#clock = options.clock ?? systemClock()
    this.#url = new URL(options.server)
  }

  async send(request: ApiRequest): Promise<ApiResponse> {
    try {
      return await this.#sendOnce(request)
    } catch (error) {
      const mayRepeat = request.method === 'GET' || request.method === 'HEAD' || wasRefused(error)
      if (!mayRepeat || !wasConnectionLost(error) || request.signal?.aborted === true || this.#disposed) throw error
      return await this.#sendOnce(request)
    }
  }

  reconnect(): void {
    const old = this.#session
    this.#session = undefined
    this.#agent = undefined
    // Its streams run to their end.
    void old?.then(
      (session) => session?.close(),
      () => {},
    )
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed = true
    this.#agent?.destroy()
    const session = await this.#session?.catch(() => undefined)
    session?.destroy(undefined, constants.NGHTTP2_CANCEL)
  }

  async #sendOnce(request: ApiRequest): Promise<ApiResponse> {
    if (this.#disposed) throw new Error(`Cannot send to ${this.#url.host}: the transport was closed`)
    request.signal?.throwIfAborted()
    if (this.#agent !== undefined) return this.#sendHttp1(this.#agent, request)
    const session = await this.#currentSession()
    request.signal?.throwIfAborted()
    return session === undefined ? this.#sendHttp1(this.#agent!, request) : this.#sendHttp2(session, request)
  }

  async #currentSession(): Promise<ClientHttp2Session | undefined> {
    const current = this.#session
    if (current !== undefined) {
      const session = await current.catch(() => undefined)
      if (session === undefined ? this.#agent !== undefined : !session.closed && !session.destroyed) return session
      if (this.#session !== current) return this.#currentSession()
    }
    this.#session = this.#connect()
    return this.#session
  }

  async #connect(): Promise<ClientHttp2Session | undefined> {
    const socket = await this.#connectTls()
    if (socket.alpnProtocol !== 'h2') {
      socket.destroy()
      this.#agent = new Agent({ keepAlive: true, ...this.#tlsOptions(), ALPNProtocols: ['http/1.1'] })
      return undefined
    }
    const session = connectHttp2(this.#url, {
      createConnection: () => socket,
      settings: { enablePush: false, initialWindowSize: STREAM_WINDOW_BYTES },
      maxSessionMemory: SESSION_MEMORY_MAX_MIB,
    })
    // Errors reach each stream; without a listener they would end the process.
    session.on('error', () => {})
    session.setLocalWindowSize(SESSION_WINDOW_BYTES)
    keepAlive(this.#clock, session)
    return session
  }

  #tlsOptions(): {
    readonly ca: string
    readonly cert?: string
    readonly key?: string
    readonly servername?: string
  } {
    const { caPem, serverName, credentials } = this.#options
    const { certPem, keyPem } = credentials?.() ?? this.#options
    const host = this.#url.hostname.replaceAll(/^\[|\]$/g, '')
    const servername = serverName ?? (isIP(host) === 0 ? host : undefined)
    return {
      ca: caPem,
      ...(certPem === undefined ? {} : { cert: certPem }),
      ...(keyPem === undefined ? {} : { key: keyPem }),
      ...(servername === undefined ? {} : { servername }),
    }
  }

  #connectTls(): Promise<TLSSocket> {
    const host = this.#url.hostname.replaceAll(/^\[|\]$/g, '')
    const port = Number(this.#url.port || 443)
    return new Promise((resolve, reject) => {
      const socket = connectTls({ host, port, ...this.#tlsOptions(), ALPNProtocols: ['h2', 'http/1.1'] })
      const settle = (error?: Error): void => {
        deadline[Symbol.dispose]()
        socket.off('error', settle).off('secureConnect', settle)
        if (error === undefined) return resolve(socket)
        socket.destroy()
        reject(error)
      }
      const deadline = this.#clock.after(CONNECT_TIMEOUT_MS, () =>
        settle(Object.assign(new Error(`connect to ${this.#url.host} timed out`), { code: 'ETIMEDOUT' })),
      )
      socket.once('error', settle).once('secureConnect', () => settle())
    })
  }

  #headers(request: ApiRequest): Record<string, string> {
    const { token } = this.#options
    return { ...(token === undefined ? {} : { authorization: `Bearer ${token}` }), ...request.headers }
  }

  #sendHttp2(session: ClientHttp2Session, request: ApiRequest): Promise<ApiResponse> {
    const { promise, resolve, reject } = Promise.withResolvers<ApiResponse>()
    const stream = session.request(
      { ...this.#headers(request), ':method': request.method, ':path': request.path },
      { endStream: request.body === undefined },
    )
    const onAbort = (): void => stream.close(constants.NGHTTP2_CANCEL)
    request.signal?.addEventListener('abort', onAbort, { once: true })
    stream.once('error', reject)
    stream.once('response', ({ ':status': status, ...headers }) => {
      // The body's reader gets errors from here on.
      stream.on('error', () => {})
      resolve({ status: status ?? 0, headers: flatHeaders(headers), body: http2Body(stream, request.signal) })
    })
    stream.once('close', () => {
      request.signal?.removeEventListener('abort', onAbort)
      reject(request.signal?.aborted === true ? (request.signal.reason as Error) : connectionLost(this.#url.host))
    })
    if (request.body !== undefined) stream.end(request.body)
    return promise
  }

  #sendHttp1(agent: Agent, request: ApiRequest): Promise<ApiResponse> {
    const { promise, resolve, reject } = Promise.withResolvers<ApiResponse>()
    const call = httpsRequest(new URL(request.path, this.#url), {
      agent,
      method: request.method,
      headers: {
        ...this.#headers(request),
        ...(request.body === undefined ? {} : { 'content-length': request.body.length }),
      },
      ...(request.signal === undefined ? {} : { signal: request.signal }),
    })
    call.once('response', (message) => {
      resolve({
        status: message.statusCode ?? 0,
        headers: flatHeaders(message.headers),
        body: http1Body(message, request.signal),
      })
    })
    call.on('error', (error) => reject(request.signal?.aborted === true ? (request.signal.reason as Error) : error))
    call.end(request.body)
    return promise
  }
}

async function* http2Body(stream: ClientHttp2Stream, signal: AbortSignal | undefined): AsyncGenerator<Uint8Array> {
  try {
    yield* chunksOf(stream)
  } catch (error) {
    throw signal?.aborted === true ? (signal.reason as Error) : error
  } finally {
    if (!stream.readableEnded) stream.close(constants.NGHTTP2_CANCEL)
  }
  if (signal?.aborted === true) throw signal.reason as Error
  // A session that breaks ends its streams as if they were complete.
  if (stream.aborted || stream.rstCode !== constants.NGHTTP2_NO_ERROR) throw connectionLost('server')
}

/**
 * What a stream holds and still gets. Not `for await`: that takes a stream whose whole body arrived before its reader
 * came for one that broke.
 */
async function* chunksOf(stream: ClientHttp2Stream): AsyncGenerator<Uint8Array> {
  let wake = (): void => {}
  const onEvent = (): void => wake()
  const events = ['readable', 'end', 'close', 'error'] as const
  for (const event of events) stream.on(event, onEvent)
  try {
    while (true) {
      const chunk = stream.read() as Uint8Array | null
      if (chunk !== null) yield chunk
      else if (stream.readableEnded) return
      else if (stream.errored !== null) throw stream.errored
      else if (stream.destroyed) throw connectionLost('server')
      else await new Promise<void>((resolve) => (wake = resolve))
    }
  } finally {
    for (const event of events) stream.off(event, onEvent)
  }
}

async function* http1Body(message: IncomingMessage, signal: AbortSignal | undefined): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of message) yield chunk as Uint8Array
  } catch (error) {
    throw signal?.aborted === true ? (signal.reason as Error) : error
  }
}

function flatHeaders(headers: Readonly<Record<string, string | string[] | undefined>>): Record<string, string> {
  const flat: Record<string, string> = {}
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) flat[name] = Array.isArray(value) ? value.join(', ') : value
  }
  return flat
}

function connectionLost(host: string): Error {
  return Object.assign(new Error(`connection to ${host} was lost`), { code: 'ECONNRESET' })
}

const lostCodes = new Set(['ECONNRESET', 'EPIPE', 'ERR_HTTP2_SESSION_ERROR', 'ERR_HTTP2_INVALID_SESSION'])
const refusedCodes = new Set(['ERR_HTTP2_GOAWAY_SESSION', 'ERR_HTTP2_INVALID_SESSION'])

function codeOf(error: unknown): string {
  return (error as { readonly code?: string }).code ?? ''
}

function wasConnectionLost(error: unknown): boolean {
  return lostCodes.has(codeOf(error)) || wasRefused(error)
}

/** The server never looked at the request, so that even a write may be sent again. */
function wasRefused(error: unknown): boolean {
  return refusedCodes.has(codeOf(error)) || (error as Error).message.includes('NGHTTP2_REFUSED_STREAM')
}
