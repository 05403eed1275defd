// The agent's end of the tunnel through which the server reaches into a node: the agent dials, then answers requests.
// tunnel-server.ts is the other end.

import { constants, performServerHandshake } from 'node:http2'
import type { ServerHttp2Session, ServerHttp2Stream } from 'node:http2'
import type { Duplex } from 'node:stream'
import { connect as connectTls } from 'node:tls'
import type { TLSSocket } from 'node:tls'
import { sleep } from '@aksel/base/clock'
import { ApiError } from '@aksel/base/errors'
import { fraction } from '@aksel/base/ids'
import { childScope } from '@aksel/base/scope'
import type { Scope } from '@aksel/base/scope'
import { keepAlive } from './http2-keep-alive.ts'

/** PEM texts. */
export interface TunnelTls {
  readonly certPem: string
  readonly keyPem: string
  readonly caPem: string
}

/** One request of the server, as the agent sees it. */
export interface TunnelCall {
  readonly method: string
  /** Without the query. */
  readonly path: string
  readonly query: URLSearchParams
  readonly headers: Readonly<Record<string, string>>
  /** Read: the request's body; written, after `respond`: the answer's. */
  readonly stream: Duplex
  /** Aborts when the server gave the request up or the tunnel broke. */
  readonly signal: AbortSignal
  /** Once. */
  respond(status: number, headers?: Readonly<Record<string, string>>): void
}

/**
 * Answers a call and resolves when all is written; the tunnel ends the stream. An error thrown before `respond` becomes
 * the answer, a v1 Status where it is an ApiError; one thrown later breaks the stream.
 */
export type TunnelHandler = (scope: Scope, call: TunnelCall) => Promise<void>

export interface TunnelAddress {
  readonly host: string
  readonly port: number
}

export interface DialOptions {
  /** A Unix socket on the server's own host, or where the server listens for agents of other hosts. */
  readonly socketPath: string | TunnelAddress
  /** Asked for every connection where it is a function: certificates are renewed. */
  readonly tls: TunnelTls | (() => TunnelTls)
  /** A name that the server's certificate must carry; `kubernetes` when absent. */
  readonly serverName?: string
  readonly handler: TunnelHandler
}

export interface DialedTunnel extends AsyncDisposable {
  /** Resolves when the first connection stands. */
  readonly connected: Promise<void>
}

const REDIAL_MS_MIN = 50
const REDIAL_MS_MAX = 2000
const WINDOW_BYTES = 8 * 1024 * 1024

/** Dials again, with back-off, until the scope ends or the tunnel is disposed. */
export function dialTunnel(scope: Scope, options: DialOptions): DialedTunnel {
  const controller = new AbortController()
  const inner = childScope(scope, { tunnel: nameOf(options.socketPath) }, controller.signal)
  const first = Promise.withResolvers<void>()
  const running = dialForever(inner, options, first.resolve)
  return {
    connected: first.promise,
    async [Symbol.asyncDispose]() {
      controller.abort()
      await running
    },
  }
}

function nameOf(place: string | TunnelAddress): string {
  return typeof place === 'string' ? place : `${place.host}:${place.port}`
}

async function dialForever(scope: Scope, options: DialOptions, onConnected: () => void): Promise<void> {
  let failures = 0
  while (!scope.signal.aborted) {
    try {
      const socket = await dial(scope, options)
      failures = 0
      onConnected()
      await serve(scope, socket, options.handler)
    } catch (error) {
      if (scope.signal.aborted) return
      // One line per outage, not one per attempt.
      if (failures === 0) scope.log.warn('cannot dial the tunnel', { error: (error as Error).message })
    }
    const delayMs = Math.min(REDIAL_MS_MAX, REDIAL_MS_MIN * 2 ** failures) * (0.5 + fraction(scope.random) / 2)
    failures = Math.min(failures + 1, 10)
    await sleep(scope.clock, delayMs, scope.signal).catch(() => {})
  }
}

function dial(scope: Scope, options: DialOptions): Promise<TLSSocket> {
  const { certPem, keyPem, caPem } = typeof options.tls === 'function' ? options.tls() : options.tls
  return new Promise((resolve, reject) => {
    const socket = connectTls({
      ...(typeof options.socketPath === 'string' ? { path: options.socketPath } : options.socketPath),
      cert: certPem,
      key: keyPem,
      ca: caPem,
      servername: options.serverName ?? 'kubernetes',
      ALPNProtocols: ['h2'],
    })
    const onAbort = (): void => void socket.destroy(scope.signal.reason as Error)
    scope.signal.addEventListener('abort', onAbort, { once: true })
    socket.once('error', reject)
    socket.once('close', () => {
      scope.signal.removeEventListener('abort', onAbort)
      reject(new Error('the server closed the connection'))
    })
    socket.once('secureConnect', () => {
      // What breaks later ends the session, which is what `serve` waits for.
      socket.on('error', () => {})
      resolve(socket)
    })
  })
}

/** Resolves when the connection is gone. */
function serve(scope: Scope, socket: TLSSocket, handler: TunnelHandler): Promise<void> {
  const session: ServerHttp2Session = performServerHandshake(socket, {
    settings: { initialWindowSize: 1024 * 1024, maxConcurrentStreams: 10_000 },
  })
  session.setLocalWindowSize(WINDOW_BYTES)
  keepAlive(scope.clock, session)
  session.on('stream', (stream, headers) => void answer(scope, stream, headers, handler))
  return new Promise((resolve) => {
    session.on('error', (error) => scope.log.debug('tunnel broke', { error: (error as Error).message }))
    session.once('close', () => {
      socket.destroy()
      resolve()
    })
    const onAbort = (): void => session.destroy()
    scope.signal.addEventListener('abort', onAbort, { once: true })
    session.once('close', () => scope.signal.removeEventListener('abort', onAbort))
    if (scope.signal.aborted) onAbort()
  })
}

async function answer(
  scope: Scope,
  stream: ServerHttp2Stream,
  rawHeaders: Readonly<Record<string, string | string[] | undefined>>,
  handler: TunnelHandler,
): Promise<void> {
  const controller = new AbortController()
  stream.on('error', () => {})
  stream.once('close', () => controller.abort(new Error('the server gave the request up')))
  const { ':method': method, ':path': target, ...rest } = rawHeaders
  const url = new URL(String(target ?? '/'), 'http://node')
  const headers = Object.fromEntries(Object.entries(rest).map(([name, value]) => [name, String(value)]))
  const call: TunnelCall = {
    method: String(method),
    path: url.pathname,
    query: url.searchParams,
    headers,
    stream,
    signal: controller.signal,
    respond: (status, extra = {}) => {
      if (!stream.destroyed) stream.respond({ ':status': status, ...extra })
    },
  }
  try {
    await handler(childScope(scope, { path: call.path }, controller.signal), call)
    if (stream.writable) stream.end()
  } catch (error) {
    fail(scope, stream, error)
  }
}

function fail(scope: Scope, stream: ServerHttp2Stream, error: unknown): void {
  if (stream.destroyed) return
  if (stream.headersSent) {
    scope.log.debug('tunnel call broke off', { error: (error as Error).message })
    return stream.close(constants.NGHTTP2_INTERNAL_ERROR)
  }
  if (error instanceof ApiError) {
    stream.respond({ ':status': error.code, 'content-type': 'application/json' })
    return void stream.end(JSON.stringify(error.toStatus()))
  }
  scope.log.warn('tunnel call failed', { error: (error as Error).message })
  stream.respond({ ':status': 500, 'content-type': 'text/plain' })
  stream.end((error as Error).message)
}
