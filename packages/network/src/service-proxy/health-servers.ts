// Tells load balancers how many endpoints of a service this node has, and whether its proxy works: what kube-proxy serves at a
// service's `healthCheckNodePort` and at port 10256.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { formatTime } from '@aksel/base/clock'
import type { Scope } from '@aksel/base/scope'

/** kube-proxy's own port for its health. */
export const PROXY_HEALTH_PORT = 10_256

export interface ServiceHealth {
  /** `spec.healthCheckNodePort`. */
  readonly port: number
  readonly namespace: string
  readonly name: string
  /** Ready ones of this node. */
  readonly localEndpoints: number
}

interface Served {
  readonly server: Server
  health: ServiceHealth
}

export class HealthServers implements Disposable {
  readonly #scope: Scope
  readonly #served = new Map<string, Served>()
  /** Services that want a port which another one still has; tried again when one is freed. */
  readonly #waiting = new Map<string, ServiceHealth>()
  #proxy: Server | undefined
  #updatedMs: number | undefined

  constructor(scope: Scope) {
    this.#scope = scope
  }

  /** What holds for a service from now on; undefined: it has no such port. */
  set(key: string, health: ServiceHealth | undefined): void {
    const known = this.#served.get(key)
    this.#waiting.delete(key)
    if (known !== undefined && health !== undefined && known.health.port === health.port) {
      known.health = health
      return
    }
    if (known !== undefined) this.#stop(key, known)
    if (health !== undefined) this.#serve(key, health)
  }

  /** The services are in force. */
  updated(): void {
    this.#updatedMs = this.#scope.clock.now()
    this.#proxy ??= this.#listen(PROXY_HEALTH_PORT, (request, response) => this.#answerProxy(request, response))
  }

  [Symbol.dispose](): void {
    this.#waiting.clear()
    for (const { server } of this.#served.values()) close(server)
    this.#served.clear()
    if (this.#proxy !== undefined) close(this.#proxy)
  }

  #serve(key: string, health: ServiceHealth): void {
    if ([...this.#served.values()].some((other) => other.health.port === health.port)) {
      this.#waiting.set(key, health)
      return
    }
    const served: Served = {
      health,
      server: this.#listen(health.port, (_, response) => answer(response, served.health)),
    }
    this.#served.set(key, served)
  }

  #stop(key: string, { server, health }: Served): void {
    this.#served.delete(key)
    // The port is free once it is closed, and closing does not wait for anybody.
    close(server)
    const next = [...this.#waiting].find(([, waiting]) => waiting.port === health.port)
    if (next !== undefined) server.once('close', () => this.#waiting.get(next[0]) === next[1] && this.set(...next))
  }

  #listen(port: number, onRequest: (request: IncomingMessage, response: ServerResponse) => void): Server {
    const server = createServer({ keepAlive: false }, onRequest)
    server.on('error', (error) =>
      this.#scope.log.warn('a health check port is not served: somebody else has it', { port, error }),
    )
    return server.listen(port, '0.0.0.0')
  }

  #answerProxy({ url }: IncomingMessage, response: ServerResponse): void {
    if (url !== '/healthz' && url !== '/livez') return void response.writeHead(404).end()
    const lastUpdated = formatTime(this.#updatedMs!)
    send(response, 200, { lastUpdated, currentTime: formatTime(this.#scope.clock.now()) })
  }
}

function answer(response: ServerResponse, { namespace, name, localEndpoints }: ServiceHealth): void {
  response.setHeader('X-Load-Balancing-Endpoint-Weight', localEndpoints)
  const body = { service: { namespace, name }, localEndpoints, serviceProxyHealthy: true }
  send(response, localEndpoints > 0 ? 200 : 503, body)
}

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'Content-Type': 'application/json', 'X-Content-Type-Options': 'nosniff' })
  response.end(`${JSON.stringify(body, null, '\t')}`)
}

function close(server: Server): void {
  server.close()
  server.closeAllConnections()
}
