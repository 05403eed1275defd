// Three hundred bombs over TLS: each is refused with a clear answer, costs little, and leaves the server as it was for everybody else.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect as connectHttp2, constants } from 'node:http2'
import { connect as connectTcp } from 'node:net'
import { performance } from 'node:perf_hooks'
import { after, before, suite, test } from 'node:test'
import { connect as connectTls } from 'node:tls'
import { readBody } from '@aksel/client/response-body'
import type { Transport } from '@aksel/client/transport'
import { createHttpsTransport } from '@aksel/runtime/https-transport'
import { testSize } from '@aksel/testing/test-size'
import { admin, clientCertificate, listenForTest, startTestServer, type TestServer } from '../test-server.ts'
import { bombRequest, bombs, type Bomb } from './bombs.ts'
import { definitionBombs } from './definition-bombs.ts'

interface Outcome {
  readonly bomb: Bomb
  /** 0: the connection was ended without an answer. */
  readonly status: number
  readonly text: string
  readonly ms: number
  /** Of client and server together, which are one process here: what the input costs, whatever else the machine does. */
  readonly cpuMs: number
  readonly grownBytes: number
}

/** An input that has no answer by then hangs. */
const HANGS_MS = 30_000
const SLOW_MS = 1_000
const LARGE_BYTES = 64 * 1024 ** 2

/** What is wrong with the answer to a bomb; what it costs is judged at full size alone. */
function faultOf({ bomb, status, text, ms, cpuMs, grownBytes }: Outcome, isStrict: boolean): string | undefined {
  if (ms >= HANGS_MS) return 'it hangs'
  if (status >= 500 && bomb.mayFail !== true) return `${status} ${text.slice(0, 300)}`
  if (status === 0 && bomb.mayBreakOff !== true) return 'no answer'
  if (status < 400 && status !== 0 && bomb.mayPass !== true) return `${status}: it passes`
  if (status >= 400 && status < 500 && text.trim() === '') return `${status} without a word`
  if (isStrict && cpuMs > SLOW_MS) return `it took ${Math.round(cpuMs)} ms of CPU`
  if (isStrict && grownBytes > LARGE_BYTES) return `it took ${Math.round(grownBytes / 1024 ** 2)} MiB`
  return undefined
}

async function outcome(transport: Transport, bomb: Bomb): Promise<Outcome> {
  const startMs = performance.now()
  const startCpu = process.cpuUsage()
  const before = process.memoryUsage.rss()
  let [status, text] = [0, '']
  try {
    const response = await transport.send(bombRequest(bomb, AbortSignal.timeout(HANGS_MS)))
    status = response.status
    text = Buffer.from(await readBody(response.body)).toString('utf8')
  } catch {
    // Ended in the middle: that is a refusal, too, as long as it comes soon.
  }
  const { user, system } = process.cpuUsage(startCpu)
  const grownBytes = process.memoryUsage.rss() - before
  return { bomb, status, text, ms: performance.now() - startMs, cpuMs: (user + system) / 1000, grownBytes }
}

