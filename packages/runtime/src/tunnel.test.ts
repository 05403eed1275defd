// Both ends of the tunnel over a real Unix socket and real TLS, and each end's restart.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { systemClock } from '@aksel/base/clock'
import { ApiError } from '@aksel/base/errors'
import { systemRandom } from '@aksel/base/ids'
import { logTo } from '@aksel/base/log'
import type { Scope } from '@aksel/base/scope'
import { createAuthority, issue } from './pki.ts'
import { dialTunnel } from './tunnel.ts'
import type { TunnelHandler, TunnelTls } from './tunnel.ts'
import { openTunnelServer } from './tunnel-server.ts'

interface Fixture {
  readonly scope: Scope
  readonly socketPath: string
  readonly serverTls: TunnelTls
  readonly nodeTls: (commonName: string, organization?: string) => Promise<TunnelTls>
  /** Resolves with the next log line of this message. */
  readonly logged: (message: string) => Promise<void>
}

async function fixture(t: TestContext): Promise<Fixture> {
  const folder = mkdtempSync(join(tmpdir(), 'aksel-tunnel-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const waiters = new Map<string, () => void>()
  const log = logTo(({ message }) => waiters.get(message)?.())
  const scope: Scope = { clock: systemClock(), random: systemRandom(), log, signal: new AbortController().signal }
  const authority = await createAuthority(scope, { commonName: 'ca', years: 1 })
  const server = await issue(scope, authority, {
    commonName: 'kube-apiserver',
    dnsNames: ['kubernetes'],
    usages: ['server'],
    days: 1,
  })
  return {
    scope,
    socketPath: join(folder, 't.sock'),
    serverTls: { certPem: server.certificatePem, keyPem: server.keyPem, caPem: authority.certificatePem },
    nodeTls: async (commonName, organization = 'system:nodes') => {
      const pair = await issue(scope, authority, {
        commonName,
        organizations: [organization],
        usages: ['client'],
        days: 1,
      })
      return { certPem: pair.certificatePem, keyPem: pair.keyPem, caPem: authority.certificatePem }
    },
    logged: (message) => new Promise((resolve) => waiters.set(message, resolve)),
  }
}

/** Echoes the body after a line that says what was asked; some paths fail. */
const echo: TunnelHandler = async (_scope, call) => {
  if (call.path === '/missing') throw new ApiError('NotFound', 'pods "x" not found')
  if (call.path === '/broken') throw new Error('disk is gone')
  call.respond(200, { 'x-asked': `${call.method} ${call.path} ${call.query.get('q')} ${call.headers['x-a']}` })
  for await (const chunk of call.stream) call.stream.write(chunk)
}

async function textOf(stream: Duplex): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of stream) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString()
}

test('the server asks through the tunnel and both directions stream, with half-close', async (t) => {
  const { scope, socketPath, serverTls, nodeTls } = await fixture(t)
  await using server = await openTunnelServer(scope, { socketPath, tls: serverTls })
  await using agent = dialTunnel(scope, { socketPath, tls: await nodeTls('system:node:n1'), handler: echo })
  await agent.connected
  const response = await server.connector.open('n1', { method: 'POST', path: '/exec/a?q=1', headers: { 'x-a': 'b' } })
  assert.equal(response.status, 200)
  assert.equal(response.headers['x-asked'], 'POST /exec/a 1 b')
  response.stream.write('ping')
  assert.equal(String((await once(response.stream, 'data'))[0]), 'ping')
  response.stream.end('pong')
  assert.equal(await textOf(response.stream), 'pong')
  assert.deepEqual(server.connectedNodes(), ['n1'])
})

test('an error of the handler becomes the answer', async (t) => {
  const { scope, socketPath, serverTls, nodeTls } = await fixture(t)
  await using server = await openTunnelServer(scope, { socketPath, tls: serverTls })
  await using _agent = dialTunnel(scope, { socketPath, tls: await nodeTls('system:node:n1'), handler: echo })
  const missing = await server.connector.open('n1', { method: 'GET', path: '/missing' })
  assert.equal(missing.status, 404)
  assert.match(await textOf(missing.stream), /"reason":"NotFound"/)
  const broken = await server.connector.open('n1', { method: 'GET', path: '/broken' })
  assert.equal(broken.status, 500)
  assert.equal(await textOf(broken.stream), 'disk is gone')
})

