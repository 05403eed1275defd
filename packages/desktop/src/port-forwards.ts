// Ports of pods and services that a session has brought to this host: a listener on loopback, and a tunnel through the API server with the
// session's own rights. They end with the session.

import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { pipeline } from 'node:stream/promises'
import { SpdySession } from '@aksel/runtime/spdy/session'
import type { ClusterAccess } from './cluster-access.ts'
import { findTarget, type ForwardTarget, type ForwardWish } from './forward-target.ts'
import { textOf } from './front-door-client.ts'
import type { Session } from './sessions.ts'
import type { Upstream } from './upstream.ts'

export interface ForwardView {
  readonly id: string
  readonly cluster: string
  readonly namespace: string
  readonly kind: ForwardWish['kind']
  readonly name: string
  readonly port: number
  /** Not `localhost`: the desktop's cookie is of that name, and cookies know no ports. */
  readonly host: '127.0.0.1'
  readonly localPort: number
  readonly connections: number
  /** What the last connection that failed came to. */
  readonly error?: string
}

/** As kubectl's clients and servers name it. */
const PROTOCOL = 'portforward.k8s.io'
const HOST = '127.0.0.1'
const FORWARDS_MAX = 50
const CONNECTIONS_MAX = 200

export class PortForwards {
  readonly #access: ClusterAccess
  readonly #held = new WeakMap<Session, Map<string, Forward>>()
  #last = 0

  constructor(access: ClusterAccess) {
    this.#access = access
  }

  /** Rejects with words for the person: no such pod, no right, a local port that is taken. */
  async open(session: Session, cluster: string, wish: ForwardWish): Promise<ForwardView> {
    const own = this.#held.get(session) ?? new Map<string, Forward>()
    this.#held.set(session, own)
    if (own.size >= FORWARDS_MAX) throw new Error(`At most ${FORWARDS_MAX} ports are forwarded at once.`)
    const upstream = await this.#access.upstream(session, cluster)
    // Found out at once: a listener that leads nowhere is no forward.
    await findTarget(upstream, wish)
    const id = String((this.#last += 1))
    const forward = new Forward({ id, cluster, wish, upstream: () => this.#access.upstream(session, cluster) })
    await forward.listen(wish.localPort ?? 0)
    own.set(id, forward)
    session.ended.signal.addEventListener('abort', () => forward[Symbol.dispose](), { once: true })
    return forward.view()
  }

  list(session: Session, cluster: string): readonly ForwardView[] {
    return [...(this.#held.get(session)?.values() ?? [])]
      .map((forward) => forward.view())
      .filter((view) => view.cluster === cluster)
  }

  /** False where there is none of that id. */
  close(session: Session, id: string): boolean {
    const own = this.#held.get(session)
    const forward = own?.get(id)
    if (forward === undefined) return false
    forward[Symbol.dispose]()
    return own!.delete(id)
  }
}

interface ForwardParts {
  readonly id: string
  readonly cluster: string
  readonly wish: ForwardWish
  readonly upstream: () => Promise<Upstream>
}

interface Tunnel {
  readonly spdy: SpdySession
  readonly port: number
}

class Forward implements Disposable {
  readonly #parts: ForwardParts
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  /** One for all connections, opened with the first, and anew when it was lost. */
  #tunnel: Promise<Tunnel> | undefined
  #requests = 0
  #error: string | undefined

  constructor(parts: ForwardParts) {
    this.#parts = parts
    this.#server = createServer((socket) => void this.#carry(socket))
    this.#server.maxConnections = CONNECTIONS_MAX
  }

  listen(port: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', (error: NodeJS.ErrnoException) =>
        reject(error.code === 'EADDRINUSE' ? new Error(`Port ${port} of this host is taken.`) : error),
      )
      this.#server.listen(port, HOST, resolve)
    })
  }

  view(): ForwardView {
    const { id, cluster, wish } = this.#parts
    const { localPort: _, ...rest } = wish
    return {
      id,
      cluster,
      ...rest,
      host: HOST,
      localPort: (this.#server.address() as AddressInfo | null)?.port ?? 0,
      connections: this.#sockets.size,
      ...(this.#error === undefined ? {} : { error: this.#error }),
    }
  }

  [Symbol.dispose](): void {
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
    this.#tunnel?.then(
      ({ spdy }) => spdy.destroy(),
      () => {},
    )
  }

  async #carry(socket: Socket): Promise<void> {
    this.#sockets.add(socket)
    socket.on('error', () => socket.destroy())
    try {
      const { spdy, port } = await this.#open()
      this.#requests += 1
      const headers = { port: String(port), requestid: String(this.#requests) }
      const error = spdy.open({ ...headers, streamtype: 'error' })
      error.end()
      const data = spdy.open({ ...headers, streamtype: 'data' })
      const told = textOf(error).catch(() => '')
      await Promise.allSettled([pipeline(socket, data), pipeline(data, socket)])
      const said = await told
      if (said !== '') this.#error = said
    } catch (error) {
      this.#error = (error as Error).message
    } finally {
      socket.destroy()
      this.#sockets.delete(socket)
    }
  }

  #open(): Promise<Tunnel> {
    if (this.#tunnel !== undefined) return this.#tunnel
    const opened = this.#connect()
    this.#tunnel = opened
    const lost = (): void => void (this.#tunnel === opened && (this.#tunnel = undefined))
    opened.then(({ spdy }) => void spdy.closed.then(lost), lost)
    return opened
  }

  /** A service's pod is looked for with each tunnel: the last one may be gone. */
  async #connect(): Promise<Tunnel> {
    const upstream = await this.#parts.upstream()
    const target = await findTarget(upstream, this.#parts.wish)
    const { socket, head } = await upstream.openSpdy(pathOf(target), PROTOCOL)
    return { spdy: new SpdySession(socket, { role: 'client' }, head), port: target.port }
  }
}

function pathOf({ namespace, pod, port }: ForwardTarget): string {
  return `/api/v1/namespaces/${namespace}/pods/${pod}/portforward?ports=${port}`
}
