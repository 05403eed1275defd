// Security rules, user-defined routes, ways out and peerings on the real kernel: what passes and what does not.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import { run } from '@aksel/host/command'
import { undoAll } from '@aksel/host/undo'
import type { DropNews, SecurityRule, Subnet, VirtualNetwork } from '@aksel/provider/fabric'
import { withHost, type HostBench } from '../testing/host-bench.ts'
import { openFabric, type LocalFabric } from './fabric.ts'

function rule(name: string, change: Partial<SecurityRule>): SecurityRule {
  const everyone = { sources: ['*'], sourcePorts: ['*'], destinations: ['*'], destinationPorts: ['*'] }
  return { name, priority: 100, direction: 'Inbound', access: 'Deny', protocol: '*', ...everyone, ...change }
}

const vnet = ['VirtualNetwork']
const defaults: readonly SecurityRule[] = [
  rule('AllowVnetInBound', { access: 'Allow', sources: vnet, destinations: vnet }),
  rule('AllowAzureLoadBalancerInBound', { access: 'Allow', sources: ['AzureLoadBalancer'] }),
  rule('DenyAllInBound', {}),
  rule('AllowVnetOutBound', { direction: 'Outbound', access: 'Allow', sources: vnet, destinations: vnet }),
  rule('AllowInternetOutBound', { direction: 'Outbound', access: 'Allow', destinations: ['Internet'] }),
  rule('DenyAllOutBound', { direction: 'Outbound' }),
]

type Change = Readonly<Partial<Record<'nodes' | 'data', Partial<Subnet>>>>

function network(id: string, octet: number, change: Change = {}, more: Partial<VirtualNetwork> = {}): VirtualNetwork {
  return {
    id,
    addressPrefix: `10.${octet}.0.0/16`,
    subnets: [
      { id: `${id}/subnets/nodes`, addressPrefix: `10.${octet}.0.0/24`, ...change.nodes },
      { id: `${id}/subnets/data`, addressPrefix: `10.${octet}.1.0/24`, ...change.data },
    ],
    ...more,
  }
}

const open = (bench: HostBench): Promise<LocalFabric> =>
  openFabric(bench.scope, { ledger: bench.ledger, stateDir: join(bench.directory, 'fabric') })

/** A machine that answers with its name on port 8080; returns its namespace and address. */
async function machine(bench: HostBench, fabric: LocalFabric, id: string, subnet: 'nodes' | 'data', name: string) {
  const request = { virtualNetworkId: id, subnetId: `${id}/subnets/${subnet}`, machine: name }
  const { networkNamespace, address } = await fabric.attach(bench.scope, request)
  await bench.listen(networkNamespace, '0.0.0.0', 8080, name)
  return { space: networkNamespace, address }
}

/** Asks in vain until somebody is told of a dropped packet: the reader of the log begins beside the rules. */
async function toldOf(fabric: LocalFabric, ask: () => Promise<string>): Promise<Partial<DropNews>> {
  const told: DropNews[] = []
  using _listening = fabric.onDrop((news) => told.push(news))
  for (let n = 0; n < 60 && told.length === 0; n += 1) assert.equal(await ask(), '')
  const { count, ...news } = told[0] ?? assert.fail('nobody was told of what the rule dropped')
  assert.ok(count >= 1)
  return news
}

