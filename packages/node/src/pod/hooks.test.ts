// Hooks of a container's life, against servers of this process.

import assert from 'node:assert/strict'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import type { LifecycleHandler } from '@aksel/api/types/core-v1'
import type { ContainerRuntime, ExecResult } from '../cri/types.ts'
import { testScope } from '../testing/test-scope.ts'
import { runHook } from './hooks.ts'

const container = { name: 'main', ports: [{ name: 'web', containerPort: 0 }] }

function runtime(answer: Partial<ExecResult>): ContainerRuntime {
  const none = new Uint8Array()
  return {
    execSync: () => Promise.resolve({ exitCode: 0, stdout: none, stderr: none, ...answer }),
  } as unknown as ContainerRuntime
}

async function hook(handler: LifecycleHandler, told: string[] = [], timeoutSeconds = 0): Promise<void> {
  using scope = testScope()
  await runHook(scope, runtime({ exitCode: 3, stderr: Buffer.from('no') }), {
    handler,
    container,
    containerId: 'c1',
    pod: 'web_default(u1)',
    podIp: '127.0.0.1',
    tell: (reason, message) => told.push(`${reason} ${message}`),
    timeoutSeconds,
  })
}

async function serving(
  status: number,
  work: (port: number, calls: readonly IncomingMessage[]) => Promise<void>,
): Promise<void> {
  const calls: IncomingMessage[] = []
  const server: Server = createServer((request, response) => {
    calls.push(request)
    response.writeHead(status).end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  try {
    await work((server.address() as AddressInfo).port, calls)
  } finally {
    server.closeAllConnections()
    server.close()
  }
}

test('an HTTP hook has been run when anything answers; nobody there is a failure', async () => {
  let closed = 0
  await serving(500, async (port, calls) => {
    closed = port
    const httpHeaders = [{ name: 'X-Own', value: 'yes' }]
    await hook({ httpGet: { port, path: 'stop?now', httpHeaders } })
    assert.equal(calls.length, 1)
    const [{ url, headers }] = calls as [IncomingMessage]
    assert.deepEqual([url, headers['x-own'], headers['user-agent']], ['/stop?now', 'yes', 'kube-lifecycle/1.35'])
  })
  await assert.rejects(
    hook({ httpGet: { port: closed, path: '/stop' } }),
    /^Error: Http lifecycle hook \(\/stop\) in Container "main" for Pod "web_default\(u1\)" failed - error: connect ECONNREFUSED/,
  )
})

test('an HTTPS hook of a server that speaks HTTP is run again without TLS and its credentials, and told', async () => {
  await serving(200, async (port, calls) => {
    const told: string[] = []
    const httpHeaders = [{ name: 'Authorization', value: 'secret' }]
    await hook({ httpGet: { port, path: '/', scheme: 'HTTPS', httpHeaders } }, told)
    assert.deepEqual(told, [
      `LifecycleHTTPFallback request to HTTPS lifecycle hook 127.0.0.1:${port} got HTTP response, retry with HTTP succeeded`,
    ])
    assert.equal(calls.at(-1)?.headers.authorization, undefined)
  })
})

test('a command that fails, and a TCP hook, are failures in upstream’s words; a sleep ends with the grace', async () => {
  await assert.rejects(
    hook({ exec: { command: ['bye', 'now'] } }),
    /Exec lifecycle hook \(\[bye now\]\) failed - error: command 'bye now' exited with 3: , message: "no"/,
  )
  await assert.rejects(hook({ tcpSocket: { port: 80 } }), /invalid handler/)
  await hook({ sleep: { seconds: 0 } })
  // Resolves although the sleep is longer than any test may be.
  await hook({ sleep: { seconds: 10_000 } }, [], 0.01)
})
