// The fabric on the real kernel: VNets with the same ranges side by side, machines, pods' ranges, public and host addresses.

import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import { once } from 'node:events'
import { join } from 'node:path'
import { test } from 'node:test'
import { undoAll } from '@aksel/host/undo'
import type { Fabric, VirtualNetwork } from '@aksel/provider/fabric'
import { withHost, type HostBench } from '../testing/host-bench.ts'
import { openFabric } from './fabric.ts'

function virtualNetwork(id: string): VirtualNetwork {
  return {
    id,
    addressPrefix: '10.224.0.0/12',
    subnets: [{ id: `${id}/subnets/aks-subnet`, addressPrefix: '10.224.0.0/16' }],
  }
}

const attachmentOf = (id: string, machine: string, podIndex: number) => ({
  virtualNetworkId: id,
  subnetId: `${id}/subnets/aks-subnet`,
  machine,
  podCidr: `10.244.${podIndex}.0/24`,
})

async function twoMachines(bench: HostBench, fabric: Fabric, id: string) {
  await fabric.ensureVirtualNetwork(bench.scope, virtualNetwork(id))
  const [a, b] = await Promise.all([
    fabric.attach(bench.scope, attachmentOf(id, 'node-a', 0)),
    fabric.attach(bench.scope, attachmentOf(id, 'node-b', 1)),
  ])
  return { a: a!, b: b! }
}

test('two VNets with the same ranges stand side by side and do not hear each other', () =>
  withHost(async (bench) => {
    const fabric = await openFabric(bench.scope, { ledger: bench.ledger, stateDir: join(bench.directory, 'fabric') })
    const one = await twoMachines(bench, fabric, '/vnets/one')
    const two = await twoMachines(bench, fabric, '/vnets/two')
    assert.deepEqual([one.a.address, one.b.address], ['10.224.0.4', '10.224.0.5'])
    assert.equal(two.b.address, one.b.address)
    assert.equal(one.a.gateway, '10.224.0.1')
    await bench.listen(one.b.networkNamespace, '0.0.0.0', 8080, 'one')
    await bench.listen(two.b.networkNamespace, '0.0.0.0', 8080, 'two')
    assert.equal(await bench.ask('10.224.0.5', 8080, one.a.networkNamespace), 'one 10.224.0.4')
    assert.equal(await bench.ask('10.224.0.5', 8080, two.a.networkNamespace), 'two 10.224.0.4')
  }))

test("a pod's address on one node reaches a pod on the other with its own address", () =>
  withHost(async (bench) => {
    const fabric = await openFabric(bench.scope, { ledger: bench.ledger, stateDir: join(bench.directory, 'fabric') })
    const { a, b } = await twoMachines(bench, fabric, '/vnets/one')
    await bench.inside(a.networkNamespace, ['ip', 'addr', 'add', '10.244.0.2/32', 'dev', 'lo'])
    await bench.inside(b.networkNamespace, ['ip', 'addr', 'add', '10.244.1.2/32', 'dev', 'lo'])
    await bench.listen(b.networkNamespace, '10.244.1.2', 8080, 'pod-b')
    const asked = await bench.askFrom('10.244.0.2', '10.244.1.2', 8080, a.networkNamespace)
    assert.equal(asked, 'pod-b 10.244.0.2')
  }))

