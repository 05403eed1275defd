// Ended pods past the number that may stay, on a cluster in memory.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { pods } from '@aksel/api/resources'
import { newPod } from '../testing/objects.ts'
import { TestCluster } from '../testing/cluster.ts'
import { podGcController } from './controller.ts'

/** Seven pods, of which the third runs and all others have ended, a second after each other. */
async function left(terminatedMax?: number): Promise<readonly string[]> {
  await using cluster = new TestCluster((parts) => [
    podGcController({ ...parts, ...(terminatedMax === undefined ? {} : { terminatedMax }) }),
  ])
  cluster.start()
  for (let n = 1; n <= 7; n += 1) {
    const pod = await cluster.client.create(pods, newPod(`p${n}`, {}))
    const phase = n === 3 ? 'Running' : n % 2 === 0 ? 'Succeeded' : 'Failed'
    cluster.client.put(pods, { ...pod, status: { phase } })
    await cluster.clock.run(1000)
  }
  await cluster.clock.run(60_000)
  const { items } = await cluster.client.list(pods)
  return items.map(({ metadata }) => metadata.name).toSorted()
}

test('ended pods beyond the threshold go, the oldest first; those that run stay', async () => {
  assert.deepEqual(await left(2), ['p3', 'p6', 'p7'])
  assert.deepEqual(await left(6), ['p1', 'p2', 'p3', 'p4', 'p5', 'p6', 'p7'])
})

test('0 keeps every ended pod, and without a number upstream’s 12,500 may stay', async () => {
  assert.equal((await left(0)).length, 7)
  assert.equal((await left()).length, 7)
})
