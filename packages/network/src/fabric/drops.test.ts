// Dropped packets as the kernel's log has them: by which rule, told of once, counted, told of again; and readers that begin and end.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { DropNews } from '@aksel/provider/fabric'
import type { NflogReading } from '../flows/nflog-program.ts'
import { testScope } from '../testing/host-bench.ts'
import { DropCounter, DROPS_MS, dropOf, Drops } from './drops.ts'
import { renderSecurity } from './security-table.ts'
import type { NetworkState } from './state.ts'

const LONG = 'r'.repeat(80)
const everyone = { sources: ['*'], sourcePorts: ['*'], destinations: ['*'], destinationPorts: ['*'] }

function state(guarded: boolean): NetworkState {
  const rule = { name: LONG, priority: 100, direction: 'Inbound', access: 'Deny', protocol: '*', ...everyone } as const
  return {
    key: '00000001',
    linkIndex: 0,
    ready: true,
    hostAddresses: {},
    machines: {},
    loadBalancers: {},
    slots: { '/v/subnets/a': 0, '/v/subnets/b': 3 },
    spec: {
      id: '/v',
      addressPrefix: '10.1.0.0/16',
      subnets: [
        { id: '/v/subnets/a', addressPrefix: '10.1.0.0/24', ...(guarded ? { egress: { kind: 'none' } as const } : {}) },
        { id: '/v/subnets/b', addressPrefix: '10.1.1.0/24', ...(guarded ? { securityRules: [rule] } : {}) },
      ],
    },
  }
}

/** A SYN from 10.1.0.4:40000 to 10.1.1.5:80. */
function syn(): Buffer {
  const packet = Buffer.alloc(40)
  packet[0] = 0x45
  packet[9] = 6
  packet.writeUInt16BE(40, 2)
  packet.set([10, 1, 0, 4, 10, 1, 1, 5], 12)
  packet.writeUInt16BE(40_000, 20)
  packet.writeUInt16BE(80, 22)
  packet[32] = 0x50
  packet[33] = 0x02
  return packet
}

function prefixes(network: NetworkState): readonly string[] {
  const facts = { network: network.spec, slots: network.slots!, hostAddresses: [], peerLinks: new Map(), podPlaces: [] }
  return [...renderSecurity(facts).matchAll(/log prefix "([^"]*)"/g)].map(([, prefix]) => prefix!)
}

test('what the table logs is read back: the rule, its direction and its subnet, names of any length included', () => {
  const network = state(true)
  const written = prefixes(network)
  const read = written.map((prefix) => dropOf(network, { timeMs: 0, prefix, payload: syn() }))
  const ends = { source: '10.1.0.4', destination: '10.1.1.5', protocol: 'TCP', destinationPort: 80 }
  const [closed, denied] = read
  assert.deepEqual(closed, { virtualNetworkId: '/v', subnetId: '/v/subnets/a', direction: 'Outbound', ...ends })
  assert.deepEqual(denied, {
    virtualNetworkId: '/v',
    subnetId: '/v/subnets/b',
    direction: 'Inbound',
    rule: LONG,
    ...ends,
  })
  // linux/netfilter/nf_log.h: NF_LOG_PREFIXLEN, its closing zero included.
  assert.ok(written.every((prefix) => prefix.length < 128))
  assert.equal(dropOf(network, { timeMs: 0, prefix: 'forwarded', payload: syn() }), undefined)
  assert.equal(dropOf(network, { timeMs: 0, prefix: 'Inbound gone 9', payload: syn() }), undefined)
})

test('packets that no route takes are read back: the route that leads nowhere, the longest first, or none', () => {
  const network = state(false)
  const [subnet, ...others] = network.spec.subnets
  const none = { name: LONG, addressPrefix: '0.0.0.0/0', nextHop: 'None' } as const
  const gateway = { name: 'vpn', addressPrefix: '10.9.0.0/16', nextHop: 'VirtualNetworkGateway' } as const
  const subnets = [{ ...subnet!, routes: [none, gateway, { ...none, name: 'own', nextHop: 'VnetLocal' }] }, ...others]
  network.spec = { ...network.spec, subnets, podPrefixes: ['10.244.0.0/16'] } as typeof network.spec
  const written = prefixes(network)
  assert.ok(written.every((prefix) => prefix.length < 128))
  const read = written.map((prefix) => dropOf(network, { timeMs: 0, prefix, payload: syn() }))
  const ends = { source: '10.1.0.4', destination: '10.1.1.5', protocol: 'TCP', destinationPort: 80 }
  const common = { virtualNetworkId: '/v', subnetId: '/v/subnets/a', direction: 'Outbound', ...ends }
  assert.deepEqual(read, [
    { ...common, noRoute: { route: { name: 'vpn', nextHop: 'VirtualNetworkGateway' } } },
    { ...common, noRoute: { route: { name: LONG, nextHop: 'None' } } },
    { ...common, noRoute: {} },
  ])
})

test('the same packets are told of once, and again after a minute with their count', () => {
  const counter = new DropCounter()
  assert.deepEqual(
    [0, 1, 59_999].map((atMs) => counter.add('a', atMs)),
    [1, 0, 0],
  )
  assert.equal(counter.add('b', 5), 1)
  assert.equal(counter.add('a', DROPS_MS), 3)
})

test('a scan makes no more kinds than there is room for, and old ones leave', () => {
  const counter = new DropCounter()
  const told = Array.from({ length: 1500 }, (_, port) => counter.add(`port ${port}`, 0))
  assert.equal(told.filter((count) => count === 1).length, 1000)
  assert.equal(counter.add('later', DROPS_MS), 1)
})

test('the log is read in the router of a network that has something to drop, until it has not or goes', async () => {
  const readings: { reading: NflogReading; signal: AbortSignal }[] = []
  const seen: DropNews[] = []
  using drops = new Drops(testScope(), {
    onNews: (news) => seen.push(news),
    read: (signal, reading) => {
      readings.push({ reading, signal })
      return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
    },
  })
  drops.follow(state(false))
  assert.equal(readings.length, 0)
  drops.follow(state(true))
  drops.follow(state(true))
  assert.equal(readings.length, 1)
  const [{ reading, signal }] = readings as [(typeof readings)[number]]
  assert.match(reading.within?.join(' ') ?? '', /^nsenter --net=\/run\/netns\/\S*00000001/)
  reading.take({ timeMs: 0, prefix: `Inbound ${LONG} 3`, payload: syn() })
  assert.deepEqual(
    seen.map(({ rule, count }) => [rule, count]),
    [[LONG, 1]],
  )
  drops.follow(state(false))
  assert.equal(signal.aborted, true)
  drops.follow(state(true))
  drops.forget('/v')
  assert.deepEqual(
    readings.map((each) => each.signal.aborted),
    [true, true],
  )
})