test('open() waits for a node that is about to connect, and says so when none comes', async (t) => {
  const { scope, socketPath, serverTls, nodeTls } = await fixture(t)
  await using server = await openTunnelServer(scope, { socketPath, tls: serverTls, waitMs: 60_000 })
  const opening = server.connector.open('n1', { method: 'GET', path: '/x' })
  await using _agent = dialTunnel(scope, { socketPath, tls: await nodeTls('system:node:n1'), handler: echo })
  assert.equal((await opening).status, 200)
  const controller = new AbortController()
  const other = server.connector.open('n2', { method: 'GET', path: '/x', signal: controller.signal })
  controller.abort(new Error('client left'))
  await assert.rejects(other, /client left/)
  const { socketPath: second } = await fixture(t)
  await using hasty = await openTunnelServer(scope, { socketPath: second, tls: serverTls, waitMs: 0 })
  await assert.rejects(hasty.connector.open('n2', { method: 'GET', path: '/x' }), { message: 'no tunnel to node "n2"' })
})

test('the agent dials again when the server restarts, also over a socket file that a killed server left', async (t) => {
  const { scope, socketPath, serverTls, nodeTls } = await fixture(t)
  const first = await openTunnelServer(scope, { socketPath, tls: serverTls })
  await using agent = dialTunnel(scope, { socketPath, tls: await nodeTls('system:node:n1'), handler: echo })
  await agent.connected
  await assert.rejects(openTunnelServer(scope, { socketPath, tls: serverTls }), /another server listens there/)
  await first[Symbol.asyncDispose]()
  await using second = await openTunnelServer(scope, { socketPath, tls: serverTls, waitMs: 60_000 })
  assert.equal((await second.connector.open('n1', { method: 'GET', path: '/x' })).status, 200)
})

test('an agent that restarts takes the tunnel over, and calls on the lost one fail', async (t) => {
  const { scope, socketPath, serverTls, nodeTls } = await fixture(t)
  await using server = await openTunnelServer(scope, { socketPath, tls: serverTls, waitMs: 60_000 })
  const tls = await nodeTls('system:node:n1')
  const started = Promise.withResolvers<void>()
  const hang: TunnelHandler = (_scope, call) =>
    new Promise((resolve) => {
      started.resolve()
      call.signal.addEventListener('abort', () => resolve())
    })
  const first = dialTunnel(scope, { socketPath, tls, handler: hang })
  const lost = assert.rejects(server.connector.open('n1', { method: 'GET', path: '/x' }), /tunnel to node "n1" broke/)
  await started.promise
  await first[Symbol.asyncDispose]()
  await lost
  await using _second = dialTunnel(scope, { socketPath, tls, handler: echo })
  assert.equal((await server.connector.open('n1', { method: 'GET', path: '/x' })).status, 200)
})

test('the handler hears when the server gives a call up', async (t) => {
  const { scope, socketPath, serverTls, nodeTls } = await fixture(t)
  await using server = await openTunnelServer(scope, { socketPath, tls: serverTls })
  const given = Promise.withResolvers<void>()
  const handler: TunnelHandler = (_scope, call) => {
    call.signal.addEventListener('abort', () => given.resolve())
    call.respond(200)
    return given.promise
  }
  await using _agent = dialTunnel(scope, { socketPath, tls: await nodeTls('system:node:n1'), handler })
  const controller = new AbortController()
  await server.connector.open('n1', { method: 'GET', path: '/x', signal: controller.signal })
  controller.abort()
  await given.promise
})

test('the tunnel refuses who is no node, and who was signed by another authority', async (t) => {
  const { scope, socketPath, serverTls, nodeTls, logged } = await fixture(t)
  const other = await fixture(t)
  await using server = await openTunnelServer(scope, { socketPath, tls: serverTls })
  const { caPem } = serverTls
  for (const tls of [
    await nodeTls('system:node:n1', 'system:masters'),
    await nodeTls('masterclient'),
    { ...(await other.nodeTls('system:node:n1')), caPem },
  ]) {
    const refused = logged('tunnel refused')
    await using _agent = dialTunnel(scope, { socketPath, tls, handler: echo })
    await refused
    assert.deepEqual(server.connectedNodes(), [])
  }
})

test('the agent refuses a server that its authority did not sign', async (t) => {
  const { scope, socketPath, nodeTls, logged } = await fixture(t)
  const other = await fixture(t)
  await using server = await openTunnelServer(scope, { socketPath, tls: other.serverTls })
  const refused = logged('cannot dial the tunnel')
  await using _agent = dialTunnel(scope, { socketPath, tls: await nodeTls('system:node:n1'), handler: echo })
  await refused
  assert.deepEqual(server.connectedNodes(), [])
})
