// Jobs whose pods are real containers, since their exit codes depend on their index.

import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import type { V1Job, V1JobSpec, V1Pod } from '@kubernetes/client-node'
import { busybox, conformanceCluster } from '../cluster.ts'
import type { ConformanceCluster } from '../cluster.ts'
import { Collection } from './collection.ts'

const deadline = { timeout: 120_000 }
const indexKey = 'batch.kubernetes.io/job-completion-index'
const byJob = (name: string): string => `batch.kubernetes.io/job-name=${name}`

/** Fails on odd indexes, succeeds on even ones. */
const failsOdd = 'exit $(( JOB_COMPLETION_INDEX % 2 ))'

function newJob(name: string, script: string, spec: Partial<V1JobSpec>): V1Job {
  const container = {
    name: 'c',
    image: busybox,
    command: ['sh', '-c', script],
    resources: { requests: { cpu: '1m', memory: '4Mi' } },
  }
  return {
    metadata: { name },
    spec: {
      parallelism: 2,
      completions: 4,
      backoffLimit: 6,
      ...spec,
      template: {
        spec: {
          restartPolicy: 'Never',
          terminationGracePeriodSeconds: 1,
          containers: [container],
        },
      },
    },
  } as V1Job
}

function conditionOf(
  { status }: V1Job,
  type: string,
): { readonly reason?: string; readonly message?: string } | undefined {
  return status?.conditions?.find((condition) => condition.type === type && condition.status === 'True')
}

