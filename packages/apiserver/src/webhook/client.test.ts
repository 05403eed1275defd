// Webhook servers of every temper, on loopback: what is sent, what comes back, and what a caller is told.

import assert from 'node:assert/strict'
import { createServer, type ServerOptions } from 'node:https'
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import { connect, type AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import { systemClock } from '@aksel/base/clock'
import { createAuthority, issue, type KeyPair } from '@aksel/runtime/pki'
import { admin, startTestServer, testScope } from '../test-server.ts'
import { createWebhookClient, WebhookCallError, type WebhookTarget } from './client.ts'
import { createServiceDialer } from './service-dialer.ts'

const stop = new AbortController()
const scope = testScope([], stop.signal)
const authority = createAuthority(scope, { commonName: 'webhooks', years: 1 })

interface Hook extends AsyncDisposable {
  readonly port: number
  readonly caBundle: string
}

async function hook(listener: RequestListener, names: Partial<Parameters<typeof issue>[2]> = {}): Promise<Hook> {
  const ca = await authority
  const serving: KeyPair = await issue(scope, ca, {
    commonName: 'hook',
    ipAddresses: ['127.0.0.1'],
    usages: ['server'],
    days: 1,
    ...names,
  })
  const options: ServerOptions = { cert: serving.certificatePem, key: serving.keyPem }
  const server = createServer(options, listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    caBundle: Buffer.from(ca.certificatePem).toString('base64'),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

function target(of: Hook, path = '/hook'): WebhookTarget {
  return { url: `https://127.0.0.1:${of.port}${path}`, caBundle: of.caBundle }
}

async function failure(where: WebhookTarget, timeoutMs = 10_000): Promise<string> {
  using client = createWebhookClient(scope, undefined)
  try {
    await client.post({ target: where, body: Buffer.from('{}'), timeoutMs })
  } catch (error) {
    assert.ok(error instanceof WebhookCallError, String(error))
    return error.message
  }
  return 'answered'
}

function answer(status: number, body: string): RequestListener {
  return (_request: IncomingMessage, response: ServerResponse) => void response.writeHead(status).end(body)
}

test('a webhook gets the JSON with a deadline in the query, and its answer comes back', async () => {
  const seen: string[] = []
  await using server = await hook((request, response) => {
    void text(request).then((body) => {
      seen.push(`${request.method} ${request.url} ${request.headers['content-type']} ${body}`)
      response.end('{"n":9007199254740993}')
    })
  })
  using client = createWebhookClient(scope, undefined)
  const body = Buffer.from('{"a":1}')
  const answers = [
    await client.post({ target: target(server), body, timeoutMs: 10_000 }),
    await client.post({ target: target(server, '/x?y=1'), body, timeoutMs: 1500 }),
  ]
  assert.deepEqual(answers, [{ n: 9007199254740993n }, { n: 9007199254740993n }])
  assert.deepEqual(seen, [
    'POST /hook?timeout=10s application/json {"a":1}',
    'POST /x?y=1&timeout=2s application/json {"a":1}',
  ])
})

test('what fails between us and a webhook is said as upstream says it', async () => {
  await using healthy = await hook(answer(200, '{}'))
  await using gone = await hook(answer(200, '{}'))
  const gonePort = gone.port
  await gone[Symbol.asyncDispose]()
  await using broken = await hook(answer(500, 'boom'))
  await using missing = await hook(answer(404, ''))
  await using moved = await hook((_request, response) => {
    response.writeHead(302, { location: `https://127.0.0.1:${healthy.port}/` }).end()
  })
  await using garbage = await hook(answer(200, 'hello'))
  await using silent = await hook(() => {})
  await using hangsUp = await hook((request) => request.socket.destroy())
  await using named = await hook(answer(200, '{}'), { ipAddresses: [], dnsNames: ['other.example'] })
  await using huge = await hook((_request, response) => {
    response.on('error', () => {})
    for (let at = 0; at < 13; at += 1) response.write(Buffer.alloc(1024 * 1024, 32))
    response.end('{}')
  })
  const url = (of: Hook): string => `Post "https://127.0.0.1:${of.port}/hook?timeout=10s": `
  assert.equal(
    await failure({ url: `https://127.0.0.1:${gonePort}/hook` }),
    `Post "https://127.0.0.1:${gonePort}/hook?timeout=10s": dial tcp 127.0.0.1:${gonePort}: connect: connection refused`,
  )
  assert.equal(
    await failure(target(broken)),
    'an error on the server ("boom") has prevented the request from succeeding',
  )
  assert.equal(await failure(target(missing)), 'the server could not find the requested resource')
  assert.equal(
    await failure(target(moved)),
    'the server responded with the status code 302 but did not return more information',
  )
  assert.match(await failure(target(garbage)), /^couldn't get version\/kind; json parse error: invalid character 'h'/)
  assert.equal(
    await failure(target(silent), 50),
    `Post "https://127.0.0.1:${silent.port}/hook?timeout=1s": context deadline exceeded`,
  )
  assert.equal(await failure(target(hangsUp)), `${url(hangsUp)}EOF`)
  assert.equal(
    await failure(target(named)),
    `${url(named)}tls: failed to verify certificate: x509: certificate is valid for other.example, not 127.0.0.1`,
  )
  assert.equal(
    await failure({ url: `https://127.0.0.1:${healthy.port}/hook` }),
    `${url(healthy)}tls: failed to verify certificate: x509: certificate signed by unknown authority`,
  )
  assert.equal(await failure(target(huge)), 'the response is larger than 12582912 bytes')
})

test('a webhook behind a Service is reached through the node of its endpoint, under the name of the Service', async () => {
  await using server = await hook(
    (request, response) => void response.end(JSON.stringify({ url: request.url, host: request.headers.host })),
    { ipAddresses: [], dnsNames: ['hook.web.svc'] },
  )
  await using api = await startTestServer()
  const client = api.client(admin)
  const send = (path: string, body: unknown): Promise<{ status: number; text: string }> => api.ask(path, { body })
  await send('/api/v1/namespaces', { metadata: { name: 'web' } })
  await send('/api/v1/namespaces/web/services', { metadata: { name: 'hook' }, spec: { ports: [{ port: 443 }] } })
  const dialled: string[] = []
  const services = createServiceDialer({
    objects: client,
    random: scope.random,
    nodes: {
      open(nodeName, { path }) {
        dialled.push(`${nodeName} ${path}`)
        return Promise.resolve({ status: 200, headers: {}, stream: connect(server.port, '127.0.0.1') })
      },
    },
  })
  using webhooks = createWebhookClient(scope, services)
  const post = (name: string, port?: number): Promise<unknown> =>
    webhooks.post({
      target: {
        service: { namespace: 'web', name, path: '/check', ...(port === undefined ? {} : { port }) },
        caBundle: server.caBundle,
      },
      body: Buffer.from('{}'),
      timeoutMs: 10_000,
    })
  const told = (promise: Promise<unknown>): Promise<string> =>
    promise.then(
      () => 'answered',
      (error: Error) => error.message,
    )
  const prefix = (name: string, port = 443): string => `Post "https://${name}.web.svc:${port}/check?timeout=10s": `
  assert.equal(await told(post('gone')), `${prefix('gone')}service "gone" not found`)
  assert.equal(await told(post('hook')), `${prefix('hook')}no endpoints available for service "hook"`)
  assert.equal(await told(post('hook', 8443)), `${prefix('hook', 8443)}no service port 8443 found for service "hook"`)
  const slice = await send('/apis/discovery.k8s.io/v1/namespaces/web/endpointslices', {
    metadata: { name: 'hook-1', labels: { 'kubernetes.io/service-name': 'hook' } },
    addressType: 'IPv4',
    ports: [{ port: 9443 }],
    endpoints: [{ addresses: ['10.244.0.9'], nodeName: 'n1', conditions: { ready: true } }],
  })
  assert.equal(slice.status, 201, slice.text)
  assert.deepEqual(await post('hook'), { url: '/check?timeout=10s', host: 'hook.web.svc' })
  assert.deepEqual(dialled, ['n1 /dial?host=10.244.0.9&port=9443'])
})

test('the clock that is handed in ends a call', async () => {
  await using silent = await hook(() => {})
  const fired: (() => void)[] = []
  const clock = {
    ...systemClock(),
    after: (_delayMs: number, fire: () => void) => {
      fired.push(fire)
      return { pending: true, [Symbol.dispose]() {} }
    },
  }
  using client = createWebhookClient({ ...scope, clock }, undefined)
  const calling = client.post({ target: target(silent), body: Buffer.from('{}'), timeoutMs: 3_600_000 })
  for (const fire of fired) fire()
  await assert.rejects(calling, /context deadline exceeded/)
})
