// Ranges of service addresses that come and go, on a cluster in memory.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ipAddresses, serviceCidrs } from '@aksel/api/resources'
import type { IPAddress, ServiceCIDR } from '@aksel/api/types/networking-v1'
import { killEverywhere, TestCluster, type MakeLoops } from '../testing/cluster.ts'
import { serviceCidrController, serviceCidrFinalizer } from './controller.ts'
import { mayGo } from './judge.ts'

const loops: MakeLoops = (parts) => [serviceCidrController(parts)]

function range(name: string, ...cidrs: readonly string[]): ServiceCIDR {
  return { metadata: { name }, spec: { cidrs } }
}

function address(name: string, manager = 'ipallocator.k8s.io'): IPAddress {
  const labels = { 'ipaddress.kubernetes.io/managed-by': manager }
  return { metadata: { name, labels }, spec: { parentRef: { resource: 'services', namespace: 'shop', name: 'web' } } }
}

const going = range('going', '10.1.0.0/16')
for (const [what, others, addresses, expected] of [
  ['no address', [], [], true],
  ['an address of its own', [], ['10.1.0.7'], false],
  ['an address elsewhere', [], ['10.2.0.7'], true],
  ['an address in a larger range too', [range('wide', '10.0.0.0/8')], ['10.1.0.7'], true],
  ['an address in an equal range too', [range('twin', '10.1.0.0/16')], ['10.1.0.7'], true],
  ['an address in a smaller range too', [range('part', '10.1.0.0/24')], ['10.1.0.7'], true],
  ['an address beside the smaller range', [range('part', '10.1.1.0/24')], ['10.1.0.7'], false],
  ['another range that makes no sense', [range('bad', 'x')], ['10.1.0.7'], false],
] as const)
  test(`a range with ${what} ${expected ? 'may go' : 'stays'}`, () =>
    assert.equal(
      mayGo(
        going,
        [going, ...others],
        addresses.map((name) => address(name)),
      ),
      expected,
    ))

test('addresses that others manage hold no range back', () => {
  assert.equal(mayGo(going, [going], [address('10.1.0.7', 'somebody')]), true)
})

test('both families of a range are looked at', () => {
  const dual = range('dual', '10.1.0.0/16', 'fd00::/112')
  assert.equal(mayGo(dual, [dual, range('four', '10.0.0.0/8')], [address('fd00::7')]), false)
  assert.equal(mayGo(dual, [dual, range('four', '10.0.0.0/8')], [address('10.1.0.7')]), true)
})

function shown(cluster: TestCluster, name: string): readonly (string | undefined)[] | undefined {
  const found = cluster.client.peek(serviceCidrs, name)
  const ready = found?.status?.conditions?.find(({ type }) => type === 'Ready')
  return found === undefined
    ? undefined
    : [found.metadata.finalizers?.[0], ready?.status, ready?.reason, ready?.message]
}

const isReady = [serviceCidrFinalizer, 'True', '', 'Kubernetes Service CIDR is ready']

test('a range is held and ready; deleted, it waits for its addresses, and ten seconds more', async () => {
  await using cluster = new TestCluster(loops)
  cluster.start()
  await cluster.client.create(serviceCidrs, range('more', '10.1.0.0/16'))
  await cluster.client.create(ipAddresses, address('10.1.0.7'))
  await cluster.clock.run(1000)
  assert.deepEqual(shown(cluster, 'more'), isReady)
  await cluster.client.delete(serviceCidrs, { name: 'more' })
  await cluster.clock.run(60_000)
  assert.deepEqual(shown(cluster, 'more'), [
    serviceCidrFinalizer,
    'False',
    'Terminating',
    'There are still IPAddresses referencing the ServiceCIDR, please remove them or create a new ServiceCIDR',
  ])
  await cluster.client.delete(ipAddresses, { name: '10.1.0.7' })
  await cluster.clock.run(1000)
  assert.equal(shown(cluster, 'more'), undefined)
})

test('a range that nobody lives on stays ten seconds, until all allocators know', async () => {
  await using cluster = new TestCluster(loops)
  cluster.start()
  await cluster.client.create(serviceCidrs, range('more', '10.1.0.0/16'))
  await cluster.clock.run(1000)
  await cluster.client.delete(serviceCidrs, { name: 'more' })
  await cluster.clock.run(8000)
  assert.ok(shown(cluster, 'more'))
  await cluster.clock.run(3000)
  assert.equal(shown(cluster, 'more'), undefined)
})

test('another range that takes the addresses over lets one go', async () => {
  await using cluster = new TestCluster(loops)
  cluster.start()
  await cluster.client.create(serviceCidrs, range('more', '10.1.0.0/16'))
  await cluster.client.create(ipAddresses, address('10.1.0.7'))
  await cluster.clock.run(1000)
  await cluster.client.delete(serviceCidrs, { name: 'more' })
  await cluster.clock.run(20_000)
  assert.ok(shown(cluster, 'more'))
  await cluster.client.create(serviceCidrs, range('wide', '10.0.0.0/8'))
  await cluster.clock.run(1000)
  assert.deepEqual([shown(cluster, 'more'), shown(cluster, 'wide')], [undefined, isReady])
})

test('no kill leaves a range unready or holds one that nobody lives on', async () => {
  const kills = await killEverywhere(
    loops,
    async (cluster) => {
      await cluster.client.create(serviceCidrs, range('stays', '10.1.0.0/16'))
      await cluster.client.create(serviceCidrs, range('goes', '10.2.0.0/16'))
      const held = range('held', '10.3.0.0/16')
      cluster.client.put(serviceCidrs, { ...held, metadata: { name: 'held', finalizers: [serviceCidrFinalizer] } })
      await cluster.client.create(ipAddresses, address('10.3.0.7'))
      await cluster.clock.run(1000)
      for (const name of ['goes', 'held']) await cluster.client.delete(serviceCidrs, { name })
      await cluster.clock.run(15_000)
    },
    (cluster) =>
      assert.deepEqual(
        [shown(cluster, 'stays'), shown(cluster, 'goes'), shown(cluster, 'held')?.[1]],
        [isReady, undefined, 'False'],
      ),
    {},
    (cluster) => cluster.clock.run(20_000),
  )
  assert.ok(kills >= 7, `only ${kills} kills`)
})
