// The fabric's pure parts: what is handed out, what is refused, what is rendered.

import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { seededRandom } from '@aksel/base/ids'
import { parseRange } from '@aksel/base/ipv4'
import type { LoadBalancerSpec } from '@aksel/provider/fabric'
import {
  allocateHostAddress,
  allocateLink,
  allocateMachineAddress,
  allocatePublicAddress,
  defaultRanges,
  freshKey,
  linkAddresses,
} from './allocate.ts'
import { parseRoutes } from './host-use.ts'
import { KeyedLock } from './keyed-lock.ts'
import { placeFrontend } from './frontends.ts'
import { compileLoadBalancers, type BalancingView, type Frontend } from './load-balancer.ts'
import { namespaceOf, portOf, routerInside, routerOf, subnetBridge } from './plumbing.ts'
import { StateFile, type FabricState, type NetworkState } from './state.ts'
import { judgeChange, judgeNetwork } from './validation.ts'

const vnet = { id: '/v', addressPrefix: '10.224.0.0/12', subnets: [{ id: '/v/s', addressPrefix: '10.224.0.0/29' }] }
const network = (more: Partial<NetworkState> = {}): NetworkState => ({
  key: '1a2b3c',
  linkIndex: 0,
  spec: vnet,
  ready: true,
  hostAddresses: {},
  machines: {},
  loadBalancers: {},
  ...more,
})
const stateOf = (...networks: NetworkState[]): FabricState => ({
  key: 'ffffff',
  networks: Object.fromEntries(networks.map((one, index) => [`/v${index}`, one])),
})
const nobody = (): boolean => false

test('machines get addresses from .4 on, the lowest free one, and none when the subnet is full', () => {
  const machine = (address: string) => ({ key: 'a', subnetId: '/v/s', address, podCidr: '10.244.0.0/24' })
  assert.equal(allocateMachineAddress(network(), '/v/s', '10.224.0.0/29'), '10.224.0.4')
  const some = network({ machines: { a: machine('10.224.0.4'), c: machine('10.224.0.6') } })
  assert.equal(allocateMachineAddress(some, '/v/s', '10.224.0.0/29'), '10.224.0.5')
  const full = network({ machines: { ...some.machines, b: machine('10.224.0.5') } })
  assert.throws(
    () => allocateMachineAddress(full, '/v/s', '10.224.0.0/29'),
    /does not have enough capacity for 1 IP addresses/,
  )
})

test('links, host and public addresses avoid what this fabric and the host have', () => {
  const inUse = (range: { first: number }): boolean => range.first === parseRange('100.64.0.4/30').first
  assert.equal(allocateLink(stateOf(network()), defaultRanges, inUse), 2)
  assert.deepEqual(linkAddresses(defaultRanges, 2), { host: '100.64.0.9', router: '100.64.0.10' })
  const state = stateOf(
    network({ hostAddresses: { c1: '100.65.0.1' }, loadBalancers: { l: { address: '100.66.0.1', rules: [] } } }),
  )
  assert.equal(allocateHostAddress(state, defaultRanges, nobody), '100.65.0.2')
  assert.equal(allocatePublicAddress(state, defaultRanges, nobody, undefined), '100.66.0.2')
  assert.equal(allocatePublicAddress(state, defaultRanges, nobody, '100.66.0.9'), '100.66.0.9')
  assert.throws(() => allocatePublicAddress(state, defaultRanges, nobody, '100.66.0.1'), /another load balancer has it/)
  assert.throws(() => allocatePublicAddress(state, defaultRanges, nobody, '8.8.8.8'), /not in 100.66.0.0\/16/)
})

test('names fit into the fifteen characters of a link and are never given twice', () => {
  const machine = { key: '4d5e6f', subnetId: '/v/s', address: '10.224.0.4', podCidr: '10.244.0.0/24' }
  for (const name of [routerOf(network()), namespaceOf(machine), portOf(machine)]) assert.ok(name.length <= 15, name)
  const first = freshKey(stateOf(), seededRandom(7))
  assert.notEqual(freshKey(stateOf(network({ key: first })), seededRandom(7)), first)
})

