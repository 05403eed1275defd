// One shape for what exec and attach talk to, and the relay between it and the frames of the tunnel.

import { finished } from 'node:stream/promises'
import type { Duplex, Readable, Writable } from 'node:stream'
import type { Scope } from '@aksel/base/scope'
import { channels, readFrames, writeAll, writeFrame } from '@aksel/runtime/stream-frames'

/** How a session ended: a Status as Kubernetes' clients read it on the error channel. */
export interface SessionStatus {
  readonly metadata: Readonly<Record<string, never>>
  readonly status: 'Success' | 'Failure'
  readonly message?: string
  readonly reason?: string
  readonly details?: { readonly causes: readonly { readonly reason?: string; readonly message: string }[] }
  readonly code?: number
}

export interface TerminalSize {
  readonly width: number
  readonly height: number
}

export interface Session extends AsyncDisposable {
  readonly stdin: Writable | undefined
  readonly stdout: Readable | undefined
  readonly stderr: Readable | undefined
  closeStdin(): Promise<void>
  resize(size: TerminalSize): Promise<void>
  /** Never rejects. */
  readonly ended: Promise<SessionStatus>
}

export function successStatus(): SessionStatus {
  return { metadata: {}, status: 'Success' }
}

export function exitStatus(exitCode: number): SessionStatus {
  if (exitCode === 0) return successStatus()
  return {
    metadata: {},
    status: 'Failure',
    message: `command terminated with exit code ${exitCode}`,
    reason: 'NonZeroExitCode',
    details: { causes: [{ reason: 'ExitCode', message: String(exitCode) }] },
  }
}

export function internalStatus(message: string): SessionStatus {
  return {
    metadata: {},
    status: 'Failure',
    message: `Internal error occurred: ${message}`,
    reason: 'InternalError',
    details: { causes: [{ message }] },
    code: 500,
  }
}

/** Resolves when the session has ended and all its output was written, or when the client is gone. */
export async function relay(scope: Scope, stream: Duplex, session: Session): Promise<void> {
  const input = readInput(stream, session)
  // A client that sends what is no frame, or leaves, ends the session; the scope tells of the latter.
  input.catch(() => stream.destroy())
  const output = Promise.all([
    copy(session.stdout, stream, channels.stdout),
    copy(session.stderr, stream, channels.stderr),
  ])
  const gone = new Promise<undefined>((resolve) => {
    if (scope.signal.aborted) resolve(undefined)
    scope.signal.addEventListener('abort', () => resolve(undefined), { once: true })
  })
  const status = await Promise.race([session.ended, gone])
  if (status === undefined) return
  await Promise.race([output, gone])
  await writeStatus(stream, status)
}

export async function writeStatus(stream: Duplex, status: SessionStatus): Promise<void> {
  await writeFrame(stream, channels.error, Buffer.from(JSON.stringify(status)))
}

async function readInput(stream: Duplex, session: Session): Promise<void> {
  for await (const { channel, payload } of readFrames(stream)) {
    switch (channel) {
      case channels.stdin:
        if (session.stdin !== undefined) await writeAll(session.stdin, payload)
        break
      case channels.resize:
        await session.resize(parseSize(payload))
        break
      case channels.close:
        if (payload[0] === channels.stdin) await session.closeStdin()
        break
      default:
        throw new Error(`Cannot accept a frame on channel ${channel}`)
    }
  }
}

async function copy(from: Readable | undefined, to: Duplex, channel: number): Promise<void> {
  if (from === undefined) return
  from.on('data', (chunk: Buffer) => {
    from.pause()
    void writeFrame(to, channel, chunk).then(() => from.resume())
  })
  // A pipe that breaks has said all it will say.
  await finished(from, { writable: false }).catch(() => {})
}

function parseSize(payload: Buffer): TerminalSize {
  const { Width, Height } = JSON.parse(payload.toString()) as { readonly Width?: unknown; readonly Height?: unknown }
  if (!Number.isInteger(Width) || !Number.isInteger(Height)) throw new Error('Cannot read a terminal size')
  return { width: Width as number, height: Height as number }
}
