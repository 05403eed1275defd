// Port-forward: each connection that kubectl accepts is a pair of SPDY streams, data and error, and on the other side one
// stream of frames. Current kubectl carries the SPDY session inside a WebSocket; browsers' clients speak channels of a WebSocket.

import { Duplex, PassThrough, Writable } from 'node:stream'
import { finished } from 'node:stream/promises'
import { anySignal } from '@aksel/base/any-signal'
import { ApiError } from '@aksel/base/errors'
import type { Scope } from '@aksel/base/scope'
import { SpdySession } from '../spdy/session.ts'
import type { SpdyStream } from '../spdy/session.ts'
import { channels, readFrames, writeAll, writeClose, writeFrame } from '../stream-frames.ts'
import { acceptSpdy, isSpdy } from './spdy-upgrade.ts'
import type { UpgradeCall } from './upgrade-call.ts'
import { acceptWebSocket, byteStream, framesOf, isWebSocket, sendFrame } from './web-socket.ts'

const PROTOCOL = 'portforward.k8s.io'
const TUNNELLED = `SPDY/3.1+${PROTOCOL}`
/** Two channels for each port that the query names: data and error. */
const channelled = ['v4.channel.k8s.io', 'v4.base64.channel.k8s.io', 'channel.k8s.io', 'base64.channel.k8s.io'] as const

export interface ForwardOptions {
  /** Those that the query names; only sessions over channels of a WebSocket have them there. */
  readonly ports: readonly string[]
  /** One connection to this port: `stdin` to it, `stdout` from it, `close` for the end of either, `error` with a text. */
  open(port: string, signal: AbortSignal): Promise<Duplex>
  /** What the client reads where that fails. */
  failure(port: string, reason: string): string
}

/** Resolves when the client has closed the session. Throws a BadRequest for a call that asks for no upgrade that we know. */
export async function serveForwards(scope: Scope, call: UpgradeCall, options: ForwardOptions): Promise<void> {
  if (call.upgrade === undefined || (!isWebSocket(call) && !isSpdy(call))) {
    throw new ApiError('BadRequest', 'Upgrade request required')
  }
  const asked = (call.headers['sec-websocket-protocol'] ?? '').split(',').map((name) => name.trim())
  if (isWebSocket(call) && !asked.includes(TUNNELLED)) return serveChannels(call, options)
  const pairs = new Map<string, SpdyStream>()
  const onStream = (stream: SpdyStream): void => {
    const id = stream.headers['requestid'] ?? stream.headers['port'] ?? ''
    const other = pairs.get(id)
    if (other === undefined || other.headers['streamtype'] === stream.headers['streamtype']) {
      pairs.set(id, stream)
      return
    }
    pairs.delete(id)
    const [data, error] = stream.headers['streamtype'] === 'data' ? [stream, other] : [other, stream]
    error.resume()
    void forward(options, { port: data.headers['port'] ?? '', data, error, signal: call.signal })
  }
  const session = await openSession(call, onStream)
  const onAbort = (): void => session.destroy()
  scope.signal.addEventListener('abort', onAbort, { once: true })
  await session.closed
  scope.signal.removeEventListener('abort', onAbort)
}

async function openSession(call: UpgradeCall, onStream: (stream: SpdyStream) => void): Promise<SpdySession> {
  if (isWebSocket(call)) {
    const { socket } = await acceptWebSocket(call, [TUNNELLED])
    return new SpdySession(byteStream(socket), { role: 'server', onStream })
  }
  const { socket, head } = acceptSpdy(call, [PROTOCOL])
  return new SpdySession(socket, { role: 'server', onStream }, head)
}

/** Channel 2i carries the data of the i-th port, 2i + 1 its errors; each begins with the port, two bytes, little endian. */
async function serveChannels(call: UpgradeCall, options: ForwardOptions): Promise<void> {
  const { ports } = options
  if (ports.length === 0) throw new ApiError('BadRequest', 'query parameter "port" is required')
  for (const port of ports) {
    if (!/^\d+$/.test(port) || Number(port) < 1 || Number(port) > 65_535)
      throw new ApiError('BadRequest', `unable to parse "${port}" as a port`)
  }
  const { socket, protocol } = await acceptWebSocket(call, channelled)
  const isBase64 = protocol.includes('base64')
  const inputs = ports.map(() => new PassThrough())
  const controller = new AbortController()
  const signal = anySignal([call.signal, controller.signal])
  const read = (async () => {
    for await (const { channel, payload } of framesOf(socket, isBase64)) {
      const input = channel % 2 === 0 ? inputs[channel / 2] : undefined
      if (input !== undefined) await writeAll(input, payload)
    }
    controller.abort(new Error('the client left'))
  })()
  const forwards = ports.map(async (port, index) => {
    const send = (channel: number, payload: Uint8Array): Promise<void> =>
      sendFrame(socket, { channel, payload, isBase64 })
    const number = Buffer.alloc(2)
    number.writeUInt16LE(Number(port))
    await send(2 * index, number)
    await send(2 * index + 1, number)
    const output = writableOf((chunk) => send(2 * index, chunk))
    const error = writableOf((chunk) => send(2 * index + 1, chunk))
    const data = Duplex.from({ readable: inputs[index]!, writable: output })
    await forward(options, { port, data, error, signal })
    await Promise.all([finished(output), finished(error)])
  })
  await Promise.all(forwards)
  socket.close(1000)
  await read
}

/** What is written goes out by `send`, one after the other. */
function writableOf(send: (chunk: Buffer) => Promise<void>): Writable {
  return new Writable({ write: (chunk: Buffer, _encoding, done) => void send(chunk).then(() => done(), done) })
}

interface Connection {
  readonly port: string
  readonly data: Duplex
  readonly error: Writable
  readonly signal: AbortSignal
}

/** Never rejects: what goes wrong is written on the connection's error stream. kubectl waits for that stream's end. */
async function forward(options: ForwardOptions, { port, data, error, signal: ended }: Connection): Promise<void> {
  const controller = new AbortController()
  const signal = anySignal([ended, controller.signal])
  // A client that resets the connection ends it on the node.
  data.once('close', () => controller.abort(new Error('the connection was closed')))
  try {
    const node = await options.open(port, signal)
    const input = (async () => {
      for await (const chunk of data) await writeFrame(node, channels.stdin, chunk as Buffer)
      await writeClose(node, channels.stdin)
    })()
    input.catch(() => controller.abort(new Error('the connection was reset')))
    for await (const { channel, payload } of readFrames(node)) {
      if (channel === channels.stdout) await writeAll(data, payload)
      if (channel === channels.error) error.write(options.failure(port, payload.toString()))
    }
  } catch (cause) {
    if (!signal.aborted) error.write(options.failure(port, (cause as Error).message))
  } finally {
    error.end()
    data.end()
    // What the client still sends goes nowhere; reading it lets the stream end.
    data.resume()
    controller.abort(new Error('the connection is over'))
  }
}
