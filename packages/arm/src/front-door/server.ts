// HTTP around the rows: tokens, api-versions, headers and error bodies, the same for every operation.

import type { RequestListener } from 'node:http'
import { createServer, type Server, type ServerOptions } from 'node:https'
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import { ArmError } from '@aksel/base/errors'
import { uuid } from '@aksel/base/ids'
import { JsonSyntaxError, parseJson } from '@aksel/base/json'
import { childScope, type Scope } from '@aksel/base/scope'
import { AksError, contentInvalid } from '../azure-errors.ts'
import { judgeApiVersion, providers } from './api-versions.ts'
import type { BodyBytes } from './body-bytes.ts'
import type { Mount } from './mount.ts'
import { targetOf } from './request-target.ts'
import { throttledKind, type Throttle, type Verdict } from './throttle.ts'
import { machineOf } from './machine-caller.ts'
import type { ArmRequest, ArmResponse, Caller, Route } from './route.ts'
import { parseLooseJson } from '../templates/template.ts'
import type { Identity, Tokens } from './tokens.ts'

export interface ServerTls {
  /** PEM. */
  readonly cert: string
  readonly key: string
  /** Whose nodes are believed by their certificates there; nobody is asked for one where it is absent. */
  readonly machines?: { readonly clusterId: string; readonly authorityPem: string }
}

export interface ServerParts {
  readonly routes: readonly Route[]
  readonly tokens: Tokens
  readonly identity: Identity
  readonly subscriptionIds: readonly string[]
  readonly mounts: readonly Mount[]
  readonly bytes: BodyBytes
  /** Absent: nobody is held up. */
  readonly throttle?: Throttle
  /** Of the listener. */
  readonly machines?: ServerTls['machines']
}

const bodyBytesMax = 4 * 1024 * 1024

const fixedHeaders = {
  'cache-control': 'no-cache',
  pragma: 'no-cache',
  expires: '-1',
  'strict-transport-security': 'max-age=31536000; includeSubDomains',
  'x-content-type-options': 'nosniff',
}

/** A connection without a request is kept so long: a client that comes back sooner must not meet its end. Node's own 5 s are too few. */
const idleMs = 72_000

export function createHttpServer(scope: Scope, all: Omit<ServerParts, 'machines'>, tls: ServerTls): FastifyInstance {
  const parts: ServerParts = tls.machines === undefined ? all : { ...all, machines: tls.machines }
  const app = fastify({
    bodyLimit: bodyBytesMax,
    // The id of a request is its correlation id, everywhere.
    genReqId: ({ headers }) => correlationId(scope, headers['x-ms-correlation-request-id']),
    forceCloseConnections: true,
    routerOptions: {
      caseSensitive: false,
      ignoreTrailingSlash: true,
      ignoreDuplicateSlashes: true,
      maxParamLength: 512,
    },
    serverFactory: (handler) =>
      withMounts(createServer({ ...serverOptions(tls), keepAliveTimeout: idleMs }), parts.mounts, handler),
  })
  readBodies(app)
  for (const route of parts.routes) {
    app.route({
      method: route.method,
      url: route.path,
      exposeHeadRoute: false,
      handler: (request, reply) => answer(scope, parts, route, request, reply),
    })
  }
  app.setErrorHandler((error, request, reply) => sendError(scope, parts, error, request, reply))
  app.setNotFoundHandler(async (request) => {
    await authorize(scope, parts, request)
    throw notServed(request)
  })
  return app
}

/** Whoever has no certificate is let in all the same: pods have tokens. */
function serverOptions({ cert, key, machines }: ServerTls): ServerOptions {
  if (machines === undefined) return { cert, key }
  return { cert, key, ca: machines.authorityPem, requestCert: true, rejectUnauthorized: false }
}

/** What a mount serves never reaches the rows; a browser that asks for nothing in particular is led to the first. */
function withMounts(server: Server, mounts: readonly Mount[], handler: RequestListener): Server {
  const pathOf = (url: string | undefined): string => (url ?? '/').split('?')[0]!
  server.on('request', (request, response) => {
    const path = pathOf(request.url)
    const mount = mounts.find((each) => each.serves(path))
    if (mount !== undefined) return mount.handle(request, response)
    const home = mounts[0]?.home
    if (path === '/' && home !== undefined && request.headers.accept?.includes('text/html') === true)
      return void response.writeHead(302, { location: home }).end()
    handler(request, response)
  })
  server.on('upgrade', (request, socket, head) => {
    const mount = mounts.find((each) => each.serves(pathOf(request.url)))
    if (mount === undefined) socket.end('HTTP/1.1 404 Not Found\r\nconnection: close\r\n\r\n')
    else mount.upgrade(request, socket, head)
  })
  return server
}

