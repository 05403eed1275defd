// Jobs on a cluster in memory.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { events, jobs, pods } from '@aksel/api/resources'
import type { Job } from '@aksel/api/types/batch-v1'
import type { Pod } from '@aksel/api/types/core-v1'
import { killEverywhere, TestCluster } from '../testing/cluster.ts'
import type { MakeLoops } from '../testing/cluster.ts'
import { newJob } from '../testing/objects.ts'
import { jobController } from './controller.ts'
import { indexOf } from './indexes.ts'
import { trackingFinalizer } from './pods.ts'

const loops: MakeLoops = (parts) => [jobController(parts)]

function jobIn(cluster: TestCluster, name = 'work'): Job {
  return cluster.client.peek(jobs, `shop/${name}`)!
}

function running(cluster: TestCluster): readonly Pod[] {
  return cluster.all(pods).filter(({ status }) => status?.phase === 'Running')
}

/** Runs until nothing happens, ending each running pod with the code that `codeOf` gives; undefined lets it run. */
async function run(cluster: TestCluster, codeOf: (pod: Pod) => number | undefined): Promise<void> {
  for (let quiet = 0, step = 0; quiet < 30; step += 1) {
    assert.ok(step < 2000, 'the job does not come to rest')
    const before = cluster.objects.revision
    await cluster.clock.run(1000)
    cluster.runPods()
    await cluster.clock.run(0)
    for (const pod of running(cluster)) {
      const code = pod.metadata.deletionTimestamp === undefined ? codeOf(pod) : undefined
      if (code !== undefined) cluster.finish(pod, code)
    }
    quiet = cluster.objects.revision === before ? quiet + 1 : 0
  }
}

function conditions(job: Job): readonly string[] {
  return (job.status?.conditions ?? []).map(({ type, status, reason }) => `${type} ${status} ${reason}`)
}

function eventsOf(cluster: TestCluster): readonly string[] {
  return cluster.all(events).map(({ reason, message }) => `${reason}: ${message}`)
}

test('a job runs as many pods at once as it may, counts each once, and is complete', async () => {
  await using cluster = new TestCluster(loops)
  cluster.start()
  await cluster.client.create(jobs, newJob('work', { completions: 5, parallelism: 2 }))
  let runningMax = 0
  await run(cluster, () => {
    runningMax = Math.max(runningMax, cluster.all(pods).filter(({ status }) => status?.phase !== 'Succeeded').length)
    return 0
  })
  const job = jobIn(cluster)
  assert.equal(runningMax, 2)
  assert.deepEqual(conditions(job), ['SuccessCriteriaMet True CompletionsReached', 'Complete True CompletionsReached'])
  const { succeeded, active, ready, terminating, uncountedTerminatedPods, completionTime } = job.status!
  assert.deepEqual([succeeded, active, ready, terminating, uncountedTerminatedPods], [5, undefined, 0, 0, {}])
  assert.ok(completionTime)
  assert.equal(cluster.all(pods).length, 5)
  assert.ok(cluster.all(pods).every(({ metadata }) => (metadata.finalizers ?? []).length === 0))
  assert.ok(eventsOf(cluster).includes('Completed: Job completed'))
})

test('an indexed job completes every index, whatever order they end in', async () => {
  await using cluster = new TestCluster(loops)
  cluster.start()
  await cluster.client.create(jobs, newJob('work', { completions: 4, parallelism: 3, completionMode: 'Indexed' }))
  let first = true
  await run(cluster, (pod) => {
    if (indexOf(pod) !== 1 || !first) return 0
    first = false
    return 1
  })
  const { status } = jobIn(cluster)
  assert.deepEqual([status!.completedIndexes, status!.succeeded, status!.failed], ['0-3', 4, 1])
  assert.ok(cluster.all(pods).every(({ metadata }) => /^work-[0-3]-/.test(metadata.name)))
})

