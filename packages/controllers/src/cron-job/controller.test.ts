// Cron jobs on a cluster in memory, with a clock that jumps.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { cronJobs, events, jobs } from '@aksel/api/resources'
import type { CronJob, CronJobSpec, Job } from '@aksel/api/types/batch-v1'
import { formatTime } from '@aksel/base/clock'
import { killEverywhere, TestCluster } from '../testing/cluster.ts'
import type { MakeLoops } from '../testing/cluster.ts'
import { newJob } from '../testing/objects.ts'
import { cronJobController } from './controller.ts'

const loops: MakeLoops = (parts) => [cronJobController(parts)]
const minute = 60_000

function newCron(spec: Partial<CronJobSpec> = {}): CronJob {
  return {
    metadata: { name: 'tick', namespace: 'shop' },
    spec: {
      schedule: '*/5 * * * *',
      concurrencyPolicy: 'Allow',
      suspend: false,
      successfulJobsHistoryLimit: 3,
      failedJobsHistoryLimit: 1,
      jobTemplate: { metadata: { labels: { from: 'cron' } }, spec: newJob('work').spec },
      ...spec,
    },
  }
}

function names(cluster: TestCluster): readonly string[] {
  return cluster.all(jobs).map(({ metadata }) => metadata.name)
}

function finish(cluster: TestCluster, { metadata }: Job, type: 'Complete' | 'Failed'): void {
  cluster.client.change(jobs, `shop/${metadata.name}`, (draft) => {
    const now = formatTime(cluster.clock.now())
    draft.status = {
      startTime: now,
      ...(type === 'Complete' ? { completionTime: now } : {}),
      conditions: [{ type, status: 'True' }],
    }
  })
}

function cronIn(cluster: TestCluster): CronJob {
  return cluster.client.peek(cronJobs, 'shop/tick')!
}

function told(cluster: TestCluster, reason: string): readonly string[] {
  return cluster
    .all(events)
    .filter((event) => event.reason === reason)
    .map(({ message }) => message!)
}

test('a cron job starts a job at each time, named after it, and forgets the old ones', async () => {
  await using cluster = new TestCluster(loops)
  cluster.start()
  await cluster.client.create(cronJobs, newCron({ successfulJobsHistoryLimit: 1 }))
  for (let run = 0; run < 3; run += 1) {
    await cluster.clock.run(5 * minute + 500)
    const job = cluster.all(jobs).at(-1)!
    assert.equal(job.metadata.labels!.from, 'cron')
    finish(cluster, job, 'Complete')
    await cluster.clock.run(1000)
  }
  const last = Date.UTC(2026, 0, 1, 0, 15)
  assert.deepEqual(names(cluster), [`tick-${last / minute}`])
  const { status } = cronIn(cluster)
  assert.deepEqual([status!.lastScheduleTime, status!.active], [formatTime(last), undefined])
  assert.ok(status!.lastSuccessfulTime)
  assert.equal(
    cluster.all(jobs)[0]!.metadata.annotations!['batch.kubernetes.io/cronjob-scheduled-timestamp'],
    formatTime(last),
  )
  assert.equal(told(cluster, 'SawCompletedJob').length, 3)
})

test('Forbid starts nothing while a job runs, and Replace takes its place', async () => {
  for (const concurrencyPolicy of ['Forbid', 'Replace']) {
    await using cluster = new TestCluster(loops)
    cluster.start()
    await cluster.client.create(cronJobs, newCron({ concurrencyPolicy }))
    await cluster.clock.run(5 * minute + 1000)
    const [first] = names(cluster)
    await cluster.clock.run(5 * minute)
    assert.equal(names(cluster).length, 1)
    assert.equal(names(cluster)[0] === first, concurrencyPolicy === 'Forbid')
    assert.equal(cronIn(cluster).status!.active!.length, 1)
    const reason = concurrencyPolicy === 'Forbid' ? 'JobAlreadyActive' : 'SuccessfulDelete'
    assert.equal(told(cluster, reason).length, 1)
  }
})

test('a run that waited for a job to end starts when it does', async () => {
  await using cluster = new TestCluster(loops)
  cluster.start()
  await cluster.client.create(cronJobs, newCron({ concurrencyPolicy: 'Forbid' }))
  await cluster.clock.run(11 * minute)
  assert.equal(names(cluster).length, 1)
  finish(cluster, cluster.all(jobs)[0]!, 'Complete')
  await cluster.clock.run(1000)
  assert.equal(names(cluster).length, 2)
})

