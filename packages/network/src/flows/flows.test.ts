// From bytes that the kernel copied to Hubble's flows: read, named, filtered, counted, written down.

import assert from 'node:assert/strict'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { endpointSlices, nodes, pods, services } from '@aksel/api/resources'
import { query } from '../testing/dns-queries.ts'
import { MemoryCaches } from '../testing/memory-caches.ts'
import { endpoint, service, slice } from '../testing/objects.ts'
import { FlowAggregate } from './aggregate.ts'
import { directoryOf } from './directory.ts'
import { isIncluded, isWanted } from './filter.ts'
import type { Flow } from './hubble.ts'
import { FlowLogFile } from './log-file.ts'
import { FlowMetrics } from './metrics.ts'
import { NflogReader } from './nflog.ts'
import { flowsOf } from './reading.ts'

/** An IPv4 header and what follows it. */
function packet(protocol: number, source: string, destination: string, rest: Buffer): Buffer {
  const header = Buffer.alloc(20)
  header[0] = 0x45
  header.writeUInt16BE(20 + rest.length, 2)
  header[9] = protocol
  Buffer.from([...source.split('.'), ...destination.split('.')].map(Number)).copy(header, 12)
  return Buffer.concat([header, rest])
}

function tcp(source: string, destination: string, ports: readonly [number, number], flags: number): Buffer {
  const segment = Buffer.alloc(20)
  segment.writeUInt16BE(ports[0], 0)
  segment.writeUInt16BE(ports[1], 2)
  segment[13] = flags
  return packet(6, source, destination, segment)
}

function dns(source: string, destination: string, name: string): Buffer {
  const header = Buffer.alloc(8)
  header.writeUInt16BE(41_000, 0)
  header.writeUInt16BE(53, 2)
  return packet(17, source, destination, Buffer.concat([header, query(name)]))
}

function directory() {
  const caches = new MemoryCaches()
  const pod = (name: string, podIP: string, nodeName: string, more: object = {}) =>
    caches.of(pods).put({
      metadata: { name, namespace: 'shop', uid: name, labels: { app: name }, ...more },
      spec: { nodeName, containers: [] },
      status: { podIP, phase: 'Running' },
    } as never)
  const owner = { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'front-5f7', uid: 'u', controller: true }
  pod('front', '10.244.0.5', 'n1', { labels: { app: 'front', 'pod-template-hash': '5f7' }, ownerReferences: [owner] })
  pod('store', '10.244.0.6', 'n1')
  pod('far', '10.244.1.7', 'n2')
  caches.of(nodes).put({
    metadata: { name: 'n2' },
    spec: {},
    status: { addresses: [{ type: 'InternalIP', address: '10.224.0.5' }] },
  } as never)
  caches.of(services).put(service('web', { clusterIP: '10.0.0.80' }))
  caches.of(endpointSlices).put(slice('store', [endpoint('10.244.0.6')]))
  return directoryOf(caches, { nodeName: 'n1', clusterDns: '10.0.0.10' })
}

let number = 0
const read = (payload: Buffer, prefix = 'forwarded'): readonly Flow[] =>
  flowsOf(
    { timeMs: Date.UTC(2026, 10, 27), prefix, payload },
    {
      nodeName: 'n1',
      directory: directory(),
      deniedBy: (chain) =>
        chain === 'any-egress-1' ? [{ name: 'shut', namespace: 'shop', kind: 'NetworkPolicy' }] : [],
      allowedBy: (direction, { destination, to }) =>
        direction === 'ingress' && destination === '10.244.0.6' && to?.port === 5432 && to.protocol === 'tcp'
          ? [{ name: 'to-store', namespace: 'shop', kind: 'NetworkPolicy' }]
          : [],
      uuid: () => String(number++),
    },
  )

test('a flow names the policy that let it pass, at the end where the policy stands; an answer names none', () => {
  const [out, inside] = read(tcp('10.244.0.5', '10.244.0.6', [40_000, 5432], 2))
  assert.deepEqual([out!.egress_allowed_by, out!.ingress_allowed_by], [undefined, undefined])
  const by = [{ name: 'to-store', namespace: 'shop', kind: 'NetworkPolicy' }]
  assert.deepEqual([inside!.egress_allowed_by, inside!.ingress_allowed_by], [undefined, by])
  const [answer] = read(tcp('10.244.0.5', '10.244.0.6', [40_000, 5432], 0x12))
  assert.equal(answer!.is_reply, true)
  assert.equal(answer!.ingress_allowed_by, undefined)
  // One line stands for both ends.
  const aggregate = new FlowAggregate()
  for (const flow of [out!, inside!]) aggregate.add(flow)
  assert.deepEqual(
    aggregate.take().map((flow) => flow.ingress_allowed_by),
    [by],
  )
})