test('a job gives up past its back-off limit, and takes its last pods away', async () => {
  await using cluster = new TestCluster(loops)
  cluster.start()
  await cluster.client.create(jobs, newJob('work', { completions: 2, parallelism: 2, backoffLimit: 2 }))
  let isFirst = true
  let stays: string | undefined
  await run(cluster, (pod) => {
    stays ??= pod.metadata.name
    if (pod.metadata.name === stays) return undefined
    const code = isFirst ? 3 : 4
    isFirst = false
    return code
  })
  const job = jobIn(cluster)
  assert.deepEqual(conditions(job), ['FailureTarget True BackoffLimitExceeded', 'Failed True BackoffLimitExceeded'])
  assert.equal(job.status!.failed, 4)
  assert.equal(running(cluster).length, 0)
  assert.equal(job.status!.completionTime, undefined)
  assert.ok(eventsOf(cluster).includes('BackoffLimitExceeded: Job has reached the specified backoff limit'))
})

test('a pod failure policy fails the job at once, and does not count what it ignores', async () => {
  await using cluster = new TestCluster(loops)
  cluster.start()
  const rules = [
    { action: 'Ignore', onExitCodes: { operator: 'In', values: [9] } },
    { action: 'FailJob', onExitCodes: { containerName: 'main', operator: 'In', values: [42] } },
  ]
  await cluster.client.create(jobs, newJob('work', { backoffLimit: 0, podFailurePolicy: { rules } }))
  const codes = [9, 9, 42]
  await run(cluster, () => codes.shift() ?? 0)
  const job = jobIn(cluster)
  assert.deepEqual(conditions(job), ['FailureTarget True PodFailurePolicy', 'Failed True PodFailurePolicy'])
  assert.equal(job.status!.failed, 1)
  assert.match(
    job.status!.conditions![1]!.message!,
    /^Container main for pod shop\/work-\w+ failed with exit code 42 matching FailJob rule at index 1$/,
  )
})

test('with a limit per index one index fails alone, and the job when the others are done', async () => {
  await using cluster = new TestCluster(loops)
  cluster.start()
  const spec = { completions: 3, parallelism: 3, completionMode: 'Indexed', backoffLimitPerIndex: 1 }
  await cluster.client.create(jobs, newJob('work', { ...spec, backoffLimit: 2147483647 }))
  await run(cluster, (pod) => (indexOf(pod) === 1 ? 5 : 0))
  const { status } = jobIn(cluster)
  assert.deepEqual([status!.failedIndexes, status!.completedIndexes, status!.failed], ['1', '0,2', 2])
  assert.equal(status!.conditions!.at(-1)!.reason, 'FailedIndexes')
})

test('a success policy ends a job early, and its other pods are taken away', async () => {
  await using cluster = new TestCluster(loops)
  cluster.start()
  const successPolicy = { rules: [{ succeededIndexes: '0' }] }
  await cluster.client.create(
    jobs,
    newJob('work', { completions: 3, parallelism: 3, completionMode: 'Indexed', successPolicy }),
  )
  await run(cluster, (pod) => (indexOf(pod) === 0 ? 0 : undefined))
  const job = jobIn(cluster)
  assert.deepEqual(conditions(job), ['SuccessCriteriaMet True SuccessPolicy', 'Complete True SuccessPolicy'])
  assert.deepEqual([job.status!.completedIndexes, job.status!.terminating], ['0', 0])
  assert.equal(running(cluster).length, 0)
})

test('a suspended job has no pods, and its clock begins anew when it goes on', async () => {
  await using cluster = new TestCluster(loops)
  cluster.start()
  await cluster.client.create(jobs, newJob('work', { suspend: true, activeDeadlineSeconds: 3600 }))
  await run(cluster, () => undefined)
  assert.deepEqual(conditions(jobIn(cluster)), ['Suspended True JobSuspended'])
  assert.equal(jobIn(cluster).status!.startTime, undefined)
  cluster.client.change(jobs, 'shop/work', (draft) => {
    draft.spec.suspend = false
  })
  await run(cluster, () => undefined)
  assert.deepEqual(conditions(jobIn(cluster)), ['Suspended False JobResumed'])
  assert.deepEqual([jobIn(cluster).status!.active, jobIn(cluster).status!.ready], [1, 1])
  cluster.client.change(jobs, 'shop/work', (draft) => {
    draft.spec.suspend = true
  })
  await run(cluster, () => undefined)
  assert.deepEqual([cluster.all(pods).length, jobIn(cluster).status!.active], [0, undefined])
  assert.ok(eventsOf(cluster).includes('Resumed: Job resumed'))
})

