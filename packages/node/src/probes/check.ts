// One check of a container: a command in it, a request, a connection. Says what it found in upstream's words.

import { connect } from 'node:net'
import { request as httpRequest } from 'node:http'
import type { ClientRequest, IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'
import type { Container, HTTPGetAction, ProbeHandler } from '@aksel/api/types/core-v1'
import type { Scope } from '@aksel/base/scope'
import type { ContainerRuntime } from '../cri/types.ts'
import { checkGrpc } from './grpc-health.ts'

export interface CheckResult {
  readonly healthy: boolean
  /** What went wrong, or was said. */
  readonly output: string
  /** It serves, and its user is to know something all the same. */
  readonly isWarning?: true
}

export interface CheckRequest {
  readonly handler: ProbeHandler
  readonly container: Container
  readonly containerId: string
  /** The pod's address, or the node's for a pod in its network. */
  readonly podIp: string
  readonly timeoutMs: number
}

const BODY_BYTES_MAX = 10 * 1024

/** Never rejects for what the container does wrong. */
export async function check(scope: Scope, runtime: ContainerRuntime, request: CheckRequest): Promise<CheckResult> {
  const { handler, container, podIp, timeoutMs } = request
  if (handler.exec !== undefined) return checkExec(runtime, request, handler.exec.command ?? [])
  if (handler.httpGet !== undefined) return checkHttp(scope, request, handler.httpGet)
  if (handler.tcpSocket !== undefined) {
    const { host, port } = handler.tcpSocket
    return checkTcp(host === undefined || host === '' ? podIp : host, portNumber(port, container), timeoutMs)
  }
  if (handler.grpc !== undefined) return checkGrpc(scope, { ...handler.grpc, host: podIp, timeoutMs })
  return { healthy: false, output: 'missing probe handler' }
}

async function checkExec(
  runtime: ContainerRuntime,
  { containerId, timeoutMs }: CheckRequest,
  command: readonly string[],
): Promise<CheckResult> {
  try {
    const { exitCode, stdout, stderr } = await runtime.execSync(containerId, command, Math.ceil(timeoutMs / 1000))
    const output = Buffer.concat([stdout, stderr]).toString().slice(0, BODY_BYTES_MAX)
    return { healthy: exitCode === 0, output }
  } catch (error) {
    const message = (error as Error).message
    if (/timed? ?out|DeadlineExceeded|deadline exceeded/i.test(message)) {
      return {
        healthy: false,
        output: `command timed out: "${command.join(' ')}" timed out after ${timeoutMs / 1000}s`,
      }
    }
    return { healthy: false, output: message }
  }
}

/** A port by number or by the name it has in the container. */
export function portNumber(port: number | string, container: Container): number {
  if (typeof port === 'number') return port
  const named = container.ports?.find(({ name }) => name === port)?.containerPort
  return named ?? Number(port)
}

function checkHttp(scope: Scope, request: CheckRequest, action: HTTPGetAction): Promise<CheckResult> {
  const { container, podIp, timeoutMs } = request
  const host = action.host === undefined || action.host === '' ? podIp : action.host
  const port = portNumber(action.port, container)
  const path = action.path === undefined || action.path === '' ? '/' : action.path
  const scheme = action.scheme === 'HTTPS' ? 'https' : 'http'
  const url = `${scheme}://${host.includes(':') ? `[${host}]` : host}:${port}${path.startsWith('/') ? '' : '/'}${path}`
  const headers: Record<string, string> = { 'user-agent': 'kube-probe/1.35', accept: '*/*', connection: 'close' }
  for (const { name, value } of action.httpHeaders ?? []) headers[name.toLowerCase()] = value
  return new Promise((resolve) => {
    let sent: ClientRequest | undefined
    const done = (result: CheckResult): void => {
      timer[Symbol.dispose]()
      resolve(result)
      sent?.destroy()
    }
    const fail = (output: string): void => done({ healthy: false, output: `Get "${url}": ${output}` })
    const timer = scope.clock.after(timeoutMs, () =>
      fail('context deadline exceeded (Client.Timeout exceeded while awaiting headers)'),
    )
    const get = (target: URL, redirects: number): void => {
      // A probe asks whether the container serves, not who it is.
      const options = { headers, agent: false as const, rejectUnauthorized: false }
      const send = target.protocol === 'https:' ? httpsRequest : httpRequest
      sent = send(target, options, (response) => {
        const next = redirectOf(response, target)
        if (next === undefined) return done(judgeResponse(response))
        response.resume()
        // Within the same host a redirect is followed; to another it is the answer.
        if (next.hostname !== target.hostname)
          return done({ healthy: true, output: 'Probe terminated redirects', isWarning: true })
        if (redirects >= REDIRECTS_MAX) return fail(`stopped after ${REDIRECTS_MAX} redirects`)
        return get(next, redirects + 1)
      })
      sent.on('error', (error) => fail(socketError(error, host, port)))
      sent.end()
    }
    get(new URL(url), 0)
  })
}

const REDIRECTS_MAX = 10

function redirectOf({ statusCode = 0, headers }: IncomingMessage, from: URL): URL | undefined {
  if (![301, 302, 303, 307, 308].includes(statusCode) || headers.location === undefined) return undefined
  return URL.canParse(headers.location, from.href) ? new URL(headers.location, from) : undefined
}

function judgeResponse(response: IncomingMessage): CheckResult {
  const status = response.statusCode ?? 0
  response.resume()
  if (status >= 200 && status < 400) return { healthy: true, output: '' }
  return { healthy: false, output: `HTTP probe failed with statuscode: ${status}` }
}

function checkTcp(host: string, port: number, timeoutMs: number): Promise<CheckResult> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: timeoutMs })
    const done = (result: CheckResult): void => {
      socket.destroy()
      resolve(result)
    }
    socket.on('connect', () => done({ healthy: true, output: '' }))
    socket.on('timeout', () => done({ healthy: false, output: `dial tcp ${host}:${port}: i/o timeout` }))
    socket.on('error', (error) => done({ healthy: false, output: socketError(error, host, port) }))
  })
}

/** As Go words it, which is what people search for. */
function socketError(error: NodeJS.ErrnoException, host: string, port: number): string {
  const words: Readonly<Record<string, string>> = {
    ECONNREFUSED: 'connect: connection refused',
    EHOSTUNREACH: 'connect: no route to host',
    ENETUNREACH: 'connect: network is unreachable',
    ETIMEDOUT: 'i/o timeout',
  }
  const known = words[error.code ?? '']
  if (known !== undefined) return `dial tcp ${host}:${port}: ${known}`
  return error.code === 'ECONNRESET' ? 'EOF' : error.message
}