test('after a time away the last missed run is made up for, unless it is past its deadline', async () => {
  for (const [startingDeadlineSeconds, runs] of [
    [undefined, 1],
    [600, 1],
    [30, 0],
  ] as const) {
    await using cluster = new TestCluster(loops)
    await cluster.client.create(
      cronJobs,
      newCron(startingDeadlineSeconds === undefined ? {} : { startingDeadlineSeconds }),
    )
    await cluster.clock.run(12 * 60 * minute + 2 * minute)
    cluster.start()
    await cluster.clock.run(1000)
    assert.equal(names(cluster).length, runs, `deadline ${startingDeadlineSeconds}`)
    assert.equal(told(cluster, 'TooManyMissedTimes').length, startingDeadlineSeconds === undefined ? 1 : 0)
  }
})

test('a cron job in Berlin runs twice in the night when the clocks go back, and not in the hour they skip', async () => {
  const runsFrom = async (startMs: number, days: number): Promise<readonly string[]> => {
    await using cluster = new TestCluster(loops, startMs)
    cluster.start()
    await cluster.client.create(cronJobs, newCron({ schedule: '30 2 * * *', timeZone: 'Europe/Berlin' }))
    await cluster.clock.run(days * 24 * 60 * minute)
    return cluster
      .all(jobs)
      .map(({ metadata }) => metadata.annotations!['batch.kubernetes.io/cronjob-scheduled-timestamp']!)
  }
  const spring = await runsFrom(Date.UTC(2026, 2, 27, 12), 3)
  assert.deepEqual(spring, ['2026-03-28T02:30:00+01:00', '2026-03-30T02:30:00+02:00'])
  const autumn = await runsFrom(Date.UTC(2026, 9, 24, 12), 1)
  assert.deepEqual(autumn, ['2026-10-25T02:30:00+02:00', '2026-10-25T02:30:00+01:00'])
})

test('a suspended cron job starts nothing; a schedule or a zone that nobody can read is told', async () => {
  for (const [spec, reason] of [
    [{ suspend: true }, undefined],
    [{ schedule: 'now and then' }, 'UnparseableSchedule'],
    [{ timeZone: 'Moon/Crater' }, 'UnknownTimeZone'],
  ] as const) {
    await using cluster = new TestCluster(loops)
    cluster.start()
    await cluster.client.create(cronJobs, newCron(spec))
    await cluster.clock.run(20 * minute)
    assert.deepEqual(names(cluster), [])
    assert.deepEqual(
      cluster.all(events).map((event) => event.reason),
      reason === undefined ? [] : [reason],
    )
  }
})

test('a job that was taken away by hand leaves the list of active ones', async () => {
  await using cluster = new TestCluster(loops)
  cluster.start()
  await cluster.client.create(cronJobs, newCron())
  await cluster.clock.run(6 * minute)
  await cluster.client.delete(jobs, cluster.all(jobs)[0]!.metadata)
  await cluster.clock.run(1000)
  assert.equal(cronIn(cluster).status!.active, undefined)
  assert.match(told(cluster, 'MissingJob')[0]!, /^Active job went missing: tick-\d+$/)
})

test('no kill starts a run twice or leaves one out', async () => {
  const story = async (cluster: TestCluster): Promise<void> => {
    for (let run = 0; run < 3; run += 1) {
      await cluster.clock.run(5 * minute)
      for (const job of cluster.all(jobs)) if (job.status === undefined) finish(cluster, job, 'Complete')
      await cluster.clock.run(1000)
    }
  }
  const kills = await killEverywhere(
    loops,
    async (cluster) => {
      await cluster.client.create(cronJobs, newCron({ successfulJobsHistoryLimit: 9 }))
      await story(cluster)
    },
    (cluster, kill) => {
      const runs = cluster.all(jobs).map(({ metadata }) => metadata.name)
      assert.equal(new Set(runs).size, runs.length)
      // After a kill the last missed run is made up for; all later ones come.
      assert.ok(runs.length >= 4 && runs.length <= 6, `killed after write ${kill}: ${runs.join(' ')}`)
      assert.equal(cronIn(cluster).status!.active, undefined, `killed after write ${kill}`)
    },
    {},
    story,
  )
  assert.ok(kills > 6, String(kills))
})