test('security rules hold between subnets and within one, by priority, for what begins and not for answers', () =>
  withHost(async (bench) => {
    using fabric = await open(bench)
    const put = (change: Change): Promise<void> => fabric.updateVirtualNetwork(bench.scope, network('/v', 1, change))
    await fabric.ensureVirtualNetwork(bench.scope, network('/v', 1))
    const a = await machine(bench, fabric, '/v', 'nodes', 'a')
    const b = await machine(bench, fabric, '/v', 'nodes', 'b')
    const d = await machine(bench, fabric, '/v', 'data', 'd')
    assert.equal(await bench.ask(b.address, 8080, a.space), `b ${a.address}`, 'neighbours reach each other')

    const noWeb = rule('no-web', {
      protocol: 'Tcp',
      sources: ['10.1.0.0/24'],
      destinationPorts: ['80', '8000-8100', '8080'],
    })
    await put({ nodes: { securityRules: [noWeb, ...defaults] }, data: { securityRules: defaults } })
    const dropped = await toldOf(fabric, () => bench.ask(b.address, 8080, a.space))
    // The rule holds within its subnet.
    assert.deepEqual(dropped, {
      virtualNetworkId: '/v',
      subnetId: '/v/subnets/nodes',
      direction: 'Inbound',
      rule: 'no-web',
      source: a.address,
      destination: b.address,
      protocol: 'TCP',
      destinationPort: 8080,
    })
    assert.equal(await bench.ask(d.address, 8080, a.space), `d ${a.address}`, 'and not for another one')
    assert.equal(await bench.ask(a.address, 8080, d.space), `a ${d.address}`)
    const inside = await bench.inside(ledgerRouter(bench), ['nft', '-j', 'list', 'table', 'ip', 'vnet'])
    assert.match(inside, /Inbound no-web 0/)

    const first = rule('let-a', { access: 'Allow', sources: [a.address] })
    await put({ nodes: { securityRules: [first, noWeb, ...defaults] } })
    assert.equal(
      await bench.ask(b.address, 8080, a.space),
      `b ${a.address}`,
      'the rule of the lower priority number decides',
    )

    const silent = rule('silent', { direction: 'Outbound' })
    await put({ nodes: { securityRules: [silent, ...defaults] } })
    assert.equal(await bench.ask(a.address, 8080, d.space), `a ${d.address}`, 'answers pass where nothing may begin')
    assert.equal(await bench.ask(d.address, 8080, a.space), '')

    const { address } = await fabric.ensureLoadBalancer(bench.scope, {
      id: 'lb',
      virtualNetworkId: '/v',
      rules: [{ protocol: 'TCP', port: 80, backends: [{ address: d.address, port: 8080 }], sourceRanges: [] }],
    })
    assert.match(await bench.ask(address, 80), /^d /)
    await put({ data: { securityRules: defaults } })
    assert.equal(await bench.ask(address, 80), '', 'DenyAllInBound keeps the Internet out')
    const web = rule('web', {
      access: 'Allow',
      protocol: 'Tcp',
      sources: ['Internet'],
      destinations: [address],
      destinationPorts: ['80'],
    })
    await put({ data: { securityRules: [web, ...defaults] } })
    assert.match(await bench.ask(address, 80), /^d /, 'the destination is the public address')

    // Another server takes over, after everything on the host was lost: the rules are there again before anyone asks.
    await undoAll(bench.scope, { ledger: bench.ledger })
    using second = await open(bench)
    await second.restore(bench.scope)
    const again = await bench.inside(ledgerRouter(bench), ['nft', 'list', 'chain', 'ip', 'vnet', 'in_1'])
    assert.match(again, new RegExp(address.replaceAll('.', '\\.')))
  }))

