// One connection to a port inside a pod, for `kubectl port-forward`: made in the pod's own network namespace, so that
// servers which listen on its loopback address alone are reached. A small program enters the namespace; busybox' nc
// passes each side's end on by itself.

import { spawn } from 'node:child_process'
import type { Duplex } from 'node:stream'
import { text } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import type { Scope } from '@aksel/base/scope'
import { channels, readFrames, writeAll, writeClose, writeFrame } from '@aksel/runtime/stream-frames'

export interface PortForwardTarget {
  /** A namespace to enter, or an address that the node reaches. */
  readonly place: { readonly sandboxPid: number } | { readonly address: string }
  readonly port: number
  /** For the error's text. */
  readonly podUid: string
}

/** Frames: `stdin` to the server, `stdout` from it, `close` for the end of either, `error` with a text. */
export async function forwardPort(scope: Scope, stream: Duplex, target: PortForwardTarget): Promise<void> {
  const { place, port } = target
  const argv =
    'address' in place
      ? ['busybox', 'nc', place.address, String(port)]
      : ['nsenter', `--net=/proc/${place.sandboxPid}/ns/net`, 'busybox', 'nc', '127.0.0.1', String(port)]
  const child = spawn(argv[0]!, argv.slice(1), { stdio: ['pipe', 'pipe', 'pipe'] })
  const kill = (): void => void child.kill('SIGKILL')
  scope.signal.addEventListener('abort', kill, { once: true })
  const exited = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(error.message))
    child.once('close', (code, signal) => resolve(code === 0 ? '' : `exit status ${code ?? signal}`))
  })
  const complaint = text(child.stderr)
  // A server that closes first makes writing fail; what it said is still read.
  child.stdin.on('error', () => {})
  const input = (async () => {
    for await (const { channel, payload } of readFrames(stream)) {
      if (channel === channels.stdin) await writeAll(child.stdin, payload)
      else if (channel === channels.close) child.stdin.end()
    }
  })()
  input.catch(kill)
  try {
    await pipeline(child.stdout, async (chunks: AsyncIterable<Buffer>) => {
      for await (const chunk of chunks) await writeFrame(stream, channels.stdout, chunk)
    })
    const failure = await exited
    if (failure !== '') {
      const reason = (await complaint).replace(/^nc: /, '').trim()
      const message = `failed to connect to localhost:${target.port} inside namespace "${target.podUid}": ${failure}: ${reason}`
      await writeFrame(stream, channels.error, Buffer.from(message))
    }
    await writeClose(stream, channels.stdout)
  } finally {
    scope.signal.removeEventListener('abort', kill)
    kill()
    await exited
  }
}
