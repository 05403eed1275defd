// The desktop behind its page: sign-in, and the way to the front door and to clusters with the rights of who signed in. Everything
// it does for the page is a call of a public API.

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Scope } from '@aksel/base/scope'
import { WebSocketServer } from 'ws'
import { ClusterAccess } from './cluster-access.ts'
import { FrontDoorClient } from './front-door-client.ts'
import { cookieName, PREFIX, type DesktopOptions } from './desktop-options.ts'
import { answerApi, type ApiParts } from './page-api.ts'
import { PortForwards } from './port-forwards.ts'
import { OWN_HEADER, refuseForeign } from './same-origin.ts'
import { Sessions } from './sessions.ts'
import { contextKey } from './sign-in.ts'
import { bridge } from './socket-bridge.ts'
import { serveAsset, servePage } from './static-files.ts'

export interface Desktop extends Disposable {
  readonly home: string
  /** True where the path is the desktop's own. */
  serves(path: string): boolean
  handle(request: IncomingMessage, response: ServerResponse): void
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void
  /** Opens a session with every context of the kubeconfig, once. */
  issueCode(): string
}

export function createDesktop(scope: Scope, options: DesktopOptions): Desktop {
  const sessions = new Sessions(scope)
  // The front door's address is known only when it listens.
  let opened: Pick<ApiParts, 'frontDoor' | 'access' | 'forwards'> | undefined
  const behind = (): typeof opened & object => {
    if (opened === undefined) {
      const place = options.frontDoor?.()
      const frontDoor = place === undefined ? undefined : new FrontDoorClient(place, scope.clock)
      const access = new ClusterAccess(scope.clock, frontDoor)
      opened = { frontDoor, access, forwards: new PortForwards(access) }
    }
    return opened
  }
  const parts = (): ApiParts => ({ scope, sessions, scheme: options.scheme, ...behind(), options })
  const sockets = new WebSocketServer({ noServer: true, perMessageDeflate: false, maxPayload: 4 << 20 })
  sockets.on('error', (error) => scope.log.warn('a socket of the desktop failed', { error }))

  return {
    home: `${PREFIX}/`,
    serves: (path) => path === PREFIX || path.startsWith(`${PREFIX}/`),
    handle(request, response) {
      answer(scope, options, parts, request, response).catch((error: unknown) => {
        scope.log.error('the desktop met an error of its own', { url: pathOf(request), error })
        if (response.headersSent) response.destroy()
        else response.writeHead(500, { 'content-type': 'application/json' }).end('{"message":"internal error"}')
      })
    },
    upgrade(request, socket, head) {
      socket.on('error', () => socket.destroy())
      openSocket(parts(), sockets, request, socket, head).catch((error: unknown) => {
        scope.log.warn('a socket of the desktop was not opened', { error })
        socket.destroy()
      })
    },
    issueCode: () =>
      sessions.issueCode({
        clusters: new Map((options.kubeconfig?.connections ?? []).map((each) => [contextKey(each.name), each])),
      }),
    [Symbol.dispose]() {
      sessions.closeAll()
      for (const socket of sockets.clients) socket.terminate()
      sockets.close()
      opened?.frontDoor?.[Symbol.dispose]()
    },
  }
}

async function answer(
  scope: Scope,
  options: DesktopOptions,
  parts: () => ApiParts,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const path = pathOf(request)
  if (path === PREFIX) return void response.writeHead(308, { location: `${PREFIX}/` }).end()
  if (path.startsWith(`${PREFIX}/api/`)) {
    // The command line has no page; it proves itself with the client's secret instead.
    const byHand = path === `${PREFIX}/api/code`
    const foreign = refuseForeign(
      {
        method: request.method ?? '',
        headers: byHand ? { ...request.headers, [OWN_HEADER]: '1' } : request.headers,
        scheme: options.scheme,
      },
      'call',
    )
    if (foreign !== undefined)
      return void response
        .writeHead(403, { 'content-type': 'application/json' })
        .end(JSON.stringify({ message: foreign }))
    return answerApi(parts(), path.slice(`${PREFIX}/api/`.length), request, response)
  }
  if (request.method !== 'GET' && request.method !== 'HEAD') return void response.writeHead(405, { allow: 'GET' }).end()
  const assets = options.assets()
  const asset = /^\/desktop\/assets\/([^/]+)$/.exec(path)?.[1]
  if (asset !== undefined && assets !== undefined) return serveAsset(request, response, assets, asset)
  const nonce = Buffer.from(scope.random.nextBytes(18)).toString('base64')
  await servePage(response, { assets, nonce, origin: `${options.scheme}://${request.headers.host ?? 'localhost'}` })
}

async function openSocket(
  parts: ApiParts,
  sockets: WebSocketServer,
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
): Promise<void> {
  const refuse = (status: string): void => void socket.end(`HTTP/1.1 ${status}\r\nconnection: close\r\n\r\n`)
  const foreign = refuseForeign({ method: 'GET', headers: request.headers, scheme: parts.scheme }, 'socket')
  if (foreign !== undefined) return refuse('403 Forbidden')
  const session = parts.sessions.find(request.headers.cookie, cookieName(parts.scheme))
  if (session === undefined) return refuse('401 Unauthorized')
  const match = /^\/desktop\/api\/clusters\/([^/]+)(\/(?:api|apis)\/.*)$/.exec(request.url ?? '')
  if (match === null) return refuse('404 Not Found')
  try {
    const upstream = await parts.access.upstream(session, decodeURIComponent(match[1]!))
    bridge(sockets, { request, socket, head }, { upstream, path: match[2]!, ended: session.ended.signal })
  } catch {
    refuse('404 Not Found')
  }
}

function pathOf(request: IncomingMessage): string {
  return (request.url ?? '/').split('?')[0]!
}