test('an address of the host is reached by machines and pods of its VNet, and nothing else of the host is', () =>
  withHost(async (bench) => {
    const fabric = await openFabric(bench.scope, { ledger: bench.ledger, stateDir: join(bench.directory, 'fabric') })
    const { a } = await twoMachines(bench, fabric, '/vnets/one')
    const request = { virtualNetworkId: '/vnets/one', name: 'cluster/c1' }
    const address = await fabric.hostAddress(bench.scope, request)
    assert.equal(await fabric.hostAddress(bench.scope, request), address)
    await using server = createServer((socket) => socket.end('api\n')).listen(443, address)
    await once(server, 'listening')
    const port = 443
    assert.equal(await bench.ask(address, port, a.networkNamespace), 'api')
    await using own = createServer((socket) => socket.end('own\n')).listen(0, '0.0.0.0')
    await once(own, 'listening')
    const { port: ownPort } = own.address() as { port: number }
    const route = await bench.inside(routerNamespace(bench), ['ip', '-4', 'route', 'show', 'default'])
    const gateway = route.split(' ')[2]!
    for (const at of [address, gateway]) {
      assert.equal(await bench.ask(at, ownPort), 'own')
      assert.equal(await bench.ask(at, ownPort, a.networkNamespace), '', `the host's own service at ${at}`)
    }
    await bench.inside(a.networkNamespace, ['ip', 'addr', 'add', '10.244.0.2/32', 'dev', 'lo'])
    const asked = await bench.askFrom('10.244.0.2', address, port, a.networkNamespace)
    assert.equal(asked, 'api')
  }))

test('a public address leads to the backends, from the host, from inside and from another VNet', () =>
  withHost(async (bench) => {
    const fabric = await openFabric(bench.scope, { ledger: bench.ledger, stateDir: join(bench.directory, 'fabric') })
    const { a, b } = await twoMachines(bench, fabric, '/vnets/one')
    const other = await twoMachines(bench, fabric, '/vnets/two')
    await bench.listen(a.networkNamespace, '0.0.0.0', 30080, 'a')
    await bench.listen(b.networkNamespace, '0.0.0.0', 30080, 'b')
    const spec = {
      id: 'uid-1',
      virtualNetworkId: '/vnets/one',
      rules: [
        {
          protocol: 'TCP' as const,
          port: 80,
          backends: [a.address, b.address].map((address) => ({ address, port: 30080 })),
          sourceRanges: [],
        },
      ],
    }
    const { address } = await fabric.ensureLoadBalancer(bench.scope, spec)
    assert.deepEqual(await fabric.ensureLoadBalancer(bench.scope, spec), { address })
    const names = new Set<string>()
    for (let n = 0; n < 40; n += 1) names.add((await bench.ask(address, 80)).split(' ')[0]!)
    assert.deepEqual([...names].sort(), ['a', 'b'])
    // Often enough to be sent back to the asking machine itself.
    for (let n = 0; n < 10; n += 1) assert.match(await bench.ask(address, 80, a.networkNamespace), /^[ab] /)
    assert.match(await bench.ask(address, 80, other.a.networkNamespace), /^[ab] /)

    await fabric.ensureLoadBalancer(bench.scope, {
      ...spec,
      rules: [{ ...spec.rules[0]!, backends: [{ address: b.address, port: 30080 }], sourceRanges: ['203.0.113.0/24'] }],
    })
    assert.equal(await bench.ask(address, 80, other.a.networkNamespace), '', 'a source outside the ranges is dropped')
    await fabric.ensureLoadBalancer(bench.scope, {
      ...spec,
      rules: [{ ...spec.rules[0]!, backends: [{ address: b.address, port: 30080 }], sourceRanges: ['100.64.0.0/16'] }],
    })
    assert.match(await bench.ask(address, 80, other.a.networkNamespace), /^b /)
    await fabric.deleteLoadBalancer(bench.scope, { virtualNetworkId: '/vnets/one', id: 'uid-1' })
    assert.equal(await bench.ask(address, 80, other.a.networkNamespace), '')
  }))

