// Lives of workloads as clients see them, and what the minutes bring to cron jobs: nodes are simulated.

import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { agnhost, conformanceCluster, pause, type ConformanceCluster } from '../cluster.ts'
import { isDiscovered, labelled, Objects, supportsOperations, type AnyObject } from '../objects.ts'
import { fresh } from '../pods.ts'
import { watched } from '../watched.ts'

const deadline = { timeout: 240_000 }
/** A schedule fires at the next minute, so twice within two. */
const twoMinutesMs = 150_000

void suite('lives of workloads', { concurrency: 12 }, () => {
  let cluster: ConformanceCluster

  before(async () => {
    cluster = await conformanceCluster({ nodes: 'simulated', count: 2 })
  })
  after(() => cluster[Symbol.asyncDispose]())

  const core = (resource: string, namespace?: string): Objects => new Objects(cluster, 'v1', resource, namespace)
  const apps = (resource: string, namespace?: string): Objects => new Objects(cluster, 'apps/v1', resource, namespace)
  const batch = (resource: string, namespace?: string): Objects => new Objects(cluster, 'batch/v1', resource, namespace)

  const template = (labels: object, image = pause): object => ({
    metadata: { labels },
    spec: { terminationGracePeriodSeconds: 1, containers: [{ name: 'app', image }] },
  })

  void test(
    '[sig-apps] ReplicationController should test the lifecycle of a ReplicationController [Conformance]',
    deadline,
    async () => {
      const counts = ({ status }: AnyObject): string => `${status?.readyReplicas ?? 0}/${status?.replicas ?? 0}`
      const namespace = await cluster.namespace('replication-controller')
      const controllers = core('replicationcontrollers', namespace)
      const name = 'rc-test'
      const labels = { 'test-rc-static': 'true' }
      const query = { labelSelector: 'test-rc-static=true' }
      const { metadata } = await controllers.list(query)
      using watch = await controllers.watch({ ...query, resourceVersion: metadata.resourceVersion })
      await controllers.create({
        metadata: { name, labels },
        spec: { replicas: 1, selector: labels, template: template(labels) },
      })
      await watch.until(({ type }) => type === 'ADDED')
      await watch.until(({ object }) => counts(object) === '1/1')

      const patched = await controllers.patch(name, { metadata: { labels: { 'test-rc': 'patched' } } }, 'strategic')
      assert.equal(patched.metadata.labels?.['test-rc'], 'patched')
      await watch.until(({ type, object }) => type === 'MODIFIED' && object.metadata.labels?.['test-rc'] === 'patched')

      const none = { status: { readyReplicas: 0, availableReplicas: 0 } }
      const emptied = await controllers.patch(name, none, 'strategic', 'status')
      assert.equal(emptied['status'].readyReplicas ?? 0, 0)
      await watch.until(({ type, object }) => type === 'MODIFIED' && object['status'].replicas === 1)
      assert.equal((await controllers.get(name, 'status'))['status'].replicas, 1)

      await controllers.patch(name, { spec: { replicas: 2 } }, 'strategic', 'scale')
      await watch.until(({ type }) => type === 'MODIFIED')
      await watch.until(({ object }) => counts(object) === '2/2')
      assert.equal((await controllers.get(name)).metadata.labels?.['test-rc'], 'patched')

      const write = (each: AnyObject): object => ({
        ...each,
        status: { ...each['status'], availableReplicas: 1, readyReplicas: 1 },
      })
      const written = await controllers.update(name, write, 'status')
      await watch.until(({ object }) => object.metadata.resourceVersion === written.metadata.resourceVersion)
      const { items } = await core('replicationcontrollers').list(query)
      const found = items.find((each) => each.metadata.name === name && each.metadata.namespace === namespace)
      assert.deepEqual(found?.metadata.labels, { 'test-rc-static': 'true', 'test-rc': 'patched' })
      await controllers.deleteCollection(query)
      await watch.until(({ type }) => type === 'DELETED')
    },
  )

  void test('[sig-apps] Deployment should run the lifecycle of a Deployment [Conformance]', deadline, async () => {
    const namespace = await cluster.namespace('deployment')
    const deployments = apps('deployments', namespace)
    const name = 'test-deployment'
    const labels = { 'test-deployment-static': 'true' }
    const query = { labelSelector: 'test-deployment-static=true' }
    const httpd = 'registry.k8s.io/e2e-test-images/httpd:2.4.38-4'
    const { metadata } = await apps('deployments').list(query)
    using watch = await deployments.watch({ ...query, resourceVersion: metadata.resourceVersion })
    const imageOf = ({ spec }: AnyObject): string => spec.template.spec.containers[0].image
    const rolled = async (replicas: number, image: string): Promise<AnyObject> => {
      const isRolled = (object: AnyObject): boolean =>
        object['status']?.readyReplicas === replicas &&
        object['status'].updatedReplicas === replicas &&
        (object['status'].unavailableReplicas ?? 0) === 0 &&
        imageOf(object) === image
      return (await watch.until(({ object }) => isRolled(object))).at(-1)!.object
    }

    const wanted = {
      metadata: { name, labels },
      spec: { replicas: 2, selector: { matchLabels: labels }, template: template(labels, agnhost) },
    }
    await deployments.create(wanted)
    await watch.until(({ type, object }) => type === 'ADDED' && object.metadata.name === name)
    await rolled(2, agnhost)
    const container = { name: 'app', image: pause }
    await deployments.patch(
      name,
      {
        metadata: { labels: { 'test-deployment': 'patched' } },
        spec: {
          replicas: 1,
          template: { spec: { terminationGracePeriodSeconds: 2, containers: [container] } },
        },
      },
      'strategic',
    )
    await watch.until(({ type }) => type === 'MODIFIED')
    assert.equal((await rolled(1, pause))['spec'].template.spec.terminationGracePeriodSeconds, 2)
    const { items } = await apps('deployments').list(query)
    assert.ok(items.some((each) => each.metadata.name === name && each.metadata.namespace === namespace))

    // A replacement that names no version.
    const update = {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name, labels: { ...labels, 'test-deployment': 'updated' } },
      spec: { ...wanted.spec, template: template(labels, httpd) },
    }
    await deployments.replace(update as unknown as AnyObject)
    await watch.until(({ type }) => type === 'MODIFIED')
    const isUpdated = async (): Promise<void> => {
      const status = await deployments.get(name, 'status')
      assert.equal(imageOf(status), httpd)
      assert.equal(status.metadata.labels?.['test-deployment'], 'updated')
    }
    await isUpdated()
    await rolled(2, httpd)
    const none = { status: { readyReplicas: 0, availableReplicas: 0 } }
    await deployments.patch(name, none, 'strategic', 'status')
    await watch.until(
      ({ type, object }) =>
        type === 'MODIFIED' &&
        (object['status'].readyReplicas ?? 0) === 0 &&
        (object['status'].availableReplicas ?? 0) === 0,
    )
    await isUpdated()
    await rolled(2, httpd)
    await deployments.deleteCollection({ ...query, gracePeriodSeconds: '1' })
    await watch.until(({ type, object }) => type === 'DELETED' && object.metadata.name === name)
  })

  void test(
    '[sig-apps] ControllerRevision [Serial] should manage the lifecycle of a ControllerRevision [Conformance]',
    deadline,
    async () => {
      const namespace = await cluster.namespace('controller-revisions')
      const name = fresh('e2e-daemon-set')
      const labels = { 'daemonset-name': name }
      const query = { labelSelector: `daemonset-name=${name}` }
      const sets = apps('daemonsets', namespace)
      const revisions = apps('controllerrevisions', namespace)
      await sets.create({
        metadata: { name, labels },
        spec: { selector: { matchLabels: labels }, template: template(labels, agnhost) },
      })
      const isEverywhere = ({ status }: AnyObject): boolean =>
        status?.numberReady === 2 && status.desiredNumberScheduled === 2 && status.currentNumberScheduled === 2
      await sets.listed(query, ([set]) => set !== undefined && isEverywhere(set))
      const { items: found } = await apps('daemonsets').list(query)
      assert.equal(found.length, 1)
      const [set] = found
      const first = (await apps('controllerrevisions').list(query)).items
      assert.equal(first.length, 1)
      const initial = await revisions.get(first[0]!.metadata.name)
      const [owner] = initial.metadata['ownerReferences'] as readonly { kind: string; uid: string }[]
      assert.deepEqual([owner!.kind, owner!.uid], ['DaemonSet', set!.metadata.uid])

      const own = initial.metadata.name
      const patched = await revisions.patch(own, { metadata: { labels: { [own]: 'patched' } } }, 'strategic')
      assert.equal(patched.metadata.labels?.[own], 'patched')
      const hash = '5f7b9c8d6'
      await revisions.create({
        metadata: {
          name: `${name}-${hash}`,
          labels: { ...labels, 'controller-revision-hash': hash },
          ownerReferences: initial.metadata['ownerReferences'],
        },
        data: initial['data'],
        revision: initial['revision'] + 1,
      })
      await revisions.listed(query, (items) => items.length === 2)
      await revisions.delete(own)
      const { items: left } = await revisions.listed(query, (items) => items.length === 1)
      const current = left[0]!.metadata.name
      const updated = await revisions.update(current, (each) => ({
        ...each,
        metadata: labelled(each, { [current]: 'updated' }),
      }))
      assert.equal(updated.metadata.labels?.[current], 'updated')

      await sets.patch(name, { spec: { template: { spec: { terminationGracePeriodSeconds: 2 } } } }, 'strategic')
      await revisions.listed(query, (items) => items.length === 2)
      await revisions.deleteCollection({ labelSelector: `${current}=updated` })
      const { items: last } = await revisions.listed(query, (items) => items.length === 1)
      assert.equal(last[0]!['revision'], 3)
    },
  )

  const jobTemplate = (runSeconds: number): object => ({
    metadata: { annotations: { 'aksel.dev/simulated-stages': JSON.stringify({ runSeconds }) } },
    spec: { restartPolicy: 'Never', terminationGracePeriodSeconds: 1, containers: [{ name: 'c', image: pause }] },
  })
  const jobSpec = (runSeconds: number): object => ({
    parallelism: 2,
    completions: 4,
    backoffLimit: 6,
    template: jobTemplate(runSeconds),
  })
  interface Condition {
    readonly type: string
    readonly status: string
    readonly reason?: string
    readonly lastTransitionTime: string
  }

  void test('[sig-apps] Job should apply changes to a job status [Conformance]', deadline, async () => {
    const namespace = await cluster.namespace('job')
    const jobs = batch('jobs', namespace)
    const name = 'suspend-false-to-true'
    const created = await jobs.create({ metadata: { name }, spec: jobSpec(3_000) })
    await core('pods', namespace).listed(
      { labelSelector: `batch.kubernetes.io/job-name=${name}` },
      (pods) => pods.filter(({ status }) => status.phase === 'Running').length === 2,
    )
    const type = 'CustomConditionType'
    const custom = ({ status }: AnyObject): Condition | undefined =>
      status.conditions?.find((each: Condition) => each.type === type)
    const times = ['2026-01-02T03:04:05Z', '2026-01-02T03:04:06Z']
    const condition = { type, status: 'True', lastTransitionTime: times[0] }
    const patch = { metadata: { annotations: { patchedstatus: 'true' } }, status: { conditions: [condition] } }
    const patched = await jobs.patch(name, patch, 'merge', 'status')
    assert.equal(custom(patched)?.lastTransitionTime, times[0])
    assert.equal(patched.metadata.annotations?.['patchedstatus'], 'true')
    const later = (each: AnyObject): object => {
      assert.ok(custom(each) !== undefined)
      const conditions = each['status'].conditions.map((one: Condition) =>
        one.type === type ? { ...one, lastTransitionTime: times[1] } : one,
      )
      return { ...each, status: { ...each['status'], conditions } }
    }
    assert.equal(custom(await jobs.update(name, later, 'status'))?.lastTransitionTime, times[1])
    assert.equal((await jobs.get(name, 'status')).metadata.uid, created.metadata.uid)
  })

  void test('[sig-apps] Job should manage the lifecycle of a job [Conformance]', deadline, async () => {
    const jobs = batch('jobs', await cluster.namespace('job'))
    const name = fresh('e2e-job')
    const query = { labelSelector: `e2e-job-label=${name}` }
    const { metadata } = await jobs.list(query)
    using watch = await jobs.watch({ ...query, resourceVersion: metadata.resourceVersion })
    const labels = { 'e2e-job-label': name }
    const created = await jobs.create({ metadata: { name, labels }, spec: { ...jobSpec(0), suspend: true } })
    const patched = await jobs.patch(name, { metadata: { labels: { [name]: 'patched' } } }, 'strategic')
    assert.ok(BigInt(patched.metadata.resourceVersion) > BigInt(created.metadata.resourceVersion))
    assert.equal(patched.metadata.labels?.[name], 'patched')
    await watch.until(({ type, object }) => type === 'MODIFIED' && object.metadata.labels?.[name] === 'patched')
    const updated = await jobs.update(name, (each) => ({
      ...each,
      metadata: { ...each.metadata, annotations: { ...each.metadata.annotations, updated: 'true' } },
      spec: { ...each['spec'], suspend: false },
    }))
    assert.equal(updated.metadata.annotations?.['updated'], 'true')
    await watch.until(({ type, object }) => type === 'MODIFIED' && object.metadata.annotations?.['updated'] === 'true')
    assert.equal((await batch('jobs').list(query)).items.length, 1)
    const isComplete = ({ status }: AnyObject): boolean =>
      status?.succeeded === 4 &&
      status.conditions?.some(
        ({ type, status: state, reason }: Condition) =>
          type === 'Complete' && state === 'True' && reason === 'CompletionsReached',
      )
    await watch.until(({ object }) => isComplete(object))
    await jobs.deleteCollection({ ...query, propagationPolicy: 'Background' })
    await watch.until(({ type, object }) => type === 'DELETED' && object.metadata.labels?.['e2e-job-label'] === name)
    assert.equal((await batch('jobs').list(query)).items.length, 0)
  })

  const cronJob = (schedule: string, concurrencyPolicy: string, runSeconds = 300): { readonly spec: object } => ({
    spec: {
      schedule,
      concurrencyPolicy,
      jobTemplate: { spec: { ...jobSpec(runSeconds), completions: 1, parallelism: 1 } },
    },
  })

  void test('[sig-apps] CronJob should support CronJob API operations [Conformance]', deadline, async () => {
    const namespace = await cluster.namespace('cron-job')
    const objects = batch('cronjobs', namespace)
    await isDiscovered(objects)
    const value = fresh('cron')
    await supportsOperations({
      objects,
      everywhere: batch('cronjobs'),
      template: {
        ...cronJob('* */1 * * ?', 'Allow', 0),
        metadata: { generateName: 'test-api-', labels: { 'special-label': value } },
      },
      query: { labelSelector: `special-label=${value}` },
      async beforeDelete({ metadata: { name, uid } }) {
        const times = ['2026-01-02T03:04:05Z', '2026-01-02T03:04:06Z']
        const patch = { metadata: { annotations: { patchedstatus: 'true' } }, status: { lastScheduleTime: times[0] } }
        const patched = await objects.patch(name, patch, 'merge', 'status')
        assert.equal(patched['status'].lastScheduleTime, times[0])
        assert.equal(patched.metadata.annotations?.['patchedstatus'], 'true')
        const later = (each: AnyObject): object => ({
          ...each,
          status: { ...each['status'], lastScheduleTime: times[1] },
        })
        assert.equal((await objects.update(name, later, 'status'))['status'].lastScheduleTime, times[1])
        assert.equal((await objects.get(name, 'status')).metadata.uid, uid)
      },
    })
  })

  interface Cron {
    readonly jobs: Objects
    /** The schedule counts so many jobs as active. */
    hasActive(count: number): Promise<void>
    active(): Promise<number>
    remove(): Promise<unknown>
  }

  /** A cron job of every minute in a namespace of its own. */
  async function everyMinute(name: string, policy: string, more: object = {}): Promise<Cron> {
    const namespace = await cluster.namespace('cron-job')
    const crons = batch('cronjobs', namespace)
    const wanted = cronJob('*/1 * * * ?', policy)
    await crons.create({ metadata: { name }, spec: { ...wanted.spec, ...more } })
    return {
      jobs: batch('jobs', namespace),
      async hasActive(count) {
        const isWanted = (object?: AnyObject): boolean => (object?.['status']?.active?.length ?? 0) >= count
        await watched<AnyObject>(cluster.config, { path: crons.path, name, isWanted, waitMs: twoMinutesMs })
      },
      active: async () => (await crons.get(name))['status'].active?.length ?? 0,
      remove: () => crons.delete(name),
    }
  }
  const running = async ({ jobs }: Cron): Promise<readonly AnyObject[]> =>
    (await jobs.list()).items.filter(
      ({ status }) =>
        status?.conditions?.some(
          ({ type, status: state }: Condition) => ['Complete', 'Failed'].includes(type) && state === 'True',
        ) !== true,
    )

  void test('[sig-apps] CronJob should schedule multiple jobs concurrently [Conformance]', deadline, async () => {
    const cron = await everyMinute('concurrent', 'Allow')
    await cron.hasActive(2)
    assert.ok((await running(cron)).length >= 2)
    await cron.remove()
  })

  void test(
    '[sig-apps] CronJob should not schedule new jobs when ForbidConcurrent [Slow] [Conformance]',
    deadline,
    async () => {
      const [cron, clock] = await Promise.all([everyMinute('forbid', 'Forbid'), everyMinute('clock', 'Allow')])
      await cron.hasActive(1)
      assert.equal(await cron.active(), 1)
      assert.equal((await running(cron)).length, 1)
      // The next minute has come, as one shows that forbids nothing.
      await clock.hasActive(2)
      assert.equal(await cron.active(), 1)
      assert.equal((await cron.jobs.list()).items.length, 1)
      await cron.remove()
    },
  )

  void test('[sig-apps] CronJob should not schedule jobs when suspended [Slow] [Conformance]', deadline, async () => {
    const [cron, clock] = await Promise.all([
      everyMinute('suspended', 'Allow', { suspend: true }),
      everyMinute('clock', 'Allow'),
    ])
    await clock.hasActive(2)
    assert.equal(await cron.active(), 0)
    assert.equal((await cron.jobs.list()).items.length, 0)
    await cron.remove()
  })

  void test('[sig-apps] CronJob should replace jobs when ReplaceConcurrent [Conformance]', deadline, async () => {
    const cron = await everyMinute('replace', 'Replace')
    await cron.hasActive(1)
    assert.equal(await cron.active(), 1)
    const first = await running(cron)
    assert.equal(first.length, 1)
    const isReplaced = (items: readonly AnyObject[]): boolean =>
      items.length === 1 && items[0]!.metadata.name !== first[0]!.metadata.name
    await cron.jobs.listed({}, isReplaced, twoMinutesMs)
    await cron.remove()
  })
})