void suite('jobs', () => {
  let cluster: ConformanceCluster

  before(async () => {
    cluster = await conformanceCluster({ nodes: 'real', count: 2 })
  })
  after(() => cluster[Symbol.asyncDispose]())

  async function place(): Promise<{ readonly jobs: Collection<V1Job>; readonly pods: Collection<V1Pod> }> {
    const namespace = await cluster.namespace('job')
    return {
      jobs: new Collection<V1Job>(cluster.config, `/apis/batch/v1/namespaces/${namespace}/jobs`),
      pods: new Collection<V1Pod>(cluster.config, `/api/v1/namespaces/${namespace}/pods`),
    }
  }

  const complete = (jobs: Collection<V1Job>, name: string): Promise<V1Job> =>
    jobs.until(name, (job) => conditionOf(job, 'Complete') !== undefined)
  const failed = (jobs: Collection<V1Job>, name: string): Promise<V1Job> =>
    jobs.until(name, (job) => conditionOf(job, 'Failed') !== undefined)

  void test(
    '[sig-apps] Job should create pods for an Indexed job with completion indexes and specified hostname [Conformance]',
    deadline,
    async () => {
      const { jobs, pods } = await place()
      await jobs.create(newJob('indexed', 'exit 0', { completionMode: 'Indexed' }))
      const job = await complete(jobs, 'indexed')
      assert.deepEqual([job.status!.completedIndexes, job.status!.succeeded], ['0-3', 4])
      const made = (await pods.list(byJob('indexed'))).filter(({ status }) => status?.phase === 'Succeeded')
      assert.deepEqual(
        made
          .map(({ metadata }) => metadata!.annotations![indexKey])
          .toSorted((left, right) => Number(left) - Number(right)),
        ['0', '1', '2', '3'],
      )
      for (const { metadata, spec } of made) assert.equal(spec!.hostname, `indexed-${metadata!.annotations![indexKey]}`)
    },
  )

  void test('[sig-apps] Job should delete a job [Conformance]', deadline, async () => {
    const { jobs, pods } = await place()
    await jobs.create(newJob('stays', 'exec sleep 600', {}))
    await pods.untilAll(byJob('stays'), (all) => all.filter(({ status }) => status?.phase === 'Running').length === 2)
    await jobs.delete('stays', { propagationPolicy: 'Foreground' })
    await jobs.gone('stays')
    assert.equal((await jobs.call('GET', '/stays')).code, 404)
    assert.equal((await pods.list(byJob('stays'))).length, 0)
  })

  void test(
    '[sig-apps] Job should adopt matching orphans and release non-matching pods [Conformance]',
    deadline,
    async () => {
      const { jobs, pods } = await place()
      await jobs.create(newJob('keeper', 'exec sleep 600', {}))
      const [pod] = await pods.untilAll(
        byJob('keeper'),
        (all) => all.filter(({ status }) => status?.phase === 'Running').length === 2,
      )
      const { name } = pod!.metadata!
      const { uid } = (await jobs.get('keeper')).metadata!
      await pods.merge(name!, { metadata: { ownerReferences: null } })
      await pods.until(name!, ({ metadata }) => metadata?.ownerReferences?.some((owner) => owner.uid === uid) === true)
      await pods.merge(name!, { metadata: { labels: null } })
      await pods.until(name!, ({ metadata }) => (metadata?.ownerReferences ?? []).length === 0)
      await pods.delete(name!)
    },
  )

  void test(
    '[sig-apps] Job should run a job to completion when tasks sometimes fail and are locally restarted [Conformance]',
    deadline,
    async () => {
      const { jobs, pods } = await place()
      // Each container fails once: what it wrote is there when it starts again.
      const script = 'if [ -f /data/tried ]; then exit 0; fi; touch /data/tried; exit 1'
      const job = newJob('again', script, {})
      const { spec } = job.spec!.template
      spec!.restartPolicy = 'OnFailure'
      spec!.volumes = [{ name: 'data', emptyDir: {} }]
      spec!.containers[0]!.volumeMounts = [{ name: 'data', mountPath: '/data' }]
      await jobs.create(job)
      await complete(jobs, 'again')
      const made = await pods.list(byJob('again'))
      assert.equal(made.length, 4)
      for (const { status } of made) {
        assert.equal(status!.phase, 'Succeeded')
        assert.equal(status!.containerStatuses![0]!.restartCount, 1)
      }
    },
  )

  void test(
    '[sig-apps] Job should execute all indexes despite some failing when using backoffLimitPerIndex [Conformance]',
    deadline,
    async () => {
      const { jobs, pods } = await place()
      await jobs.create(newJob('each', failsOdd, { completionMode: 'Indexed', backoffLimitPerIndex: 1 }))
      const job = await failed(jobs, 'each')
      assert.equal(conditionOf(job, 'Failed')!.reason, 'FailedIndexes')
      const { failedIndexes, completedIndexes, failed: failures, succeeded } = job.status!
      assert.deepEqual([failedIndexes, completedIndexes, failures, succeeded], ['1,3', '0,2', 4, 2])
      const counts = (await pods.list(byJob('each')))
        .filter(({ status }) => status?.phase === 'Failed')
        .map(({ metadata }) => metadata!.annotations!['batch.kubernetes.io/job-index-failure-count'])
      assert.deepEqual(
        counts.toSorted((left, right) => Number(left) - Number(right)),
        ['0', '0', '1', '1'],
      )
    },
  )

  void test(
    '[sig-apps] Job should terminate job execution when the number of failed indexes exceeds maxFailedIndexes [Conformance]',
    deadline,
    async () => {
      const { jobs } = await place()
      const limits = { completionMode: 'Indexed', backoffLimitPerIndex: 0, maxFailedIndexes: 0 }
      await jobs.create(newJob('few', failsOdd, { ...limits, completions: 10 }))
      const job = await failed(jobs, 'few')
      assert.equal(conditionOf(job, 'Failed')!.reason, 'MaxFailedIndexesExceeded')
      assert.equal(conditionOf(job, 'FailureTarget')!.reason, 'MaxFailedIndexesExceeded')
      assert.ok(job.status!.failed! >= 1)
    },
  )

  void test(
    '[sig-apps] Job should mark indexes as failed when the FailIndex action is matched in podFailurePolicy [Conformance]',
    deadline,
    async () => {
      const { jobs } = await place()
      const rules = [{ action: 'FailIndex', onExitCodes: { operator: 'In', values: [1] } }]
      await jobs.create(
        newJob('marked', failsOdd, {
          completionMode: 'Indexed',
          completions: 2,
          backoffLimitPerIndex: 1,
          podFailurePolicy: { rules },
        }),
      )
      const job = await failed(jobs, 'marked')
      assert.equal(conditionOf(job, 'Failed')!.reason, 'FailedIndexes')
      const { failedIndexes, completedIndexes, failed: failures, succeeded } = job.status!
      assert.deepEqual([failedIndexes, completedIndexes, failures, succeeded], ['1', '0', 1, 1])
    },
  )

  void test(
    '[sig-apps] Job should allow to use the pod failure policy on exit code to fail the job early [Conformance]',
    deadline,
    async () => {
      const { jobs } = await place()
      const rules = [{ action: 'FailJob', onExitCodes: { operator: 'In', values: [1] } }]
      await jobs.create(newJob('early', 'exit 1', { podFailurePolicy: { rules } }))
      const job = await failed(jobs, 'early')
      assert.equal(conditionOf(job, 'Failed')!.reason, 'PodFailurePolicy')
      assert.match(conditionOf(job, 'Failed')!.message!, /failed with exit code 1 matching FailJob rule at index 0$/)
      await jobs.until('early', ({ status }) => (status?.terminating ?? 0) === 0 && (status?.active ?? 0) === 0)
    },
  )

  void test(
    '[sig-apps] Job should allow to use a pod failure policy to ignore failure matching on DisruptionTarget condition [Conformance]',
    deadline,
    async () => {
      const { jobs, pods } = await place()
      const namespace = jobs.path.split('/')[5]!
      const rules = [{ action: 'Ignore', onPodConditions: [{ type: 'DisruptionTarget', status: 'True' }] }]
      // With no failure allowed an evicted pod would fail the job, were it counted. Only a pod that starts after the sign is
      // given ends by itself.
      const script = 'trap "exit 143" TERM; [ -n "$GO" ] && exit 0; sleep 600 & wait'
      const spec = { completions: 1, parallelism: 1, backoffLimit: 0, podFailurePolicy: { rules } }
      const job = newJob('spared', script, spec)
      job.spec!.template.spec!.containers[0]!.env = [
        { name: 'GO', valueFrom: { configMapKeyRef: { name: 'sign', key: 'go', optional: true } } },
      ]
      await jobs.create(job)
      const [pod] = await pods.untilAll(byJob('spared'), (all) => all.some(({ status }) => status?.phase === 'Running'))
      const { name } = pod!.metadata!
      await cluster.core.createNamespacedConfigMap({
        namespace,
        body: { metadata: { name: 'sign' }, data: { go: '1' } },
      })
      const eviction = { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name } }
      assert.equal((await pods.call('POST', `/${name}/eviction`, eviction)).code, 201)
      await pods.gone(name!)
      const done = await complete(jobs, 'spared')
      assert.deepEqual([done.status!.failed ?? 0, done.status!.succeeded], [0, 1])
    },
  )

  /** With `endless` only index 0 ends by itself. */
  async function winsBy(rule: object, completions: number, endless: boolean): Promise<V1Job> {
    const { jobs, pods } = await place()
    const script = endless ? '[ $JOB_COMPLETION_INDEX = 0 ] || exec sleep 600' : 'exit 0'
    const successPolicy = { rules: [rule] }
    await jobs.create(newJob('wins', script, { completionMode: 'Indexed', completions, successPolicy }))
    await jobs.until('wins', (job) => conditionOf(job, 'SuccessCriteriaMet')?.reason === 'SuccessPolicy')
    const job = await complete(jobs, 'wins')
    assert.equal(conditionOf(job, 'Complete')!.reason, 'SuccessPolicy')
    assert.deepEqual([job.status!.active ?? 0, job.status!.terminating ?? 0], [0, 0])
    await pods.untilAll(byJob('wins'), (all) => all.every(({ status }) => status?.phase !== 'Running'))
    return job
  }

  void test(
    '[sig-apps] Job with successPolicy should succeeded when all indexes succeeded [Conformance]',
    deadline,
    async () => {
      const job = await winsBy({ succeededIndexes: '0-1' }, 2, false)
      assert.deepEqual([job.status!.completedIndexes, job.status!.succeeded], ['0,1', 2])
    },
  )

  void test(
    '[sig-apps] Job with successPolicy succeededIndexes rule should succeeded even when some indexes remain pending [Conformance]',
    deadline,
    async () => {
      const job = await winsBy({ succeededIndexes: '0' }, 5, true)
      assert.deepEqual([job.status!.completedIndexes, job.status!.succeeded], ['0', 1])
    },
  )

  void test(
    '[sig-apps] Job with successPolicy succeededCount rule should succeeded even when some indexes remain pending [Conformance]',
    deadline,
    async () => {
      const job = await winsBy({ succeededCount: 1 }, 5, true)
      assert.deepEqual([job.status!.completedIndexes, job.status!.succeeded], ['0', 1])
    },
  )
})