void suite('bombs', () => {
  let server: TestServer
  let port: number
  let transport: Transport & AsyncDisposable
  let tls: { readonly ca: string; readonly cert: string; readonly key: string }

  before(async () => {
    server = await startTestServer()
    const listening = await listenForTest(server)
    ;({ port } = listening)
    const { certificatePem, keyPem } = await clientCertificate(server, admin)
    tls = { ca: server.authority.certificatePem, cert: certificatePem, key: keyPem }
    const caPem = server.authority.certificatePem
    transport = createHttpsTransport({ server: listening.url, caPem, certPem: certificatePem, keyPem })
    const maps = '/api/v1/namespaces/default/configmaps'
    assert.equal((await server.ask(maps, { body: { metadata: { name: 'target' } } })).status, 201)
    const accounts = '/api/v1/namespaces/default/serviceaccounts'
    assert.equal((await server.ask(accounts, { body: { metadata: { name: 'default' } } })).status, 201)
  })
  after(async () => {
    await transport[Symbol.asyncDispose]()
    await server[Symbol.asyncDispose]()
  })

  const others = (): Promise<number> =>
    server.ask('/api/v1/namespaces/default/configmaps/target').then((it) => it.status)

  void test(
    'three hundred inputs are refused, each in words, and none stays',
    { timeout: 280_000 },
    async (context) => {
      const all = [...bombs(), ...definitionBombs()]
      assert.ok(all.length >= 300, `${all.length}`)
      const faults: string[] = []
      let dearest = { cpuMs: 0, what: '' }
      let largest = { bytes: 0, what: '' }
      for (const bomb of all) {
        const found = await outcome(transport, bomb)
        const fault = faultOf(found, testSize() === 'full')
        if (fault !== undefined) faults.push(`${bomb.method} ${bomb.what}: ${fault}`)
        if (found.cpuMs > dearest.cpuMs) dearest = { cpuMs: found.cpuMs, what: bomb.what }
        if (found.grownBytes > largest.bytes) largest = { bytes: found.grownBytes, what: bomb.what }
        assert.equal(await others(), 200, bomb.what)
        const made = await server.ask('/api/v1/namespaces/default/configmaps/bomb')
        assert.equal(made.status, 404, bomb.what)
      }
      context.diagnostic(`${all.length} bombs; dearest ${Math.round(dearest.cpuMs)} ms of CPU: ${dearest.what}`)
      context.diagnostic(`largest ${Math.round(largest.bytes / 1024 ** 2)} MiB: ${largest.what}`)
      assert.deepEqual(faults, [])
      const { json } = await server.ask('/api/v1/namespaces/default/configmaps')
      const names = (json['items'] as readonly { readonly metadata: { readonly name: string } }[]).map(
        (it) => it.metadata.name,
      )
      assert.deepEqual(names, ['target'])
      const errors = server.lines.filter(({ level }) => level === 'error')
      assert.deepEqual(errors, [])
      assert.equal(({} as { polluted?: unknown }).polluted, undefined)
    },
  )

  void test('a planted one is found: what passes, fails, says nothing, hangs, takes long or much', () => {
    const good: Outcome = { bomb: bombs()[0]!, status: 400, text: 'no', ms: 1, cpuMs: 1, grownBytes: 0 }
    assert.equal(faultOf(good, true), undefined)
    for (const bad of [
      { status: 201 },
      { status: 0 },
      { status: 500 },
      { text: '' },
      { ms: HANGS_MS },
      { cpuMs: 1500 },
      { grownBytes: 2 * LARGE_BYTES },
    ])
      assert.notEqual(faultOf({ ...good, ...bad }, true), undefined, JSON.stringify(bad))
  })

  /** Everything that comes back on a connection of its own until the server ends it, or the answer to one request is whole. */
  async function spoken(text: string): Promise<string> {
    const socket = connectTls({ host: '127.0.0.1', port, ...tls, ALPNProtocols: ['http/1.1'] })
    await once(socket, 'secureConnect')
    let answer = ''
    socket.setEncoding('latin1').on('data', (piece: string) => void (answer += piece))
    socket.on('error', () => {})
    socket.write(text, 'latin1')
    // The server is to end the connection of who does not speak HTTP; who does, says so in his last request.
    await once(socket, 'close')
    return answer
  }

  void test(
    'requests that two servers would read differently are never read as two',
    { timeout: 120_000 },
    async () => {
      const smuggled = 'GET /api/v1/namespaces/default/secrets HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'
      const head =
        'POST /api/v1/namespaces/default/configmaps HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n'
      const chunked = 'Transfer-Encoding: chunked\r\n'
      const requests: Readonly<Record<string, string>> = {
        'a length and chunks': `${head}Content-Length: 4\r\n${chunked}\r\n0\r\n\r\n${smuggled}`,
        'two lengths': `${head}Content-Length: 0\r\nContent-Length: ${smuggled.length}\r\n\r\n${smuggled}`,
        'a list of lengths': `${head}Content-Length: 0, 5\r\n\r\n${smuggled}`,
        'a length with a sign': `${head}Content-Length: +0\r\n\r\n${smuggled}`,
        'a length in hexadecimal': `${head}Content-Length: 0x0\r\n\r\n${smuggled}`,
        'an unknown coding': `${head}Transfer-Encoding: xchunked\r\n\r\n${smuggled}`,
        'chunked, then something': `${head}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n${smuggled}`,
        'a space before the colon': `${head}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n${smuggled}`,
        'a folded line': `${head}X: a\r\n b: c\r\nContent-Length : 0\r\n\r\n${smuggled}`,
        'a size that is none': `${head}${chunked}\r\nzz\r\n\r\n${smuggled}`,
        'a size beyond all': `${head}${chunked}\r\nffffffffffffffffff\r\n\r\n${smuggled}`,
        'a negative size': `${head}${chunked}\r\n-1\r\n\r\n${smuggled}`,
        'a zero in a name': `${head}X\0Y: 1\r\n\r\n${smuggled}`,
        'no version': `GET /api/v1/namespaces/default/secrets\r\n\r\n${smuggled}`,
        'a version that is not there': `GET / HTTP/9.9\r\nHost: x\r\n\r\n${smuggled}`,
        'an empty name': `${head}: x\r\n\r\n${smuggled}`,
        'no HTTP': `\x16\x03\x01\x02${smuggled}`,
      }
      for (const [what, text] of Object.entries(requests)) {
        const answer = await spoken(text)
        assert.ok(!answer.includes('SecretList'), `${what}: ${answer.slice(0, 300)}`)
        assert.match(answer, /^$|^HTTP\/1\.1 4\d\d /, what)
      }
      assert.ok((await spoken(smuggled)).includes('SecretList'), 'the request itself is one that would be answered')
    },
  )

  void test(
    'half-open handshakes, slow bodies, floods of resets: everybody else is served',
    { timeout: 120_000 },
    async () => {
      const silent = Array.from({ length: 100 }, () => connectTcp({ host: '127.0.0.1', port }))
      await Promise.all(silent.map((socket) => once(socket, 'connect')))
      for (const socket of silent) socket.on('error', () => {}).write('\x16\x03\x01')
      const slow = await Promise.all(
        Array.from({ length: 50 }, async () => {
          const socket = connectTls({ host: '127.0.0.1', port, ...tls, ALPNProtocols: ['http/1.1'] })
          await once(socket, 'secureConnect')
          socket.on('error', () => {})
          socket.write(
            'POST /api/v1/namespaces/default/configmaps HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{',
          )
          return socket
        }),
      )
      const session = connectHttp2(`https://127.0.0.1:${port}`, tls)
      session.on('error', () => {})
      for (let round = 0; round < 2000 && !session.destroyed; round++) {
        const stream = session.request({ ':path': '/api/v1/namespaces/default/configmaps' })
        stream.on('error', () => {})
        stream.close(constants.NGHTTP2_CANCEL)
        if (round % 100 === 99) assert.equal(await others(), 200)
      }
      const statuses: number[] = []
      for (let at = 0; at < 50; at++) {
        const response = await transport.send({
          method: 'GET',
          path: '/api/v1/namespaces/default/configmaps/target',
          headers: {},
        })
        for await (const _piece of response.body);
        statuses.push(response.status)
      }
      assert.deepEqual([...new Set(statuses)], [200])
      session.destroy()
      for (const socket of [...silent, ...slow]) socket.destroy()
    },
  )
})
