// Sockets of a DNS server: UDP datagrams and TCP frames in, answers out. Handed sockets are taken up as they are: what
// arrived while nobody read them waits in them.

import { createSocket, type Socket as UdpSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'
import type { Scope } from '@aksel/base/scope'
import type { AnsweringServer } from './answering-server.ts'
import { frame, FrameReader } from './framing.ts'

/** Open file descriptors that are bound already. */
export interface HandedSockets {
  readonly udp: number
  readonly tcp: number
}

export interface ListenOptions {
  readonly address: string
  readonly port: number
  readonly sockets?: HandedSockets
}

/** A connection that asks nothing is closed after this time. */
const IDLE_MS = 10_000
const CONNECTIONS_MAX = 1000

/** Answers until the scope aborts or it is disposed of; resolves once it listens. */
export async function listen(
  scope: Scope,
  server: AnsweringServer,
  options: ListenOptions,
): Promise<AsyncDisposable & { readonly port: number }> {
  const tcp = await listenTcp(scope, server, options)
  const bound = tcp.address()
  const port = bound !== null && typeof bound === 'object' ? bound.port : options.port
  const udp = await listenUdp(scope, server, { ...options, port })
  const close = (): void => {
    udp.close()
    tcp.close()
  }
  scope.signal.addEventListener('abort', close, { once: true })
  return {
    port,
    [Symbol.asyncDispose]() {
      if (!scope.signal.aborted) close()
      scope.signal.removeEventListener('abort', close)
      return Promise.resolve()
    },
  }
}

async function listenUdp(scope: Scope, server: AnsweringServer, options: ListenOptions): Promise<UdpSocket> {
  const socket = createSocket('udp4')
  const send = (answer: Buffer, port: number, address: string): void => {
    if (!scope.signal.aborted) socket.send(answer, port, address, ignore)
  }
  socket.on('message', (message, from) => {
    const answer = server.respond(scope, message, from, 'udp')
    if (answer === undefined) return
    if (Buffer.isBuffer(answer)) return send(answer, from.port, from.address)
    answer.then(
      (bytes) => send(bytes, from.port, from.address),
      (error: unknown) => scope.log.debug('a DNS question was not answered', { error }),
    )
  })
  // A handed socket says that it listens at once.
  const listening = once(socket, 'listening')
  if (options.sockets === undefined) socket.bind(options.port, options.address)
  else socket.bind({ fd: options.sockets.udp })
  await listening
  socket.on('error', (error) => scope.log.warn('the DNS socket failed', { error }))
  return socket
}

/** A client that is gone has no use for its answer. */
function ignore(): void {}

async function listenTcp(scope: Scope, answering: AnsweringServer, options: ListenOptions): Promise<Server> {
  const open = new Set<Socket>()
  const server = createServer((socket) => {
    open.add(socket)
    socket.once('close', () => open.delete(socket))
    serve(scope, socket, answering)
  })
  server.maxConnections = CONNECTIONS_MAX
  if (options.sockets === undefined) server.listen(options.port, options.address)
  else server.listen({ fd: options.sockets.tcp })
  await once(server, 'listening')
  server.on('error', (error) => scope.log.warn('the DNS listener failed', { error }))
  scope.signal.addEventListener('abort', () => open.forEach((socket) => socket.destroy()), { once: true })
  return server
}

function serve(scope: Scope, socket: Socket, server: AnsweringServer): void {
  const reader = new FrameReader()
  const client = { address: socket.remoteAddress ?? '', port: socket.remotePort ?? 0 }
  socket.setTimeout(IDLE_MS, () => socket.destroy())
  socket.on('error', () => socket.destroy())
  socket.on('data', (chunk: Buffer) => {
    for (const message of reader.push(chunk)) {
      const answer = server.respond(scope, message, client, 'tcp')
      if (answer === undefined) {
        socket.destroy()
        return
      }
      Promise.resolve(answer).then(
        (bytes) => {
          if (socket.writable) socket.write(frame(bytes))
        },
        (error: unknown) => {
          scope.log.debug('a DNS question was not answered', { error })
          socket.destroy()
        },
      )
    }
  })
}
