// `pods/exec` and `pods/attach`: frames between the client's session and the node's.

import { ApiError } from '@aksel/base/errors'
import type { Scope } from '@aksel/base/scope'
import { channels, readFrames, writeFrame } from '@aksel/runtime/stream-frames'
import type { ConnectCall, ConnectOptions, NodeResponse } from '../connect-handler.ts'
import { failureStatus } from './client-session.ts'
import type { ClientSession, SessionOptions, SessionStatus } from './client-session.ts'
import { callNode } from './node-call.ts'
import { chooseContainer, findRunningPod, nodePath } from './pod-target.ts'
import { isSpdy, spdySession } from './spdy-upgrade.ts'
import { isWebSocket, webSocketSession } from './web-socket.ts'

/** Resolves when the session is over. */
export async function relayExec(scope: Scope, options: ConnectOptions, call: ConnectCall): Promise<'upgraded'> {
  const session = sessionOptions(call)
  const { pod, nodeName } = await findRunningPod(options, call)
  const container = chooseContainer(pod, call.query.get('container'))
  if (call.upgrade === undefined || (!isWebSocket(call) && !isSpdy(call))) {
    throw new ApiError('BadRequest', 'Upgrade request required')
  }
  const query = new URLSearchParams()
  for (const command of call.query.getAll('command')) query.append('command', command)
  for (const [name, isSet] of Object.entries({
    input: session.stdin,
    output: session.stdout,
    error: session.stderr,
    tty: session.tty,
  })) {
    if (isSet) query.set(name, '1')
  }
  const path = nodePath(call.subresource, pod, container, query)
  const controller = new AbortController()
  const signal = AbortSignal.any([call.signal, scope.signal, controller.signal])
  try {
    const node = await callNode(options, nodeName, { method: 'POST', path, signal })
    const client = isWebSocket(call) ? await webSocketSession(call, session) : await spdySession(scope, call, session)
    await client.finish(await relay(client, node, () => controller.abort(new Error('the client left'))))
    return 'upgraded'
  } finally {
    controller.abort(new Error('the session is over'))
  }
}

function sessionOptions(call: ConnectCall): SessionOptions {
  // Upstream's query decoder takes any text but false and 0 for true; none given means attach's and exec's defaults.
  const isSet = (name: string, byDefault: boolean): boolean => {
    const value = call.query.get(name)
    return value === null ? byDefault : value !== 'false' && value !== '0'
  }
  const tty = isSet('tty', false)
  const outputs = call.subresource === 'attach'
  const options = {
    stdin: isSet('stdin', false),
    stdout: isSet('stdout', outputs),
    stderr: isSet('stderr', outputs) && !tty,
    tty,
  }
  if (!options.stdin && !options.stdout && !options.stderr) {
    throw new ApiError('BadRequest', 'you must specify at least one of stdin, stdout, stderr')
  }
  if (call.subresource === 'exec' && !call.query.has('command')) {
    throw new ApiError('BadRequest', 'you must specify at least one command for the container')
  }
  return options
}

/** How the session ended, as the node says, or as the loss of either side does. */
async function relay(client: ClientSession, node: NodeResponse, abandon: () => void): Promise<SessionStatus> {
  const input = (async () => {
    for await (const { channel, payload } of client.input) await writeFrame(node.stream, channel, payload)
    // The client is gone; the node ends what it started.
    abandon()
  })()
  input.catch(abandon)
  try {
    for await (const { channel, payload } of readFrames(node.stream)) {
      if (channel === channels.error) return JSON.parse(payload.toString()) as SessionStatus
      await client.write(channel, payload)
    }
  } catch {
    // Told below, the same as an end without a status.
  }
  return failureStatus('error executing command in container: the connection to the node was lost')
}