test('a fabric that is opened again takes up what stands, and mends what was torn', () =>
  withHost(async (bench) => {
    const options = { ledger: bench.ledger, stateDir: join(bench.directory, 'fabric') }
    const first = await openFabric(bench.scope, options)
    const { a, b } = await twoMachines(bench, first, '/vnets/one')
    const host = await first.hostAddress(bench.scope, { virtualNetworkId: '/vnets/one', name: 'c1' })
    await bench.listen(b.networkNamespace, '0.0.0.0', 30080, 'b')
    const spec = {
      id: 'uid-1',
      virtualNetworkId: '/vnets/one',
      rules: [
        { protocol: 'TCP' as const, port: 80, backends: [{ address: b.address, port: 30080 }], sourceRanges: [] },
      ],
    }
    const { address } = await first.ensureLoadBalancer(bench.scope, spec)

    const second = await openFabric(bench.scope, options)
    assert.deepEqual(await twoMachines(bench, second, '/vnets/one'), { a, b })
    assert.deepEqual(await second.ensureLoadBalancer(bench.scope, spec), { address })
    assert.match(await bench.ask(address, 80), /^b /)

    // The router is lost with everything in it; the machines' namespaces, where containers live, stay.
    const router = bench.ledger.entries('virtual-network//vnets/one').find(({ object }) => object.kind === 'link')!
    assert.ok(router.object.kind === 'link')
    await bench.inside(a.networkNamespace, ['ip', 'link', 'set', 'eth0', 'down'])
    await bench.inside(router.object.name, ['ip', 'link', 'delete', 'br0'])
    await bench.inside(router.object.name, ['ip', 'link', 'delete', 'host'])
    const third = await openFabric(bench.scope, options)
    assert.deepEqual(await twoMachines(bench, third, '/vnets/one'), { a, b })
    assert.equal(await third.hostAddress(bench.scope, { virtualNetworkId: '/vnets/one', name: 'c1' }), host)
    assert.match(await bench.ask(address, 80), /^b /)
    assert.match(await bench.ask(b.address, 30080, a.networkNamespace), /^b /)
  }))

test('a fabric whose networks were taken down puts its addresses in force again before anyone asks for them', () =>
  withHost(async (bench) => {
    const options = { ledger: bench.ledger, stateDir: join(bench.directory, 'fabric') }
    const first = await openFabric(bench.scope, options)
    const places = await twoMachines(bench, first, '/vnets/one')
    const host = await first.hostAddress(bench.scope, { virtualNetworkId: '/vnets/one', name: 'c1' })
    await undoAll(bench.scope, { ledger: bench.ledger })

    const second = await openFabric(bench.scope, options)
    await second.restore(bench.scope)
    const listener = createServer()
    listener.listen(443, host)
    await once(listener, 'listening')
    listener.close()
    assert.deepEqual(await twoMachines(bench, second, '/vnets/one'), places)
  }))

test('a machine that is detached is gone, its address is free again, and a VNet takes its machines along', () =>
  withHost(async (bench) => {
    const fabric = await openFabric(bench.scope, { ledger: bench.ledger, stateDir: join(bench.directory, 'fabric') })
    const { a } = await twoMachines(bench, fabric, '/vnets/one')
    await fabric.detach(bench.scope, { virtualNetworkId: '/vnets/one', machine: 'node-a' })
    await fabric.detach(bench.scope, { virtualNetworkId: '/vnets/one', machine: 'node-a' })
    const next = await fabric.attach(bench.scope, attachmentOf('/vnets/one', 'node-c', 2))
    assert.equal(next.address, a.address)
    assert.notEqual(next.networkNamespace, a.networkNamespace)
    await fabric.deleteVirtualNetwork(bench.scope, '/vnets/one')
    await fabric.deleteVirtualNetwork(bench.scope, '/vnets/one')
    assert.deepEqual(bench.ledger.entries(), [])
    await assert.rejects(fabric.attach(bench.scope, attachmentOf('/vnets/one', 'node-a', 0)), /There is no VNet/)
  }))

function routerNamespace({ ledger }: HostBench): string {
  const found = ledger.entries('virtual-network//vnets/one').find(({ object }) => object.kind === 'link')
  assert.ok(found?.object.kind === 'link')
  return found.object.name
}