test('a job past its active deadline fails', async () => {
  await using cluster = new TestCluster(loops)
  cluster.start()
  await cluster.client.create(jobs, newJob('work', { activeDeadlineSeconds: 20 }))
  await run(cluster, () => undefined)
  assert.equal(jobIn(cluster).status!.conditions!.at(-1)!.reason, 'DeadlineExceeded')
  assert.equal(cluster.all(pods).length, 0)
})

test('a job that someone else manages is left alone', async () => {
  await using cluster = new TestCluster(loops)
  cluster.start()
  await cluster.client.create(jobs, newJob('work', { managedBy: 'kueue.x-k8s.io/multikueue' }))
  await run(cluster, () => 0)
  assert.deepEqual([cluster.all(pods).length, jobIn(cluster).status], [0, undefined])
})

test('pods of a job that is gone, and pods without a controller, are held by no finalizer', async () => {
  await using cluster = new TestCluster(loops)
  cluster.start()
  await cluster.client.create(jobs, newJob('work'))
  await run(cluster, () => undefined)
  await cluster.client.create(pods, {
    metadata: { name: 'stray', namespace: 'shop', finalizers: [trackingFinalizer] },
    spec: { containers: [] },
  })
  await cluster.client.delete(jobs, { namespace: 'shop', name: 'work' })
  await run(cluster, () => undefined)
  assert.equal(cluster.all(pods).length, 2)
  assert.ok(cluster.all(pods).every(({ metadata }) => (metadata.finalizers ?? []).length === 0))
})

test('a job takes up a pod that matches, and lets go of one that no longer does', async () => {
  await using cluster = new TestCluster(loops)
  cluster.start()
  await cluster.client.create(jobs, newJob('work', { parallelism: 2, completions: 4 }))
  await run(cluster, () => undefined)
  const [one] = cluster.all(pods)
  const key = `shop/${one!.metadata.name}`
  cluster.client.change(pods, key, (draft) => {
    draft.metadata.ownerReferences = []
  })
  await run(cluster, () => undefined)
  const adopted = cluster.client.peek(pods, key)!.metadata
  assert.deepEqual([adopted.ownerReferences![0]!.name, adopted.finalizers], ['work', [trackingFinalizer]])
  cluster.client.change(pods, key, (draft) => {
    draft.metadata.labels = {}
  })
  await run(cluster, () => undefined)
  const released = cluster.client.peek(pods, key)!.metadata
  assert.deepEqual([released.ownerReferences, released.finalizers ?? []], [undefined, []])
  assert.equal(running(cluster).length, 3)
})

test('no kill makes a job count a pod twice, run too many, or stay unfinished', async () => {
  let runningMax = 0
  const story = async (cluster: TestCluster): Promise<void> => {
    await run(cluster, (pod) => {
      const live = cluster.all(pods).filter(({ status }) => status?.phase === 'Running' || status?.phase === 'Pending')
      runningMax = Math.max(runningMax, live.length)
      return pod.metadata.name < 'work-5' ? 1 : 0
    })
  }
  const kills = await killEverywhere(
    loops,
    async (cluster) => {
      await cluster.client.create(jobs, newJob('work', { completions: 3, parallelism: 2, backoffLimit: 9 }))
      await story(cluster)
    },
    (cluster, kill) => {
      const { status } = jobIn(cluster)
      const ended = (phase: string): number => cluster.all(pods).filter((pod) => pod.status?.phase === phase).length
      assert.equal(status!.conditions!.at(-1)!.type, 'Complete', `killed after write ${kill}`)
      assert.deepEqual([status!.succeeded, status!.failed ?? 0], [ended('Succeeded'), ended('Failed')], `kill ${kill}`)
      assert.equal(status!.succeeded, 3, `killed after write ${kill}`)
    },
    {},
    story,
  )
  assert.ok(kills > 12, String(kills))
  assert.equal(runningMax, 2)
})
