// The load sends what it says over both protocols, counts what was answered, and tells what was refused.

import assert from 'node:assert/strict'
import { createSecureServer, type Http2ServerRequest, type Http2ServerResponse } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { systemClock } from '@aksel/base/clock'
import { systemRandom } from '@aksel/base/ids'
import { silentLog } from '@aksel/base/log'
import { peerTls } from '../api/rig.ts'
import { runRequests, versionMark, type RequestLoad } from './requests.ts'
import { etcdPut, microTimeMark, numberMark, templateOf, timeMark } from './template.ts'

interface Seen {
  readonly method: string
  readonly path: string
  readonly body: string
  readonly who: string
}

async function recorder(answer: (seen: Seen, response: Http2ServerResponse) => void) {
  const seen: Seen[] = []
  const scope = { clock: systemClock(), random: systemRandom(), log: silentLog(), signal: new AbortController().signal }
  const tls = await peerTls(scope)
  const server = createSecureServer({ ...tls, allowHTTP1: true }, (request: Http2ServerRequest, response) => {
    const pieces: Buffer[] = []
    request.on('data', (piece: Buffer) => pieces.push(piece))
    request.on('end', () => {
      const one = {
        method: request.method,
        path: request.url,
        body: Buffer.concat(pieces).toString(),
        who: whoOf(request),
      }
      seen.push(one)
      answer(one, response)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return { seen, target: { host: '127.0.0.1', port, caPem: tls.caPem }, close: () => server.close() }
}

function whoOf({ headers }: Http2ServerRequest): string {
  return String(headers['x-who'] ?? '')
}

function jsonAnswer(response: Http2ServerResponse, status: number, text: string): void {
  response.writeHead(status, { 'content-length': Buffer.byteLength(text) })
  response.end(text)
}

const base = { headers: {}, firstNumber: 7, connections: 2, streams: 1 } as const

for (const protocol of ['h1', 'h2'] as const) {
  test(`requests over ${protocol} carry their number in path, headers and body, and each is counted once`, async () => {
    const { seen, target, close } = await recorder((_, response) => jsonAnswer(response, 201, '{}'))
    const load: RequestLoad = {
      ...base,
      ...target,
      headers: { 'x-who': `n${numberMark}` },
      protocol,
      method: 'PUT',
      path: `/things/${numberMark}`,
      bodyBase64: Buffer.from(`{"name":"${numberMark}"}`).toString('base64'),
      requestsMax: 20,
    }
    const result = await runRequests(load)
    close()
    assert.deepEqual([result.answered, result.failed, result.bodyBytes], [20, 0, 40])
    const numbers = Array.from({ length: 20 }, (_, i) => String(i + 7).padStart(9, '0'))
    assert.deepEqual(
      seen.map(({ path }) => path).toSorted(),
      numbers.map((number) => `/things/${number}`),
    )
    assert.ok(seen.every(({ path, body }) => body === `{"name":"${path.slice(-9)}"}`))
    assert.ok(seen.every(({ path, who }) => who === `n${path.slice(-9)}`))
  })

  test(`an update over ${protocol} carries the version of the last answer`, async () => {
    let version = 0
    const { seen, target, close } = await recorder((_, response) => {
      version += 1
      jsonAnswer(response, 200, `{"metadata":{"resourceVersion":"${version}"}}`)
    })
    const bodyBase64 = Buffer.from(`{"v":"${versionMark}"}`).toString('base64')
    const load = {
      ...base,
      ...target,
      connections: 1,
      protocol,
      method: 'PUT',
      path: '/one',
      bodyBase64,
      numbers: 1,
      versions: true,
    }
    await runRequests({ ...load, requestsMax: 3 })
    close()
    assert.deepEqual(
      seen.map(({ method, body }) => `${method} ${body}`),
      ['GET ', 'PUT {"v":"1"}', 'PUT {"v":"2"}', 'PUT {"v":"3"}'],
    )
  })
}

test('what is refused is no answer, and the first refusal is told', async () => {
  const { target, close } = await recorder((_, response) => jsonAnswer(response, 409, '{}'))
  const result = await runRequests({
    ...base,
    ...target,
    protocol: 'h1',
    method: 'POST',
    path: '/',
    bodyBase64: '',
    requestsMax: 4,
  })
  close()
  assert.deepEqual([result.answered, result.failed, result.firstFailure.trim()], [0, 4, '409'])
})

test('who is answered late makes the next one late, counted from when that was due', async () => {
  // Each answer takes as long as three requests lie apart: the last of six is late by far more than its own answer took.
  const { target, close } = await recorder((_, response) => setTimeout(() => jsonAnswer(response, 200, '{}'), 60))
  const rest = { protocol: 'h1', method: 'GET', path: '/', bodyBase64: '', requestsMax: 6 } as const
  const result = await runRequests({ ...base, ...target, ...rest, connections: 1, perSecond: 50 })
  close()
  assert.equal(result.answered, 6)
  assert.ok(result.lateMaxMs > result.lateP50Ms && result.lateMaxMs > 200, JSON.stringify(result))
})

test('times are written in at sending, as long as their marks', () => {
  const template = templateOf(Buffer.from(`${timeMark} ${microTimeMark}`))
  const [time, micro] = template.render(12).toString().split(' ') as [string, string]
  assert.ok(Math.abs(Number(time) - (performance.timeOrigin + performance.now())) < 60_000)
  assert.match(micro, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}012Z$/)
})

test("etcd's put has lengths that fit what is sent", () => {
  const bytes = templateOf(etcdPut('/k/', Buffer.from('value'))).render(3)
  assert.equal(bytes.readUInt32BE(1), bytes.length - 5)
  assert.equal(bytes.subarray(5).toString('latin1'), '\x0a\x0c/k/000000003\x12\x05value')
})
