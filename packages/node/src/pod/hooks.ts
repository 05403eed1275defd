// What a container runs after it starts and before it stops.

import { request } from 'node:http'
import type { Container, LifecycleHandler } from '@aksel/api/types/core-v1'
import { sleep } from '@aksel/base/clock'
import type { Scope } from '@aksel/base/scope'
import type { ContainerRuntime } from '../cri/types.ts'
import { portNumber } from '../probes/check.ts'

export interface HookRequest {
  readonly handler: LifecycleHandler
  readonly container: Container
  readonly containerId: string
  readonly podIp: string
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

function httpHook({ handler, container, podIp, timeoutSeconds }: HookRequest): Promise<void> {
  const { host, port, path = '/', httpHeaders = [] } = handler.httpGet!
  const target = host === undefined || host === '' ? podIp : host
  return new Promise((resolve, reject) => {
    const sent = request(
      {
        host: target,
        port: portNumber(port, container),
        path: path.startsWith('/') ? path : `/${path}`,
        headers: Object.fromEntries(httpHeaders.map(({ name, value }) => [name, value])),
        agent: false,
        ...(timeoutSeconds === 0 ? {} : { timeout: timeoutSeconds * 1000 }),
      },
      (response) => {
        response.resume()
        const status = response.statusCode ?? 0
        if (status < 400) resolve()
        else
          reject(
            new Error(
              `Http lifecycle hook (${path}) in Container "${container.name}" failed - error: status ${status}`,
            ),
          )
      },
    )
    sent.on('timeout', () => sent.destroy(new Error('timed out')))
    sent.on('error', reject)
    sent.end()
  })
}
