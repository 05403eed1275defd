// The transport against Node's own servers over real TLS on loopback, in both HTTP versions.

import assert from 'node:assert/strict'
import { createSecureServer } from 'node:http2'
import type { Http2SecureServer, Http2ServerRequest, Http2ServerResponse, ServerHttp2Session } from 'node:http2'
import { createServer } from 'node:https'
import type { Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import type { PeerCertificate, TLSSocket } from 'node:tls'
import { systemClock } from '@aksel/base/clock'
import { systemRandom } from '@aksel/base/ids'
import { silentLog } from '@aksel/base/log'
import type { Scope } from '@aksel/base/scope'
import type { ApiResponse } from '@aksel/client/transport'
import { createHttpsTransport } from './https-transport.ts'
import { createAuthority, issue } from './pki.ts'
import type { KeyPair } from './pki.ts'

const scope: Scope = {
  clock: systemClock(),
  random: systemRandom(),
  log: silentLog(),
  signal: new AbortController().signal,
}

/** Echoes; `/hang` never answers, `/watch` writes a line and stays open, `/lost` breaks the connection. */
async function serve(request: Http2ServerRequest, response: Http2ServerResponse): Promise<void> {
  if (request.url === '/hang') return
  if (request.url === '/watch') {
    response.writeHead(200, { 'content-type': 'application/json' })
    response.write('line\n')
    return
  }
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  const socket = request.socket as TLSSocket
  const peer = socket.getPeerCertificate() as Partial<PeerCertificate>
  response.writeHead(201, { 'x-a': '1', 'content-type': 'application/json' })
  response.end(
    JSON.stringify({
      version: request.httpVersion,
      method: request.method,
      url: request.url,
      user: peer.subject?.CN,
      token: request.headers.authorization,
      body: Buffer.concat(chunks).toString(),
    }),
  )
}

interface Fixture {
  readonly url: string
  readonly authority: KeyPair
  readonly client: KeyPair
  readonly sessions: ServerHttp2Session[]
}

async function start(t: TestContext, versions: 'both' | 'http1'): Promise<Fixture> {
  const authority = await createAuthority(scope, { commonName: 'ca', years: 1 })
  const server = await issue(scope, authority, {
    commonName: 's',
    ipAddresses: ['127.0.0.1'],
    usages: ['server'],
    days: 1,
  })
  const client = await issue(scope, authority, { commonName: 'masterclient', usages: ['client'], days: 1 })
  const options = {
    key: server.keyPem,
    cert: server.certificatePem,
    ca: authority.certificatePem,
    requestCert: true,
    rejectUnauthorized: false,
  }
  const sessions: ServerHttp2Session[] = []
  const listener: Server | Http2SecureServer =
    versions === 'both' ? createSecureServer({ ...options, allowHTTP1: true }) : createServer(options)
  listener.on('request', (request: Http2ServerRequest, response: Http2ServerResponse) => void serve(request, response))
  listener.on('session', (session: ServerHttp2Session) => sessions.push(session))
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve))
  const sockets = new Set<TLSSocket>()
  listener.on('secureConnection', (socket: TLSSocket) => sockets.add(socket))
  t.after(() => {
    for (const socket of sockets) socket.destroy()
    listener.close()
  })
  return { url: `https://127.0.0.1:${(listener.address() as AddressInfo).port}`, authority, client, sessions }
}

async function textOf(response: ApiResponse): Promise<string> {
  const chunks: Uint8Array[] = []
  for await (const chunk of response.body) chunks.push(chunk)
  return Buffer.concat(chunks).toString()
}