function readBodies(app: FastifyInstance): void {
  app.removeAllContentTypeParsers()
  app.addContentTypeParser(/^application\/x-www-form-urlencoded/, { parseAs: 'string' }, (_request, body, done) =>
    done(null, new URLSearchParams(body as string)),
  )
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (request, body, done) => {
    if (body.length === 0) return done(null, undefined)
    try {
      done(null, readsLoosely(request.url) ? readDeployment(body as Buffer) : parseJson(body as Buffer))
    } catch (error) {
      done(error instanceof JsonSyntaxError ? contentInvalid(error.message) : (error as Error))
    }
  })
}

/** az puts a template's own text into the bodies of deployments: comments, bare names and long texts included. */
function readsLoosely(url: string): boolean {
  return /\/providers\/microsoft\.resources\/deployments\//i.test(url)
}

function readDeployment(body: Buffer): unknown {
  try {
    return parseJson(body)
  } catch (error) {
    if (!(error instanceof JsonSyntaxError)) throw error
  }
  try {
    return parseLooseJson(body.toString())
  } catch (error) {
    throw new JsonSyntaxError((error as Error).message)
  }
}

async function answer(
  scope: Scope,
  parts: ServerParts,
  route: Route,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<unknown> {
  const caller = route.open === true ? undefined : await authorize(scope, parts, request)
  const armRequest = requestOf(scope, parts, request, caller)
  if (route.open !== true) {
    if (route.versionless !== true) judgeApiVersion(armRequest.query['api-version'], request.url)
    judgeSubscription(armRequest.params['subscription'], parts.subscriptionIds)
  }
  const verdict = caller === undefined ? undefined : take(scope, parts, armRequest, caller)
  for (const [name, value] of Object.entries(verdict?.headers ?? {})) reply.header(name, value)
  if (verdict?.kind === 'refused')
    return send(scope, parts, request, reply, throttled(armRequest, verdict.retryAfterSeconds))
  return send(scope, parts, request, reply, await route.handle(armRequest))
}

function take(scope: Scope, { throttle }: ServerParts, request: ArmRequest, caller: Caller): Verdict | undefined {
  const target = targetOf(request)
  const kind = throttledKind(target?.kind ?? (request.method === 'GET' ? 'read' : 'write'))
  const subscriptionId = target?.scopeId.split('/')[2]
  return throttle?.take(scope.clock.now(), { subscriptionId, principalId: caller.objectId, kind })
}

function throttled(request: ArmRequest, seconds: number): ArmResponse {
  const target = targetOf(request)
  const error = new ArmError(
    429,
    'SubscriptionRequestsThrottled',
    `Number of '${throttledKind(target?.kind ?? 'read')}' requests for subscription '${target?.scopeId.split('/')[2] ?? ''}' actor '${request.caller?.objectId}' exceeded. Please try again after '${seconds}' seconds after additional tokens are available. Refer to https://aka.ms/arm-throttling for additional information.`,
  )
  return { status: 429, body: error.toBody(), headers: { 'retry-after': String(seconds) } }
}

async function authorize(scope: Scope, parts: ServerParts, request: FastifyRequest): Promise<Caller> {
  const caller = await parts.tokens.verify(scope, request.headers.authorization)
  if (caller.tenantId.toLowerCase() === parts.identity.tenantId.toLowerCase()) return caller
  throw new ArmError(
    401,
    'InvalidAuthenticationTokenTenant',
    `The access token is from the wrong issuer '${caller.tenantId}'. It must match the tenant '${parts.identity.tenantId}' associated with this subscription.`,
  )
}

function judgeSubscription(subscription: string | undefined, known: readonly string[]): void {
  if (subscription === undefined || known.includes(subscription.toLowerCase())) return
  if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(subscription)) {
    throw new ArmError(
      400,
      'InvalidSubscriptionId',
      `The provided subscription identifier '${subscription}' is malformed or invalid.`,
    )
  }
  throw new ArmError(404, 'SubscriptionNotFound', `The subscription '${subscription}' could not be found.`)
}

