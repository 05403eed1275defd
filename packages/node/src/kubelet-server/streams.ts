// Exec, attach, port-forward and run at the kubelet's port, over WebSocket or SPDY, by the paths and parameters of upstream's
// kubelet. Each becomes a call of the handler that answers the tunnel, so that both ways end in the same place.

import { duplexPair, type Duplex } from 'node:stream'
import { anySignal } from '@aksel/base/any-signal'
import { ApiError } from '@aksel/base/errors'
import type { Scope } from '@aksel/base/scope'
import { channels, readFrames } from '@aksel/runtime/stream-frames'
import type { TunnelHandler } from '@aksel/runtime/tunnel'
import type { UpgradeCall } from '@aksel/runtime/upgrades/upgrade-call'
import type { SessionStatus } from '../streams/session.ts'

export interface StreamPath {
  readonly route: 'exec' | 'attach' | 'portForward' | 'run'
  readonly namespace: string
  readonly pod: string
  readonly uid: string | undefined
  /** '' for port-forward. */
  readonly container: string
}

/** `/exec/NS/POD/CONTAINER`, `/exec/NS/POD/UID/CONTAINER`; without a container for portForward. Undefined for any other path. */
export function streamPathOf(path: string): StreamPath | undefined {
  const [, route, ...rest] = path.split('/')
  if (route !== 'exec' && route !== 'attach' && route !== 'portForward' && route !== 'run') return undefined
  const [namespace = '', pod = '', ...names] = rest.map(decodeName)
  const container = route === 'portForward' ? '' : names.pop()
  if (namespace === '' || pod === '' || container === undefined || names.length > 1) return undefined
  return { route, namespace, pod, uid: names[0], container }
}

function decodeName(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    return ''
  }
}

/** Resolves when the session is over. Throws an ApiError where there is nothing to upgrade to: nothing was written then. */
export async function serveStream(
  scope: Scope,
  handler: TunnelHandler,
  { path, call }: { readonly path: StreamPath; readonly call: UpgradeCall },
): Promise<void> {
  const { route } = path
  if (route === 'run') throw new ApiError('BadRequest', 'a command that is run has no stream')
  if (route === 'portForward') {
    // Loaded with the first session: what speaks WebSocket costs memory that most nodes never need.
    const { serveForwards } = await import('@aksel/runtime/upgrades/forwarded-ports')
    return serveForwards(scope, call, {
      ports: call.query.getAll('port'),
      open: (port, signal) => callInside(scope, handler, { path, query: new URLSearchParams({ port }), signal }),
      failure: (port, reason) => `error forwarding port ${port} to pod ${path.uid ?? path.pod}, uid : ${reason}`,
    })
  }
  const isSet = (name: string): boolean => call.query.get(name) === '1'
  const tty = isSet('tty')
  const options = { stdin: isSet('input'), stdout: isSet('output'), stderr: isSet('error') && !tty, tty }
  if (!options.stdin && !options.stdout && !options.stderr)
    throw new ApiError('BadRequest', 'you must specify at least 1 of stdin, stdout, stderr')
  const { serveCommand } = await import('@aksel/runtime/upgrades/command-session')
  await serveCommand(scope, call, options, (signal) =>
    callInside(scope, handler, { path, query: new URLSearchParams(call.query), signal }),
  )
}

/** What the command wrote, both streams after each other. Throws its exit code in upstream's words. */
export async function runCommand(
  scope: Scope,
  handler: TunnelHandler,
  asked: { readonly path: StreamPath; readonly command: string; readonly signal: AbortSignal },
): Promise<Buffer> {
  const query = new URLSearchParams({ output: '1', error: '1' })
  for (const word of asked.command.split(' ')) query.append('command', word)
  const path: StreamPath = { ...asked.path, route: 'exec' }
  const written: Readonly<Record<number, Buffer[]>> = { [channels.stdout]: [], [channels.stderr]: [] }
  for await (const { channel, payload } of readFrames(
    await callInside(scope, handler, { path, query, signal: asked.signal }),
  )) {
    if (channel !== channels.error) {
      written[channel]?.push(payload)
      continue
    }
    const status = JSON.parse(payload.toString()) as SessionStatus
    if (status.status === 'Success') break
    const code = status.details?.causes.find(({ reason }) => reason === 'ExitCode')?.message
    const said = Buffer.concat(written[channels.stderr]!).toString()
    const words = code === undefined ? status.message : `command '${asked.command}' exited with ${code}: ${said}`
    throw new ApiError('InternalError', words ?? 'the command failed')
  }
  return Buffer.concat([...written[channels.stdout]!, ...written[channels.stderr]!])
}

/** The near end of a call of the handler, once it answers. */
function callInside(
  scope: Scope,
  handler: TunnelHandler,
  asked: { readonly path: StreamPath; readonly query: URLSearchParams; readonly signal: AbortSignal },
): Promise<Duplex> {
  const { path, query, signal } = asked
  const [near, far] = duplexPair()
  for (const end of [near, far]) end.on('error', () => {})
  const end = (): void => {
    near.destroy()
    far.destroy()
  }
  signal.addEventListener('abort', end, { once: true })
  if (path.uid !== undefined) query.set('uid', path.uid)
  const names = [path.namespace, path.pod, ...(path.container === '' ? [] : [path.container])]
  const { promise, resolve, reject } = Promise.withResolvers<Duplex>()
  const call = {
    method: 'POST',
    path: `/${path.route}/${names.map(encodeURIComponent).join('/')}`,
    query,
    headers: {},
    stream: far,
    signal,
    respond: () => resolve(near),
  }
  const inner = { ...scope, signal: anySignal([scope.signal, signal]) }
  handler(inner, call).then(
    () => far.end(),
    (error: unknown) => {
      reject(error as Error)
      end()
    },
  )
  return promise
}
