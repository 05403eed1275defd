// The calls that the desktop's page makes: who am I, sign in and out, and everything else handed on to front door and clusters.

import type { IncomingMessage, ServerResponse } from 'node:http'
import { pipeline } from 'node:stream/promises'
import type { Scope } from '@aksel/base/scope'
import { parseArmKey, type ClusterAccess } from './cluster-access.ts'
import { cookieName, PREFIX, type DesktopOptions } from './desktop-options.ts'
import { diagnoseCluster } from './diagnose-cluster.ts'
import { readWish } from './forward-target.ts'
import type { FrontDoorClient } from './front-door-client.ts'
import type { PortForwards } from './port-forwards.ts'
import type { Session, Sessions } from './sessions.ts'
import { signIn, SignInError, type SignInParts } from './sign-in.ts'
import { flat } from './upstream.ts'

export interface ApiParts {
  readonly scope: Scope
  readonly sessions: Sessions
  readonly scheme: 'http' | 'https'
  readonly frontDoor: FrontDoorClient | undefined
  readonly access: ClusterAccess
  readonly forwards: PortForwards
  readonly options: DesktopOptions
}

const BODY_MAX_BYTES = 4 << 20

/** Of what the page sends, this is handed on; credentials are the session's. */
const handedOn = ['accept', 'content-type', 'if-match', 'if-none-match', 'prefer', 'content-length'] as const
/** Of what is answered, this reaches the page. */
const handedBack = [
  'content-type',
  'etag',
  'warning',
  'retry-after',
  'azure-asyncoperation',
  'location',
  'preference-applied',
] as const

export async function answerApi(
  parts: ApiParts,
  path: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  if (path === 'code' && request.method === 'POST') return issueCode(parts, request, response)
  const session = parts.sessions.find(request.headers.cookie, cookieName(parts.scheme))
  if (path === 'session') return sessionCall(parts, session, request, response)
  if (session === undefined) return json(response, 401, { message: 'Nobody is signed in.' })
  const query = /\?.*$/s.exec(request.url ?? '')?.[0] ?? ''
  if (path.startsWith('arm/')) return toFrontDoor(parts, session, `/${path.slice(4)}${query}`, request, response)
  const match = /^clusters\/([^/]+)\/(.*)$/s.exec(path)
  if (match === null) return json(response, 404, { message: 'There is no such call.' })
  const key = decodeURIComponent(match[1]!)
  if (match[2] === 'diagnosis') return diagnosis(parts, session, key, request, response)
  const forward = /^forwards(?:\/(\d+))?$/.exec(match[2]!)
  if (forward !== null) return forwards(parts, session, { key, id: forward[1] }, request, response)
  return toCluster(parts, session, key, `/${match[2]}${query}`, request, response)
}

async function sessionCall(
  parts: ApiParts,
  session: Session | undefined,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  switch (request.method) {
    case 'GET':
      return json(response, 200, await describe(parts, session))
    case 'POST': {
      try {
        const credentials = await signIn(signInParts(parts), await readJson(request), session?.credentials)
        if (session !== undefined) parts.sessions.close(session)
        // Always a new name: one that was known before the sign-in is worth nothing after it.
        const opened = parts.sessions.open(credentials)
        response.setHeader('set-cookie', setCookie(parts.scheme, opened.id))
        return json(response, 200, await describe(parts, opened))
      } catch (error) {
        if (error instanceof SignInError) return json(response, 401, { message: error.message })
        throw error
      }
    }
    case 'DELETE':
      if (session !== undefined) parts.sessions.close(session)
      response.setHeader('set-cookie', `${setCookie(parts.scheme, '')}; Max-Age=0`)
      return json(response, 200, { signedIn: false })
    default:
      return void response.writeHead(405, { allow: 'GET, POST, DELETE' }).end()
  }
}

function setCookie(scheme: 'http' | 'https', value: string): string {
  return `${cookieName(scheme)}=${value}; Path=${scheme === 'https' ? '/' : PREFIX}; HttpOnly; SameSite=Strict${scheme === 'https' ? '; Secure' : ''}`
}

function signInParts({ scope, sessions, frontDoor, options }: ApiParts): SignInParts {
  return {
    scope,
    sessions,
    frontDoor,
    ...(options.endpointOf === undefined ? {} : { endpointOf: options.endpointOf }),
    ...(options.isOwnServer === undefined ? {} : { isOwnServer: options.isOwnServer }),
  }
}

/** What the page may know of the session: names, never a credential. */
async function describe(parts: ApiParts, session: Session | undefined): Promise<unknown> {
  const mode = parts.frontDoor === undefined ? 'kubeconfig' : 'server'
  if (session === undefined) return { signedIn: false, mode }
  return {
    signedIn: true,
    mode,
    ...(session.credentials.arm === undefined || parts.frontDoor === undefined
      ? {}
      : { arm: { clientId: session.credentials.arm.clientId, subscriptionId: parts.frontDoor.subscriptionId } }),
    clusters: [...session.credentials.clusters].map(([key, { name, server, namespace }]) => ({
      key,
      name,
      server,
      ...(namespace === undefined ? {} : { namespace }),
      ...parseArmKey(key),
    })),
  }
}

/** For the command line: a client of the front door, or the one who started a desktop for a kubeconfig, which keeps its code. */
async function issueCode(parts: ApiParts, request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (request.headers.origin !== undefined) return json(response, 403, { message: 'browsers are not served here' })
  const body = (await readJson(request)) as { readonly clientId?: string; readonly clientSecret?: string }
  try {
    const credentials = await signIn(signInParts(parts), { ...body, kind: 'client' }, undefined)
    return json(response, 200, { code: parts.sessions.issueCode(credentials) })
  } catch (error) {
    if (error instanceof SignInError) return json(response, 401, { message: error.message })
    throw error
  }
}