/** Somebody beyond the host, who answers on port 8080; returns his address. It is of the range for benchmarks: hosts sit in those for documentation. */
async function outside(bench: HostBench): Promise<string> {
  const name = `akt-${process.pid}-out`
  await bench.ledger.record('outside', { kind: 'network-namespace', name })
  await bench.ledger.record('outside', { kind: 'link', name })
  await run(bench.scope, ['ip', 'netns', 'add', name])
  await run(bench.scope, ['ip', 'link', 'add', name, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', name])
  await run(bench.scope, ['ip', 'addr', 'add', '198.18.240.1/30', 'dev', name])
  await run(bench.scope, ['ip', 'link', 'set', name, 'up'])
  await bench.inside(name, ['ip', 'addr', 'add', '198.18.240.2/30', 'dev', 'eth0'])
  await bench.inside(name, ['ip', 'link', 'set', 'eth0', 'up'])
  await bench.inside(name, ['ip', 'route', 'add', 'default', 'via', '198.18.240.1'])
  await bench.listen(name, '0.0.0.0', 8080, 'outside')
  // The kernel takes up to a second to let packets through a link that has just come up.
  for (let tries = 0; (await bench.ask('198.18.240.2', 8080)) === ''; tries += 1)
    assert.ok(tries < 10, 'the host itself reaches what is outside')
  return '198.18.240.2'
}

function ledgerRouter({ ledger }: HostBench): string {
  const found = ledger.entries('virtual-network//v').find(({ object }) => object.kind === 'link')
  assert.ok(found?.object.kind === 'link')
  return found.object.name
}

test("a subnet's routes go before the system's: into nothing, through an appliance, and out by a NAT gateway or not at all", () =>
  withHost(async (bench) => {
    using fabric = await open(bench)
    const put = (change: Change): Promise<void> => fabric.updateVirtualNetwork(bench.scope, network('/v', 1, change))
    await fabric.ensureVirtualNetwork(bench.scope, network('/v', 1))
    const a = await machine(bench, fabric, '/v', 'nodes', 'a')
    const d = await machine(bench, fabric, '/v', 'data', 'd')
    await bench.inside(d.space, ['ip', 'addr', 'add', '198.51.100.9/32', 'dev', 'lo'])
    const api = await fabric.hostAddress(bench.scope, { virtualNetworkId: '/v', name: 'api' })
    await using server = createServer((socket) => socket.end(`${socket.remoteAddress}\n`)).listen(443, api)
    await once(server, 'listening')
    const port = 443

    const toData = { name: 'data', addressPrefix: '10.1.1.0/24', nextHop: 'None' as const }
    const out = {
      name: 'out',
      addressPrefix: '0.0.0.0/0',
      nextHop: 'VirtualAppliance' as const,
      nextHopAddress: d.address,
    }
    await put({ nodes: { routes: [toData, out] } })
    const lost = await toldOf(fabric, () => bench.ask(d.address, 8080, a.space))
    const from = { virtualNetworkId: '/v', subnetId: '/v/subnets/nodes', direction: 'Outbound', source: a.address }
    const to = (destination: string) => ({ ...from, destination, protocol: 'TCP', destinationPort: 8080 })
    const noRoute = { route: { name: 'data', nextHop: 'None' } }
    assert.deepEqual(lost, { ...to(d.address), noRoute }, 'the longer prefix of the user goes before the VNet')
    assert.equal(
      await bench.ask('198.51.100.9', 8080, a.space),
      `d ${a.address}`,
      'the appliance gets what has no nearer route',
    )
    assert.notEqual(await bench.ask(api, port, a.space), '', 'the API server is reached like a private endpoint')
    await put({ nodes: { routes: [out] } })
    assert.equal(await bench.ask(d.address, 8080, a.space), `d ${a.address}`, 'the VNet is nearer than 0.0.0.0/0')

    const podPrefixes = ['10.244.0.0/16']
    const way = { name: 'b', addressPrefix: '10.244.1.0/24', nextHop: 'VirtualAppliance' as const }
    const routes = [{ ...way, nextHopAddress: '10.1.7.7' }]
    await fabric.updateVirtualNetwork(bench.scope, network('/v', 1, { nodes: { routes } }, { podPrefixes }))
    const unrouted = await toldOf(fabric, () => bench.ask('10.244.9.9', 8080, a.space))
    assert.deepEqual(unrouted, { ...to('10.244.9.9'), noRoute: {} }, 'the table has no route to these pods')
    const absentHop = await toldOf(fabric, () => bench.ask('10.244.1.9', 8080, a.space))
    const gone = { route: { name: 'b', nextHop: 'VirtualAppliance' } }
    assert.deepEqual(absentHop, { ...to('10.244.1.9'), noRoute: gone }, 'nobody is where the route leads')

    const range = await fabric.reservePublicRange(bench.scope, { id: '/pip', prefixLength: 31 })
    const first = range.replace('/31', '')
    await put({ nodes: { egress: { kind: 'addresses', addresses: [first] } } })
    assert.equal(await bench.ask('198.51.100.9', 8080, a.space), '', 'the routes are gone')
    assert.equal(await bench.ask(api, port, a.space), first, 'what leaves has the address of the NAT gateway')
    assert.notEqual(await bench.ask(api, port, d.space), first, 'and only from its subnet')

    const other = await fabric.hostAddress(bench.scope, { virtualNetworkId: '/v', name: 'other' })
    await using second = createServer((socket) => socket.end('other\n')).listen(443, other)
    await once(second, 'listening')
    const link = await outside(bench)
    assert.match(await bench.ask(link, 8080, a.space), /^outside /)
    await put({ nodes: { egress: { kind: 'none' } } })
    const { rule: absent, destination } = await toldOf(fabric, () => bench.ask(link, 8080, a.space))
    assert.deepEqual([absent, destination], [undefined, link], 'nothing leaves')
    assert.equal(await bench.ask(other, port, a.space), 'other', 'but for the API servers')
  }))

test('peered VNets reach each other, and neither a third one through the other nor one that did not agree', () =>
  withHost(async (bench) => {
    using fabric = await open(bench)
    const peer = (id: string, octet: number) => ({
      virtualNetworkId: id,
      addressPrefixes: [`10.${octet}.0.0/16`],
      allowsAccess: true,
      allowsForwarded: true,
    })
    const guarded = { nodes: { securityRules: defaults } }
    await fabric.ensureVirtualNetwork(bench.scope, network('/one', 1, guarded, { peerings: [peer('/two', 2)] }))
    await fabric.ensureVirtualNetwork(bench.scope, network('/two', 2))
    await fabric.ensureVirtualNetwork(bench.scope, network('/three', 3, {}, { peerings: [peer('/two', 2)] }))
    // The same ranges as the first: apart from it, whatever the others do.
    await fabric.ensureVirtualNetwork(bench.scope, network('/twin', 1))
    const one = await machine(bench, fabric, '/one', 'nodes', 'one')
    const two = await machine(bench, fabric, '/two', 'nodes', 'two')
    const three = await machine(bench, fabric, '/three', 'nodes', 'three')
    const twin = await machine(bench, fabric, '/twin', 'nodes', 'twin')
    assert.equal(one.address, twin.address)
    assert.equal(await bench.ask(two.address, 8080, one.space), '', 'one side alone is no peering')

    const both = network('/two', 2, {}, { peerings: [peer('/one', 1), peer('/three', 3)] })
    await fabric.updateVirtualNetwork(bench.scope, both)
    assert.equal(await bench.ask(two.address, 8080, one.space), `two ${one.address}`)
    assert.equal(await bench.ask(one.address, 8080, two.space), `one ${two.address}`, 'the tag VirtualNetwork has both')
    assert.equal(await bench.ask(three.address, 8080, two.space), `three ${two.address}`)
    assert.equal(await bench.ask(three.address, 8080, one.space), '', 'peering does not reach further')
    assert.equal(await bench.ask(two.address, 8080, twin.space), '')

    using again = await open(bench)
    await again.restore(bench.scope)
    assert.equal(await bench.ask(two.address, 8080, one.space), `two ${one.address}`)
    await again.updateVirtualNetwork(bench.scope, network('/two', 2, {}, { peerings: [peer('/three', 3)] }))
    assert.equal(await bench.ask(two.address, 8080, one.space), '', 'what was peered is apart again')
    await again.deleteVirtualNetwork(bench.scope, '/two')
    assert.equal(await bench.ask(one.address, 8080, one.space), `one ${one.address}`)
  }))

test("pods have a subnet's addresses on their node, in blocks where asked, until the subnet is full", () =>
  withHost(async (bench) => {
    using fabric = await open(bench)
    await fabric.ensureVirtualNetwork(bench.scope, {
      id: '/v',
      addressPrefix: '10.1.0.0/16',
      subnets: [
        { id: '/v/subnets/nodes', addressPrefix: '10.1.0.0/28' },
        { id: '/v/subnets/pods', addressPrefix: '10.1.4.0/26' },
      ],
    })
    const attach = (name: string, count: number, subnet: 'nodes' | 'pods', inBlocks = false) =>
      fabric.attach(bench.scope, {
        virtualNetworkId: '/v',
        subnetId: '/v/subnets/nodes',
        machine: name,
        podAddresses: { subnetId: `/v/subnets/${subnet}`, count, inBlocks },
      })
    const a = await attach('a', 3, 'nodes')
    assert.deepEqual(a.podAddresses, ['10.1.0.5', '10.1.0.6', '10.1.0.7'])
    const b = await attach('b', 16, 'pods', true)
    assert.deepEqual([b.address, b.podAddresses?.[0], b.podAddresses?.at(-1)], ['10.1.0.8', '10.1.4.16', '10.1.4.31'])
    for (const { networkNamespace, podAddresses = [] } of [a, b]) {
      await bench.inside(networkNamespace, ['ip', 'addr', 'add', `${podAddresses[0]}/32`, 'dev', 'lo'])
    }
    await bench.listen(b.networkNamespace, '10.1.4.16', 8080, 'pod-b')
    assert.equal(await bench.askFrom('10.1.0.5', '10.1.4.16', 8080, a.networkNamespace), 'pod-b 10.1.0.5')
    await bench.listen(a.networkNamespace, '10.1.0.5', 8080, 'pod-a')
    assert.equal(await bench.ask('10.1.0.5', 8080, b.networkNamespace), 'pod-a 10.1.0.8', "a pod in the nodes' subnet")
    assert.deepEqual((await attach('a', 4, 'nodes')).podAddresses?.length, 4, 'more on demand')
    const full = {
      name: 'SubnetFullError',
      message: /^Subnet nodes with address prefix 10\.1\.0\.0\/28 does not have enough capacity for 5/,
    }
    await assert.rejects(attach('c', 5, 'nodes'), full)
    await fabric.detach(bench.scope, { virtualNetworkId: '/v', machine: 'a' })
    assert.equal((await attach('c', 5, 'nodes')).podAddresses?.length, 5, 'who goes leaves its addresses')
  }))

test("a pod subnet's own security rules, routes and way out hold for its pods and not for their nodes, and go with the last of them", () =>
  withHost(async (bench) => {
    using fabric = await open(bench)
    const subnet = (name: string, third: number, change: Partial<Subnet> = {}): Subnet => ({
      id: `/v/subnets/${name}`,
      addressPrefix: `10.1.${third}.0/24`,
      ...change,
    })
    const spec = (pods: Partial<Subnet> = {}, nodes: Partial<Subnet> = {}): VirtualNetwork => ({
      ...network('/v', 1),
      subnets: [subnet('nodes', 0, nodes), subnet('data', 1), subnet('pods', 4, pods)],
    })
    const put = (...change: Parameters<typeof spec>): Promise<void> =>
      fabric.updateVirtualNetwork(bench.scope, spec(...change))
    await fabric.ensureVirtualNetwork(bench.scope, spec())
    const withPods = async (name: string) => {
      const podAddresses = { subnetId: '/v/subnets/pods', count: 1, inBlocks: false }
      const place = { virtualNetworkId: '/v', subnetId: '/v/subnets/nodes', machine: name }
      const {
        networkNamespace: space,
        address,
        podAddresses: held,
      } = await fabric.attach(bench.scope, { ...place, podAddresses })
      const pod = held![0]!
      await bench.inside(space, ['ip', 'addr', 'add', `${pod}/32`, 'dev', 'lo'])
      await bench.listen(space, '0.0.0.0', 8080, name)
      return { space, address, pod }
    }
    const a = await withPods('a')
    const b = await withPods('b')
    const d = await machine(bench, fabric, '/v', 'data', 'd')
    const asPod = (to: string, port = 8080): Promise<string> => bench.askFrom(a.pod, to, port, a.space)
    assert.equal(await asPod(b.pod), `b ${a.pod}`)

    const noWeb = rule('no-web', { protocol: 'Tcp', destinationPorts: ['8080'] })
    await put({ securityRules: [noWeb, ...defaults] })
    const dropped = await toldOf(fabric, () => asPod(b.pod))
    assert.deepEqual([dropped.subnetId, dropped.rule, dropped.destination], ['/v/subnets/pods', 'no-web', b.pod])
    assert.equal(await bench.ask(b.pod, 8080, d.space), '', 'nor from elsewhere')
    assert.equal(await bench.ask(b.address, 8080, d.space), `b ${d.address}`, 'and the node goes on')
    await put({}, { securityRules: [noWeb, ...defaults] })
    assert.equal(await asPod(b.pod), `b ${a.pod}`, "the nodes' rules are not the pods'")
    assert.equal(await bench.ask(b.address, 8080, d.space), '')

    const toData = [{ name: 'data', addressPrefix: '10.1.1.0/24', nextHop: 'None' as const }]
    await put({ routes: toData })
    const lost = await toldOf(fabric, () => asPod(d.address))
    assert.deepEqual([lost.subnetId, lost.noRoute?.route?.name], ['/v/subnets/pods', 'data'])
    assert.equal(
      await bench.ask(d.address, 8080, a.space),
      `d ${a.address}`,
      'the node has the routes of its own subnet',
    )
    assert.equal(await asPod(b.pod), `b ${a.pod}`)
    await put({}, { routes: toData })
    assert.equal(await asPod(d.address), `d ${a.pod}`)
    assert.equal(await bench.ask(d.address, 8080, a.space), '')
    await put({ routes: [{ name: 'elsewhere', addressPrefix: '192.0.2.0/24', nextHop: 'None' }] }, { routes: toData })
    assert.equal(
      await asPod(d.address),
      `d ${a.pod}`,
      "what the pods' table leaves to the system does not meet the nodes'",
    )

    const api = await fabric.hostAddress(bench.scope, { virtualNetworkId: '/v', name: 'api' })
    await using server = createServer((socket) => socket.end(`${socket.remoteAddress}\n`)).listen(443, api)
    await once(server, 'listening')
    const addressOf = async (id: string): Promise<string> =>
      (await fabric.reservePublicRange(bench.scope, { id, prefixLength: 32 })).replace('/32', '')
    const [nodesOut, podsOut] = [await addressOf('/nodes'), await addressOf('/pods')]
    const out = (address: string) => ({ egress: { kind: 'addresses' as const, addresses: [address] } })
    await put(out(podsOut), out(nodesOut))
    assert.equal(await asPod(api, 443), podsOut)
    assert.equal(await bench.ask(api, 443, a.space), nodesOut)
    const outsider = await outside(bench)
    await put({ egress: { kind: 'none' } }, out(nodesOut))
    assert.equal(await asPod(outsider), '')
    assert.match(await bench.ask(outsider, 8080, a.space), /^outside /)

    using again = await open(bench)
    await again.restore(bench.scope)
    assert.equal(await asPod(outsider), '')
    for (const name of ['a', 'b']) await again.detach(bench.scope, { virtualNetworkId: '/v', machine: name })
    const left = await bench.inside(ledgerRouter(bench), ['sh', '-c', 'nft list table ip vnet; ip rule show'])
    assert.doesNotMatch(left, /10\.1\.4\.0/)
  }))
