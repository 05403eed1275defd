// The kubelet's port, 10250, on the node's own address: what the tunnel answers to the server, scrapers and metrics-server get here, when
// the cluster says that they may.

import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer, type Server } from 'node:https'
import { Duplex } from 'node:stream'
import type { TLSSocket } from 'node:tls'
import { ApiError } from '@aksel/base/errors'
import type { Scope } from '@aksel/base/scope'
import type { TunnelCall, TunnelHandler } from '@aksel/runtime/tunnel'
import type { Certificate } from '../certificates/certificate-manager.ts'
import { attributesOf } from './attributes.ts'
import type { Delegation, NodeUser } from './delegation.ts'

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

/** Streams both ways are the API server's, which speaks their protocols; they would need the same here. */
const streams = /^\/(exec|attach|portForward|run|cri|dial)(\/|$)/
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
  server.listen({ host: options.host, port: options.port })
  await once(server, 'listening')
  const bound = server.address()
  return {
    port: typeof bound === 'object' && bound !== null ? bound.port : options.port,
    useCertificate: (certificate) => server.setSecureContext(tls(certificate)),
    async [Symbol.asyncDispose]() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      server.closeAllConnections()
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
  const url = URL.parse(request.url ?? '/', 'https://node') ?? new URL('https://node/')
  const controller = new AbortController()
  response.once('close', () => controller.abort(new Error('the client is gone')))
  try {
    const user = await userOf(options.delegation, request)
    if (user === undefined) return text(response, 401, 'Unauthorized')
    const attributes = attributesOf(request.method ?? '', url.pathname)
    if (!(await options.delegation.authorize(user, attributes))) {
      const { verb, subresources } = attributes
      const what = `user=${user.username}, verb=${verb}, resource=nodes, subresource(s)=[${subresources.join(' ')}]`
      return text(response, 403, `Forbidden (${what})`)
    }
    if (streams.test(url.pathname))
      return text(response, 501, `${url.pathname}: exec, attach and port-forward go through the API server here`)
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
    await options.handler({ ...scope, signal: AbortSignal.any([scope.signal, controller.signal]) }, call)
    if (stream.writable) stream.end()
  } catch (error) {
    fail(scope, response, error)
  }
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
