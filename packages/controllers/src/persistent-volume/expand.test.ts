// Claims that ask for more room.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { events, persistentVolumeClaims, persistentVolumes } from '@aksel/api/resources'
import type { PersistentVolumeClaim } from '@aksel/api/types/core-v1'
import { killEverywhere, TestCluster, type MakeLoops } from '../testing/cluster.ts'
import { newClaim } from '../testing/objects.ts'
import { expandController, wantsRoom } from './expand.ts'

const loops: MakeLoops = (parts) => [expandController(parts)]

function claim(asked: string, has: string, phase = 'Bound'): PersistentVolumeClaim {
  const made = newClaim('data', { resources: { requests: { storage: asked } }, volumeName: 'pv' })
  return { ...made, status: { phase, capacity: { storage: has } } } as PersistentVolumeClaim
}

for (const [asked, has, phase, expected] of [
  ['2Gi', '1Gi', 'Bound', true],
  ['1Gi', '1024Mi', 'Bound', false],
  ['1Gi', '2Gi', 'Bound', false],
  ['2Gi', '1Gi', 'Pending', false],
  ['much', '1Gi', 'Bound', false],
] as const)
  test(`a ${phase} claim for ${asked} that has ${has} ${expected ? 'wants' : 'wants no'} room`, () =>
    assert.equal(wantsRoom(claim(asked, has, phase)), expected))

async function grow(cluster: TestCluster): Promise<void> {
  const made = cluster.client.put(persistentVolumeClaims, claim('1Gi', '1Gi'))
  cluster.client.put(persistentVolumes, {
    metadata: { name: 'pv' },
    spec: { capacity: { storage: '1Gi' }, claimRef: { name: 'data', namespace: 'shop', uid: made.metadata.uid! } },
  })
  await cluster.clock.run(1000)
  cluster.client.change(persistentVolumeClaims, 'shop/data', (draft) => {
    draft.spec.resources = { requests: { storage: '2Gi' } }
  })
  await cluster.clock.run(1000)
}

test('a bound claim that grows is told that its driver must do it, and one that stays is told nothing', async () => {
  await using cluster = new TestCluster(loops)
  cluster.start()
  await grow(cluster)
  const [told, ...others] = cluster.all(events)
  assert.deepEqual([told!.type, told!.reason, others.length], ['Warning', 'ExternalExpanding', 0])
  assert.match(told!.message!, /^Ignoring the PVC: didn't find a plugin capable of expanding the volume; waiting for/)
})

test('a kill costs the news at most', async () => {
  await killEverywhere(
    loops,
    grow,
    (cluster) => assert.ok(cluster.all(events).length <= 1),
    {},
    (cluster) => cluster.clock.run(1000),
  )
})
