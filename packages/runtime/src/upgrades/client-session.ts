// The client's end of an exec or attach session, the same for WebSocket and SPDY: frames in, frames out, one Status.

import type { Status } from '@aksel/base/errors'
import type { Frame } from '../stream-frames.ts'

export interface SessionOptions {
  readonly stdin: boolean
  readonly stdout: boolean
  readonly stderr: boolean
  readonly tty: boolean
}

export interface ClientSession {
  /** stdin, resize and close frames; ends when the client is gone. */
  readonly input: AsyncIterable<Frame>
  /** Resolves when the client takes more. */
  write(channel: number, payload: Uint8Array): Promise<void>
  /** Says how the session ended, and closes. */
  finish(status: SessionStatus): Promise<void>
}

/** What stands on the error channel; upstream leaves kind and apiVersion out. */
export type SessionStatus = Partial<Status> & Pick<Status, 'status'>

export const successStatus: SessionStatus = { metadata: {}, status: 'Success' }

export function failureStatus(message: string): SessionStatus {
  return {
    metadata: {},
    status: 'Failure',
    message: `Internal error occurred: ${message}`,
    reason: 'InternalError',
    code: 500,
  }
}
