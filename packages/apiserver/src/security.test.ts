// The checks of the CIS Kubernetes Benchmark that a server can answer by itself; docs/security.md has the whole list.

import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import type { IncomingMessage } from 'node:http'
import { request } from 'node:https'
import { join } from 'node:path'
import { connect } from 'node:tls'
import { after, before, suite, test } from 'node:test'
import { parseAllDocuments } from 'yaml'
import { createClient } from '@aksel/client/typed-client'
import { readBody } from '@aksel/client/response-body'
import { createHttpsTransport } from '@aksel/runtime/https-transport'
import { systemClock, type Clock } from '@aksel/base/clock'
import { admin, clientCertificate, listenForTest, startTestServer, testScope, type TestServer } from './test-server.ts'

/** Policies that stand in examples/policies. */
async function applyExample(api: TestServer, file: string): Promise<void> {
  const text = await readFile(join(import.meta.dirname, '../../../examples/policies', file), 'utf8')
  for (const document of parseAllDocuments(text)) {
    const body = document.toJS() as { readonly kind: string }
    const plural = `${body.kind.toLowerCase().replace(/y$/, 'ie')}s`
    const made = await api.ask(`/apis/admissionregistration.k8s.io/v1/${plural}`, { body })
    assert.equal(made.status, 201, made.text)
  }
}

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

  void test('a policy keeps external addresses out of services, and takes those that are there', async () => {
    await using api = await startTestServer()
    const services = '/api/v1/namespaces/default/services'
    const body = (name: string, externalIPs?: readonly string[]): unknown => ({
      metadata: { name },
      spec: { ports: [{ port: 80 }], ...(externalIPs === undefined ? {} : { externalIPs }) },
    })
    assert.equal((await api.ask(services, { body: body('old', ['203.0.113.1', '203.0.113.2']) })).status, 201)
    await applyExample(api, 'deny-external-ips.yaml')
    assert.equal((await api.ask(services, { body: body('plain') })).status, 201)
    const refused = await api.ask(services, { body: body('new', ['203.0.113.3']) })
    assert.equal(refused.status, 403)
    assert.match(String(refused.json['message']), /spec\.externalIPs may not be set$/)
    const change = async (name: string, externalIPs: readonly string[]): Promise<number> => {
      const headers = { 'content-type': 'application/merge-patch+json' }
      const patched = await api.ask(`${services}/${name}`, {
        method: 'PATCH',
        headers,
        body: { spec: { externalIPs } },
      })
      return patched.status
    }
    assert.equal(await change('plain', ['203.0.113.3']), 403)
    assert.equal(await change('old', ['203.0.113.1', '203.0.113.3']), 403)
    assert.equal(await change('old', ['203.0.113.1']), 200)
  })

  void test('a policy has every image pulled each time', async () => {
    await using api = await startTestServer()
    await applyExample(api, 'always-pull-images.yaml')
    await api.ask('/api/v1/namespaces/default/serviceaccounts', { body: { metadata: { name: 'default' } } })
    const pods = '/api/v1/namespaces/default/pods'
    const make = async (name: string, containers: readonly unknown[], initContainers: readonly unknown[] = []) =>
      (await api.ask(pods, { body: { metadata: { name }, spec: { containers, initContainers } } })).status
    const [always, cached] = [
      { name: 'a', image: 'a:1', imagePullPolicy: 'Always' },
      { name: 'c', image: 'c:1' },
    ]
    assert.equal(await make('cached', [always, cached]), 403)
    assert.equal(await make('prepared', [always], [cached]), 403)
    assert.equal(await make('good', [always], [{ ...always, name: 'i' }]), 201)
    const path = `${pods}/good/ephemeralcontainers`
    const { json } = await api.ask(`${pods}/good`)
    const attached = (container: object): unknown => ({
      ...json,
      spec: { ...(json['spec'] as object), ephemeralContainers: [container] },
    })
    const debug = { name: 'd', image: 'd:1', terminationMessagePolicy: 'File' }
    assert.equal((await api.ask(path, { method: 'PUT', body: attached(debug) })).status, 403)
    const pulled = { ...debug, imagePullPolicy: 'Always' }
    assert.equal((await api.ask(path, { method: 'PUT', body: attached(pulled) })).status, 200)
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

test('a request that does not end in time is answered, also one whose body never comes; watches go on', async () => {
  const clock = systemClock()
  const limits: number[] = []
  // Time runs out when the test says so: of the request that has its own, and of all others.
  let runOut: (() => void) | undefined
  let usual: (() => void) | undefined
  let aheadMs = 0
  const after: Clock['after'] = (delayMs, fire) => {
    limits.push(delayMs)
    if (delayMs === 59_000) usual = fire
    else if (delayMs === 19_000) runOut = fire
    else return clock.after(delayMs, fire)
    return { pending: true, [Symbol.dispose]() {} }
  }
  const stop = new AbortController()
  using _ = { [Symbol.dispose]: () => stop.abort() }
  const scope = {
    ...testScope([], stop.signal),
    clock: { ...clock, after, monotonicMs: () => clock.monotonicMs() + aheadMs },
  }
  await using server = await startTestServer({ scope, requestMaxMs: 59_000 })
  const limitOf = async (query: string): Promise<readonly number[]> => {
    limits.length = 0
    assert.equal((await server.ask(`/api/v1/namespaces/default${query}`)).status, 200)
    return limits.filter((ms) => ms >= 17_000 && ms <= 60_000)
  }
  // One timer for all whose callers ask for nothing else, or for more.
  await server.ask('/api/v1/namespaces/default')
  assert.notEqual(usual, undefined)
  assert.deepEqual(await limitOf(''), [])
  assert.deepEqual(await limitOf('?timeout=17s'), [17_000])
  assert.deepEqual(await limitOf('?timeout=1h'), [])
  const wrong = await server.ask('/version?timeout=soon')
  assert.deepEqual(
    [wrong.status, wrong.json['message']],
    [400, 'invalid timeout specified in the request URL - time: invalid duration "soon"'],
  )
  const { port } = await listenForTest(server)
  const { certificatePem, keyPem } = await clientCertificate(server, admin)
  const unending = async (query: string, passTime: () => void): Promise<readonly unknown[]> => {
    let isAnswered = false
    const answer = await new Promise<IncomingMessage>((resolve, reject) => {
      const sent = request(
        {
          host: '127.0.0.1',
          port,
          method: 'POST',
          path: `/api/v1/namespaces${query}`,
          cert: certificatePem,
          key: keyPem,
          ca: server.authority.certificatePem,
          agent: false,
          headers: { 'content-type': 'application/json', 'content-length': 100 },
        },
        resolve,
      )
      sent.on('error', reject)
      sent.write('{')
      const look = (): void => {
        if (isAnswered) return
        passTime()
        setImmediate(look)
      }
      look()
    })
    isAnswered = true
    let text = ''
    for await (const piece of answer) text += String(piece)
    answer.destroy()
    const { reason, message } = JSON.parse(text) as Readonly<Record<string, unknown>>
    return [answer.statusCode, reason, message]
  }
  const late = [504, 'Timeout', 'Timeout: request did not complete within the allotted timeout']
  assert.deepEqual(await unending('?timeout=19s', () => runOut?.()), late)
  // Until the request is there, time passes for nobody.
  const passed = await unending('', () => {
    aheadMs += 59_000
    usual?.()
  })
  assert.deepEqual(passed, late)
  limits.length = 0
  const watching = { method: 'GET', path: '/api/v1/pods?watch=1&timeout=17s', headers: {}, signal: stop.signal }
  assert.equal((await server.server.transportFor(admin).send(watching)).status, 200)
  assert.ok(!limits.includes(17_000))
})
