// The TLS port: both versions of HTTP side by side, long heads, and an end that cuts nothing off.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { connect, type ClientHttp2Session } from 'node:http2'
import { Agent, request } from 'node:https'
import { after, before, describe, test } from 'node:test'
import { admin, clientCertificate, listenForTest, startTestServer, type TestServer } from '../test-server.ts'

interface Credentials {
  readonly ca: string
  readonly cert: string
  readonly key: string
}

async function reached(): Promise<{ readonly server: TestServer; readonly url: string; readonly tls: Credentials }> {
  const server = await startTestServer()
  const { url } = await listenForTest(server)
  const { certificatePem, keyPem } = await clientCertificate(server, admin)
  return { server, url, tls: { ca: server.authority.certificatePem, cert: certificatePem, key: keyPem } }
}

async function overTwo(
  session: ClientHttp2Session,
  path: string,
): Promise<{ readonly status: number; readonly text: string }> {
  const stream = session.request({ ':path': path })
  const [headers] = (await once(stream, 'response')) as [{ readonly ':status': number }]
  let text = ''
  for await (const piece of stream.setEncoding('utf8')) text += piece as string
  return { status: headers[':status'], text }
}

function overOne(
  url: string,
  path: string,
  tls: Credentials,
  agent: Agent,
): Promise<{ readonly status: number; readonly port: number }> {
  return new Promise((resolve, reject) => {
    const call = request(`${url}${path}`, { ...tls, agent }, (response) => {
      const port = response.socket.localPort!
      response.resume()
      response.on('end', () => resolve({ status: response.statusCode!, port }))
    })
    call.on('error', reject)
    call.end()
  })
}

async function textOverOne(url: string, path: string, tls: Credentials): Promise<string> {
  const call = request(`${url}${path}`, { ...tls, agent: false })
  call.end()
  const [response] = (await once(call, 'response')) as [IncomingMessage]
  let text = ''
  for await (const piece of response.setEncoding('utf8')) {
    text += piece as string
    // A reader that is slower than the server: what it has not read must not be written over.
    await new Promise((resolve) => setImmediate(resolve))
  }
  return text
}

const path = '/api/v1/namespaces/default/configmaps'
/** 100 KB of selector: beyond what a server of Node takes by itself. */
const longPath = `${path}?labelSelector=app%20in%20(${Array.from({ length: 5000 }, (_, n) => `value-${n}-${'x'.repeat(8)}`).join(',')})`

describe('the TLS port', () => {
  let fixture: Awaited<ReturnType<typeof reached>>
  before(async () => {
    fixture = await reached()
  })
  after(() => fixture.server[Symbol.asyncDispose]())

  test('takes long heads in both versions of HTTP', async () => {
    const { url, tls } = fixture
    assert.ok(longPath.length > 90_000)
    const session = connect(url, tls)
    // One header of HTTP/2 holds 64 KiB at most.
    assert.equal((await overTwo(session, `${longPath.slice(0, 50_000).replace(/,[^,]*$/, '')})`)).status, 200)
    session.destroy()
    const agent = new Agent()
    assert.equal((await overOne(url, longPath, tls, agent)).status, 200)
    agent.destroy()
  })

  test('keeps connections for the next request, and carries many at once over one', async () => {
    const { url, tls } = fixture
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    const first = await overOne(url, path, tls, agent)
    const second = await overOne(url, path, tls, agent)
    assert.equal(second.port, first.port)
    agent.destroy()
    const session = connect(url, tls)
    const all = await Promise.all(Array.from({ length: 200 }, () => overTwo(session, path)))
    assert.ok(all.every(({ status }) => status === 200))
    session.destroy()
  })

  test('sends a list in pieces that are never written over while they wait, in both versions of HTTP', async () => {
    const { server, url, tls } = fixture
    const writes = Array.from({ length: 400 }, (_, i) => {
      // One of them is larger than a piece.
      const data = { text: String(i).repeat(i === 200 ? 200_000 : 2_000) }
      const metadata = { name: `c-${String(i).padStart(3, '0')}`, namespace: 'pieces', uid: `u${i}` }
      const value = Buffer.from(JSON.stringify({ kind: 'ConfigMap', apiVersion: 'v1', metadata, data }))
      return { kind: 'put' as const, key: `clusters/test/configmaps/pieces/${metadata.name}`, value }
    })
    await server.store.transact({ guards: [], writes })
    const list = '/api/v1/namespaces/pieces/configmaps'
    // The list's own version moves on with whatever the server writes.
    const items = (text: string): string => text.slice(text.indexOf('"items":'))
    const wanted = items((await server.ask(list)).text)
    assert.ok(wanted.length > 2_500_000)
    assert.equal(items(await textOverOne(url, list, tls)) === wanted, true)
    const session = connect(url, tls)
    const texts = await Promise.all([overTwo(session, list), overTwo(session, list)])
    session.destroy()
    assert.deepEqual(
      texts.map(({ text }) => items(text) === wanted),
      [true, true],
    )
  })

  test('ends politely: a connection is told to go, and watches end whole', async () => {
    const { server, url, tls } = await reached()
    const session = connect(url, tls)
    const stream = session.request({ ':path': `${path}?watch=1` })
    await once(stream, 'response')
    const told = once(session, 'goaway')
    const ended = (async () => {
      for await (const _piece of stream);
    })()
    await server[Symbol.asyncDispose]()
    const [code] = (await told) as [number]
    assert.equal(code, 0)
    await ended
  })
})
