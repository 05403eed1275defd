// The REST fuzzer against a whole server: every route and verb that it describes, and the bodies that it says it takes.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seededRandom } from '@aksel/base/ids'
import { sized } from '@aksel/testing/test-size'
import { admin, startTestServer, type TestServer } from '../test-server.ts'
import { fuzz, type FuzzAnswer } from './run.ts'
import type { FuzzRequest } from './requests.ts'
import { readSpec, type Spec } from './spec.ts'

const SEED = Number(process.env['AKSEL_FUZZ_SEED'] ?? 20_260_101)

async function prepared(): Promise<{ readonly server: TestServer; readonly spec: Spec }> {
  const server = await startTestServer()
  for (const name of ['default', 'fuzz']) {
    await server.ask('/api/v1/namespaces', { body: { metadata: { name } } })
    await server.ask(`/api/v1/namespaces/${name}/serviceaccounts`, { body: { metadata: { name: 'default' } } })
  }
  return { server, spec: await readSpec(async (path) => (await server.ask(path)).json) }
}

/** Streams are left once their first piece is there. */
async function send(server: TestServer, { method, path, headers, body }: FuzzRequest): Promise<FuzzAnswer> {
  const isWatch = /[?&]watch=(?!(0|false|f)(&|$))|^\/apis?\/.*\/watch\//i.test(path)
  const stop = new AbortController()
  const response = await server.server.transportFor(admin).send({
    method,
    path,
    headers,
    ...(body === undefined ? {} : { body }),
    ...(isWatch ? { signal: stop.signal } : {}),
  })
  if (isWatch && response.status === 200) {
    stop.abort()
    try {
      for await (const _piece of response.body) break
    } catch {
      // It ends as it was told to.
    }
    return { status: 200, body: '' }
  }
  let text = ''
  for await (const piece of response.body) if (text.length < 1000) text += Buffer.from(piece).toString('latin1')
  return { status: response.status, body: text }
}

test('no request drawn from our own OpenAPI crashes the server or gets a 5xx without a reason', async (context) => {
  const { server, spec } = await prepared()
  await using _server = server
  assert.ok(spec.operations.length > 500, `${spec.operations.length} operations`)
  const report = await fuzz({
    spec,
    random: seededRandom(SEED),
    requests: sized({ gate: 4000, full: 100_000 }),
    send: (request) => send(server, request),
    lanes: 16,
  })
  const statuses = [...report.byStatus].sort(([a], [b]) => a - b).map(([status, count]) => `${status}: ${count}`)
  context.diagnostic(`seed ${SEED}: ${report.requests} requests, ${statuses.join(', ')}`)
  context.diagnostic(`slowest: ${report.slowest.ms.toFixed(0)} ms ${report.slowest.request}`)
  const shown = report.findings.slice(0, 5).map(({ request, what }) => {
    const { method, path, headers, body } = request
    return `${method} ${path} ${JSON.stringify(headers)} ${body?.toString('utf8').slice(0, 1500) ?? ''}\n  -> ${what}`
  })
  assert.equal(report.findings.length, 0, `${report.findings.length} findings, seed ${SEED}:\n${shown.join('\n')}`)
  assert.deepEqual(
    server.lines.filter(({ level }) => level === 'error'),
    [],
  )
  // It must have got through to the objects, not only to refusals.
  for (const status of [200, 201, 404, 405, 409, 422]) assert.ok(report.byStatus.has(status), `no ${status}`)
})

test('a planted bug is found: a route that fails for one kind of body, and one that throws', async () => {
  const { server, spec } = await prepared()
  await using _server = server
  const planted = async (request: FuzzRequest): Promise<FuzzAnswer> => {
    if (request.method === 'PUT' && request.path.includes('/leases/') && request.body?.includes('labels'))
      return { status: 500, body: '{"reason":"InternalError"}' }
    if (request.method === 'DELETE' && request.path.includes('/endpointslices/')) throw new Error('planted')
    return send(server, request)
  }
  const requests = spec.operations.length * 2
  const report = await fuzz({ spec, random: seededRandom(7), requests, send: planted, lanes: 8 })
  const found = report.findings.map(({ request: { method }, what }) => `${method} ${what.split('\n')[0]}`)
  assert.ok(
    found.some((one) => one.startsWith('PUT 500')),
    found.join('\n'),
  )
  assert.ok(
    found.some((one) => one.startsWith('DELETE it threw: Error: planted')),
    found.join('\n'),
  )
})

test('the same seed draws the same requests', async () => {
  const { server, spec } = await prepared()
  await using _server = server
  const drawn = async (seed: number): Promise<string> => {
    const seen: string[] = []
    const noted = async ({ method, path, body }: FuzzRequest): Promise<FuzzAnswer> => {
      seen.push(`${method} ${path} ${body?.toString('hex') ?? ''}`)
      return { status: 200, body: '' }
    }
    await fuzz({ spec, random: seededRandom(seed), requests: 500, send: noted, lanes: 1 })
    return seen.join('\n')
  }
  assert.equal(await drawn(1), await drawn(1))
  assert.notEqual(await drawn(1), await drawn(2))
})
