// The first process of a container, for `kubectl attach` and `kubectl run -it`. Its pipes belong to containerd's CRI
// service, which hands them out through a streaming server of its own on the node's loopback address: we are its client.

import { request } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Scope } from '@aksel/base/scope'
import { SpdySession } from '@aksel/runtime/spdy/session'
import { createGrpcClient } from '../containerd/grpc.ts'
import type { SessionStreams } from './exec.ts'
import { internalStatus, successStatus } from './session.ts'
import type { Session, SessionStatus } from './session.ts'

/** CRI's Attach: makes a one-time URL. */
export interface AttachUrls extends Disposable {
  attachUrl(containerId: string, streams: SessionStreams): Promise<string>
}

const attachProto = `
syntax = "proto3";
package runtime.v1;
service RuntimeService { rpc Attach(AttachRequest) returns (AttachResponse); }
message AttachRequest { string container_id = 1; bool stdin = 2; bool tty = 3; bool stdout = 4; bool stderr = 5; }
message AttachResponse { string url = 1; }
`

const PROTOCOL = 'v4.channel.k8s.io'
const CALL_TIMEOUT_MS = 30_000

export async function createAttachUrls(scope: Scope, options: { readonly socketPath: string }): Promise<AttachUrls> {
  const client = await createGrpcClient(scope, {
    socketPath: options.socketPath,
    proto: [attachProto],
    service: 'runtime.v1.RuntimeService',
    timeoutMs: CALL_TIMEOUT_MS,
  })
  return {
    async attachUrl(containerId, { stdin, stdout, stderr, tty }) {
      const asked = { containerId, stdin, stdout, stderr: stderr && !tty, tty }
      return (await client.unary<{ url: string }>('Attach', asked)).url
    },
    [Symbol.dispose]: () => client[Symbol.dispose](),
  }
}

/** Ends when the container's first process does, always as success: attach reports no exit code, as upstream's. */
export async function openAttach(
  scope: Scope,
  urls: AttachUrls,
  containerId: string,
  streams: SessionStreams,
): Promise<Session> {
  const { socket, head } = await upgrade(scope, await urls.attachUrl(containerId, streams))
  const spdy = new SpdySession(socket, { role: 'client' }, head)
  const error = spdy.open({ streamtype: 'error' })
  error.end()
  const stdin = streams.stdin ? spdy.open({ streamtype: 'stdin' }) : undefined
  const stdout = streams.stdout ? spdy.open({ streamtype: 'stdout' }) : undefined
  const stderr = streams.stderr && !streams.tty ? spdy.open({ streamtype: 'stderr' }) : undefined
  const resize = streams.tty ? spdy.open({ streamtype: 'resize' }) : undefined
  for (const output of [stdout, stderr]) output?.end()
  // What containerd says back on these is nothing, but unread streams would stop the connection.
  for (const silent of [stdin, resize]) silent?.resume()
  return {
    stdin,
    stdout,
    stderr,
    async closeStdin() {
      stdin?.end()
    },
    async resize({ width, height }) {
      resize?.write(`${JSON.stringify({ Width: width, Height: height })}\n`)
    },
    ended: Promise.race([readStatus(error), spdy.closed.then(successStatus)]),
    async [Symbol.asyncDispose]() {
      spdy.destroy()
      await spdy.closed
    },
  }
}

async function readStatus(error: Duplex): Promise<SessionStatus> {
  const chunks: Buffer[] = []
  try {
    for await (const chunk of error) chunks.push(chunk as Buffer)
    const text = Buffer.concat(chunks).toString()
    return text === '' ? successStatus() : (JSON.parse(text) as SessionStatus)
  } catch (cause) {
    return internalStatus(`error attaching to container: ${(cause as Error).message}`)
  }
}

function upgrade(scope: Scope, url: string): Promise<{ readonly socket: Duplex; readonly head: Buffer }> {
  return new Promise((resolve, reject) => {
    const call = request(url, {
      method: 'POST',
      headers: { connection: 'Upgrade', upgrade: 'SPDY/3.1', 'x-stream-protocol-version': PROTOCOL },
      signal: scope.signal,
    })
    call.once('upgrade', (_response, socket, head) => resolve({ socket, head }))
    call.once('response', (response) => {
      response.resume()
      reject(new Error(`containerd refused to attach: ${response.statusCode} ${response.statusMessage}`))
    })
    call.once('error', reject)
    call.end()
  })
}
