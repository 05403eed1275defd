// The kubelet's port, 10250, on the node's own address: what the tunnel answers to the server, scrapers and metrics-server get here, when
// the cluster says that they may.

import { once } from 'node:events'
import { ServerResponse, type IncomingMessage } from 'node:http'
import { createServer, type Server } from 'node:https'
import type { Socket } from 'node:net'
import { Duplex } from 'node:stream'
import type { TLSSocket } from 'node:tls'
import { anySignal } from '@aksel/base/any-signal'
import { ApiError } from '@aksel/base/errors'
import type { Scope } from '@aksel/base/scope'
import type { TunnelCall, TunnelHandler } from '@aksel/runtime/tunnel'
import type { UpgradeCall } from '@aksel/runtime/upgrades/upgrade-call'
import type { Certificate } from '../certificates/certificate-manager.ts'
import { attributesOf } from './attributes.ts'
import type { Delegation, NodeUser } from './delegation.ts'
import { runCommand, serveStream, streamPathOf } from './streams.ts'

export interface KubeletServerOptions {
  readonly host: string
  readonly port: number
  readonly certificate: Certificate
  /** PEM: who has a certificate of it needs no token. */
  readonly clientAuthority: string
  readonly delegation: Delegation
  readonly handler: TunnelHandler
}

export interface KubeletServer extends AsyncDisposable {
  readonly port: number
  /** For connections from now on. */
  useCertificate(certificate: Certificate): void
}

/** What only the server may ask, through the tunnel: a connection to anywhere. */
const tunnelOnly = /^\/dial(\/|$)/
const QUESTION_MS = 30_000

/** Resolves when it listens. */
export async function openKubeletServer(scope: Scope, options: KubeletServerOptions): Promise<KubeletServer> {
  const tls = (certificate: Certificate): object => ({
    cert: certificate.certPem,
    key: certificate.keyPem,
    ca: options.clientAuthority,
    minVersion: 'TLSv1.2',
  })
  const server: Server = createServer(
    { ...tls(options.certificate), requestCert: true, rejectUnauthorized: false, requestTimeout: QUESTION_MS },
    (request, response) => void answer(scope, options, request, response),
  )
  const sessions = new Set<Duplex>()
  server.on('upgrade', (request, socket, head) => {
    sessions.add(socket)
    socket.on('error', () => {})
    socket.once('close', () => sessions.delete(socket))
    void upgraded(scope, options, request, { socket, head })
  })
  server.listen({ host: options.host, port: options.port })
  await once(server, 'listening')
  const bound = server.address()
  return {
    port: typeof bound === 'object' && bound !== null ? bound.port : options.port,
    useCertificate: (certificate) => server.setSecureContext(tls(certificate)),
    async [Symbol.asyncDispose]() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      server.closeAllConnections()
      for (const socket of sessions) socket.destroy()
      await closed
    },
  }
}

async function answer(
  scope: Scope,
  options: KubeletServerOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const controller = new AbortController()
  response.once('close', () => controller.abort(new Error('the client is gone')))
  const inner = { ...scope, signal: anySignal([scope.signal, controller.signal]) }
  try {
    const url = await admit(options, request)
    const path = streamPathOf(url.pathname)
    if (path?.route === 'run' && request.method === 'POST') {
      const asked = { path, command: url.searchParams.get('cmd') ?? '', signal: controller.signal }
      return void response.end(await runCommand(inner, options.handler, asked))
    }
    if (path !== undefined && path.route !== 'run') {
      const call = { ...upgradeCallOf(request, url), signal: controller.signal }
      return await serveStream(inner, options.handler, { path, call })
    }
    if (request.method !== 'GET') return text(response, 405, '405: Method Not Allowed')
    const stream = bodyOf(response)
    const call: TunnelCall = {
      method: 'GET',
      path: url.pathname,
      query: url.searchParams,
      headers: {},
      stream,
      signal: controller.signal,
      respond: (status, headers = {}) => void response.writeHead(status, headers),
    }
    await options.handler(inner, call)
    if (stream.writable) stream.end()
  } catch (error) {
    fail(scope, response, error)
  }
}

