// The node's DNS server. It listens on the cluster's DNS address itself, added to the node's own loopback, so that a
// pod's question never leaves its node.

import { createSocket, type Socket as UdpSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'
import type { Scope } from '@aksel/base/scope'
import { run, type CommandRunner } from '@aksel/host/command'
import type { Caches } from '@aksel/runtime/controller'
import { viewOfCaches } from './cache-view.ts'
import { frame, FrameReader } from './framing.ts'
import { respond, type Responder } from './respond.ts'
import { readUpstreamServers, upstreamServers } from './upstream.ts'

export interface DnsOptions {
  readonly caches: Caches
  /** `cluster.local`. */
  readonly clusterDomain: string
  /** Address of the Service kube-dns. */
  readonly address: string
  /** Servers for all other names, `10.1.2.3` or `10.1.2.3:5353`; the node's own when absent. */
  readonly upstream?: readonly string[]
  /** 53 when absent. */
  readonly port?: number
  readonly ttlSeconds?: number
  readonly run?: CommandRunner
  /** Called when questions are answered, and the cluster's objects are known. */
  readonly onReady?: (bound: { readonly port: number }) => void
}

/** What the AKS Corefile says. */
const TTL_SECONDS = 30
const PORT = 53
/** A connection that asks nothing is closed after this time. */
const IDLE_MS = 10_000
const CONNECTIONS_MAX = 1000

/** Runs until the scope aborts. Questions that come before the first list of services wait for it. */
export async function runDns(scope: Scope, options: DnsOptions): Promise<void> {
  const runner = options.run ?? run
  const port = options.port ?? PORT
  // The address goes with the node's network namespace; a loopback address is there anyway.
  if (!options.address.startsWith('127.'))
    await runner(scope, ['ip', 'addr', 'replace', `${options.address}/32`, 'dev', 'lo'])
  const view = viewOfCaches(options.caches)
  const responder: Responder = {
    view,
    upstream: upstreamServers(options.upstream ?? (await readUpstreamServers())),
    clusterDomain: options.clusterDomain,
    address: options.address,
    ttlSeconds: options.ttlSeconds ?? TTL_SECONDS,
  }
  const synced = view.synced(scope.signal)
  const reply = async (message: Buffer, transport: 'udp' | 'tcp'): Promise<Buffer | undefined> => {
    await synced
    return respond(scope, responder, message, transport)
  }
  const tcp = await listenTcp(scope, options.address, port, (message) => reply(message, 'tcp'))
  const bound = (tcp.address() as { readonly port: number }).port
  const udp = await listenUdp(scope, options.address, bound, (message) => reply(message, 'udp'))
  try {
    await synced
    options.onReady?.({ port: bound })
    if (!scope.signal.aborted) await once(scope.signal, 'abort')
  } catch (error) {
    if (!scope.signal.aborted) throw error
  } finally {
    udp.close()
    tcp.close()
  }
}

type Reply = (message: Buffer) => Promise<Buffer | undefined>

async function listenUdp(scope: Scope, address: string, port: number, reply: Reply): Promise<UdpSocket> {
  const socket = createSocket('udp4')
  socket.on('message', (message, from) => {
    reply(message).then(
      (answer) => {
        if (answer !== undefined && !scope.signal.aborted) socket.send(answer, from.port, from.address, () => {})
      },
      (error: unknown) => scope.log.debug('a DNS question was not answered', { error }),
    )
  })
  socket.bind(port, address)
  await once(socket, 'listening')
  socket.on('error', (error) => scope.log.warn('the DNS socket failed', { error }))
  return socket
}

async function listenTcp(scope: Scope, address: string, port: number, reply: Reply): Promise<Server> {
  const open = new Set<Socket>()
  const server = createServer((socket) => {
    open.add(socket)
    socket.once('close', () => open.delete(socket))
    serve(scope, socket, reply)
  })
  server.maxConnections = CONNECTIONS_MAX
  server.listen(port, address)
  await once(server, 'listening')
  server.on('error', (error) => scope.log.warn('the DNS listener failed', { error }))
  scope.signal.addEventListener('abort', () => open.forEach((socket) => socket.destroy()), { once: true })
  return server
}

function serve(scope: Scope, socket: Socket, reply: Reply): void {
  const reader = new FrameReader()
  socket.setTimeout(IDLE_MS, () => socket.destroy())
  socket.on('error', () => socket.destroy())
  socket.on('data', (chunk: Buffer) => {
    for (const message of reader.push(chunk)) {
      reply(message).then(
        (answer) => {
          if (answer === undefined) socket.destroy()
          else if (socket.writable) socket.write(frame(answer))
        },
        (error: unknown) => {
          scope.log.debug('a DNS question was not answered', { error })
          socket.destroy()
        },
      )
    }
  })
}
