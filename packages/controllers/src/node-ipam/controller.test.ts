// Pod ranges of nodes, on a cluster in memory.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { events, nodes } from '@aksel/api/resources'
import { killEverywhere, TestCluster, type MakeLoops } from '../testing/cluster.ts'
import { CidrPool } from './cidr-pool.ts'
import { nodeIpamController } from './controller.ts'

const small = { clusterCidrs: ['10.244.0.0/22'] }
const loops: MakeLoops = (parts) => [nodeIpamController({ ...parts, ...small })]

function node(name: string, podCIDR?: string): { metadata: { name: string }; spec: object } {
  return { metadata: { name }, spec: podCIDR === undefined ? {} : { podCIDR, podCIDRs: [podCIDR] } }
}

function ranges(cluster: TestCluster): Readonly<Record<string, readonly string[] | undefined>> {
  return Object.fromEntries(cluster.all(nodes).map(({ metadata, spec }) => [metadata.name, spec?.podCIDRs]))
}

for (const [what, taken, expected] of [
  ['the last range where none is taken', [], '10.244.3.0/24'],
  ['none that is taken', ['10.244.3.0/24'], '10.244.2.0/24'],
  ['none that a larger one covers', ['10.244.2.0/23'], '10.244.1.0/24'],
  ['none that holds a smaller one', ['10.244.3.128/25'], '10.244.2.0/24'],
  ['nothing where all are taken', ['10.244.0.0/22'], undefined],
] as const)
  test(`a pool gives ${what}`, () => {
    const pool = new CidrPool('10.244.0.0/22', 24)
    for (const cidr of taken) assert.ok(pool.occupy(cidr))
    assert.equal(pool.take(), expected)
  })

test('a range that came free is given again only when the others were', () => {
  const pool = new CidrPool('fd00::/62', 64)
  const first = pool.take()!
  pool.release(first)
  assert.deepEqual(
    [first, pool.take(), pool.take(), pool.take(), pool.take(), pool.take()],
    ['fd00:0:0:3::/64', 'fd00:0:0:2::/64', 'fd00:0:0:1::/64', 'fd00::/64', 'fd00:0:0:3::/64', undefined],
  )
})

test('ranges that no node could get a part of are refused', () => {
  assert.throws(
    () => new CidrPool('10.244.0.0/25', 24),
    /Cannot hand out ranges of 24 bits of "10.244.0.0\/25": it is smaller/,
  )
  assert.throws(() => new CidrPool('everything', 24), /it is no CIDR/)
  assert.throws(() => new CidrPool('10.0.1.0/24', 24).exclude('10.0.0.0/16'), /Nothing is left/)
})

test('nodes without a range get one of each family, those with one keep it, and no two share any', async () => {
  await using cluster = new TestCluster((parts) => [
    nodeIpamController({
      ...parts,
      clusterCidrs: ['10.244.0.0/21', 'fd00:10::/60'],
      serviceCidrs: ['10.244.7.0/24'],
      masks: { 6: 64 },
    }),
  ])
  await cluster.client.create(nodes, node('old', '10.244.6.0/24'))
  cluster.start()
  for (const name of ['a', 'b']) await cluster.client.create(nodes, node(name))
  await cluster.clock.run(1000)
  assert.deepEqual(ranges(cluster), {
    old: ['10.244.6.0/24'],
    a: ['10.244.5.0/24', 'fd00:10:0:f::/64'],
    b: ['10.244.4.0/24', 'fd00:10:0:e::/64'],
  })
  assert.equal(cluster.client.peek(nodes, 'a')!.spec!.podCIDR, '10.244.5.0/24')
})

test('a node for which none is left is told so, and gets the range of one that goes', async () => {
  await using cluster = new TestCluster(loops)
  cluster.start()
  for (const name of ['a', 'b', 'c', 'd', 'e']) await cluster.client.create(nodes, node(name))
  await cluster.clock.run(1000)
  assert.equal(ranges(cluster)['e'], undefined)
  const [told] = cluster.all(events)
  assert.deepEqual([told!.reason, told!.message], ['CIDRNotAvailable', 'Node e status is now: CIDRNotAvailable'])
  const freed = ranges(cluster)['b']
  await cluster.client.delete(nodes, { name: 'b' })
  await cluster.clock.run(31_000)
  assert.deepEqual(ranges(cluster)['e'], freed)
})

test('a node that brings a range along which another has is warned of, and takes nothing with it when it goes', async () => {
  await using cluster = new TestCluster(loops)
  cluster.start()
  await cluster.client.create(nodes, node('a'))
  await cluster.clock.run(1000)
  await cluster.client.create(nodes, node('thief', '10.244.3.0/24'))
  await cluster.clock.run(1000)
  assert.ok(cluster.lines.some(({ message }) => message === 'a node has a pod range that is not free'))
  await cluster.client.delete(nodes, { name: 'thief' })
  for (const name of ['b', 'c', 'd']) await cluster.client.create(nodes, node(name))
  await cluster.clock.run(1000)
  assert.equal(new Set(Object.values(ranges(cluster)).flat()).size, 4)
})

test('no kill gives a range twice or leaves a node without', async () => {
  const kills = await killEverywhere(
    loops,
    async (cluster) => {
      await cluster.client.create(nodes, node('old', '10.244.3.0/24'))
      for (const name of ['a', 'b', 'c']) await cluster.client.create(nodes, node(name))
      await cluster.clock.run(1000)
    },
    (cluster, killedAfter) => {
      const all = Object.values(ranges(cluster)).flat()
      assert.deepEqual([all.length, new Set(all).size], [4, 4], `after ${killedAfter} writes`)
    },
    {},
    (cluster) => cluster.clock.run(5000),
  )
  assert.ok(kills >= 3, `only ${kills} kills`)
})
