// A bare TCP connection from the node's network, for the server's proxies, webhooks and aggregated APIs: pods and
// services are reachable from here and from nowhere in the server.

import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { pipeline } from 'node:stream/promises'
import { ApiError } from '@aksel/base/errors'
import type { Scope } from '@aksel/base/scope'
import type { TunnelCall } from '@aksel/runtime/tunnel'

const CONNECT_TIMEOUT_MS = 10_000

/** `POST /dial?host=IP&port=N`: 200 and then raw bytes both ways; 503 with Go's words where nobody answers. */
export async function dialFromNode(scope: Scope, call: TunnelCall): Promise<void> {
  const host = call.query.get('host') ?? ''
  const port = Number(call.query.get('port'))
  if (host === '' || !Number.isInteger(port) || port < 1 || port > 65_535) {
    throw new ApiError('BadRequest', `Cannot dial "${host}:${call.query.get('port')}": no such address`)
  }
  const socket = await connectTo(scope, host, port)
  call.respond(200)
  const onAbort = (): void => void socket.destroy()
  scope.signal.addEventListener('abort', onAbort, { once: true })
  try {
    await Promise.all([pipeline(socket, call.stream, { end: true }), pipeline(call.stream, socket, { end: true })])
  } catch {
    // Either side may reset the connection; the other one then sees a reset too.
    call.stream.destroy()
  } finally {
    scope.signal.removeEventListener('abort', onAbort)
    socket.destroy()
  }
}

function connectTo(scope: Scope, host: string, port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, allowHalfOpen: true, noDelay: true })
    const fail = (reason: string): void => {
      socket.destroy()
      deadline[Symbol.dispose]()
      reject(new ApiError('ServiceUnavailable', `dial tcp ${host}:${port}: ${reason}`))
    }
    const deadline = scope.clock.after(CONNECT_TIMEOUT_MS, () => fail('i/o timeout'))
    socket.once('error', (error: NodeJS.ErrnoException) => fail(dialWords[error.code ?? ''] ?? error.message))
    socket.once('connect', () => {
      deadline[Symbol.dispose]()
      socket.removeAllListeners('error').on('error', () => {})
      resolve(socket)
    })
  })
}

const dialWords: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connect: connection refused',
  EHOSTUNREACH: 'connect: no route to host',
  ENETUNREACH: 'connect: network is unreachable',
  ETIMEDOUT: 'i/o timeout',
}