for (const [versions, expected] of [
  ['both', '2.0'],
  ['http1', '1.1'],
] as const) {
  test(`HttpsTransport.send() carries method, path, body, certificate and token over HTTP ${expected}`, async (t) => {
    const { url, authority, client } = await start(t, versions)
    await using transport = createHttpsTransport({
      server: url,
      caPem: authority.certificatePem,
      certPem: client.certificatePem,
      keyPem: client.keyPem,
      token: 'abc',
    })
    for (const body of ['first', 'second']) {
      const response = await transport.send({ method: 'POST', path: '/api?x=1', headers: {}, body: Buffer.from(body) })
      assert.equal(response.status, 201)
      assert.equal(response.headers['x-a'], '1')
      assert.deepEqual(JSON.parse(await textOf(response)), {
        version: expected,
        method: 'POST',
        url: '/api?x=1',
        user: 'masterclient',
        token: 'Bearer abc',
        body,
      })
    }
  })

  test(`HttpsTransport.reconnect() shows the certificate of now from the next call on, and ends no watch over HTTP ${expected}`, async (t) => {
    const { url, authority, client } = await start(t, versions)
    let now = client
    const credentials = (): { certPem: string; keyPem: string } => ({ certPem: now.certificatePem, keyPem: now.keyPem })
    await using transport = createHttpsTransport({ server: url, caPem: authority.certificatePem, credentials })
    const ask = async (): Promise<unknown> => {
      const response = await transport.send({ method: 'GET', path: '/who', headers: {} })
      return (JSON.parse(await textOf(response)) as { user: string }).user
    }
    const ended = new AbortController()
    const watching = await transport.send({ method: 'GET', path: '/watch', headers: {}, signal: ended.signal })
    const lines = watching.body[Symbol.asyncIterator]()
    await lines.next()
    const more = lines.next()
    now = await issue(scope, authority, { commonName: 'renewed', usages: ['client'], days: 1 })
    assert.equal(await ask(), 'masterclient')
    transport.reconnect()
    assert.equal(await ask(), 'renewed')
    ended.abort(new Error('enough'))
    await assert.rejects(more, /enough/)
  })

  test(`HttpsTransport.send() ends a waiting call and a watch with the signal's reason over HTTP ${expected}`, async (t) => {
    const { url, authority } = await start(t, versions)
    await using transport = createHttpsTransport({ server: url, caPem: authority.certificatePem })
    const controller = new AbortController()
    const { signal } = controller
    const watch = await transport.send({ method: 'GET', path: '/watch', headers: {}, signal })
    const lines = watch.body[Symbol.asyncIterator]()
    assert.equal(Buffer.from((await lines.next()).value as Uint8Array).toString(), 'line\n')
    const waiting = transport.send({ method: 'GET', path: '/hang', headers: {}, signal })
    const next = lines.next()
    controller.abort(new Error('enough'))
    await assert.rejects(waiting, /enough/)
    await assert.rejects(next, /enough/)
    assert.equal((await transport.send({ method: 'GET', path: '/', headers: {} })).status, 201)
  })
}

test('HttpsTransport throws from a watch whose server went away, and connects anew for the next call', async (t) => {
  const { url, authority, sessions } = await start(t, 'both')
  await using transport = createHttpsTransport({ server: url, caPem: authority.certificatePem })
  const watch = await transport.send({ method: 'GET', path: '/watch', headers: {} })
  const lines = watch.body[Symbol.asyncIterator]()
  await lines.next()
  const next = lines.next()
  sessions[0]?.destroy()
  await assert.rejects(next)
  assert.equal((await transport.send({ method: 'POST', path: '/', headers: {} })).status, 201)
  assert.equal(sessions.length, 2)
})

test('HttpsTransport.send() refuses a server that another authority signed, and one that does not listen', async (t) => {
  const { url } = await start(t, 'both')
  const other = await createAuthority(scope, { commonName: 'other', years: 1 })
  await using transport = createHttpsTransport({ server: url, caPem: other.certificatePem })
  const request = { method: 'GET', path: '/', headers: {} }
  await assert.rejects(transport.send(request), { code: 'SELF_SIGNED_CERT_IN_CHAIN' })
  await using nobody = createHttpsTransport({ server: 'https://127.0.0.1:1', caPem: other.certificatePem })
  await assert.rejects(nobody.send(request), { code: 'ECONNREFUSED' })
})

test('HttpsTransport opens one session for calls made at the same time', async (t) => {
  const { url, authority, sessions } = await start(t, 'both')
  await using transport = createHttpsTransport({ server: url, caPem: authority.certificatePem })
  const all = Array.from({ length: 20 }, () => transport.send({ method: 'GET', path: '/', headers: {} }))
  assert.deepEqual(new Set((await Promise.all(all)).map(({ status }) => status)), new Set([201]))
  assert.equal(sessions.length, 1)
})
