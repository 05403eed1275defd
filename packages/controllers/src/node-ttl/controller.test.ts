// How long nodes may keep secrets, by the number of nodes.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { nodes } from '@aksel/api/resources'
import { killEverywhere, TestCluster } from '../testing/cluster.ts'
import { readyNode } from '../testing/objects.ts'
import { judgeStep, nodeTtlController, ttlAnnotation } from './controller.ts'

for (const [count, from, to] of [
  [100, 0, 0],
  [101, 0, 1],
  [95, 1, 1],
  [89, 1, 0],
  [2001, 0, 4],
  [10, 4, 0],
  [1850, 4, 4],
] as const)
  test(`${count} nodes, coming from step ${from}, are step ${to}`, () => assert.equal(judgeStep(count, from), to))

function annotations(cluster: TestCluster): readonly (string | undefined)[] {
  return [...new Set(cluster.all(nodes).map(({ metadata }) => metadata.annotations?.[ttlAnnotation]))]
}

test('every node carries the time, and all get another when the cluster has grown; nothing is written beside', async () => {
  await using cluster = new TestCluster((parts) => [nodeTtlController(parts)])
  cluster.start()
  for (let index = 0; index < 100; index += 1) await cluster.client.create(nodes, readyNode(`n-${index}`, '10.0.0.1'))
  await cluster.clock.run(1000)
  assert.deepEqual(annotations(cluster), ['0'])
  const before = cluster.objects.revision
  await cluster.clock.run(600_000)
  assert.equal(cluster.objects.revision, before)
  await cluster.client.create(nodes, readyNode('one-more', '10.0.0.1'))
  await cluster.clock.run(1000)
  assert.deepEqual(annotations(cluster), ['15'])
})

test('no kill leaves a node without its time', async () => {
  const kills = await killEverywhere(
    (parts) => [nodeTtlController(parts)],
    async (cluster) => {
      for (const name of ['a', 'b']) await cluster.client.create(nodes, readyNode(name, '10.0.0.1'))
      await cluster.clock.run(1000)
    },
    (cluster) => assert.deepEqual(annotations(cluster), ['0']),
    {},
    (cluster) => cluster.clock.run(2000),
  )
  assert.equal(kills, 2)
})
