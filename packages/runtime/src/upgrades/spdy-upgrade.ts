// SPDY/3.1 upgrades on a bare socket, and exec and attach over it, for clients before kubectl 1.31 and its fall-back.

import type { Duplex } from 'node:stream'
import { finished } from 'node:stream/promises'
import { ApiError } from '@aksel/base/errors'
import { AsyncQueue } from '@aksel/base/queue'
import type { Scope } from '@aksel/base/scope'
import { SpdySession } from '../spdy/session.ts'
import type { SpdyStream } from '../spdy/session.ts'
import { channels, writeAll } from '../stream-frames.ts'
import type { Frame } from '../stream-frames.ts'
import type { UpgradeCall } from './upgrade-call.ts'
import type { ClientSession, SessionOptions, SessionStatus } from './client-session.ts'

const execProtocols = ['v4.channel.k8s.io', 'v3.channel.k8s.io', 'v2.channel.k8s.io', 'channel.k8s.io'] as const
const STREAMS_TIMEOUT_MS = 30_000

export function isSpdy(call: UpgradeCall): boolean {
  return call.headers['upgrade']?.toLowerCase() === 'spdy/3.1'
}

/** Writes the 101 and returns the bare connection; throws where client and server share no protocol. */
export function acceptSpdy(
  call: UpgradeCall,
  known: readonly string[],
): { readonly socket: Duplex; readonly head: Uint8Array; readonly protocol: string } {
  const asked = (call.headers['x-stream-protocol-version'] ?? '').split(',').map((name) => name.trim())
  // A client that names none is older than the negotiation.
  const protocol = asked[0] === '' ? known.at(-1)! : known.find((name) => asked.includes(name))
  if (protocol === undefined) {
    throw new ApiError(
      'Forbidden',
      `unable to upgrade: unable to negotiate protocol: client supports ${JSON.stringify(asked)}, server accepts ${JSON.stringify(known)}`,
    )
  }
  if (call.upgrade === undefined) throw new ApiError('BadRequest', 'Upgrade request required')
  const { socket, head } = call.upgrade
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n` +
      `X-Stream-Protocol-Version: ${protocol}\r\n\r\n`,
  )
  return { socket, head, protocol }
}

export async function spdySession(scope: Scope, call: UpgradeCall, options: SessionOptions): Promise<ClientSession> {
  const { socket, head, protocol } = acceptSpdy(call, execProtocols)
  const hasResize = protocol.startsWith('v4') || protocol.startsWith('v3')
  const wanted = [
    'error',
    ...(options.stdin ? ['stdin'] : []),
    ...(options.stdout ? ['stdout'] : []),
    ...(options.stderr ? ['stderr'] : []),
    ...(options.tty && hasResize ? ['resize'] : []),
  ]
  const opened = new AsyncQueue<SpdyStream>()
  const spdy = new SpdySession(socket, { role: 'server', onStream: (stream) => opened.push(stream) }, head)
  void spdy.closed.then(() => opened.end())
  const streams = await collect(scope, opened, wanted)
  if (streams === undefined) {
    spdy.destroy()
    throw new ApiError('Timeout', 'timed out waiting for client to create streams')
  }
  const outputs: Readonly<Record<number, SpdyStream | undefined>> = {
    [channels.stdout]: streams.get('stdout'),
    [channels.stderr]: streams.get('stderr'),
  }
  // Clients end these at once; unread they would hold the connection up.
  for (const name of ['error', 'stdout', 'stderr']) streams.get(name)?.resume()
  return {
    input: inputOf(spdy, streams),
    async write(channel, payload) {
      const stream = outputs[channel]
      if (stream !== undefined) await writeAll(stream, payload)
    },
    finish: (status) => finish(spdy, streams, status, protocol === 'v4.channel.k8s.io'),
  }
}

async function collect(
  scope: Scope,
  opened: AsyncQueue<SpdyStream>,
  wanted: readonly string[],
): Promise<Map<string, SpdyStream> | undefined> {
  const streams = new Map<string, SpdyStream>()
  using _deadline = scope.clock.after(STREAMS_TIMEOUT_MS, () => opened.end())
  for await (const stream of opened) {
    streams.set(stream.headers['streamtype'] ?? '', stream)
    if (wanted.every((name) => streams.has(name))) return streams
  }
  return undefined
}

async function* inputOf(spdy: SpdySession, streams: ReadonlyMap<string, SpdyStream>): AsyncGenerator<Frame> {
  const queue = new AsyncQueue<Frame>()
  const feed = (name: string, channel: number): void => {
    const stream = streams.get(name)
    if (stream === undefined) return
    stream.on('data', (payload: Buffer) => queue.push({ channel, payload }))
    stream.once('end', () => queue.push({ channel: channels.close, payload: Buffer.of(channel) }))
  }
  feed('stdin', channels.stdin)
  feed('resize', channels.resize)
  void spdy.closed.then(() => queue.end())
  yield* queue
}

async function finish(
  spdy: SpdySession,
  streams: ReadonlyMap<string, SpdyStream>,
  status: SessionStatus,
  isJson: boolean,
): Promise<void> {
  const error = streams.get('error')
  const text = isJson ? JSON.stringify(status) : status.status === 'Success' ? '' : (status.message ?? '')
  if (text !== '') error?.write(text)
  for (const stream of streams.values()) stream.end()
  await Promise.all([...streams.values()].map((stream) => finished(stream, { readable: false }).catch(() => {})))
  spdy.close()
}