/** A request that asks for another protocol: a session, or, where that is none, an answer that ends the connection. */
async function upgraded(
  scope: Scope,
  options: KubeletServerOptions,
  request: IncomingMessage,
  upgrade: NonNullable<UpgradeCall['upgrade']>,
): Promise<void> {
  const { socket } = upgrade
  const plain = (): ServerResponse => {
    const response = new ServerResponse(request)
    response.shouldKeepAlive = false
    response.assignSocket(socket as Socket)
    response.once('finish', () => socket.end())
    return response
  }
  const controller = new AbortController()
  socket.once('close', () => controller.abort(new Error('the client is gone')))
  try {
    const url = await admit(options, request)
    const path = streamPathOf(url.pathname)
    if (path === undefined || path.route === 'run') return await answer(scope, options, request, plain())
    const call = { ...upgradeCallOf(request, url), signal: controller.signal, upgrade }
    await serveStream(scope, options.handler, { path, call })
  } catch (error) {
    // A session that broke has said so in its own way, and has closed the connection.
    if (socket.writable) fail(scope, plain(), error)
  }
}

/** What is asked for, of who may. Throws the refusals of upstream's kubelet. */
async function admit(options: KubeletServerOptions, request: IncomingMessage): Promise<URL> {
  const url = URL.parse(request.url ?? '/', 'https://node') ?? new URL('https://node/')
  const user = await userOf(options.delegation, request)
  if (user === undefined) throw new ApiError('Unauthorized', 'Unauthorized')
  const attributes = attributesOf(request.method ?? '', url.pathname)
  if (!(await options.delegation.authorize(user, attributes))) {
    const { verb, subresources } = attributes
    const what = `user=${user.username}, verb=${verb}, resource=nodes, subresource(s)=[${subresources.join(' ')}]`
    throw new ApiError('Forbidden', `Forbidden (${what})`)
  }
  if (tunnelOnly.test(url.pathname)) throw new ApiError('NotFound', '404 page not found')
  return url
}

function upgradeCallOf(request: IncomingMessage, url: URL): Omit<UpgradeCall, 'signal'> {
  const headers = request.headers as Readonly<Record<string, string>>
  return { method: request.method ?? '', query: url.searchParams, headers }
}

function fail(scope: Scope, response: ServerResponse, error: unknown): void {
  if (response.headersSent) return void response.destroy()
  if (error instanceof ApiError) return text(response, error.code, error.message)
  scope.log.warn('a request at the kubelet’s port failed', { error })
  text(response, 500, 'Internal Error')
}

/** The certificate's name and groups, or the token's; undefined for nobody. */
async function userOf(delegation: Delegation, request: IncomingMessage): Promise<NodeUser | undefined> {
  const socket = request.socket as TLSSocket
  if (socket.authorized) {
    const { subject } = socket.getPeerCertificate() as unknown as {
      readonly subject?: Readonly<Record<string, unknown>>
    }
    const { CN: username, O: organizations = [] } = subject ?? {}
    if (typeof username === 'string' && username !== '')
      return { username, groups: [...[organizations].flat().map(String), 'system:authenticated'] }
  }
  const [, token] = /^bearer (\S+)$/i.exec(request.headers.authorization ?? '') ?? []
  return token === undefined ? undefined : delegation.authenticate(token)
}

function bodyOf(response: ServerResponse): Duplex {
  const stream = new Duplex({
    read: () => void stream.push(null),
    write: (chunk: Uint8Array, _encoding, done) => void response.write(chunk, (error) => done(error ?? undefined)),
    final: (done) => void response.end(() => done()),
  })
  response.once('close', () => stream.destroy())
  stream.on('error', () => {})
  return stream
}

function text(response: ServerResponse, status: number, body: string): void {
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8', 'x-content-type-options': 'nosniff' })
  response.end(`${body}\n`)
}
