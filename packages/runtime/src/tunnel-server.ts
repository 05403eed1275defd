// The server's end of the tunnels: agents dial a Unix socket, prove by certificate which node they are, and from then on
// answer requests. It crosses network namespaces, so nothing in the server enters a node's network.

import { chmod, rm } from 'node:fs/promises'
import { connect as connectHttp2, constants } from 'node:http2'
import type { ClientHttp2Session } from 'node:http2'
import { connect as connectNet, type ListenOptions } from 'node:net'
import type { Duplex } from 'node:stream'
import { createServer } from 'node:tls'
import type { Server, TLSSocket } from 'node:tls'
import type { X509Certificate } from 'node:crypto'
import type { Scope } from '@aksel/base/scope'
import { keepAlive } from './http2-keep-alive.ts'
import type { TunnelAddress, TunnelTls } from './tunnel.ts'

export interface TunnelServerOptions {
  /** Linux allows 107 bytes. */
  readonly socketPath: string
  /** Where agents of other hosts dial; nowhere when absent. Whoever has no certificate of a node is hung up on. */
  readonly address?: TunnelAddress
  readonly tls: TunnelTls
  /** How long a request waits for a node that is not connected, milliseconds; 5 s when absent. */
  readonly waitMs?: number
}

export interface TunnelRequest {
  readonly method: string
  /** With its query. */
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly signal?: AbortSignal
}

export interface TunnelResponse {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  /** Written: the request's body; read: the answer's. Who has no body ends it. */
  readonly stream: Duplex
}

export interface TunnelServer extends AsyncDisposable {
  readonly connector: {
    /** Rejects with `no tunnel to node "x"` when the node does not connect in time, or with what broke the call. */
    open(nodeName: string, request: TunnelRequest): Promise<TunnelResponse>
  }
  connectedNodes(): readonly string[]
}

const WAIT_MS = 5000
const WINDOW_BYTES = 16 * 1024 * 1024
const NODE_PREFIX = 'system:node:'

/** Listens when it resolves. A socket file that a killed server left is taken over; one with a living server is not. */
export async function openTunnelServer(scope: Scope, options: TunnelServerOptions): Promise<TunnelServer> {
  await removeStaleSocket(options.socketPath)
  const { certPem, keyPem, caPem } = options.tls
  const listening = async (place: ListenOptions): Promise<Server> => {
    const listener = createServer({
      cert: certPem,
      key: keyPem,
      ca: caPem,
      requestCert: true,
      rejectUnauthorized: true,
      ALPNProtocols: ['h2'],
    })
    await new Promise<void>((resolve, reject) => {
      listener.once('error', reject)
      listener.listen(place, resolve)
    })
    return listener
  }
  const listeners = [await listening({ path: options.socketPath })]
  try {
    await chmod(options.socketPath, 0o600)
    if (options.address !== undefined) listeners.push(await listening({ ...options.address }))
  } catch (error) {
    for (const listener of listeners) listener.close()
    throw error
  }
  return new Tunnels(scope, listeners, options.waitMs ?? WAIT_MS)
}

