// The checks of the CIS Kubernetes Benchmark that a server can answer by itself; docs/security.md has the whole list.

import assert from 'node:assert/strict'
import { connect } from 'node:tls'
import { after, before, suite, test } from 'node:test'
import { createClient } from '@aksel/client/typed-client'
import { readBody } from '@aksel/client/response-body'
import { createHttpsTransport } from '@aksel/runtime/https-transport'
import { listenForTest, startTestServer, type TestServer } from './test-server.ts'

void suite('the control plane, as the CIS benchmark wants it:', () => {
  let server: TestServer
  let url: string
  let port: number

  before(async () => {
    server = await startTestServer()
    ;({ url, port } = await listenForTest(server))
    await server.ask('/api/v1/namespaces/default/serviceaccounts', { body: { metadata: { name: 'default' } } })
  })
  after(() => server[Symbol.asyncDispose]())

  async function status(path: string, token?: string): Promise<number> {
    const caPem = server.authority.certificatePem
    await using transport = createHttpsTransport({ server: url, caPem, ...(token === undefined ? {} : { token }) })
    const response = await createClient(transport).send({ method: 'GET', path, headers: {} })
    await readBody(response.body)
    return response.status
  }

  void test('nobody in particular reaches the public paths, and no others', async () => {
    for (const path of ['/livez', '/readyz', '/healthz', '/version']) assert.equal(await status(path), 200, path)
    for (const path of [
      '/api',
      '/apis',
      '/metrics',
      '/openapi/v2',
      '/logs',
      '/debug/pprof',
      '/api/v1/pods',
      '/api/v1/nodes',
    ])
      assert.equal(await status(path), 403, path)
  })

  void test('tokens that nobody here or configured gave are refused', async () => {
    const tokens = ['admin', 'abcdef.0123456789abcdef', 'Zm9vOmJhcg==', 'eyJhbGciOiJub25lIn0.eyJzdWIiOiJyb290In0.']
    for (const token of tokens) assert.equal(await status('/version', token), 401, token)
  })

  void test('what no role and no rule of nodes allows is forbidden', async () => {
    const eve = { name: 'eve', groups: [] }
    for (const path of ['/api/v1/secrets', '/api/v1/nodes', '/apis/rbac.authorization.k8s.io/v1/clusterroles'])
      assert.equal((await server.ask(path, { user: eve })).status, 403, path)
    const node = { name: 'system:node:n1', groups: ['system:nodes'] }
    assert.equal((await server.ask('/api/v1/nodes/n1', { user: node })).status, 404)
    assert.equal((await server.ask('/api/v1/namespaces/default/secrets/x', { user: node })).status, 403)
  })

  void test('the admission plug-ins that the benchmark wants are at work, and none that it forbids', async () => {
    const spec = { containers: [{ name: 'c', image: 'i' }] }
    const pods = '/api/v1/namespaces/default/pods'
    const made = await server.ask(pods, { body: { metadata: { name: 'a' }, spec } })
    assert.equal((made.json['spec'] as { readonly serviceAccountName: string }).serviceAccountName, 'default')
    const stranger = await server.ask(pods, {
      body: { metadata: { name: 'b' }, spec: { ...spec, serviceAccountName: 'no' } },
    })
    assert.match(String(stranger.json['message']), /serviceaccount "no" not found/)
    const nowhere = await server.ask('/api/v1/namespaces/nowhere/configmaps', { body: { metadata: { name: 'a' } } })
    assert.deepEqual([nowhere.status, nowhere.json['message']], [404, 'namespaces "nowhere" not found'])
    const node = { name: 'system:node:n1', groups: ['system:nodes'] }
    const other = await server.ask('/api/v1/nodes', { user: node, body: { metadata: { name: 'n2' } } })
    assert.equal(other.status, 403)
    assert.match(String(other.json['message']), /is not allowed to modify node "n2"/)
  })

  void test('nothing answers with a profile, whoever asks', async () => {
    for (const path of ['/debug/pprof', '/debug/pprof/', '/debug/pprof/profile', '/debug/pprof/heap', '/debug/flags/v'])
      assert.equal((await server.ask(path)).status, 404, path)
  })

  void test('a token ends with its account', async () => {
    const accounts = '/api/v1/namespaces/default/serviceaccounts'
    await server.ask(accounts, { body: { metadata: { name: 'short' } } })
    const made = await server.ask(`${accounts}/short/token`, { body: { spec: { audiences: [] } } })
    const { token } = made.json['status'] as { readonly token: string }
    assert.equal(await status('/version', token), 200)
    await server.ask(`${accounts}/short`, { method: 'DELETE' })
    assert.equal(await status('/version', token), 401)
    await server.ask(accounts, { body: { metadata: { name: 'short' } } })
    assert.equal(await status('/version', token), 401)
  })

  async function handshake(options: object): Promise<string> {
    return new Promise((resolve) => {
      const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false, ...options })
      socket.once('secureConnect', () => {
        resolve(`${socket.getProtocol()} ${socket.getCipher().standardName}`)
        socket.destroy()
      })
      socket.once('error', () => resolve('refused'))
    })
  }

  void test('weak TLS is refused', async () => {
    const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' }
    assert.equal(await handshake(old), 'refused')
    const two = { maxVersion: 'TLSv1.2' }
    for (const ciphers of ['AES128-SHA', 'AES256-GCM-SHA384', 'ECDHE-ECDSA-AES128-SHA', 'ECDHE-ECDSA-AES256-SHA384'])
      assert.equal(await handshake({ ...two, ciphers: `${ciphers}:@SECLEVEL=0` }), 'refused', ciphers)
    assert.match(await handshake(two), /^TLSv1\.2 TLS_ECDHE_ECDSA_WITH_(AES|CHACHA20)/)
    assert.match(await handshake({}), /^TLSv1\.3 /)
  })
})
