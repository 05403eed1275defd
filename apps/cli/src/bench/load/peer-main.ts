// What the server is compared with, in a process of its own: an echo that does nothing, a body that is always the same, sockets
// that everything is written to.

import { createSecureServer, type Http2ServerRequest, type Http2ServerResponse } from 'node:http2'
import { createServer, type TLSSocket } from 'node:tls'
import type { AddressInfo } from 'node:net'
import { serveOrders } from './orders.ts'

export interface PeerTls {
  readonly cert: string
  readonly key: string
}

export interface FanOut {
  readonly watchers: number
  readonly events: number
  readonly eventBytes: number
}

const sockets = new Set<TLSSocket>()
let body = Buffer.alloc(0)

const orders = {
  /** Answers each request with its own body, or, for a GET, with the body that was set. Returns its port. */
  async echo(tls: PeerTls): Promise<number> {
    const server = createSecureServer({ ...tls, allowHTTP1: true, settings: { maxConcurrentStreams: 1000 } }, answer)
    server.on('session', (session) => session.on('error', () => session.destroy()))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return (server.address() as AddressInfo).port
  },
  async setBody(bytes: number): Promise<boolean> {
    body = Buffer.alloc(bytes, '{"kind":"Pod","metadata":{"name":"web"}},')
    return true
  },
  /** Plain TLS sockets that are written to by `fanOut`. Returns the port. */
  async accept(tls: PeerTls): Promise<number> {
    const server = createServer({ ...tls, ALPNProtocols: ['http/1.1'] }, (socket) => {
      socket.setNoDelay(true)
      sockets.add(socket)
      socket.on('error', () => socket.destroy())
      socket.on('close', () => sockets.delete(socket))
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return (server.address() as AddressInfo).port
  },
  /** Writes so many events of this size to so many sockets, no faster than they take them. Returns how many were written. */
  async fanOut({ watchers, events, eventBytes }: FanOut): Promise<number> {
    // A client may see its handshake done a moment before we do.
    while (sockets.size < watchers) await new Promise((resolve) => setImmediate(resolve))
    const event = Buffer.alloc(eventBytes, 'x')
    event.write('}\n', eventBytes - 2)
    for (let i = 0; i < events; i++) {
      for (const socket of sockets) socket.write(event)
      await new Promise((resolve) => setImmediate(resolve))
      await drained()
    }
    return events * sockets.size
  },
} as const

export type PeerOrders = typeof orders

function answer(request: Http2ServerRequest, response: Http2ServerResponse): void {
  const pieces: Buffer[] = []
  request.on('data', (piece: Buffer) => pieces.push(piece))
  request.on('end', () => {
    const bytes = request.method === 'GET' ? body : Buffer.concat(pieces)
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': bytes.length })
    response.end(bytes)
  })
}

const BUFFER_MAX_BYTES = 256 << 10

async function drained(): Promise<void> {
  const full = [...sockets].filter((socket) => socket.writableLength > BUFFER_MAX_BYTES)
  if (full.length === 0) return
  await Promise.all(
    full.map((socket) => new Promise((resolve) => socket.once('drain', resolve).once('close', resolve))),
  )
}

serveOrders(orders)
