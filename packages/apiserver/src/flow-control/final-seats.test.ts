// What a write takes after it is over, while its watchers are told, and what is counted of it under upstream's names.

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { SimulatedClock } from '@aksel/testing/simulated-clock'
import { testScope } from '@aksel/testing/test-scope'
import { MetricsRegistry } from '../metrics.ts'
import { requestInfoOf } from '../request-info.ts'
import { startTestServer } from '../test-server.ts'
import { flowHash } from './dealer.ts'
import type { FlowRequest } from './flow-request.ts'
import { HighWater } from './high-water.ts'
import { QueueSet } from './queue-set.ts'
import { TimingSeries } from './timing-series.ts'
import { WatchTracker } from './watch-tracker.ts'
import { finalWorkOf, tellsWatchers } from './work-estimate.ts'

const flow = (name: string, more: Partial<FlowRequest>, started: string[]): FlowRequest => ({
  hash: flowHash('schema', name),
  seats: 1,
  start: () => void started.push(name),
  ...more,
})

void suite('final seats', () => {
  void test('a seat for every ten watchers, five milliseconds long, longer where they would be too many', () => {
    assert.equal(finalWorkOf(0, 1000), undefined)
    assert.deepEqual(finalWorkOf(1, 1000), { seats: 1, ms: 5 })
    assert.deepEqual(finalWorkOf(25, 1000), { seats: 3, ms: 5 })
    assert.deepEqual(finalWorkOf(100, 1000), { seats: 10, ms: 5 })
    assert.deepEqual(finalWorkOf(1000, 1000), { seats: 10, ms: 50 })
    // A seventh of a small level at most.
    assert.deepEqual(finalWorkOf(100, 10), { seats: 2, ms: 25 })
  })

  void test('writes tell watchers; reads, deletions of collections and tokens do not', () => {
    const pods = '/api/v1/namespaces/a/pods'
    const tells = (method: string, path: string): boolean => tellsWatchers(requestInfoOf(method, path))
    assert.deepEqual(
      [tells('POST', pods), tells('PUT', `${pods}/x`), tells('PATCH', `${pods}/x`), tells('DELETE', `${pods}/x`)],
      [true, true, true, true],
    )
    assert.deepEqual([tells('GET', pods), tells('DELETE', pods), tells('POST', '/version')], [false, false, false])
    assert.equal(tells('POST', '/api/v1/namespaces/a/serviceaccounts/b/token'), false)
  })

  void test('are kept when the request is over, and given back in time to who waits', () => {
    const started: string[] = []
    const set = new QueueSet({ queues: 8, handSize: 2, queueLengthLimit: 5 }, 4, 0)
    const write = flow('write', { seats: 3, initialSeats: 1, final: { seats: 3, ms: 5 } }, started)
    assert.equal(set.arrive(write, 0), 'executing')
    assert.equal(set.seatsInUse, 3)
    const next = flow('next', { seats: 2 }, started)
    assert.equal(set.arrive(next, 1), 'queued')
    set.leave(write, 10)
    assert.deepEqual([set.seatsInUse, set.executing, set.nextEndMs], [3, 1, 15])
    set.leave(write, 11)
    assert.equal(set.nextEndMs, 15, 'it is over once')
    set.settle(14.9)
    assert.deepEqual(started, [])
    set.settle(15)
    assert.deepEqual(started, ['next'])
    assert.deepEqual([set.seatsInUse, set.executing, set.nextEndMs], [2, 1, undefined])
  })

  void test('fewer than the request itself had: the rest is free at once', () => {
    const set = new QueueSet({ queues: 0, handSize: 0, queueLengthLimit: 0 }, 10, 0)
    const write = flow('write', { seats: 4, initialSeats: 4, final: { seats: 1, ms: 5 } }, [])
    set.arrive(write, 0)
    set.leave(write, 1)
    assert.equal(set.seatsInUse, 1)
    // Whoever comes next gives them back.
    assert.equal(set.arrive(flow('other', { seats: 10 }, []), 7), 'executing')
  })

  void test('virtual time begins anew before it loses its exactness, and nobody is served out of turn', () => {
    const set = new QueueSet({ queues: 8, handSize: 2, queueLengthLimit: 50 }, 1e9, 0)
    const long = flow('long', { seats: 1e8 }, [])
    set.arrive(long, 0)
    for (let at = 1; at <= 30; at++) set.settle(at * 1000)
    assert.deepEqual({ ...set.epochs }, { true: 0, false: 2 })
    assert.ok(set.progress.currentR < 2 ** 30 && set.progress.currentR > 0, `${set.progress.currentR}`)
    set.leave(long, 31_000)
    assert.equal(set.seatsInUse, 0)
  })
})

