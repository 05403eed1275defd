// What load balancers are told of a service at its health check port, and of the proxy at its own.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { test } from 'node:test'
import { testScope } from '../testing/host-bench.ts'
import { HealthServers } from './health-servers.ts'

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}

/** Asks again until it listens: a port is opened in its own time. */
async function ask(port: number): Promise<Response> {
  for (let left = 200; ; left -= 1) {
    try {
      return await fetch(`http://127.0.0.1:${port}/healthz`, { signal: AbortSignal.timeout(10_000) })
    } catch (error) {
      if (left === 0) throw error
      await new Promise((resolve) => setImmediate(resolve))
    }
  }
}

test('a node with ready endpoints of a service says 200 and how many, one without 503', async () => {
  using servers = new HealthServers(testScope())
  const port = await freePort()
  const web = { port, namespace: 'shop', name: 'web' }
  servers.set('shop/web', { ...web, localEndpoints: 2 })
  const up = await ask(port)
  assert.equal(up.status, 200)
  assert.equal(up.headers.get('x-load-balancing-endpoint-weight'), '2')
  assert.deepEqual(await up.json(), {
    service: { namespace: 'shop', name: 'web' },
    localEndpoints: 2,
    serviceProxyHealthy: true,
  })
  servers.set('shop/web', { ...web, localEndpoints: 0 })
  assert.equal((await ask(port)).status, 503)
  servers.set('shop/api', { ...web, name: 'api', localEndpoints: 1 })
  assert.equal((await ask(port)).status, 503, 'the first that has the port keeps it')
  servers.set('shop/web', undefined)
  const next = (await (await ask(port)).json()) as { service: { name: string } }
  assert.equal(next.service.name, 'api')
})
