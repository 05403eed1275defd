// WebSocket upgrades on a bare socket, and exec and attach over Kubernetes' channel sub-protocols.

import { IncomingMessage } from 'node:http'
import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { WebSocket, WebSocketServer, createWebSocketStream } from 'ws'
import { ApiError } from '@aksel/base/errors'
import { AsyncQueue } from '@aksel/base/queue'
import { channels } from '../stream-frames.ts'
import type { Frame } from '../stream-frames.ts'
import type { UpgradeCall } from './upgrade-call.ts'
import type { ClientSession, SessionOptions } from './client-session.ts'

/** Best first. v5 lets the client end standard input. The last is for a client that names none. */
const execProtocols = [
  'v5.channel.k8s.io',
  'v4.channel.k8s.io',
  'v4.base64.channel.k8s.io',
  'channel.k8s.io',
  'base64.channel.k8s.io',
] as const

/** What a handshake reads of a call. */
type Upgradable = Pick<UpgradeCall, 'headers' | 'method' | 'upgrade'>

export function isWebSocket(call: Pick<Upgradable, 'headers'>): boolean {
  return call.headers['upgrade']?.toLowerCase() === 'websocket'
}

/** Throws a BadRequest where client and server share no sub-protocol. */
export async function acceptWebSocket(
  call: Upgradable,
  known: readonly string[],
): Promise<{ readonly socket: WebSocket; readonly protocol: string }> {
  const asked = (call.headers['sec-websocket-protocol'] ?? '').split(',').map((name) => name.trim())
  const protocol = known.find((name) => asked.includes(name)) ?? ''
  if (protocol === '' && asked[0] !== '') {
    throw new ApiError(
      'BadRequest',
      `unable to upgrade: unable to negotiate protocol: client supports ${JSON.stringify(asked)}, server accepts ${JSON.stringify(known)}`,
    )
  }
  const upgrade = call.upgrade
  if (upgrade === undefined) throw new ApiError('BadRequest', 'Upgrade request required')
  const server = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    handleProtocols: () => (protocol === '' ? false : protocol),
  })
  // The library wants the request as node:http parses it; method and headers are all that it reads.
  const request = new IncomingMessage(new Socket())
  request.method = call.method
  Object.assign(request.headers, call.headers)
  return new Promise((resolve, reject) => {
    const onClose = (): void => reject(new ApiError('BadRequest', 'the client went away or sent no valid handshake'))
    upgrade.socket.once('close', onClose)
    server.handleUpgrade(request, upgrade.socket as Socket, Buffer.from(upgrade.head), (socket) => {
      upgrade.socket.off('close', onClose)
      socket.on('error', () => {})
      resolve({ socket, protocol })
    })
  })
}

export async function webSocketSession(call: UpgradeCall, options: SessionOptions): Promise<ClientSession> {
  const { socket, protocol } = await acceptWebSocket(call, execProtocols)
  const isBase64 = protocol.includes('base64')
  const hasStatus = protocol.startsWith('v')
  const session: ClientSession = {
    input: framesOf(socket, isBase64),
    write: (channel, payload) => sendFrame(socket, { channel, payload, isBase64 }),
    async finish(status) {
      const text = hasStatus ? JSON.stringify(status) : status.status === 'Success' ? '' : (status.message ?? '')
      if (text !== '') await session.write(channels.error, Buffer.from(text))
      socket.close(1000)
    },
  }
  // Upstream says in this way that the session stands; some clients wait for it.
  const first = options.stdout ? channels.stdout : options.stderr ? channels.stderr : channels.error
  await session.write(first, new Uint8Array(0))
  return session
}

/** More messages than these are not taken from the network before the first ones are worked off. */
const MESSAGES_MAX = 16

/** Messages as frames, their first byte or character the channel; ends when the client is gone. */
export async function* framesOf(socket: WebSocket, isBase64: boolean): AsyncGenerator<Frame> {
  const queue = new AsyncQueue<Frame>()
  socket.on('message', (data: Buffer) => {
    queue.push(parseMessage(data, isBase64))
    if (queue.length >= MESSAGES_MAX) socket.pause()
  })
  socket.once('close', () => queue.end())
  if (socket.readyState === WebSocket.CLOSED) queue.end()
  for await (const frame of queue) {
    yield frame
    if (socket.isPaused && queue.length < MESSAGES_MAX) socket.resume()
  }
}

function parseMessage(data: Buffer, isBase64: boolean): Frame {
  if (!isBase64) return { channel: data[0] ?? channels.stdin, payload: data.subarray(1) }
  const channel = (data[0] ?? 0x30) - 0x30
  return { channel, payload: Buffer.from(data.toString('latin1', 1), 'base64') }
}

/** Resolves when the client takes more. */
export function sendFrame(
  socket: WebSocket,
  {
    channel,
    payload,
    isBase64,
  }: { readonly channel: number; readonly payload: Uint8Array; readonly isBase64: boolean },
): Promise<void> {
  const message = isBase64
    ? String.fromCharCode(0x30 + channel) + Buffer.from(payload).toString('base64')
    : Buffer.concat([Uint8Array.of(channel), payload])
  return sendMessage(socket, message)
}

function sendMessage(socket: WebSocket, message: Buffer | string): Promise<void> {
  // A client that left does not hear the rest.
  return new Promise((resolve) => socket.send(message, () => resolve()))
}

/** Sub-protocols of what only flows to the client: a log, as it comes. None named means binary. */
const readProtocols = ['binary.k8s.io', 'base64.binary.k8s.io'] as const

/** Sends everything in messages and ends the session; a client that leaves ends it too. */
export async function sendOverWebSocket(call: UpgradeCall, body: AsyncIterable<Uint8Array>): Promise<void> {
  const { socket, protocol } = await acceptWebSocket(call, readProtocols)
  const isBase64 = protocol.startsWith('base64')
  for await (const chunk of body) {
    if (socket.readyState !== WebSocket.OPEN) return
    await sendMessage(socket, isBase64 ? Buffer.from(chunk).toString('base64') : Buffer.from(chunk))
  }
  socket.close(1000)
}

/** Raw bytes over binary messages: what SPDY is tunnelled in. */
export function byteStream(socket: WebSocket): Duplex {
  return createWebSocketStream(socket)
}
