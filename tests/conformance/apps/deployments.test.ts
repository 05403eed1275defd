// Deployments and stateful sets on simulated nodes: what counts is which pods there are, and when.

import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import type { V1Deployment, V1Pod, V1PodTemplateSpec, V1ReplicaSet, V1StatefulSet } from '@kubernetes/client-node'
import { conformanceCluster, pause } from '../cluster.ts'
import type { ConformanceCluster } from '../cluster.ts'
import { Collection } from './collection.ts'

const deadline = { timeout: 120_000 }
const revisionKey = 'deployment.kubernetes.io/revision'
const otherImage = 'registry.k8s.io/e2e-test-images/agnhost:2.53'
const stagesKey = 'aksel.dev/simulated-stages'

function templateOf(app: string, image = pause): V1PodTemplateSpec {
  return {
    metadata: { labels: { app } },
    spec: { terminationGracePeriodSeconds: 1, containers: [{ name: 'app', image }] },
  }
}

function imageOf({ spec }: V1Pod): string {
  return spec!.containers[0]!.image!
}

function isReady({ metadata, status }: V1Pod): boolean {
  const ready = status?.conditions?.some((each) => each.type === 'Ready' && each.status === 'True') === true
  return ready && metadata?.deletionTimestamp === undefined
}

void suite('deployments and stateful sets', () => {
  let cluster: ConformanceCluster

  before(async () => {
    cluster = await conformanceCluster({ nodes: 'simulated', count: 3 })
  })
  after(() => cluster[Symbol.asyncDispose]())

  interface Place {
    readonly deployments: Collection<V1Deployment>
    readonly sets: Collection<V1ReplicaSet>
    readonly statefulSets: Collection<V1StatefulSet>
    readonly pods: Collection<V1Pod>
  }

  async function place(): Promise<Place> {
    const namespace = await cluster.namespace('deployment')
    const apps = `/apis/apps/v1/namespaces/${namespace}`
    await cluster.core.createNamespacedService({
      namespace,
      body: { metadata: { name: 'test' }, spec: { clusterIP: 'None', selector: { app: 'ss' }, ports: [{ port: 80 }] } },
    })
    return {
      deployments: new Collection<V1Deployment>(cluster.config, `${apps}/deployments`),
      sets: new Collection<V1ReplicaSet>(cluster.config, `${apps}/replicasets`),
      statefulSets: new Collection<V1StatefulSet>(cluster.config, `${apps}/statefulsets`),
      pods: new Collection<V1Pod>(cluster.config, `/api/v1/namespaces/${namespace}/pods`),
    }
  }

  const deployment = (
    name: string,
    replicas: number,
    more: Partial<V1Deployment['spec'] & object> = {},
  ): V1Deployment => ({
    metadata: { name, labels: { app: name } },
    spec: { replicas, selector: { matchLabels: { app: name } }, template: templateOf(name), ...more },
  })
  const replicaSet = (name: string, app: string, replicas: number): V1ReplicaSet => ({
    metadata: { name, labels: { app } },
    spec: { replicas, selector: { matchLabels: { app } }, template: templateOf(app, otherImage) },
  })
  const isComplete = ({ metadata, spec, status }: V1Deployment): boolean =>
    status?.observedGeneration === metadata?.generation &&
    status?.updatedReplicas === spec?.replicas &&
    status?.replicas === spec?.replicas &&
    status?.availableReplicas === spec?.replicas

  void test(
    '[sig-apps] Deployment RollingUpdateDeployment should delete old pods and create new ones [Conformance]',
    deadline,
    async () => {
      const { deployments, sets, pods } = await place()
      const old = replicaSet('adopted', 'rolling', 1)
      old.metadata!.annotations = { [revisionKey]: '3546343826724305832' }
      await sets.create(old)
      await sets.until('adopted', ({ status }) => status?.readyReplicas === 1)
      await deployments.create(deployment('rolling', 1))
      const done = await deployments.until('rolling', isComplete)
      assert.equal(done.metadata!.annotations![revisionKey], '3546343826724305833')
      await pods.untilAll('app=rolling', (now) => now.length === 1 && imageOf(now[0]!) === pause)
      const all = await sets.list('app=rolling')
      const kept = all.find(({ metadata }) => metadata!.name === 'adopted')!
      assert.deepEqual([all.length, kept.spec!.replicas], [2, 0])
      assert.equal(kept.metadata!.ownerReferences![0]!.uid, done.metadata!.uid)
    },
  )

  void test(
    '[sig-apps] Deployment RecreateDeployment should delete old pods and create new ones [Conformance]',
    deadline,
    async () => {
      const { deployments, pods } = await place()
      const first = deployment('recreated', 1, {
        strategy: { type: 'Recreate' },
        template: templateOf('recreated', otherImage),
      })
      await deployments.create(first)
      assert.equal((await deployments.until('recreated', isComplete)).metadata!.annotations![revisionKey], '1')
      let isMixed = false
      const watching = pods.untilAll('app=recreated', (now) => {
        const running = now.filter(({ status }) => status?.phase === 'Running').map(imageOf)
        isMixed ||= new Set(running).size > 1
        return now.length === 1 && running[0] === pause && isReady(now[0]!)
      })
      await deployments.change('recreated', (found) => void (found.spec!.template = templateOf('recreated')))
      await watching
      assert.equal(isMixed, false, 'pods of both templates ran together')
      assert.equal((await deployments.until('recreated', isComplete)).metadata!.annotations![revisionKey], '2')
    },
  )

  void test('[sig-apps] Deployment deployment should delete old replica sets [Conformance]', deadline, async () => {
    const { deployments, sets } = await place()
    await sets.create(replicaSet('older', 'cleaned', 1))
    await sets.until('older', ({ status }) => status?.readyReplicas === 1)
    await deployments.create(deployment('cleaned', 1, { revisionHistoryLimit: 0 }))
    await deployments.until('cleaned', isComplete)
    await sets.gone('older')
    assert.equal((await sets.list('app=cleaned')).length, 1)
  })

  void test('[sig-apps] Deployment deployment should support rollover [Conformance]', deadline, async () => {
    const { deployments, sets, pods } = await place()
    await sets.create(replicaSet('before', 'rollover', 1))
    await sets.until('before', ({ status }) => status?.readyReplicas === 1)
    const stuck = templateOf('rollover', 'gcr.io/google_samples/gb-redisslave:nonexistent')
    stuck.metadata!.annotations = { [stagesKey]: '{"imagePullFails":true}' }
    const strategy = { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } }
    await deployments.create(deployment('rollover', 1, { minReadySeconds: 2, strategy, template: stuck }))
    await sets.untilAll('app=rollover', (now) =>
      now.some(
        ({ spec }) => spec!.replicas === 1 && imageOf({ spec: spec!.template!.spec } as V1Pod).includes('nonexistent'),
      ),
    )
    // The rollout that hangs is overtaken by the next one.
    await deployments.change('rollover', (found) => void (found.spec!.template = templateOf('rollover')))
    await deployments.until('rollover', isComplete)
    const all = await sets.list('app=rollover')
    assert.equal(all.length, 3)
    for (const { spec, status } of all) {
      const isNew = spec!.template!.spec!.containers[0]!.image === pause
      assert.deepEqual([spec!.replicas, status!.replicas], isNew ? [1, 1] : [0, 0])
    }
    assert.ok((await pods.list('app=rollover')).filter(isReady).every((pod) => imageOf(pod) === pause))
  })

  void test(
    '[sig-apps] Deployment deployment should support proportional scaling [Conformance]',
    deadline,
    async () => {
      const { deployments, sets } = await place()
      const strategy = { type: 'RollingUpdate', rollingUpdate: { maxSurge: 3, maxUnavailable: 2 } }
      await deployments.create(deployment('shared', 10, { strategy }))
      const first = (await deployments.until('shared', isComplete)) && (await sets.list('app=shared'))[0]!
      const stuck = templateOf('shared', 'webserver:404')
      stuck.metadata!.annotations = { [stagesKey]: '{"imagePullFails":true}' }
      await deployments.change('shared', (found) => void (found.spec!.template = stuck))
      const sizes = (now: readonly V1ReplicaSet[]): readonly (number | undefined)[] =>
        [true, false].map(
          (isFirst) => now.find(({ metadata }) => (metadata!.uid === first.metadata!.uid) === isFirst)?.spec?.replicas,
        )
      await sets.untilAll('app=shared', (now) => sizes(now).join() === '8,5')
      await deployments.until('shared', ({ status }) => status?.availableReplicas === 8 && status.updatedReplicas === 5)
      await deployments.change('shared', (found) => void (found.spec!.replicas = 30))
      await sets.untilAll('app=shared', (now) => sizes(now).join() === '20,13')
    },
  )

  const statefulSet = (replicas: number, more: Partial<V1StatefulSet['spec'] & object> = {}): V1StatefulSet => ({
    metadata: { name: 'ss', labels: { app: 'ss' } },
    spec: {
      replicas,
      serviceName: 'test',
      selector: { matchLabels: { app: 'ss' } },
      template: templateOf('ss'),
      ...more,
    },
  })
  const ready = (all: Collection<V1StatefulSet>, count: number): Promise<V1StatefulSet> =>
    all.until(
      'ss',
      ({ metadata, status }) =>
        status?.observedGeneration === metadata?.generation &&
        status?.readyReplicas === count &&
        status.replicas === count,
    )

  void test(
    '[sig-apps] StatefulSet Basic StatefulSet functionality [StatefulSetBasic] should perform rolling updates and roll backs of template modifications [Conformance]',
    deadline,
    async () => {
      const { statefulSets, pods } = await place()
      await statefulSets.create(statefulSet(3))
      const first = await ready(statefulSets, 3)
      const { currentRevision, updateRevision } = first.status!
      assert.equal(currentRevision, updateRevision)
      const roll = async (image: string): Promise<V1StatefulSet> => {
        const order: string[] = []
        const watching = pods.untilAll('app=ss', (now) => {
          for (const pod of now) {
            const { name } = pod.metadata!
            if (imageOf(pod) === image && !order.includes(name!)) order.push(name!)
          }
          return now.length === 3 && now.every((pod) => imageOf(pod) === image && isReady(pod))
        })
        await statefulSets.strategic('ss', { spec: { template: { spec: { containers: [{ name: 'app', image }] } } } })
        await watching
        assert.deepEqual(order, ['ss-2', 'ss-1', 'ss-0'])
        return statefulSets.until(
          'ss',
          ({ status }) => status?.currentRevision === status?.updateRevision && status?.currentReplicas === 3,
        )
      }
      const second = await roll(otherImage)
      assert.notEqual(second.status!.currentRevision, currentRevision)
      const hashes = (await pods.list('app=ss')).map(({ metadata }) => metadata!.labels!['controller-revision-hash'])
      assert.deepEqual([...new Set(hashes)], [second.status!.currentRevision])
      const third = await roll(pause)
      assert.equal(third.status!.currentRevision, currentRevision)
    },
  )

  void test(
    '[sig-apps] StatefulSet Basic StatefulSet functionality [StatefulSetBasic] should perform canary updates and phased rolling updates of template modifications [Conformance]',
    deadline,
    async () => {
      const { statefulSets, pods } = await place()
      const partitioned = (partition: number): V1StatefulSet['spec'] & object =>
        ({ updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition } } }) as V1StatefulSet['spec'] & object
      await statefulSets.create(statefulSet(3, partitioned(3)))
      await ready(statefulSets, 3)
      const images = (now: readonly V1Pod[]): string =>
        now
          .toSorted((left, right) => (left.metadata!.name! < right.metadata!.name! ? -1 : 1))
          .map((pod) => (imageOf(pod) === otherImage ? 'new' : 'old'))
          .join()
      const settled = (wanted: string): Promise<unknown> =>
        pods.untilAll('app=ss', (now) => now.length === 3 && now.every(isReady) && images(now) === wanted)
      // A partition past the last ordinal: nothing moves.
      await statefulSets.strategic('ss', {
        spec: { template: { spec: { containers: [{ name: 'app', image: otherImage }] } } },
      })
      await statefulSets.until(
        'ss',
        ({ metadata, status }) =>
          status?.observedGeneration === metadata?.generation && status?.updateRevision !== status?.currentRevision,
      )
      await settled('old,old,old')
      await statefulSets.merge('ss', { spec: partitioned(2) })
      await settled('old,old,new')
      // Each comes back as the partition wants it.
      for (const name of ['ss-0', 'ss-2']) await pods.delete(name)
      await settled('old,old,new')
      await statefulSets.merge('ss', { spec: partitioned(1) })
      await settled('old,new,new')
      await statefulSets.merge('ss', { spec: partitioned(0) })
      await settled('new,new,new')
      await statefulSets.until('ss', ({ status }) => status?.currentRevision === status?.updateRevision)
    },
  )

  void test(
    '[sig-apps] StatefulSet Basic StatefulSet functionality [StatefulSetBasic] should list, patch and delete a collection of StatefulSets [Conformance]',
    deadline,
    async () => {
      const { statefulSets } = await place()
      await statefulSets.create(statefulSet(1))
      await ready(statefulSets, 1)
      const patch = {
        metadata: { labels: { 'test-ss': 'patched' } },
        spec: {
          replicas: 2,
          template: { spec: { terminationGracePeriodSeconds: 0, containers: [{ name: 'app', image: pause }] } },
        },
      }
      await statefulSets.strategic('ss', patch)
      const patched = await ready(statefulSets, 2)
      assert.equal(patched.spec!.template.spec!.terminationGracePeriodSeconds, 0)
      const everywhere = new Collection<V1StatefulSet>(cluster.config, '/apis/apps/v1/statefulsets')
      assert.equal((await everywhere.list('test-ss=patched')).length, 1)
      await statefulSets.deleteAll('test-ss=patched')
      await statefulSets.gone('ss')
      assert.equal((await everywhere.list('test-ss=patched')).length, 0)
    },
  )

  /** Makes a pod count as not ready, or as ready again, as a failing probe would. */
  const health = (pods: Collection<V1Pod>, name: string, isHealthy: boolean): Promise<V1Pod> =>
    pods.merge(name, { metadata: { annotations: { [stagesKey]: isHealthy ? null : '{"ready":false}' } } })

  async function scaleUnhealthy(policy: 'OrderedReady' | 'Parallel'): Promise<void> {
    const { statefulSets, pods } = await place()
    await statefulSets.create(statefulSet(1, { podManagementPolicy: policy }))
    await ready(statefulSets, 1)
    await health(pods, 'ss-0', false)
    await pods.until('ss-0', (pod) => !isReady(pod))
    const scaled = await statefulSets.merge('ss', { spec: { replicas: 3 } }, '')
    const seen = await statefulSets.until('ss', ({ metadata, status }) => {
      const isObserved = status?.observedGeneration === scaled.metadata!.generation
      return isObserved && metadata !== undefined && (policy === 'OrderedReady' || status?.replicas === 3)
    })
    // One that waits for its elder makes nothing; one that does not care is complete.
    assert.equal(seen.status!.replicas, policy === 'OrderedReady' ? 1 : 3)
    await health(pods, 'ss-0', true)
    await ready(statefulSets, 3)
    const made = await pods.list('app=ss')
    const names = ['ss-0', 'ss-1', 'ss-2']
    assert.deepEqual(new Set(made.map(({ metadata }) => metadata!.name)), new Set(names))
    for (const name of names) await health(pods, name, false)
    for (const name of names) await pods.until(name, (pod) => !isReady(pod))
    const shrunk = await statefulSets.merge('ss', { spec: { replicas: 0 } }, '')
    const order: string[] = []
    const gone = pods.untilAll('app=ss', (now) => {
      for (const name of ['ss-2', 'ss-1', 'ss-0'])
        if (!now.some(({ metadata }) => metadata!.name === name) && !order.includes(name)) order.push(name)
      return now.length === 0
    })
    await statefulSets.until('ss', ({ status }) => status?.observedGeneration === shrunk.metadata!.generation)
    if (policy === 'OrderedReady') {
      // The last one, itself sick, waits for the sick ones before it.
      assert.equal((await pods.list('app=ss')).length, 3)
      for (const name of names) await health(pods, name, true).catch(() => undefined)
    }
    await gone
    if (policy === 'OrderedReady') assert.deepEqual(order, ['ss-2', 'ss-1', 'ss-0'])
  }

  void test(
    '[sig-apps] StatefulSet Basic StatefulSet functionality [StatefulSetBasic] Scaling should happen in predictable order and halt if any stateful pod is unhealthy [Slow] [Conformance]',
    deadline,
    () => scaleUnhealthy('OrderedReady'),
  )

  void test(
    '[sig-apps] StatefulSet Basic StatefulSet functionality [StatefulSetBasic] Burst scaling should run to completion even with unhealthy pods [Slow] [Conformance]',
    deadline,
    () => scaleUnhealthy('Parallel'),
  )
})
