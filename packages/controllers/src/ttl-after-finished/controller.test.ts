// Finished jobs whose time is over.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { jobs } from '@aksel/api/resources'
import { formatTime } from '@aksel/base/clock'
import { killEverywhere, TestCluster } from '../testing/cluster.ts'
import { newJob } from '../testing/objects.ts'
import { ttlAfterFinishedController } from './controller.ts'

const loops = (
  parts: Parameters<typeof ttlAfterFinishedController>[0],
): ReturnType<typeof ttlAfterFinishedController>[] => [ttlAfterFinishedController(parts)]

function end(cluster: TestCluster, name: string): void {
  cluster.client.change(jobs, `shop/${name}`, (draft) => {
    draft.status = {
      conditions: [{ type: 'Failed', status: 'True', lastTransitionTime: formatTime(cluster.clock.now()) }],
    }
  })
}

test('a finished job goes when its time is over, one that runs or has none stays, and a late change counts', async () => {
  await using cluster = new TestCluster(loops)
  cluster.start()
  for (const [name, spec] of [
    ['short', { ttlSecondsAfterFinished: 30 }],
    ['longer', { ttlSecondsAfterFinished: 30 }],
    ['running', { ttlSecondsAfterFinished: 0 }],
    ['kept', {}],
  ] as const)
    await cluster.client.create(jobs, newJob(name, spec))
  for (const name of ['short', 'longer', 'kept']) end(cluster, name)
  await cluster.clock.run(20_000)
  cluster.client.change(jobs, 'shop/longer', (draft) => {
    draft.spec.ttlSecondsAfterFinished = 100
  })
  await cluster.clock.run(15_000)
  const left = (): readonly string[] =>
    cluster
      .all(jobs)
      .filter(({ metadata }) => metadata.deletionTimestamp === undefined)
      .map(({ metadata }) => metadata.name)
  assert.deepEqual(left(), ['longer', 'running', 'kept'])
  await cluster.clock.run(80_000)
  assert.deepEqual(left(), ['running', 'kept'])
})

test('no kill keeps a job past its time', async () => {
  const kills = await killEverywhere(
    loops,
    async (cluster) => {
      await cluster.client.create(jobs, newJob('short', { ttlSecondsAfterFinished: 5 }))
      end(cluster, 'short')
      await cluster.clock.run(10_000)
    },
    (cluster) => {
      const job = cluster.client.peek(jobs, 'shop/short')
      assert.ok(job === undefined || job.metadata.deletionTimestamp !== undefined)
    },
    {},
    (cluster) => cluster.clock.run(10_000),
  )
  assert.equal(kills, 1)
})