async function toFrontDoor(
  { frontDoor }: ApiParts,
  session: Session,
  path: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { arm } = session.credentials
  if (frontDoor === undefined || arm === undefined)
    return json(response, 403, { message: 'This session is signed in to clusters, not to the server.' })
  await handOn(response, (signal) =>
    frontDoor.send(arm, {
      method: request.method ?? 'GET',
      path,
      headers: headersOf(request),
      ...bodyOf(request),
      signal,
    }),
  )
}

async function forwards(
  parts: ApiParts,
  session: Session,
  { key, id }: { readonly key: string; readonly id: string | undefined },
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  if (id !== undefined) {
    if (request.method !== 'DELETE') return void response.writeHead(405, { allow: 'DELETE' }).end()
    if (!parts.forwards.close(session, id)) return json(response, 404, { message: 'That port is not forwarded.' })
    return json(response, 200, {})
  }
  switch (request.method) {
    case 'GET':
      return json(response, 200, { items: parts.forwards.list(session, key) })
    case 'POST':
      try {
        return json(response, 201, await parts.forwards.open(session, key, readWish(await readJson(request))))
      } catch (error) {
        return json(response, 400, { message: (error as Error).message })
      }
    default:
      return void response.writeHead(405, { allow: 'GET, POST' }).end()
  }
}

async function toCluster(
  { access }: ApiParts,
  session: Session,
  key: string,
  path: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  await handOn(response, async (signal) => {
    const upstream = await access.upstream(session, key)
    const call = { method: request.method ?? 'GET', path, headers: headersOf(request), ...bodyOf(request), signal }
    try {
      const answer = await upstream.send(call)
      if (answer.statusCode === 401) access.forget(session, key)
      return answer
    } catch (error) {
      access.forget(session, key)
      throw error
    }
  })
}

async function diagnosis(
  { access, scope, frontDoor }: ApiParts,
  session: Session,
  key: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  if (request.method !== 'POST') return void response.writeHead(405, { allow: 'POST' }).end()
  const stop = new AbortController()
  response.once('close', () => stop.abort())
  const { namespace, about } = (await readJson(request)) as Parameters<typeof diagnoseCluster>[2]
  try {
    const connection = await access.connection(session, key)
    const asked = {
      ...(namespace === undefined ? {} : { namespace }),
      ...(about === undefined ? {} : { about }),
      ...aroundCluster(frontDoor, session, key),
      signal: stop.signal,
    }
    json(response, 200, await diagnoseCluster(scope.clock, connection, asked))
  } catch (error) {
    if (!stop.signal.aborted) json(response, 502, { message: (error as Error).message })
  }
}

/** Where the session is signed in to the server: what lies around the cluster is asked with its rights, too. */
function aroundCluster(
  frontDoor: FrontDoorClient | undefined,
  { credentials: { arm } }: Session,
  key: string,
): Pick<Parameters<typeof diagnoseCluster>[2], 'azure'> {
  const named = parseArmKey(key)
  if (frontDoor === undefined || arm === undefined || named === undefined) return {}
  const clusterId = `/subscriptions/${frontDoor.subscriptionId}/resourceGroups/${named.group}/providers/Microsoft.ContainerService/managedClusters/${named.name}`
  return { azure: { clusterId, ask: (call) => frontDoor.ask(arm, call) } }
}

async function handOn(
  response: ServerResponse,
  send: (signal: AbortSignal) => Promise<IncomingMessage>,
): Promise<void> {
  const stop = new AbortController()
  response.once('close', () => stop.abort())
  let answer: IncomingMessage
  try {
    answer = await send(stop.signal)
  } catch (error) {
    if (stop.signal.aborted) return
    return json(response, 502, { kind: 'Status', reason: 'ServiceUnavailable', message: (error as Error).message })
  }
  const headers = flat(answer.headers)
  response.writeHead(answer.statusCode ?? 502, {
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    ...Object.fromEntries(
      handedBack.filter((name) => headers[name] !== undefined).map((name) => [name, headers[name]]),
    ),
  })
  // Who leaves in the middle has what it wanted.
  await pipeline(answer, response).catch(() => {})
}

function headersOf(request: IncomingMessage): Record<string, string> {
  const headers = flat(request.headers)
  const chosen = handedOn.filter((name) => headers[name] !== undefined).map((name) => [name, headers[name]!])
  return { ...Object.fromEntries(chosen), 'user-agent': 'aksel-desktop' }
}

function bodyOf(request: IncomingMessage): { readonly body?: IncomingMessage } {
  return request.method === 'GET' || request.method === 'HEAD' ? {} : { body: request }
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  const pieces: Buffer[] = []
  let bytes = 0
  for await (const piece of request as AsyncIterable<Buffer>) {
    bytes += piece.length
    if (bytes > BODY_MAX_BYTES) throw new SignInError('The text is too long.')
    pieces.push(piece)
  }
  try {
    return JSON.parse(Buffer.concat(pieces).toString())
  } catch {
    return {}
  }
}

function json(response: ServerResponse, status: number, body: unknown): void {
  if (response.headersSent) return
  response
    .writeHead(status, {
      'content-type': 'application/json',
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
    })
    .end(JSON.stringify(body))
}
