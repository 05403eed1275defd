// A TLS port that speaks HTTP/2 and HTTP/1.1, as the client chooses.

import { createSecureServer, type Http2SecureServer, type Http2Session, type SecureServerOptions } from 'node:http2'
import type { AddressInfo, Server, Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import type { Clock } from '@aksel/base/clock'
import type { Entry } from './entrance.ts'
import { handleRequest, handleUpgrade, peerReader, type Run, type Serving } from './http-listener.ts'
import type { LiveCalls } from './live-calls.ts'

export interface ListenOptions {
  readonly host: string
  /** 0: any free port. */
  readonly port: number
  /** Listens there already, so that nobody else can: its place is taken over. */
  readonly claim?: Server | undefined
  /** Whether a connection is taken, asked before TLS begins; all are when absent. */
  readonly admits?: (ends: Ends) => boolean
  readonly tls: {
    readonly certPem: string
    readonly keyPem: string
    /** Named to clients as the authority whose certificates are welcome. */
    readonly caPem: string
  }
}

/** Both ends of a connection, as addresses. */
export interface Ends {
  readonly peer: string
  readonly local: string
}

export interface Listener extends AsyncDisposable {
  /** Ends connections that would no longer be taken. */
  recheck(): void
  readonly host: string
  readonly port: number
}

/** Streams of one connection: Go's bound, which typed clients are used to. */
const STREAMS_MAX = 250
/** Go's bound; a selector in the URL and a token may be long. */
const HEADERS_MAX_BYTES = 1024 * 1024
const SESSION_MAX_MIB = 64
/** Upstream's times: for the head of a request, and for a connection without one. */
const HEADERS_TIMEOUT_MS = 32_000
const IDLE_MS = 90_000
/** Forward secrecy and authenticated encryption alone; the suites of TLS 1.3 are all of that kind. */
const strongTls = {
  minVersion: 'TLSv1.2',
  ciphers: [
    'TLS_AES_128_GCM_SHA256',
    'TLS_AES_256_GCM_SHA384',
    'TLS_CHACHA20_POLY1305_SHA256',
    'ECDHE-ECDSA-AES128-GCM-SHA256',
    'ECDHE-RSA-AES128-GCM-SHA256',
    'ECDHE-ECDSA-AES256-GCM-SHA384',
    'ECDHE-RSA-AES256-GCM-SHA384',
    'ECDHE-ECDSA-CHACHA20-POLY1305',
    'ECDHE-RSA-CHACHA20-POLY1305',
  ].join(':'),
} as const
/** How long a request that is under way may go on when the listener closes. */
const CLOSE_GRACE_MS = 2_000

export interface ListenerParts {
  readonly clock: Clock
  readonly run: Run
  readonly calls: LiveCalls
  readonly entry: Entry
}

export async function listenTls(parts: ListenerParts, options: ListenOptions): Promise<Listener> {
  const { host, tls } = options
  const open = new OpenConnections()
  const serving: Serving = { run: parts.run, calls: parts.calls, peerOf: peerReader(), entry: parts.entry }
  const server: Http2SecureServer = createSecureServer(
    {
      allowHTTP1: true,
      cert: tls.certPem,
      key: tls.keyPem,
      ca: tls.caPem,
      requestCert: true,
      // Judged by the authenticator: callers without a certificate may have a token.
      rejectUnauthorized: false,
      settings: { maxConcurrentStreams: STREAMS_MAX, maxHeaderListSize: HEADERS_MAX_BYTES },
      maxHeaderSize: HEADERS_MAX_BYTES,
      ...strongTls,
      // A client with many watches on one connection must not be taken for an attack.
      maxSessionMemory: SESSION_MAX_MIB,
      headersTimeout: HEADERS_TIMEOUT_MS,
      keepAliveTimeout: IDLE_MS,
    } as SecureServerOptions,
    (request, response) => open.track(handleRequest(serving, request, response)),
  )
  const { admits } = options
  if (admits !== undefined) {
    // Before the listener that begins TLS.
    server.prependListener('connection', (socket: Socket) => {
      if (!admits(endsOf(socket))) socket.destroy()
    })
  }
  server.on('upgrade', (request, socket, head) => open.track(handleUpgrade(serving, request, socket, head)))
  server.on('secureConnection', (socket) => open.add(socket))
  server.on('session', (session: Http2Session) => {
    session.on('error', () => session.destroy())
    open.addSession(session)
  })
  server.on('tlsClientError', () => {})
  server.on('clientError', (_error: Error, socket: TLSSocket) => socket.destroy())
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    const listening = (): void => {
      server.off('error', reject)
      resolve()
    }
    if (options.claim === undefined) server.listen({ host, port: options.port }, listening)
    else server.listen(options.claim, listening)
  })
  return {
    host,
    port: (server.address() as AddressInfo).port,
    recheck: () => open.endUnless((socket) => admits?.(endsOf(socket)) !== false),
    async [Symbol.asyncDispose]() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      await open.finish(parts.clock)
      await closed
    },
  }
}

function endsOf({ remoteAddress = '', localAddress = '' }: Socket): Ends {
  return { peer: remoteAddress, local: localAddress }
}

/** Sockets and requests, so that closing lets the requests end and then ends the sockets. */
class OpenConnections {
  readonly #sockets = new Set<TLSSocket>()
  readonly #sessions = new Set<Http2Session>()
  #underWay = 0
  #allOver: () => void = () => {}
  readonly #isOver = (): void => {
    this.#underWay -= 1
    if (this.#underWay === 0) this.#allOver()
  }

  add(socket: TLSSocket): void {
    this.#sockets.add(socket)
    socket.on('error', () => socket.destroy())
    socket.once('close', () => this.#sockets.delete(socket))
  }

  endUnless(isWelcome: (socket: TLSSocket) => boolean): void {
    for (const socket of this.#sockets) if (!isWelcome(socket)) socket.destroy()
  }

  addSession(session: Http2Session): void {
    this.#sessions.add(session)
    session.once('close', () => this.#sessions.delete(session))
  }

  track(request: Promise<void>): void {
    this.#underWay += 1
    request.then(this.#isOver, this.#isOver)
  }

  async finish(clock: Clock): Promise<void> {
    // Says so: clients finish what they have and open nothing new here.
    for (const session of this.#sessions) if (!session.destroyed) session.goaway(0)
    const { promise: late, resolve } = Promise.withResolvers<void>()
    using _timer = clock.after(CLOSE_GRACE_MS, resolve)
    const over = new Promise<void>((done) => {
      this.#allOver = done
      if (this.#underWay === 0) done()
    })
    await Promise.race([over, late])
    const closed = [...this.#sessions].map(async (session) => {
      const gone = new Promise<void>((resolve) => session.once('close', () => resolve()))
      session.close()
      return session.destroyed ? undefined : gone
    })
    await Promise.race([Promise.all(closed), late])
    for (const socket of this.#sockets) socket.destroy()
  }
}