function requestOf(
  scope: Scope,
  { machines }: ServerParts,
  request: FastifyRequest,
  caller: Caller | undefined,
): ArmRequest {
  const machine = machineOf(request.raw.socket, machines)
  const url = new URL(request.url, originOf(request))
  const query: Record<string, string> = {}
  for (const [name, value] of url.searchParams) query[name.toLowerCase()] = value
  return {
    scope: childScope(scope, { correlationId: request.id }),
    method: request.method,
    params: request.params as Readonly<Record<string, string>>,
    query,
    headers: request.headers as Readonly<Record<string, string | undefined>>,
    body: request.body,
    origin: originOf(request),
    url: request.url,
    caller,
    ...(machine === undefined ? {} : { machine }),
    correlationId: request.id,
  }
}

function originOf(request: FastifyRequest): string {
  return `https://${request.headers.host ?? 'localhost'}`
}

function correlationId(scope: Scope, given: string | readonly string[] | undefined): string {
  return typeof given === 'string' && given !== '' && given.length <= 128 ? given : uuid(scope.random)
}

function send(
  scope: Scope,
  { bytes }: ServerParts,
  request: FastifyRequest,
  reply: FastifyReply,
  response: ArmResponse,
): unknown {
  const requestId = uuid(scope.random)
  reply.code(response.status).headers({
    ...fixedHeaders,
    'x-ms-request-id': requestId,
    'x-ms-correlation-request-id': request.id,
    'x-ms-routing-request-id': `LOCAL:${new Date(scope.clock.now()).toISOString()}:${requestId}`,
    ...echoedId(request),
    ...response.headers,
  })
  if (response.page !== undefined) return reply.header('content-type', 'text/html; charset=utf-8').send(response.page)
  if (response.body === undefined) return reply.send()
  const { body } = response
  const isObject = typeof body === 'object' && body !== null
  return reply
    .header('content-type', 'application/json; charset=utf-8')
    .send(isObject ? bytes.of(body) : JSON.stringify(body))
}

function echoedId(request: FastifyRequest): Readonly<Record<string, string>> {
  const id = request.headers['x-ms-client-request-id']
  const wanted = request.headers['x-ms-return-client-request-id']
  return typeof id === 'string' && wanted === 'true' ? { 'x-ms-client-request-id': id } : {}
}

function sendError(
  scope: Scope,
  parts: ServerParts,
  error: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
): unknown {
  const armError = toArmError(scope, error, request)
  const body = armError instanceof AksError ? armError.toFlatBody() : armError.toBody()
  const headers: Record<string, string> =
    armError.code === 'ResourceNotFound' ? { 'x-ms-failure-cause': 'gateway' } : {}
  if (armError.status === 401) {
    headers['www-authenticate'] =
      `Bearer authorization_uri="${originOf(request)}/${parts.identity.tenantId}", error="invalid_token", error_description="${armError.message.replaceAll('"', "'")}"`
  }
  return send(scope, parts, request, reply, { status: armError.status, body, headers })
}

function toArmError(scope: Scope, error: unknown, request: FastifyRequest): ArmError {
  if (error instanceof ArmError) return error
  const status = (error as { readonly statusCode?: number }).statusCode
  if (status === 413)
    return new ArmError(
      413,
      'RequestEntityTooLarge',
      `The request content size exceeds the maximum size of '${bodyBytesMax}' bytes.`,
    )
  if (status !== undefined && status >= 400 && status < 500)
    return new ArmError(status, 'BadRequest', (error as Error).message)
  scope.log.error('request failed', { method: request.method, url: request.url, error })
  return new ArmError(500, 'InternalServerError', 'The server met an error of its own; its log tells more.', {
    cause: error,
  })
}

function notServed(request: FastifyRequest): ArmError {
  const path = request.url.split('?')[0] ?? ''
  const match = /^(.*)\/providers\/([^/]+)(?:\/([^/]+))?/i.exec(path)
  if (match === null) {
    return new ArmError(
      404,
      'InvalidResourceType',
      `The request path '${path}' with method '${request.method}' is not served here.`,
    )
  }
  const known = providers.find(({ namespace }) => namespace.toLowerCase() === match[2]!.toLowerCase())
  if (known === undefined) {
    return new ArmError(404, 'InvalidResourceNamespace', `The resource namespace '${match[2]}' is invalid.`)
  }
  return new ArmError(
    404,
    'InvalidResourceType',
    `The resource type '${match[3] ?? ''}' or the operation '${request.method} ${path}' could not be found in the namespace '${known.namespace}'.`,
  )
}