void suite('watches that a write is told to', () => {
  const watch = (tracker: WatchTracker, path: string): AbortController => {
    const stop = new AbortController()
    tracker.register(requestInfoOf('GET', path), stop.signal)
    return stop
  }
  const count = (tracker: WatchTracker, path: string): number => tracker.interestedIn(requestInfoOf('PUT', path))

  void test('are those of its kind, its namespace and its name, while they last', () => {
    const tracker = new WatchTracker()
    const all = watch(tracker, '/api/v1/configmaps?watch=1')
    watch(tracker, '/api/v1/namespaces/a/configmaps?watch=1')
    watch(tracker, '/api/v1/namespaces/a/configmaps?watch=1&fieldSelector=metadata.name%3Dx')
    watch(tracker, '/api/v1/namespaces/b/configmaps?watch=1')
    watch(tracker, '/api/v1/secrets?watch=1')
    assert.equal(count(tracker, '/api/v1/namespaces/a/configmaps/x'), 3)
    assert.equal(count(tracker, '/api/v1/namespaces/a/configmaps/y'), 2)
    assert.equal(count(tracker, '/api/v1/namespaces/b/configmaps/x'), 2)
    assert.equal(count(tracker, '/api/v1/nodes/x'), 0)
    all.abort()
    assert.equal(count(tracker, '/api/v1/namespaces/a/configmaps/x'), 2)
  })

  void test('of pods by node count as those of the node with most of them', () => {
    const tracker = new WatchTracker()
    const node = (name: string): AbortController =>
      watch(tracker, `/api/v1/pods?watch=1&fieldSelector=spec.nodeName%3D${name}`)
    const [first] = [node('n1'), node('n1'), node('n2'), node('n3')]
    watch(tracker, '/api/v1/pods?watch=1&fieldSelector=spec.nodeName%21%3Dn1')
    assert.equal(count(tracker, '/api/v1/namespaces/a/pods/x'), 3)
    first.abort()
    assert.equal(count(tracker, '/api/v1/namespaces/a/pods/x'), 2)
  })
})

void test('a timing histogram observes each nanosecond', async () => {
  const series = new TimingSeries([0, 0.5, 1], 0)
  series.set(0.5, 2)
  series.set(2, 3)
  const registry = new MetricsRegistry()
  registry.seriesOf('t', 'h', () => [[{ a: 'b' }, series.read(7)]])
  assert.equal(
    await registry.text(),
    [
      '# HELP t h',
      '# TYPE t histogram',
      't_bucket{a="b",le="0"} 2000000',
      't_bucket{a="b",le="0.5"} 3000000',
      't_bucket{a="b",le="1"} 3000000',
      't_bucket{a="b",le="+Inf"} 7000000',
      't_sum{a="b"} 8500000',
      't_count{a="b"} 7000000',
      '',
    ].join('\n'),
  )
})

void test('a high water mark is that of the last whole second', () => {
  const mark = new HighWater(0)
  mark.set(3, 100)
  mark.set(1, 200)
  assert.equal(mark.read(900), 0, 'that second is not over')
  assert.equal(mark.read(1500), 3)
  mark.set(2, 1600)
  mark.set(0, 1700)
  assert.equal(mark.read(2000), 2)
  assert.equal(mark.read(9000), 0)
})

void test('a write with a watcher keeps its seat for five milliseconds, and the metrics say so', async () => {
  const clock = new SimulatedClock()
  using scope = testScope({ clock })
  await using server = await startTestServer({ scope })
  const ann = { name: 'ann', groups: [] }
  const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cluster-admin' }
  const subjects = [{ kind: 'User', apiGroup: 'rbac.authorization.k8s.io', name: 'ann' }]
  const bindings = '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings'
  await server.ask(bindings, { body: { metadata: { name: 'ann' }, roleRef, subjects } })
  const stop = new AbortController()
  const path = '/api/v1/configmaps?watch=1'
  const watching = await server.server.transportFor(ann).send({ method: 'GET', path, headers: {}, signal: stop.signal })
  assert.equal(watching.status, 200)
  const events = watching.body[Symbol.asyncIterator]()
  const first = events.next()
  const body = { metadata: { name: 'm' } }
  assert.equal((await server.ask('/api/v1/namespaces/default/configmaps', { user: ann, body })).status, 201)
  assert.equal((await first).done, false)
  const labels = 'flow_schema="global-default",priority_level="global-default"'
  const metrics = async (): Promise<string> => (await server.ask('/metrics')).text
  const during = await metrics()
  for (const line of [
    `current_executing_seats{${labels}} 1`,
    `current_executing_requests{${labels}} 1`,
    `current_inqueue_requests{${labels}} 0`,
    `watch_count_samples_bucket{${labels},le="0"} 0`,
    `watch_count_samples_bucket{${labels},le="1"} 1`,
    `request_execution_seconds_count{${labels},type="regular"} 1`,
  ])
    assert.ok(during.includes(`apiserver_flowcontrol_${line}\n`), line)
  await clock.run(5)
  const after = await metrics()
  assert.ok(after.includes(`apiserver_flowcontrol_current_executing_seats{${labels}} 0\n`), 'it is given back')
  const level = 'priority_level="global-default"'
  for (const line of [
    `priority_level_seat_utilization_count{phase="executing",${level}}`,
    `priority_level_request_utilization_count{phase="waiting",${level}}`,
    `priority_level_request_utilization_count{phase="executing",${level}}`,
    `demand_seats_count{${level}}`,
    `demand_seats_average{${level}}`,
    `demand_seats_stdev{${level}}`,
    `demand_seats_high_watermark{${level}}`,
    `demand_seats_smoothed{${level}}`,
    `current_r{${level}}`,
    `dispatch_r{${level}}`,
    `latest_s{${level}}`,
    `read_vs_write_current_requests_count{phase="executing",request_kind="mutating"}`,
    `read_vs_write_current_requests_count{phase="waiting",request_kind="readOnly"}`,
  ])
    assert.ok(after.includes(`apiserver_flowcontrol_${line} `), line)
  assert.match(after, /^apiserver_current_inqueue_requests\{request_kind="readOnly"\} 0$/m)
  // Five milliseconds in nanoseconds, in which a seat was in use.
  const zero = new RegExp(
    `priority_level_seat_utilization_bucket\\{phase="executing",${level},le="(?:0|0.1)"\\} (\\d+)`,
    'g',
  )
  const [none, few] = [...after.matchAll(zero)].map(([, value]) => Number(value))
  assert.ok(few! - none! >= 5_000_000, `${none} and ${few}`)
  stop.abort()
})
