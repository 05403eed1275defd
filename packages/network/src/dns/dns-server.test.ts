// The server on loopback sockets: UDP, TCP, truncation, external names, names from elsewhere, and nonsense.

import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { connect } from 'node:net'
import { test } from 'node:test'
import { decode, encode, type Answer, type DecodedPacket } from 'dns-packet'
import { endpointSlices, services } from '@aksel/api/resources'
import { dataOf, edns, query, rcodeOf } from '../testing/dns-queries.ts'
import { MemoryCaches } from '../testing/memory-caches.ts'
import { endpoint, service, slice } from '../testing/objects.ts'
import { testScope } from '../testing/host-bench.ts'
import { runDns, type DnsOptions } from './dns-server.ts'
import { frame, FrameReader } from './framing.ts'
import { parseResolvConf } from './upstream.ts'

interface Bench {
  readonly caches: MemoryCaches
  readonly port: number
  readonly udp: (query: Buffer) => Promise<DecodedPacket>
  readonly tcp: (query: Buffer) => Promise<DecodedPacket>
}

async function withServer(work: (bench: Bench) => Promise<void>, more: Partial<DnsOptions> = {}): Promise<void> {
  const outside = createSocket('udp4')
  outside.on('message', (message, from) => {
    const query = decode(message)
    const answers: Answer[] = [{ type: 'A', name: query.questions![0]!.name, ttl: 60, data: '192.0.2.1' }]
    outside.send(encode({ ...query, type: 'response', answers, additionals: [] }), from.port, from.address)
  })
  outside.bind(0, '127.0.0.1')
  await once(outside, 'listening')
  const stop = new AbortController()
  const caches = new MemoryCaches()
  const ready = Promise.withResolvers<{ readonly port: number }>()
  const ended = runDns(testScope(stop.signal), {
    caches,
    clusterDomain: 'cluster.local',
    address: '127.0.0.1',
    port: 0,
    upstream: [{ address: '127.0.0.1', port: outside.address().port }],
    ...more,
    onReady: ready.resolve,
  })
  try {
    const { port } = await Promise.race([ready.promise, ended.then(() => Promise.reject(new Error('ended')))])
    await work({ caches, port, udp: (query) => askUdp(port, query), tcp: (query) => askTcp(port, query) })
  } finally {
    stop.abort()
    await ended
    outside.close()
  }
}

async function askUdp(port: number, query: Buffer): Promise<DecodedPacket> {
  const socket = createSocket('udp4')
  socket.send(query, port, '127.0.0.1')
  const [answer] = (await once(socket, 'message')) as [Buffer]
  socket.close()
  return decode(answer)
}

async function askTcp(port: number, query: Buffer): Promise<DecodedPacket> {
  const socket = connect(port, '127.0.0.1')
  const framed = frame(query)
  socket.write(framed.subarray(0, 3))
  socket.write(framed.subarray(3))
  const reader = new FrameReader()
  for await (const chunk of socket) {
    const [answer] = reader.push(chunk as Buffer)
    if (answer !== undefined) return decode(answer)
  }
  throw new Error('closed without an answer')
}

test('a service that appears is answered at once, over UDP and TCP', () =>
  withServer(async ({ caches, udp, tcp }) => {
    const before = await udp(query('web.default.svc.cluster.local'))
    assert.equal(rcodeOf(before), 3)
    assert.equal(before.authorities![0]!.type, 'SOA')
    caches.of(services).put(service('web', { clusterIP: '10.0.0.80' }))
    for (const ask of [udp, tcp]) {
      const answer = await ask(query('web.default.svc.cluster.local'))
      assert.deepEqual([answer.id, rcodeOf(answer), dataOf(answer)], [4711, 0, ['10.0.0.80']])
    }
  }))

test('an answer that does not fit is marked truncated, and comes whole over TCP or with EDNS', () =>
  withServer(async ({ caches, udp, tcp }) => {
    caches.of(services).put(service('many', { clusterIP: 'None' }))
    const endpoints = Array.from({ length: 40 }, (_, n) => endpoint(`10.244.0.${n + 1}`))
    caches.of(endpointSlices).put(slice('many', endpoints))
    const name = 'many.default.svc.cluster.local'
    const short = await udp(query(name))
    assert.equal(short.flag_tc, true)
    // With names as pointers, so many records of 16 bytes fit behind the question.
    assert.equal(short.answers!.length, 28)
    assert.equal((await tcp(query(name))).answers!.length, 40)
    const long = await udp(query(name, 'A', [edns(4096)]))
    assert.equal(long.answers!.length, 40)
    assert.equal(long.additionals![0]!.type, 'OPT')
  }))

