// The node's answers to the server's requests through the tunnel, under the kubelet's paths. What is not a stream
// (`/pods`, `/healthz`, `/stats/summary`) is the agent's, handed in as `other`.

import { pipeline } from 'node:stream/promises'
import { ApiError } from '@aksel/base/errors'
import { parseLogQuery } from './log-query.ts'
import type { Scope } from '@aksel/base/scope'
import type { TunnelCall, TunnelHandler } from '@aksel/runtime/tunnel'
import type { Tasks } from '../containerd/tasks.ts'
import { openAttach } from './attach.ts'
import type { AttachUrls } from './attach.ts'
import { dialFromNode } from './dial.ts'
import { execError, openExec } from './exec.ts'
import type { SessionStreams } from './exec.ts'
import { readLog } from './logs.ts'
import type { PodLookup, StreamContainer, StreamPod } from './pod-lookup.ts'
import { forwardPort } from './port-forward.ts'
import { internalStatus, relay, writeStatus } from './session.ts'
import type { Session } from './session.ts'

export interface StreamsOptions {
  readonly pods: PodLookup
  readonly tasks: Pick<Tasks, 'exec' | 'ended' | 'pid'>
  readonly attach: AttachUrls
  /** Answers every other path; 404 when absent. */
  readonly other?: TunnelHandler
}

/**
 * `GET /containerLogs/NS/POD/CONTAINER`, `POST /exec/NS/POD/CONTAINER?command=…&input=1`, `POST /attach/…`,
 * `POST /portForward/NS/POD?port=N`, `POST /dial?host=…&port=N`. Each takes `uid` to refuse a pod of the same name.
 */
export function createStreamsHandler(options: StreamsOptions): TunnelHandler {
  return async (scope, call) => {
    const [route, ...names] = call.path.split('/').slice(1).map(decodeURIComponent)
    switch (route ?? '') {
      case 'containerLogs':
        return sendLog(scope, call, options, await findContainer(options.pods, call, names))
      case 'exec':
        return runSession(scope, call, await runningContainer(options.pods, call, names), (id, streams) =>
          openExec(scope, options.tasks, id, { ...streams, command: call.query.getAll('command') }),
        )
      case 'attach':
        return runSession(scope, call, await runningContainer(options.pods, call, names), (id, streams) =>
          openAttach(scope, options.attach, id, streams),
        )
      case 'portForward':
        return forward(scope, call, options, await findPod(options.pods, call, names))
      case 'dial':
        return dialFromNode(scope, call)
      default:
        if (options.other !== undefined) return options.other(scope, call)
        throw new ApiError('NotFound', '404 page not found')
    }
  }
}

async function findPod(pods: PodLookup, call: TunnelCall, names: readonly string[]): Promise<StreamPod> {
  const [namespace, name] = names
  if (namespace === undefined || name === undefined) throw new ApiError('NotFound', '404 page not found')
  const pod = await pods.find(namespace, name, call.query.get('uid') ?? undefined)
  if (pod === undefined) throw new ApiError('NotFound', `pod "${name}" in namespace "${namespace}" does not exist`)
  return pod
}

async function findContainer(
  pods: PodLookup,
  call: TunnelCall,
  names: readonly string[],
): Promise<{ readonly pod: StreamPod; readonly container: StreamContainer }> {
  const pod = await findPod(pods, call, names)
  const container = pod.containers.find(({ name }) => name === names[2])
  if (container === undefined) {
    throw new ApiError('BadRequest', `container ${names[2]} is not valid for pod ${pod.name}`)
  }
  return { pod, container }
}

async function runningContainer(
  pods: PodLookup,
  call: TunnelCall,
  names: readonly string[],
): Promise<StreamContainer & { readonly containerId: string }> {
  const { container } = await findContainer(pods, call, names)
  const { containerId } = container
  if (container.state !== 'running' || containerId === undefined) {
    throw new ApiError('InternalError', `unable to upgrade connection: container not found ("${container.name}")`)
  }
  return { ...container, containerId }
}

async function sendLog(
  scope: Scope,
  call: TunnelCall,
  options: StreamsOptions,
  { pod, container }: { readonly pod: StreamPod; readonly container: StreamContainer },
): Promise<void> {
  const query = parseLogQuery(call.query, scope.clock.now())
  const path = query.previous ? container.previousLogPath : container.logPath
  if (path === undefined) throw missingLog(pod, container, query.previous)
  const isLive = container.state === 'running' && container.containerId !== undefined
  const follow = query.follow && !query.previous
  const followUntil = isLive ? options.tasks.ended(scope, container.containerId) : Promise.resolve()
  // Who does not wait for the end must not be told of a containerd that went away.
  followUntil.catch(() => {})
  const log = readLog(scope, { ...query.read, path, ...(follow ? { followUntil } : {}) })
  // The first piece is read before the answer begins, so that a missing file is an error and not an empty log.
  const first = await log.next().catch((error: NodeJS.ErrnoException) => {
    throw error.code === 'ENOENT' ? missingLog(pod, container, query.previous) : error
  })
  call.respond(200, { 'content-type': 'text/plain' })
  await pipeline(async function* () {
    if (first.done !== true) yield first.value
    yield* log
  }, call.stream)
}

function missingLog(pod: StreamPod, container: StreamContainer, previous: boolean): ApiError {
  if (previous) {
    const message = `previous terminated container "${container.name}" in pod "${pod.name}" not found`
    return new ApiError('BadRequest', message)
  }
  const reason = container.waitingReason ?? 'ContainerCreating'
  const trouble = /BackOff|^Err|^Invalid/.test(reason) ? `trying and failing to pull image` : reason
  return new ApiError(
    'BadRequest',
    `container "${container.name}" in pod "${pod.name}" is waiting to start: ${trouble}`,
  )
}

async function runSession(
  scope: Scope,
  call: TunnelCall,
  container: StreamContainer & { readonly containerId: string },
  open: (containerId: string, streams: SessionStreams) => Promise<Session>,
): Promise<void> {
  const isSet = (name: string): boolean => ['1', 'true'].includes(call.query.get(name) ?? '')
  const tty = isSet('tty')
  const streams = { stdin: isSet('input'), stdout: isSet('output'), stderr: isSet('error') && !tty, tty }
  call.respond(200)
  let session: Session
  try {
    session = await open(container.containerId, streams)
  } catch (error) {
    return writeStatus(call.stream, internalStatus(execError(error)))
  }
  try {
    await relay(scope, call.stream, session)
  } finally {
    await session[Symbol.asyncDispose]()
  }
}

async function forward(scope: Scope, call: TunnelCall, options: StreamsOptions, pod: StreamPod): Promise<void> {
  const port = Number(call.query.get('port'))
  if (!Number.isInteger(port) || port < 1 || port > 65_535) {
    throw new ApiError('BadRequest', `unable to parse "${call.query.get('port')}" as a port`)
  }
  if (pod.sandboxId === undefined) {
    throw new ApiError('InternalError', `unable to forward port because pod is not running. Current status=Pending`)
  }
  const { uid: podUid, guestAddress, sandboxId } = pod
  const place =
    guestAddress === undefined ? { sandboxPid: await options.tasks.pid(sandboxId) } : { address: guestAddress }
  call.respond(200)
  await forwardPort(scope, call.stream, { place, port, podUid })
}
