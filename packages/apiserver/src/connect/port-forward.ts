// `pods/portforward`: each connection that kubectl accepts is a pair of SPDY streams, data and error, and on the node's
// side one call. Current kubectl carries the SPDY session inside a WebSocket.

import { ApiError } from '@aksel/base/errors'
import type { Scope } from '@aksel/base/scope'
import type { Pod } from '@aksel/api/types/core-v1'
import { SpdySession } from '@aksel/runtime/spdy/session'
import type { SpdyStream } from '@aksel/runtime/spdy/session'
import { channels, readFrames, writeAll, writeClose, writeFrame } from '@aksel/runtime/stream-frames'
import type { ConnectCall, ConnectOptions } from '../connect-handler.ts'
import { callNode } from './node-call.ts'
import { findRunningPod, nodePath } from './pod-target.ts'
import { acceptSpdy, isSpdy } from './spdy-upgrade.ts'
import { acceptWebSocket, byteStream, isWebSocket } from './web-socket.ts'

const PROTOCOL = 'portforward.k8s.io'
const TUNNELLED = `SPDY/3.1+${PROTOCOL}`

/** Resolves when the client has closed the session. */
export async function relayPortForward(scope: Scope, options: ConnectOptions, call: ConnectCall): Promise<'upgraded'> {
  const { pod, nodeName } = await findRunningPod(options, call)
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
    void forward(options, { pod, nodeName, data, error, signal: call.signal })
  }
  const session = await openSession(call, onStream)
  const onAbort = (): void => session.destroy()
  scope.signal.addEventListener('abort', onAbort, { once: true })
  await session.closed
  scope.signal.removeEventListener('abort', onAbort)
  return 'upgraded'
}

async function openSession(call: ConnectCall, onStream: (stream: SpdyStream) => void): Promise<SpdySession> {
  if (isWebSocket(call)) {
    const { socket, protocol } = await acceptWebSocket(call, [TUNNELLED])
    if (protocol === '') {
      socket.close(1002)
      throw new ApiError('BadRequest', `unable to upgrade: port forward over WebSocket needs ${TUNNELLED}`)
    }
    return new SpdySession(byteStream(socket), { role: 'server', onStream })
  }
  if (!isSpdy(call)) throw new ApiError('BadRequest', 'Upgrade request required')
  const { socket, head } = acceptSpdy(call, [PROTOCOL])
  return new SpdySession(socket, { role: 'server', onStream }, head)
}

interface Connection {
  readonly pod: Pod
  readonly nodeName: string
  readonly data: SpdyStream
  readonly error: SpdyStream
  readonly signal: AbortSignal
}

/** Never rejects: what goes wrong is written on the connection's error stream. kubectl waits for that stream's end. */
async function forward(options: ConnectOptions, connection: Connection): Promise<void> {
  const { pod, nodeName, data, error } = connection
  const port = data.headers['port'] ?? ''
  const controller = new AbortController()
  const signal = AbortSignal.any([connection.signal, controller.signal])
  error.resume()
  // A client that resets the connection ends it on the node.
  data.once('close', () => controller.abort(new Error('the connection was closed')))
  try {
    const path = nodePath('portForward', pod, undefined, new URLSearchParams({ port }))
    const node = await callNode(options, nodeName, { method: 'POST', path, signal })
    const input = (async () => {
      for await (const chunk of data) await writeFrame(node.stream, channels.stdin, chunk as Buffer)
      await writeClose(node.stream, channels.stdin)
    })()
    input.catch(() => controller.abort(new Error('the connection was reset')))
    for await (const { channel, payload } of readFrames(node.stream)) {
      if (channel === channels.stdout) await writeAll(data, payload)
      if (channel === channels.error) error.write(failure(port, pod, payload.toString()))
    }
  } catch (cause) {
    if (!signal.aborted) error.write(failure(port, pod, (cause as Error).message))
  } finally {
    error.end()
    data.end()
    // What the client still sends goes nowhere; reading it lets the stream end.
    data.resume()
    controller.abort(new Error('the connection is over'))
  }
}

function failure(port: string, pod: Pod, reason: string): string {
  return `error forwarding port ${port} to pod ${pod.metadata.uid ?? pod.metadata.name}, uid : ${reason}`
}