class Tunnels implements TunnelServer {
  readonly connector = { open: (nodeName: string, request: TunnelRequest) => this.#open(nodeName, request) }
  readonly #scope: Scope
  readonly #listeners: readonly Server[]
  readonly #waitMs: number
  readonly #sessions = new Map<string, ClientHttp2Session>()
  readonly #waiters = new Map<string, Set<(session: ClientHttp2Session) => void>>()
  readonly #sockets = new Set<TLSSocket>()

  constructor(scope: Scope, listeners: readonly Server[], waitMs: number) {
    this.#scope = scope
    this.#listeners = listeners
    this.#waitMs = waitMs
    for (const listener of listeners) {
      listener.on('secureConnection', (socket) => this.#accept(socket))
      listener.on('tlsClientError', (error) => scope.log.warn('tunnel refused', { error: error.message }))
    }
  }

  connectedNodes(): readonly string[] {
    return [...this.#sessions.keys()]
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = Promise.all(
      this.#listeners.map((listener) => new Promise<void>((resolve) => listener.close(() => resolve()))),
    )
    for (const session of this.#sessions.values()) session.destroy()
    for (const socket of this.#sockets) socket.destroy()
    await closed
  }

  #accept(socket: TLSSocket): void {
    this.#sockets.add(socket)
    socket.on('error', () => {})
    socket.once('close', () => this.#sockets.delete(socket))
    const nodeName = nodeNameOf(socket)
    if (nodeName === undefined) {
      this.#scope.log.warn('tunnel refused', { subject: socket.getPeerX509Certificate()?.subject })
      socket.destroy()
      return
    }
    const session = connectHttp2('http://node', {
      createConnection: () => socket,
      settings: { enablePush: false, initialWindowSize: 1024 * 1024 },
    })
    session.on('error', (error) => this.#scope.log.debug('tunnel broke', { node: nodeName, error: error.message }))
    session.setLocalWindowSize(WINDOW_BYTES)
    keepAlive(this.#scope.clock, session)
    // An agent that restarted dials before its old connection is known to be dead; what runs on the old one may finish.
    this.#sessions.get(nodeName)?.close()
    this.#sessions.set(nodeName, session)
    session.once('close', () => {
      if (this.#sessions.get(nodeName) === session) this.#sessions.delete(nodeName)
      socket.destroy()
    })
    this.#scope.log.debug('tunnel connected', { node: nodeName })
    for (const wake of this.#waiters.get(nodeName) ?? []) wake(session)
    this.#waiters.delete(nodeName)
  }

  async #open(nodeName: string, request: TunnelRequest): Promise<TunnelResponse> {
    request.signal?.throwIfAborted()
    const session = this.#usable(nodeName) ?? (await this.#wait(nodeName, request.signal))
    const stream = session.request(
      { ...request.headers, ':method': request.method, ':path': request.path },
      { endStream: false },
    )
    const onAbort = (): void => stream.close(constants.NGHTTP2_CANCEL)
    request.signal?.addEventListener('abort', onAbort, { once: true })
    return new Promise((resolve, reject) => {
      stream.on('error', (error) => reject(error))
      stream.once('close', () => {
        request.signal?.removeEventListener('abort', onAbort)
        reject(
          request.signal?.aborted === true
            ? (request.signal.reason as Error)
            : new Error(`the tunnel to node "${nodeName}" broke`),
        )
      })
      stream.once('response', ({ ':status': status, ...headers }) => {
        const flat = Object.entries(headers).map(([name, value]) => [name, String(value)] as const)
        resolve({ status: status ?? 0, headers: Object.fromEntries(flat), stream })
      })
    })
  }

  #usable(nodeName: string): ClientHttp2Session | undefined {
    const session = this.#sessions.get(nodeName)
    return session === undefined || session.closed || session.destroyed ? undefined : session
  }

  #wait(nodeName: string, signal: AbortSignal | undefined): Promise<ClientHttp2Session> {
    const waiters = this.#waiters.get(nodeName) ?? new Set()
    this.#waiters.set(nodeName, waiters)
    return new Promise((resolve, reject) => {
      const settle = (settled: () => void): void => {
        deadline[Symbol.dispose]()
        signal?.removeEventListener('abort', onAbort)
        waiters.delete(wake)
        if (waiters.size === 0 && this.#waiters.get(nodeName) === waiters) this.#waiters.delete(nodeName)
        settled()
      }
      const wake = (session: ClientHttp2Session): void => settle(() => resolve(session))
      const onAbort = (): void => settle(() => reject(signal!.reason as Error))
      const deadline = this.#scope.clock.after(this.#waitMs, () =>
        settle(() => reject(new Error(`no tunnel to node "${nodeName}"`))),
      )
      signal?.addEventListener('abort', onAbort, { once: true })
      waiters.add(wake)
    })
  }
}

/** The name in a certificate `O=system:nodes, CN=system:node:NAME`; undefined for any other. */
function nodeNameOf(socket: TLSSocket): string | undefined {
  const peer: X509Certificate | undefined = socket.getPeerX509Certificate()
  const attributes = (peer?.subject ?? '').split('\n')
  if (!attributes.includes('O=system:nodes')) return undefined
  const commonName = attributes.find((attribute) => attribute.startsWith('CN='))?.slice('CN='.length)
  return commonName?.startsWith(NODE_PREFIX) === true ? commonName.slice(NODE_PREFIX.length) : undefined
}

async function removeStaleSocket(socketPath: string): Promise<void> {
  const code = await new Promise<string | undefined>((resolve) => {
    const probe = connectNet({ path: socketPath }, () => {
      probe.destroy()
      resolve(undefined)
    })
    probe.once('error', (error: NodeJS.ErrnoException) => resolve(error.code))
  })
  if (code === undefined) throw new Error(`Cannot listen on ${socketPath}: another server listens there`)
  if (code === 'ECONNREFUSED') await rm(socketPath, { force: true })
}
