// HTTP checks against a server of this process: answers, redirects, limits.

import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import type { ContainerRuntime } from '../cri/types.ts'
import { testScope } from '../testing/test-scope.ts'
import { check, type CheckResult } from './check.ts'

test('a redirect within the host is followed to its end, ten times at most; one to another host is an answer', async () => {
  using scope = testScope()
  const server = createServer((request, response) => {
    const location = {
      '/to-sick': '/sick',
      '/to-well': '/well',
      '/round': '/round',
      '/away': 'http://other.example/well',
    }[request.url ?? '']
    const status = request.url === '/sick' ? 500 : 200
    if (location === undefined) response.writeHead(status).end()
    else response.writeHead(302, { location }).end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const ask = (path: string): Promise<CheckResult> =>
    check(scope, {} as ContainerRuntime, {
      handler: { httpGet: { port, path } },
      container: { name: 'main' },
      containerId: 'c1',
      podIp: '127.0.0.1',
      timeoutMs: 30_000,
    })
  try {
    assert.deepEqual(await ask('/to-well'), { healthy: true, output: '' })
    assert.deepEqual(await ask('/to-sick'), { healthy: false, output: 'HTTP probe failed with statuscode: 500' })
    assert.deepEqual(await ask('/away'), { healthy: true, output: 'Probe terminated redirects', isWarning: true })
    assert.deepEqual(await ask('/round'), {
      healthy: false,
      output: `Get "http://127.0.0.1:${port}/round": stopped after 10 redirects`,
    })
  } finally {
    server.closeAllConnections()
    server.close()
  }
})
