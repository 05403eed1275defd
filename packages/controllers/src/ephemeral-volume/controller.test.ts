// Claims of ephemeral volumes.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { events, persistentVolumeClaims, pods } from '@aksel/api/resources'
import type { Pod } from '@aksel/api/types/core-v1'
import { killEverywhere, TestCluster } from '../testing/cluster.ts'
import type { MakeLoops } from '../testing/cluster.ts'
import { newClaim, newPod } from '../testing/objects.ts'
import { ephemeralVolumeController } from './controller.ts'

const loops: MakeLoops = (parts) => [ephemeralVolumeController(parts)]

function podWithScratch(): Pod {
  const { spec } = newClaim('x')
  const scratch = (name: string): NonNullable<Pod['spec']['volumes']>[number] => ({
    name,
    ephemeral: { volumeClaimTemplate: { metadata: { labels: { kind: 'scratch' } }, spec } },
  })
  return newPod('work', { volumes: [scratch('one'), scratch('two')] })
}

test('a pod gets a claim for each ephemeral volume, its own, and again when one is lost', async () => {
  await using cluster = new TestCluster(loops)
  cluster.start()
  const pod = await cluster.client.create(pods, podWithScratch())
  await cluster.clock.run(1000)
  const claims = cluster.all(persistentVolumeClaims)
  assert.deepEqual(
    claims.map(({ metadata }) => metadata.name),
    ['work-one', 'work-two'],
  )
  assert.ok(claims.every(({ metadata }) => metadata.ownerReferences![0]!.uid === pod.metadata.uid))
  assert.equal(claims[0]!.metadata.labels!['kind'], 'scratch')
  await cluster.client.delete(persistentVolumeClaims, claims[0]!.metadata)
  await cluster.clock.run(1000)
  assert.equal(cluster.all(persistentVolumeClaims).length, 2)
})

test("another's claim of that name is not taken, and told", async () => {
  await using cluster = new TestCluster(loops)
  await cluster.client.create(persistentVolumeClaims, newClaim('work-one'))
  cluster.start()
  await cluster.client.create(pods, podWithScratch())
  await cluster.clock.run(1000)
  assert.match(
    cluster.all(events)[0]!.message!,
    /PVC "shop\/work-one" was not created for pod "shop\/work" \(pod is not owner\)/,
  )
})

test('no kill leaves a pod without a claim', async () => {
  const kills = await killEverywhere(
    loops,
    async (cluster) => {
      await cluster.client.create(pods, podWithScratch())
      await cluster.clock.run(1000)
    },
    (cluster) => assert.equal(cluster.all(persistentVolumeClaims).length, 2),
  )
  assert.equal(kills, 2)
})