test('VNets that cannot be are refused, and so are changes of one that stands', () => {
  const subnet = (id: string, addressPrefix: string) => ({ id, addressPrefix })
  const judge =
    (...subnets: { id: string; addressPrefix: string }[]) =>
    () =>
      judgeNetwork({ ...vnet, subnets })
  assert.throws(judge(subnet('a', '10.0.0.0/16')), /does not lie in its VNet's range/)
  assert.throws(judge(subnet('a', '10.224.0.0/8')), /does not lie in its VNet's range/)
  assert.throws(judge(subnet('a', '10.224.0.0/30')), /too small/)
  assert.throws(judge(subnet('a', '10.224.0.0/16'), subnet('b', '10.224.9.0/24')), /overlap/)
  assert.throws(judge(subnet('a', 'ten')), /no IPv4/)
  judgeNetwork(vnet)
  judgeNetwork({ ...vnet, otherPrefixes: ['10.0.0.0/16'], subnets: [subnet('a', '10.0.0.0/24')] })
  const machine = { key: '4d5e6f', subnetId: '/v/s', address: '10.224.0.4' }
  const used = network({ machines: { a: machine } })
  const without = { ...vnet, subnets: [] }
  judgeChange(network(), without)
  judgeChange(used, { ...vnet, subnets: [subnet('/v/t', '10.225.0.0/16'), ...vnet.subnets] })
  assert.throws(() => judgeChange(used, without), /Cannot remove or move subnet/)
  assert.throws(
    () => judgeChange(used, { ...vnet, subnets: [subnet('/v/s', '10.225.0.0/24')] }),
    /Cannot remove or move/,
  )
  const pods = { subnetId: '/v/s', addresses: ['10.224.0.5'] }
  const elsewhere = network({ machines: { a: { ...machine, subnetId: '/v/t', pods } } })
  assert.throws(() => judgeChange(elsewhere, without), /Cannot remove or move subnet/)
})

test('what no subnet has does not leave the VNet', () => {
  const lines = routerInside(network(), linkAddresses(defaultRanges, 0))
  assert.ok(lines.includes('route replace unreachable 10.224.0.0/12 metric 4096'))
  const bridge = subnetBridge(network(), 0, '10.224.0.0/29')
  assert.ok(bridge.includes('link add br0 address 02:1a:2b:3c:00:00 type bridge forward_delay 0 mcast_snooping 0'))
})

const view = (lost: readonly string[] = []): BalancingView => ({
  isUp: (_, { address }) => !lost.includes(address),
  wayTo: (address) => ({ '10.224.0.4': 0x01aaaaaa, '10.224.0.5': 0x01bbbbbb })[address],
  bridges: ['br0'],
  probes: new Map(),
})

const backends = ['10.224.0.4', '10.224.0.5'].map((address) => ({ address, port: 30080 }))
const frontend = (...rules: Frontend['rules']): Frontend => ({
  id: 'a',
  address: '100.66.0.1',
  rules,
  isInternal: false,
})

test('frontends become rows, and rules without backends have none', () => {
  const content = compileLoadBalancers(
    [
      frontend(
        { protocol: 'TCP', port: 80, backends, sourceRanges: ['10.0.0.0/8', '10.9.0.0/16'] },
        { protocol: 'UDP', port: 53, backends: [], sourceRanges: [] },
      ),
    ],
    view(),
  )
  assert.deepEqual([...content.elements.get('frontends')!], [['100.66.0.1 . tcp . 80', 'goto spread-2-4']])
  assert.deepEqual(
    [...content.elements.get('backends')!.keys()],
    ['100.66.0.1 . tcp . 80 . 0', '100.66.0.1 . tcp . 80 . 1'],
  )
  assert.deepEqual([...content.elements.get('allowed')!.keys()], ['100.66.0.1 . tcp . 80 . 10.0.0.0/8'])
})

test('a backend that its probe has lost gets nothing, and where all are lost nobody answers', () => {
  const rules = frontend({ protocol: 'TCP', port: 80, backends, sourceRanges: [] })
  const one = compileLoadBalancers([rules], view(['10.224.0.4'])).elements.get('backends')!
  assert.deepEqual([...one], [['100.66.0.1 . tcp . 80 . 0', '10.224.0.5 . 30080']])
  assert.equal(compileLoadBalancers([rules], view(['10.224.0.4', '10.224.0.5'])).elements.get('frontends'), undefined)
})

test('backends without a port are ways by mark; clients may be kept by source, and idle times are objects', () => {
  const floating = [{ address: '10.224.0.5' }]
  const content = compileLoadBalancers(
    [
      frontend(
        { protocol: 'TCP', port: 80, backends: floating, sourceRanges: [], isBySource: true, idleTimeoutMinutes: 30 },
        { protocol: 'ALL', port: 0, backends: floating, sourceRanges: [] },
      ),
    ],
    view(),
  )
  assert.deepEqual([...content.elements.get('ways')!], [['100.66.0.1 . tcp . 80 . 0', String(0x01bbbbbb)]])
  assert.deepEqual([...content.elements.get('whole')!], [['100.66.0.1', 'goto whole-1-4']])
  assert.ok(content.chains.get('float-1-30-source')!.includes('meta mark set jhash ip saddr mod 1'))
  assert.ok(content.objects!.has('ct timeout tcp-1800'))
})

test('a frontend keeps its address, shares one that was asked for by both, and is refused in words of Azure', () => {
  const rule = (port: number) => ({ protocol: 'TCP' as const, port, backends: [], sourceRanges: [] })
  const spec = (id: string, port: number, more: Partial<LoadBalancerSpec> = {}): LoadBalancerSpec => ({
    id,
    virtualNetworkId: '/subscriptions/s/resourcegroups/mc/vnet',
    rules: [rule(port)],
    ...more,
  })
  const net = network({
    spec: { ...vnet, subnets: [{ id: '/v/subnets/apps', addressPrefix: '10.225.0.0/29' }] },
    loadBalancers: { a: { address: '100.66.0.1', rules: [rule(80)], isShared: true } },
  })
  const place = (one: LoadBalancerSpec) =>
    placeFrontend({ state: stateOf(net), ranges: defaultRanges, network: net }, one, nobody)
  assert.equal(place(spec('a', 80)).address, '100.66.0.1')
  assert.equal(place(spec('b', 81)).address, '100.66.0.2')
  const asks = { address: '100.66.0.1', isShared: true }
  assert.equal(place(spec('b', 81, asks)).address, '100.66.0.1')
  assert.throws(() => place(spec('b', 80, asks)), /another service has frontend port 80 and protocol TCP/)
  assert.throws(() => place(spec('b', 80, { address: '8.8.8.8', isShared: true })), {
    message: /^user supplied IP Address 8.8.8.8 was not found in resource group mc/,
  })
  const internal = (address?: string, subnet?: string) =>
    place(
      spec('i', 80, {
        internal: subnet === undefined ? {} : { subnet },
        ...(address === undefined ? {} : { address, isShared: true }),
      }),
    )
  assert.deepEqual([internal().address, internal().subnetId], ['10.225.0.4', '/v/subnets/apps'])
  assert.equal(internal('10.225.0.6', 'APPS').address, '10.225.0.6')
  assert.throws(
    () => internal('10.225.0.9'),
    /^Error: PrivateIPAddressNotInSubnet: Private static IP address 10.225.0.9/,
  )
  assert.throws(() => internal('10.225.0.1'), /PrivateIPAddressInReservedRange/)
  assert.throws(() => internal(undefined, 'nowhere'), { message: 'failed to get subnet: v/nowhere' })
})

test('an internal frontend that names no subnet is in that of its nodes, and stays there without any', () => {
  const subnets = [
    { id: '/v/subnets/apps', addressPrefix: '10.225.0.0/29' },
    { id: '/v/subnets/nodes', addressPrefix: '10.226.0.0/29' },
  ]
  const net = network({ spec: { ...vnet, subnets } })
  const place = (backends: readonly string[], subnet?: string) =>
    placeFrontend(
      { state: stateOf(net), ranges: defaultRanges, network: net },
      {
        id: 'i',
        virtualNetworkId: '/v',
        rules: [{ protocol: 'TCP', port: 80, backends: backends.map((address) => ({ address })), sourceRanges: [] }],
        internal: subnet === undefined ? {} : { subnet },
      },
      nobody,
    )
  assert.equal(place([]).address, '10.225.0.4', 'nobody knows better')
  const placed = place(['10.226.0.4'])
  assert.deepEqual([placed.address, placed.subnetId], ['10.226.0.4', '/v/subnets/nodes'])
  net.loadBalancers['i'] = placed
  assert.deepEqual(place([]), { ...placed, rules: place([]).rules })
  net.loadBalancers['i'] = place(['10.226.0.5'], 'apps')
  assert.equal(place(['10.226.0.5']).subnetId, '/v/subnets/nodes', 'the name is gone')
})

test("the kernel's routes are read with their masks", () => {
  const text = [
    'Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT',
    'eth0\t00000000\t010010AC\t0003\t0\t0\t0\t00000000\t0\t0\t0',
    'aksel-1\t00004064\t00000000\t0001\t0\t0\t0\tFCFFFFFF\t0\t0\t0',
    '',
  ].join('\n')
  assert.deepEqual(parseRoutes(text), [parseRange('0.0.0.0/0'), parseRange('100.64.0.0/30')])
})

test('the state survives a reopening, and saves that wait together all come true', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'aksel-state-'))
  try {
    const path = join(directory, 'sub', 'fabric.json')
    const file = await StateFile.open(path, () => stateOf())
    const saves = []
    for (let n = 0; n < 20; n += 1) {
      file.state.networks[`/v${n}`] = network()
      saves.push(file.save())
    }
    await Promise.all(saves)
    const again = await StateFile.open(path, () => assert.fail('it is there'))
    assert.equal(Object.keys(again.state.networks).length, 20)
  } finally {
    await rm(directory, { recursive: true })
  }
})

test('KeyedLock runs one piece of work per key at a time, in order, and goes on after a failure', async () => {
  const lock = new KeyedLock()
  const seen: string[] = []
  const gate = Promise.withResolvers<void>()
  const first = lock.with('a', async () => {
    await gate.promise
    seen.push('a1')
    throw new Error('no')
  })
  const second = lock.with('a', async () => void seen.push('a2'))
  await lock.with('b', async () => void seen.push('b'))
  gate.resolve()
  await assert.rejects(first, /no/)
  await second
  assert.deepEqual(seen, ['b', 'a1', 'a2'])
})
