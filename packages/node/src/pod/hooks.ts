// What a container runs after it starts and before it stops.

import { request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'
import type { Container, LifecycleHandler } from '@aksel/api/types/core-v1'
import { sleep } from '@aksel/base/clock'
import type { Scope } from '@aksel/base/scope'
import type { ContainerRuntime } from '../cri/types.ts'
import { portNumber } from '../probes/check.ts'

export interface HookRequest {
  readonly handler: LifecycleHandler
  readonly container: Container
  readonly containerId: string
  /** As users name it: `web_default(4e3f…)`. */
  readonly pod: string
  readonly podIp: string
  /** Of what the pod's user should mend although the hook was run. */
  readonly tell?: (reason: string, message: string) => void
  /** 0: as long as it takes. */
  readonly timeoutSeconds: number
}

/** Rejects with what went wrong, in upstream's words. */
export async function runHook(scope: Scope, runtime: ContainerRuntime, hook: HookRequest): Promise<void> {
  const { handler, containerId, timeoutSeconds } = hook
  if (handler.exec !== undefined) {
    const command = handler.exec.command ?? []
    const { exitCode, stdout, stderr } = await runtime.execSync(containerId, command, timeoutSeconds)
    if (exitCode === 0) return
    const output = JSON.stringify(Buffer.concat([stdout, stderr]).toString())
    throw new Error(
      `Exec lifecycle hook ([${command.join(' ')}]) failed - error: command '${command.join(' ')}' exited with ${exitCode}: , message: ${output}`,
    )
  }
  if (handler.httpGet !== undefined) return httpHook(hook)
  if (handler.sleep !== undefined) {
    const waitMs = handler.sleep.seconds * 1000
    return sleep(scope.clock, timeoutSeconds === 0 ? waitMs : Math.min(waitMs, timeoutSeconds * 1000), scope.signal)
  }
  throw new Error(`invalid handler: ${JSON.stringify(handler)}`)
}

/**
 * Any answer will do, as upstream: the hook has been called. A server that speaks HTTP where the hook says HTTPS is called again
 * without TLS, for hooks once ignored their scheme.
 */
async function httpHook(hook: HookRequest): Promise<void> {
  const { handler, container, pod } = hook
  const { path = '', scheme = 'HTTP' } = handler.httpGet!
  try {
    if (scheme !== 'HTTPS') return await call(hook, false)
    try {
      await call(hook, true)
    } catch (error) {
      if (!speaksPlainly(error)) throw error
      await call(hook, false)
      hook.tell?.(
        'LifecycleHTTPFallback',
        `request to HTTPS lifecycle hook ${targetOf(hook)} got HTTP response, retry with HTTP succeeded`,
      )
    }
  } catch (cause) {
    const where = `Http lifecycle hook (${path}) in Container "${container.name}" for Pod "${pod}"`
    throw new Error(`${where} failed - error: ${(cause as Error).message}`, { cause })
  }
}

function speaksPlainly(error: unknown): boolean {
  return /wrong version number|packet length too long|http request/i.test((error as Error).message)
}

function targetOf({ handler, container, podIp }: HookRequest): string {
  const { host = '', port } = handler.httpGet!
  const target = host === '' ? podIp : host
  return `${target.includes(':') ? `[${target}]` : target}:${portNumber(port, container)}`
}

function call(hook: HookRequest, secure: boolean): Promise<void> {
  const { handler, timeoutSeconds } = hook
  const { path = '/', httpHeaders = [] } = handler.httpGet!
  const own = httpHeaders.filter(({ name }) => secure || name.toLowerCase() !== 'authorization')
  const url = `${secure ? 'https' : 'http'}://${targetOf(hook)}${path.startsWith('/') ? '' : '/'}${path}`
  const options = {
    headers: {
      'user-agent': 'kube-lifecycle/1.35',
      accept: '*/*',
      ...Object.fromEntries(own.map(({ name, value }) => [name.toLowerCase(), value])),
    },
    agent: false as const,
    // The hook says whom to call, and not who that must be.
    rejectUnauthorized: false,
    ...(timeoutSeconds === 0 ? {} : { timeout: timeoutSeconds * 1000 }),
  }
  return new Promise((resolve, reject) => {
    const sent = (secure ? httpsRequest : httpRequest)(url, options, (response) => {
      response.resume()
      resolve()
    })
    sent.on('timeout', () => sent.destroy(new Error('timed out')))
    sent.on('error', reject)
    sent.end()
  })
}