test('names outside the cluster, and what external names lead to, come from the upstream server', () =>
  withServer(async ({ caches, udp }) => {
    assert.deepEqual(dataOf(await udp(query('example.org'))), ['192.0.2.1'])
    caches.of(services).put(service('out', { type: 'ExternalName', externalName: 'example.org' }))
    const answer = await udp(query('out.default.svc.cluster.local'))
    assert.deepEqual(dataOf(answer), ['example.org', '192.0.2.1'])
    assert.equal(answer.id, 4711)
  }))

test("the names of a private cluster's API server are answered here, in every case of letters, and nobody else is asked", () =>
  withServer(
    async ({ caches, udp, tcp }) => {
      const name = 'c1-12345678.00000000.privatelink.westeurope.azmk8s.io'
      for (const ask of [udp, tcp]) assert.deepEqual(dataOf(await ask(query(name))), ['100.65.0.9'])
      assert.deepEqual(dataOf(await udp(query(name.toUpperCase()))), ['100.65.0.9'])
      const v6 = await udp(query(name, 'AAAA'))
      assert.deepEqual([rcodeOf(v6), dataOf(v6)], [0, []], 'the name is there, without such an address')
      assert.deepEqual(dataOf(await udp(query(`other.${name}`))), ['192.0.2.1'])
      caches.of(services).put(service('api', { type: 'ExternalName', externalName: name }))
      assert.deepEqual(dataOf(await udp(query('api.default.svc.cluster.local'))), [name, '100.65.0.9'])
    },
    {
      hosts: [{ address: '100.65.0.9', names: ['c1-12345678.00000000.privatelink.westeurope.azmk8s.io'] }],
    },
  ))

test('an external name that leads to itself ends in a failure, not in a circle', () =>
  withServer(async ({ caches, udp }) => {
    caches.of(services).put(service('loop', { type: 'ExternalName', externalName: 'loop.default.svc.cluster.local' }))
    assert.equal(rcodeOf(await udp(query('loop.default.svc.cluster.local'))), 2)
  }))

test('what cannot be read is a format error, another operation is not implemented, and an answer is not answered', () =>
  withServer(async ({ udp, tcp, port }) => {
    const broken = query('example.org').subarray(0, 20)
    assert.equal(rcodeOf(await udp(broken)), 1)
    const notify = query('example.org')
    notify[2] = notify[2]! | (4 << 3)
    assert.equal(rcodeOf(await udp(notify)), 4)
    const answer = query('example.org')
    answer[2] = answer[2]! | 0x80
    await assert.rejects(tcp(answer), /closed without an answer/)
    assert.ok(port > 0)
  }))

test('resolv.conf is read as the resolver reads it', () => {
  assert.deepEqual(parseResolvConf('# nameserver 9.9.9.9\nnameserver 10.1.1.1\n  nameserver\t10.1.1.2\nsearch a b\n'), [
    '10.1.1.1',
    '10.1.1.2',
  ])
})

test('a version of EDNS that is not known is refused with the one that is, other classes are refused', () =>
  withServer(async ({ caches, udp }) => {
    caches.of(services).put(service('web', { clusterIP: '10.0.0.80' }))
    const answer = await udp(query('web.default.svc.cluster.local', 'A', [edns(4096, 1)]))
    const [opt] = answer.additionals!
    assert.ok(opt?.type === 'OPT')
    assert.deepEqual([opt.extendedRcode, opt.ednsVersion, answer.answers], [1, 0, []])
    const chaos = query('version.bind', 'TXT')
    chaos.writeUInt16BE(3, chaos.length - 2)
    assert.equal(rcodeOf(await udp(chaos)), 5)
  }))

test('clients that take the first address are spread over all, and a change is seen by the next question', () =>
  withServer(async ({ caches, udp }) => {
    caches.of(services).put(service('db', { clusterIP: 'None' }))
    const many = Array.from({ length: 12 }, (_, n) => `10.244.0.${n + 1}`)
    caches.of(endpointSlices).put(
      slice(
        'db',
        many.map((address) => endpoint(address)),
      ),
    )
    const first = new Set<unknown>()
    for (let asked = 0; asked < 64; asked += 1) first.add(dataOf(await udp(query('db.default.svc.cluster.local')))[0])
    // Orders are drawn: all the same eight times in a row would come once in 36 million runs.
    assert.ok(first.size > 1)
    caches.of(endpointSlices).put(slice('db', [endpoint('10.244.0.7')]))
    assert.deepEqual(dataOf(await udp(query('db.default.svc.cluster.local'))), ['10.244.0.7'])
  }))

test('a name comes back in the letters that it was asked in', () =>
  withServer(async ({ caches, udp }) => {
    caches.of(services).put(service('web', { clusterIP: '10.0.0.80' }))
    const answer = await udp(query('wEb.default.SVC.cluster.local'))
    assert.equal(answer.questions![0]!.name, 'wEb.default.SVC.cluster.local')
    assert.deepEqual(dataOf(answer), ['10.0.0.80'])
  }))
