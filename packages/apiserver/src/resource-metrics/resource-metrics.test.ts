// metrics.k8s.io: usage from samples of nodes, and from what pods of simulated nodes declare, as the API shows it.

import assert from 'node:assert/strict'
import { Duplex } from 'node:stream'
import { test } from 'node:test'
import type { Node, Pod } from '@aksel/api/types/core-v1'
import { SimulatedClock } from '@aksel/testing/simulated-clock'
import { loose } from '../custom-resources/test-definitions.ts'
import type { NodeConnector } from '../connect-handler.ts'
import { startTestServer, testScope, type TestServer } from '../test-server.ts'
import { readSamples } from './samples.ts'
import { ScrapedUsage } from './scraped-usage.ts'

const path = '/apis/metrics.k8s.io/v1beta1'

function metricsText(cpuSeconds: number, bytes: number, atMs: number, startSeconds: number): string {
  const labels = 'container="web",namespace="default",pod="web-1"'
  return [
    '# HELP container_cpu_usage_seconds_total [STABLE] CPU time of the container',
    `container_cpu_usage_seconds_total{${labels}} ${cpuSeconds} ${atMs}`,
    `container_memory_working_set_bytes{${labels}} ${bytes} ${atMs}`,
    `container_start_time_seconds{${labels}} ${startSeconds} ${atMs}`,
    `node_cpu_usage_seconds_total ${cpuSeconds * 2} ${atMs}`,
    `node_memory_working_set_bytes ${bytes * 2} ${atMs}`,
    'resource_scrape_error 0',
    '',
  ].join('\n')
}

test('the text of a node is read into samples, and what is not complete is left out', () => {
  const text = `${metricsText(1.5, 2048, 1000, 0.5)}container_cpu_usage_seconds_total{container="half",namespace="a",pod="b"} 1\nbroken{\n`
  const { node, pods } = readSamples(text, 7)
  assert.deepEqual(node, { atMs: 1000, cpuSeconds: 3, memoryBytes: 4096, startMs: undefined })
  assert.deepEqual(
    [...pods.get('default/web-1')!],
    [['web', { atMs: 1000, cpuSeconds: 1.5, memoryBytes: 2048, startMs: 500 }]],
  )
  assert.equal(pods.get('a/b')!.size, 0)
})

interface FakeNode {
  readonly connector: NodeConnector
  asked: number
  answer: () => string
}

function fakeNode(): FakeNode {
  const node: FakeNode = {
    asked: 0,
    answer: () => '',
    connector: {
      open(_name, request) {
        node.asked += 1
        assert.equal(request.path, '/metrics/resource')
        const stream = new Duplex({
          write: (_chunk, _encoding, done) => done(),
          read() {
            this.push(node.answer())
            this.push(null)
          },
        })
        return Promise.resolve({ status: 200, headers: {}, stream })
      },
    },
  }
  return node
}

const node: Node = { metadata: { name: 'n1' }, spec: {} }
const pod = {
  metadata: { name: 'web-1', namespace: 'default', uid: 'u1' },
  spec: { nodeName: 'n1', containers: [] },
} as unknown as Pod

async function turns(until: () => boolean): Promise<void> {
  for (let turn = 0; turn < 1000 && !until(); turn += 1) await new Promise((resolve) => setImmediate(resolve))
  assert.ok(until())
}

test('usage is the difference of two samples: one second apart for who asks first, then of the last 15', async () => {
  const clock = new SimulatedClock()
  const stop = new AbortController()
  const scope = { ...testScope([], stop.signal), clock }
  const fake = fakeNode()
  let cpuSeconds = 10
  fake.answer = () => metricsText(cpuSeconds, 1024, clock.now(), clock.now() / 1000 - 60)
  const usage = new ScrapedUsage(scope, fake.connector)
  const first = usage.ofPods([pod], stop.signal)
  await turns(() => clock.timerCount === 1)
  cpuSeconds = 10.25
  clock.advance(1000)
  const web = (await first).get('u1')!.get('web')!
  assert.deepEqual([web.cpuNanoCores, web.memoryBytes, web.windowMs], [250_000_000, 1024, 1000])
  await turns(() => clock.timerCount === 1)
  cpuSeconds = 40.25
  clock.advance(15_000)
  await turns(() => fake.asked === 3 && clock.timerCount === 1)
  const later = (await usage.ofNodes([node], stop.signal)).get('n1')!
  assert.deepEqual([later.cpuNanoCores, later.windowMs], [4_000_000_000, 15_000])
  stop.abort()
})

test('nodes are asked no more when nobody asked for five minutes', async () => {
  const clock = new SimulatedClock()
  const stop = new AbortController()
  const scope = { ...testScope([], stop.signal), clock }
  const fake = fakeNode()
  fake.answer = () => metricsText(1, 1, clock.now(), 0)
  const usage = new ScrapedUsage(scope, fake.connector)
  const first = usage.ofNodes([node], stop.signal)
  for (const ms of [1000, ...Array.from({ length: 20 }, () => 15_000)]) {
    const { asked } = fake
    await turns(() => clock.timerCount === 1)
    clock.advance(ms)
    await turns(() => fake.asked > asked)
  }
  await first
  await turns(() => clock.timerCount === 0)
})