test('a stream of nflog frames is cut into packets, wherever it is torn', () => {
  const field = (type: number, value: Buffer): Buffer => {
    const whole = Buffer.alloc(Math.ceil((value.length + 4) / 4) * 4)
    whole.writeUInt16LE(value.length + 4, 0)
    whole.writeUInt16LE(type, 2)
    value.copy(whole, 4)
    return whole
  }
  const frame = (prefix: string, payload: Buffer): Buffer => {
    const body = Buffer.concat([
      Buffer.from([2, 0, 0, 77]),
      field(1, Buffer.alloc(4)),
      field(10, Buffer.from(`${prefix}\0`)),
      field(9, payload),
    ])
    const header = Buffer.alloc(16)
    header.writeUInt32LE(1_800_000_000, 0)
    header.writeUInt32LE(250_000, 4)
    header.writeUInt32LE(body.length, 8)
    header.writeUInt32LE(body.length, 12)
    return Buffer.concat([header, body])
  }
  const stream = Buffer.concat([
    Buffer.alloc(24),
    frame('forwarded', Buffer.from('abc')),
    frame('any-egress-1', Buffer.from('defgh')),
  ])
  for (const size of [1, 7, 1000]) {
    const reader = new NflogReader()
    const found = []
    for (let at = 0; at < stream.length; at += size) found.push(...reader.push(stream.subarray(at, at + size)))
    assert.deepEqual(
      found.map(({ prefix, payload, timeMs }) => [prefix, payload.toString(), timeMs]),
      [
        ['forwarded', 'abc', 1_800_000_000_250],
        ['any-egress-1', 'defgh', 1_800_000_000_250],
      ],
    )
  }
})

test('a connection between two pods of the node is a flow at each of its ends, in Hubble’s fields', () => {
  const [out, inside, ...more] = read(tcp('10.244.0.5', '10.244.0.6', [40_000, 8080], 2))
  assert.deepEqual([out?.traffic_direction, inside?.traffic_direction, more], ['EGRESS', 'INGRESS', []])
  const { uuid: _, ...flow } = out!
  assert.deepEqual(flow, {
    time: '2026-11-27T00:00:00.000Z',
    verdict: 'FORWARDED',
    IP: { source: '10.244.0.5', destination: '10.244.0.6', ipVersion: 'IPv4' },
    l4: { TCP: { source_port: 40_000, destination_port: 8080, flags: { SYN: true } } },
    source: {
      ID: flow.source.ID,
      identity: flow.source.identity,
      namespace: 'shop',
      labels: ['k8s:app=front', 'k8s:io.kubernetes.pod.namespace=shop', 'k8s:pod-template-hash=5f7'],
      pod_name: 'front',
      workloads: [{ name: 'front', kind: 'Deployment' }],
    },
    destination: {
      ID: flow.destination.ID,
      identity: flow.destination.identity,
      namespace: 'shop',
      labels: ['k8s:app=store', 'k8s:io.kubernetes.pod.namespace=shop'],
      pod_name: 'store',
    },
    Type: 'L3_L4',
    node_name: 'n1',
    is_reply: false,
    event_type: { type: 4 },
    destination_service: { name: 'store', namespace: 'default' },
    traffic_direction: 'EGRESS',
    trace_observation_point: 'FROM_ENDPOINT',
    Summary: 'TCP Flags: SYN',
  })
})

test('a denied question names its reason, its policy and the name that was asked for', () => {
  const [flow, ...more] = read(dns('10.244.0.5', '10.0.0.10', 'db.shop.svc.cluster.local'), 'any-egress-1')
  assert.deepEqual(more, [])
  assert.deepEqual(
    [
      flow!.verdict,
      flow!.drop_reason_desc,
      flow!.drop_reason,
      flow!.egress_denied_by,
      flow!.l7?.dns.query,
      flow!.event_type,
    ],
    [
      'DROPPED',
      'POLICY_DENIED',
      133,
      [{ name: 'shut', namespace: 'shop', kind: 'NetworkPolicy' }],
      'db.shop.svc.cluster.local.',
      { type: 1, sub_type: 133 },
    ],
  )
  assert.deepEqual(flow!.destination.workloads, [{ name: 'coredns', kind: 'Deployment' }])
})

test('ends that are no pods of the node, services without endpoints, and what cannot be read', () => {
  const [arriving] = read(tcp('10.244.1.7', '10.244.0.6', [40_000, 8080], 2))
  assert.deepEqual([arriving!.traffic_direction, arriving!.source.pod_name], ['INGRESS', 'far'])
  const [world] = read(tcp('10.244.0.5', '93.184.216.34', [40_000, 443], 2))
  assert.deepEqual([world!.destination.identity, world!.destination.labels], [2, ['reserved:world']])
  assert.deepEqual(read(tcp('10.224.0.5', '10.244.0.6', [40_000, 80], 2))[0]!.source.labels, ['reserved:remote-node'])
  assert.equal(read(tcp('10.244.0.6', '10.244.0.5', [8080, 40_000], 0x12))[0]!.is_reply, true)
  const [lost] = read(tcp('10.244.0.5', '10.0.0.80', [40_000, 80], 2), 'no-backend')
  assert.deepEqual(
    [lost!.drop_reason_desc, lost!.drop_reason, lost!.destination_service],
    ['SERVICE_BACKEND_NOT_FOUND', 158, { name: 'web', namespace: 'default' }],
  )
  assert.deepEqual(read(Buffer.from('short')), [])
})

