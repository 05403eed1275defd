// Exec and attach: frames between the client's session, over WebSocket or SPDY, and whoever runs the command.

import type { Duplex } from 'node:stream'
import { anySignal } from '@aksel/base/any-signal'
import { ApiError } from '@aksel/base/errors'
import type { Scope } from '@aksel/base/scope'
import { channels, readFrames, writeFrame } from '../stream-frames.ts'
import { failureStatus } from './client-session.ts'
import type { ClientSession, SessionOptions, SessionStatus } from './client-session.ts'
import { isSpdy, spdySession } from './spdy-upgrade.ts'
import type { UpgradeCall } from './upgrade-call.ts'
import { isWebSocket, webSocketSession } from './web-socket.ts'

/** Begins what the client is to talk to; frames go both ways. Rejects with what the client is told instead of an upgrade. */
export type OpenCommand = (signal: AbortSignal) => Promise<Duplex>

/** Resolves when the session is over. Throws a BadRequest for a call that asks for no upgrade that we know. */
export async function serveCommand(
  scope: Scope,
  call: UpgradeCall,
  options: SessionOptions,
  open: OpenCommand,
): Promise<void> {
  if (call.upgrade === undefined || (!isWebSocket(call) && !isSpdy(call))) {
    throw new ApiError('BadRequest', 'Upgrade request required')
  }
  const controller = new AbortController()
  const signal = anySignal([call.signal, scope.signal, controller.signal])
  try {
    const command = await open(signal)
    const client = isWebSocket(call) ? await webSocketSession(call, options) : await spdySession(scope, call, options)
    await client.finish(await relay(client, command, () => controller.abort(new Error('the client left'))))
  } finally {
    controller.abort(new Error('the session is over'))
  }
}

/** How the session ended, as the other side says, or as the loss of either does. */
async function relay(client: ClientSession, command: Duplex, abandon: () => void): Promise<SessionStatus> {
  const input = (async () => {
    for await (const { channel, payload } of client.input) await writeFrame(command, channel, payload)
    // The client is gone; the node ends what it started.
    abandon()
  })()
  input.catch(abandon)
  try {
    for await (const { channel, payload } of readFrames(command)) {
      if (channel === channels.error) return JSON.parse(payload.toString()) as SessionStatus
      await client.write(channel, payload)
    }
  } catch {
    // Told below, the same as an end without a status.
  }
  return failureStatus('error executing command in container: the connection to the node was lost')
}
