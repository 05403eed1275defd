// A TLS port that speaks HTTP/2 and HTTP/1.1, as the client chooses.

import { createSecureServer, type Http2SecureServer, type Http2Session } from 'node:http2'
import type { AddressInfo } from 'node:net'
import type { TLSSocket } from 'node:tls'
import type { Clock } from '@aksel/base/clock'
import { handleRequest, handleUpgrade, peerReader, type Run, type Serving } from './http-listener.ts'
import type { LiveCalls } from './live-calls.ts'

export interface ListenOptions {
  readonly host: string
  /** 0: any free port. */
  readonly port: number
  readonly tls: {
    readonly certPem: string
    readonly keyPem: string
    /** Named to clients as the authority whose certificates are welcome. */
    readonly caPem: string
  }
}

export interface Listener extends AsyncDisposable {
  readonly host: string
  readonly port: number
}

/** How long a request that is under way may go on when the listener closes. */
const CLOSE_GRACE_MS = 2_000

export interface ListenerParts {
  readonly clock: Clock
  readonly run: Run
  readonly calls: LiveCalls
}

export async function listenTls(parts: ListenerParts, options: ListenOptions): Promise<Listener> {
  const { host, tls } = options
  const open = new OpenConnections()
  const serving: Serving = { run: parts.run, calls: parts.calls, peerOf: peerReader() }
  const server: Http2SecureServer = createSecureServer(
    {
      allowHTTP1: true,
      cert: tls.certPem,
      key: tls.keyPem,
      ca: tls.caPem,
      requestCert: true,
      // Judged by the authenticator: callers without a certificate may have a token.
      rejectUnauthorized: false,
      settings: { maxConcurrentStreams: 1000 },
    },
    (request, response) => open.track(handleRequest(serving, request, response)),
  )
  server.on('upgrade', (request, socket, head) => open.track(handleUpgrade(serving, request, socket, head)))
  server.on('secureConnection', (socket) => open.add(socket))
  server.on('session', (session: Http2Session) => session.on('error', () => session.destroy()))
  server.on('tlsClientError', () => {})
  server.on('clientError', (_error: Error, socket: TLSSocket) => socket.destroy())
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host, port: options.port }, () => {
      server.off('error', reject)
      resolve()
    })
  })
  return {
    host,
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      await open.finish(parts.clock)
      await closed
    },
  }
}

/** Sockets and requests, so that closing lets the requests end and then ends the sockets. */
class OpenConnections {
  readonly #sockets = new Set<TLSSocket>()
  readonly #requests = new Set<Promise<void>>()

  add(socket: TLSSocket): void {
    this.#sockets.add(socket)
    socket.on('error', () => socket.destroy())
    socket.once('close', () => this.#sockets.delete(socket))
  }

  track(request: Promise<void>): void {
    const settled = request.catch(() => {}).finally(() => this.#requests.delete(settled))
    this.#requests.add(settled)
  }

  async finish(clock: Clock): Promise<void> {
    const { promise: late, resolve } = Promise.withResolvers<void>()
    using _timer = clock.after(CLOSE_GRACE_MS, resolve)
    await Promise.race([Promise.all(this.#requests), late])
    for (const socket of this.#sockets) socket.destroy()
  }
}
