// What operators and probes ask of the server: health, check by check, and metrics that Prometheus can read.

import assert from 'node:assert/strict'
import { gunzipSync } from 'node:zlib'
import { after, before, describe, test } from 'node:test'
import { admin, startTestServer, type TestServer } from './test-server.ts'

let server: TestServer
before(async () => {
  server = await startTestServer()
})
after(() => server[Symbol.asyncDispose]())

const ask = async (path: string): Promise<string> => {
  const { status, text } = await server.ask(path)
  return `${status} ${text}`
}

describe('health', () => {
  const live = ['ping', 'log', 'etcd', 'poststarthook/rbac/bootstrap-roles']

  test('has each check by its name, alone and in the whole', async () => {
    for (const root of ['livez', 'readyz', 'healthz']) {
      assert.equal(await ask(`/${root}`), '200 ok')
      for (const name of live) assert.equal(await ask(`/${root}/${name}`), '200 ok', name)
      const whole = await ask(`/${root}?verbose`)
      for (const name of live) assert.ok(whole.includes(`[+]${name} ok\n`), whole)
      assert.ok(whole.endsWith(`${root} check passed\n`))
    }
    for (const name of ['etcd-readiness', 'informer-sync', 'shutdown']) {
      assert.equal(await ask(`/readyz/${name}`), '200 ok')
      assert.equal((await server.ask(`/livez/${name}`)).status, 404)
    }
    assert.equal((await server.ask('/livez/nothing')).status, 404)
  })

  test('leaves out what is excluded, and says what it could not', async () => {
    const text = await ask('/livez?verbose&exclude=etcd&exclude=foo')
    assert.match(text, /\[\+\]etcd excluded: ok\n/)
    assert.match(text, /warn: some health checks cannot be excluded: no matches for "foo"\n/)
  })

  test('fails when the store does not answer, keeping the reason from those who ask for all', async () => {
    await using broken = await startTestServer()
    await broken.store[Symbol.asyncDispose]()
    const { status, text } = await broken.ask('/livez')
    assert.equal(status, 500)
    assert.match(text, /^\[\+\]ping ok\n\[\+\]log ok\n\[-\]etcd failed: reason withheld\n/)
    assert.match(text, /livez check failed\n$/)
    assert.match((await broken.ask('/livez/etcd')).text, /^internal server error: ./)
    assert.equal((await broken.ask('/livez?exclude=etcd')).status, 200)
  })
})

describe('metrics', () => {
  const read = async (): Promise<string> => (await server.ask('/metrics')).text

  /** Prometheus' text format, line by line: each sample belongs to the family declared before it. */
  function samples(text: string): ReadonlyMap<string, number> {
    const found = new Map<string, number>()
    let family = ''
    let type = ''
    for (const line of text.trimEnd().split('\n')) {
      const declared = /^# TYPE ([a-z_]+) (counter|gauge|histogram)$/.exec(line)
      if (declared !== null) {
        ;[, family, type] = declared as unknown as [string, string, string]
        continue
      }
      if (/^# HELP [a-z_]+ \S/.test(line)) continue
      const sample = /^([a-z_]+)(\{(?:[a-z_]+="(?:[^"\\\n]|\\.)*",?)*\})? (\S+)$/.exec(line)
      assert.ok(sample !== null, line)
      const suffix = sample[1]!.slice(family.length)
      assert.ok(sample[1]!.startsWith(family), line)
      assert.ok(suffix === '' || (type === 'histogram' && ['_bucket', '_sum', '_count'].includes(suffix)), line)
      assert.ok(!Number.isNaN(Number(sample[3])) || sample[3] === '+Inf', line)
      assert.ok(!found.has(`${sample[1]}${sample[2] ?? ''}`), `twice: ${line}`)
      found.set(`${sample[1]}${sample[2] ?? ''}`, Number(sample[3]))
    }
    return found
  }

  test('are text that Prometheus reads, under upstream’s stable names', async () => {
    await server.ask('/api/v1/namespaces/default/configmaps')
    const found = samples(await read())
    const names = new Set([...found.keys()].map((key) => key.replace(/\{.*/, '')))
    for (const name of [
      'apiserver_request_total',
      'apiserver_request_duration_seconds_bucket',
      'apiserver_current_inflight_requests',
      'apiserver_storage_objects',
      'apiserver_response_sizes_sum',
      'kubernetes_build_info',
      'kubernetes_feature_enabled',
      'process_cpu_seconds_total',
      'process_resident_memory_bytes',
      'process_start_time_seconds',
    ]) {
      assert.ok(names.has(name), name)
    }
    const labels =
      'component="apiserver",group="",resource="configmaps",scope="namespace",subresource="",verb="LIST",version="v1"'
    assert.ok(found.get(`apiserver_request_total{code="200",${labels}}`)! >= 1)
    const count = found.get(`apiserver_request_duration_seconds_count{${labels}}`)
    assert.equal(found.get(`apiserver_request_duration_seconds_bucket{${labels},le="+Inf"}`), count)
    assert.equal(found.get('kubernetes_feature_enabled{name="AnonymousGate",stage=""}'), undefined)
    assert.equal(found.get('kubernetes_feature_enabled{name="HostnameOverride",stage="BETA"}'), 1)
  })

  test('count what is stored and which streams are open', async () => {
    const objects = async (): Promise<number> =>
      samples(await read()).get('apiserver_storage_objects{resource="configmaps"}')!
    const before = await objects()
    await server.ask('/api/v1/namespaces/default/configmaps', { body: { metadata: { name: 'one' } } })
    assert.equal(await objects(), before + 1)
    const watches =
      'apiserver_longrunning_requests{component="apiserver",group="",resource="configmaps",scope="namespace",subresource="",verb="WATCH",version="v1"}'
    const response = await server.server
      .transportFor(admin)
      .send({ method: 'GET', path: '/api/v1/namespaces/default/configmaps?watch=1', headers: {} })
    const iterator = response.body[Symbol.asyncIterator]()
    await iterator.next()
    assert.equal(samples(await read()).get(watches), 1)
    await iterator.return!()
    assert.equal(samples(await read()).get(watches), 0)
  })
})

describe('a large answer', () => {
  test('is compressed for those who take it, and for nobody else', async () => {
    const path = '/api/v1/namespaces/default/configmaps'
    const data = { x: 'x'.repeat(200_000) }
    assert.equal((await server.ask(path, { body: { metadata: { name: 'big' }, data } })).status, 201)
    const get = async (encoding: string) => {
      const headers = { 'accept-encoding': encoding }
      const response = await server.server.transportFor(admin).send({ method: 'GET', path: `${path}/big`, headers })
      const pieces: Uint8Array[] = []
      for await (const piece of response.body) pieces.push(piece)
      return { encoding: response.headers['content-encoding'], bytes: Buffer.concat(pieces) }
    }
    const packed = await get('deflate, gzip;q=0.5')
    assert.equal(packed.encoding, 'gzip')
    const object = JSON.parse(gunzipSync(packed.bytes).toString()) as { readonly data: unknown }
    assert.deepEqual(object.data, data)
    for (const encoding of ['identity', 'gzip;q=0', 'br']) {
      const plain = await get(encoding)
      assert.equal(plain.encoding, undefined, encoding)
      assert.ok(plain.bytes.length > 200_000)
    }
  })
})