test('filters of a ContainerNetworkLog: all that is given must hold, of a list one is enough', () => {
  const [flow] = read(tcp('10.244.0.5', '10.244.0.6', [40_000, 8080], 2))
  const rows: readonly (readonly [object, boolean])[] = [
    [{}, true],
    [{ protocol: ['udp', 'tcp'] }, true],
    [{ protocol: ['dns'] }, false],
    [{ verdict: ['dropped'] }, false],
    [{ verdict: ['dropped', 'forwarded'] }, true],
    [{ from: { namespacedPod: ['shop/fro'] } }, true],
    [{ from: { namespacedPod: ['other/front'] } }, false],
    [{ to: { ip: ['10.244.0.0/24'] } }, true],
    [{ to: { ip: ['10.244.0.7'] } }, false],
    [{ to: { labelSelector: { matchLabels: { app: 'store' } } } }, true],
    [{ to: { labelSelector: { matchLabels: { 'k8s.io/namespace': 'shop' } } } }, true],
    [{ to: { labelSelector: { matchExpressions: [{ key: 'app', operator: 'NotIn', values: ['store'] }] } } }, false],
    [{ from: { namespacedPod: ['shop/'] }, to: { ip: ['10.9.9.9'] } }, false],
  ]
  for (const [filter, expected] of rows)
    assert.equal(isIncluded(flow!, { name: 'f', ...filter }), expected, JSON.stringify(filter))
  assert.equal(isWanted(flow!, { namespace: 'shop', pod: 'sto', verdict: 'forwarded', port: 8080 }), true)
  for (const filter of [{ namespace: 'other' }, { pod: 'shop/x' }, { verdict: 'DROPPED' }, { port: 9 }]) {
    assert.equal(isWanted(flow!, filter), false, JSON.stringify(filter))
  }
})

test('alike flows become one with their counts, whatever port their client had', () => {
  const aggregate = new FlowAggregate()
  for (const port of [40_000, 40_001, 40_002]) {
    for (const flow of read(tcp('10.244.0.5', '10.244.0.6', [port, 8080], 2))) aggregate.add(flow)
  }
  for (const flow of read(tcp('10.244.0.5', '10.244.0.6', [40_000, 9090], 2))) aggregate.add(flow)
  assert.deepEqual(
    aggregate
      .take()
      .map(({ l4, aggregate: counts }) => [(l4!['TCP'] as { destination_port: number }).destination_port, counts]),
    [
      [8080, { ingress_flow_count: 3, egress_flow_count: 3, unknown_direction_flow_count: 0 }],
      [9090, { ingress_flow_count: 1, egress_flow_count: 1, unknown_direction_flow_count: 0 }],
    ],
  )
  assert.deepEqual(aggregate.take(), [])
})

test('the file is turned over when it is full, and the oldest goes', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'aksel-flows-'))
  try {
    const path = join(folder, 'hubble', 'events.log')
    const [flow] = read(tcp('10.244.0.5', '10.244.0.6', [1, 2], 2))
    const file = new FlowLogFile({ path, maxBytes: 100, backups: 2 })
    for (const name of ['a', 'b', 'c', 'd']) await file.write([{ ...flow!, uuid: name }])
    assert.deepEqual((await readdir(join(folder, 'hubble'))).toSorted(), ['events.log', 'events.log.1', 'events.log.2'])
    const uuids = await Promise.all(
      ['', '.1', '.2'].map(
        async (end) => (JSON.parse(await readFile(`${path}${end}`, 'utf8')) as { flow: Flow }).flow.uuid,
      ),
    )
    assert.deepEqual(uuids, ['d', 'c', 'b'])
  } finally {
    await rm(folder, { recursive: true })
  }
})

test('metrics have Hubble’s names, and a ContainerNetworkMetric leaves flows out', () => {
  const metrics = new FlowMetrics()
  metrics.use([{ metric: 'dns', excludeFilters: [{ name: 'all', protocol: ['dns'] }] }])
  for (const flow of read(tcp('10.244.0.5', '10.244.0.6', [1, 8080], 2))) metrics.add(flow)
  for (const flow of read(dns('10.244.0.5', '10.0.0.10', 'a.example'), 'any-egress-1')) metrics.add(flow)
  for (const flow of read(dns('10.244.0.5', '10.0.0.10', 'a.example'))) metrics.add(flow)
  const text = metrics.render()
  assert.match(
    text,
    /^hubble_drop_total\{protocol="UDP",reason="POLICY_DENIED",source="shop\/front",destination="kube-system\/coredns"\} 1$/m,
  )
  assert.match(text, /^hubble_tcp_flags_total\{flag="SYN",source="shop\/front",destination="shop\/store"\} 2$/m)
  assert.match(
    text,
    /^hubble_flows_processed_total\{protocol="TCP",verdict="FORWARDED",type="Trace",subtype="FROM_ENDPOINT",/m,
  )
  assert.doesNotMatch(text, /hubble_dns_queries_total/)
})