test('a node that does not answer, or a container that started in between, has no usage', async () => {
  const clock = new SimulatedClock()
  const stop = new AbortController()
  const scope = { ...testScope([], stop.signal), clock }
  const silent: NodeConnector = { open: () => Promise.reject(new Error('no tunnel')) }
  assert.equal((await new ScrapedUsage(scope, silent).ofNodes([node], stop.signal)).size, 0)
  const fake = fakeNode()
  fake.answer = () => metricsText(0.1, 1, clock.now(), clock.now() / 1000)
  const usage = new ScrapedUsage(scope, fake.connector)
  const first = usage.ofPods([pod], stop.signal)
  await turns(() => clock.timerCount === 2)
  clock.advance(1000)
  assert.equal((await first).size, 0)
  stop.abort()
})

async function fill(server: TestServer): Promise<void> {
  for (const name of ['n1', 'n2'])
    loose(await server.ask('/api/v1/nodes', { body: { metadata: { name, labels: { pool: name } } } }), 201)
  const pods = '/api/v1/namespaces/default/pods'
  loose(
    await server.ask('/api/v1/namespaces/default/serviceaccounts', { body: { metadata: { name: 'default' } } }),
    201,
  )
  for (const [name, usage] of [
    ['busy', '{"cpu":"250m","memory":"64Mi"}'],
    ['named', '{"containers":{"a":{"cpu":"1500u"}}}'],
    ['quiet', 'not json'],
  ] as const) {
    const annotations = { 'aksel.dev/simulated-usage': usage }
    const containers = ['a', 'b'].map((container) => ({ name: container, image: 'x' }))
    const metadata = { name, annotations, labels: { app: name } }
    loose(await server.ask(pods, { body: { metadata, spec: { nodeName: 'n1', containers } } }), 201)
    if (name === 'quiet') continue
    const containerStatuses = containers.map((one) => ({
      name: one.name,
      image: 'x',
      imageID: 'x',
      ready: true,
      restartCount: 0,
      state: { running: { startedAt: '2026-01-01T00:00:00Z' } },
    }))
    const body = { status: { phase: 'Running', containerStatuses } }
    const headers = { 'content-type': 'application/merge-patch+json' }
    loose(await server.ask(`${pods}/${name}/status`, { method: 'PATCH', headers, body }))
  }
}

test('pods of simulated nodes use what they declare, and nodes the sum of it', async () => {
  await using server = await startTestServer()
  await fill(server)
  const pods = loose(await server.ask(`${path}/namespaces/default/pods`))
  assert.deepEqual([pods['kind'], pods['items']!.map((one) => one['metadata']!['name'])] as unknown, [
    'PodMetricsList',
    ['busy', 'named'],
  ])
  const busy = loose(await server.ask(`${path}/namespaces/default/pods/busy`))
  assert.deepEqual(busy['containers'] as unknown, [
    { name: 'a', usage: { cpu: '250m', memory: '64Mi' } },
    { name: 'b', usage: { cpu: '250m', memory: '64Mi' } },
  ])
  assert.equal(busy['window'] as unknown, '15s')
  const nodes = loose(await server.ask(`${path}/nodes?labelSelector=pool%3Dn1`))['items']!
  assert.deepEqual(nodes.map((one) => one['usage']) as unknown, [{ cpu: '501500u', memory: '128Mi' }])
  const all = loose(await server.ask(`${path}/pods?labelSelector=app%3Dnamed`))
  assert.equal(all['items']!.length, 1)
  assert.equal(loose(await server.ask(`${path}/pods?fieldSelector=metadata.name%3Dbusy`))['items']!.length, 1)
})

test('what is not measured or not there is not found, and a watch is refused', async () => {
  await using server = await startTestServer()
  await fill(server)
  const words = async (at: string): Promise<unknown> => (await server.ask(at)).json['message']
  assert.equal(
    await words(`${path}/namespaces/default/pods/quiet`),
    'podmetrics.metrics.k8s.io "default/quiet" not found',
  )
  assert.equal(await words(`${path}/namespaces/default/pods/gone`), 'pods "gone" not found')
  assert.equal(await words(`${path}/nodes/gone`), 'nodes "gone" not found')
  assert.equal((await server.ask(`${path}/nodes?watch=true`)).status, 405)
  assert.equal((await server.ask(`${path}/nodes/n1`, { method: 'DELETE' })).status, 405)
})

test('tables have the columns of metrics-server', async () => {
  await using server = await startTestServer()
  await fill(server)
  const accept = 'application/json;as=Table;v=v1;g=meta.k8s.io'
  const table = loose(await server.ask(`${path}/namespaces/default/pods`, { headers: { accept } }))
  assert.deepEqual(table['columnDefinitions']!.map((one) => one['name']) as unknown, [
    'Name',
    'cpu',
    'memory',
    'Window',
  ])
  assert.deepEqual(table['rows']!.map((one) => one['cells']) as unknown, [
    ['busy', '500m', '128Mi', '15s'],
    ['named', '1500u', '0', '15s'],
  ])
})

test('the APIService of metrics is there, and says that this server answers', async () => {
  await using server = await startTestServer()
  const service = loose(await server.ask('/apis/apiregistration.k8s.io/v1/apiservices/v1beta1.metrics.k8s.io'))
  assert.equal(service['status']!['conditions']![0]!['reason'] as unknown, 'Local')
  assert.deepEqual(service['spec'] as unknown, {
    group: 'metrics.k8s.io',
    version: 'v1beta1',
    groupPriorityMinimum: 100,
    versionPriority: 100,
  })
})
