// Workloads whose tests ask for objects and loops, not for what runs in the containers: nodes are simulated.

import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import type {
  V1ControllerRevision,
  V1DaemonSet,
  V1Node,
  V1Pod,
  V1PodDisruptionBudget,
  V1PodTemplateSpec,
  V1ReplicaSet,
  V1ReplicationController,
  V1ResourceQuota,
  V1Scale,
} from '@kubernetes/client-node'
import { conformanceCluster, pause } from '../cluster.ts'
import type { ConformanceCluster } from '../cluster.ts'
import { Collection } from './collection.ts'
import type { Named } from './collection.ts'

const deadline = { timeout: 90_000 }

function templateOf(labels: Readonly<Record<string, string>>, image = pause): V1PodTemplateSpec {
  return {
    metadata: { labels: { ...labels } },
    spec: { terminationGracePeriodSeconds: 1, containers: [{ name: 'app', image }] },
  }
}

function isRunning({ metadata, status }: V1Pod): boolean {
  return metadata?.deletionTimestamp === undefined && status?.phase === 'Running'
}

void suite('workloads', () => {
  let cluster: ConformanceCluster

  before(async () => {
    cluster = await conformanceCluster({ nodes: 'simulated', count: 3 })
  })
  after(() => cluster[Symbol.asyncDispose]())

  const all = <T extends Named>(path: string): Collection<T> => new Collection<T>(cluster.config, path)
  const nodes = (): Collection<V1Node> => all<V1Node>('/api/v1/nodes')

  interface Place<T extends Named> {
    readonly own: Collection<T>
    readonly pods: Collection<V1Pod>
    readonly namespace: string
  }

  async function place<T extends Named>(group: string, plural: string): Promise<Place<T>> {
    const namespace = await cluster.namespace(plural)
    return {
      own: all<T>(`${group}/namespaces/${namespace}/${plural}`),
      pods: all<V1Pod>(`/api/v1/namespaces/${namespace}/pods`),
      namespace,
    }
  }

  const daemons = (): Promise<Place<V1DaemonSet>> => place<V1DaemonSet>('/apis/apps/v1', 'daemonsets')
  const daemonSet = (name: string, more: Partial<V1DaemonSet['spec'] & object> = {}): V1DaemonSet => ({
    metadata: { name, labels: { daemon: name } },
    spec: { selector: { matchLabels: { daemon: name } }, template: templateOf({ daemon: name }), ...more },
  })
  const onNodes = (pods: readonly V1Pod[]): readonly string[] =>
    pods
      .filter(isRunning)
      .map(({ spec }) => spec!.nodeName!)
      .toSorted()
  const onAll = (pods: readonly V1Pod[]): boolean => new Set(onNodes(pods)).size === 3 && onNodes(pods).length === 3

  void test('[sig-apps] Daemon set [Serial] should run and stop simple daemon [Conformance]', deadline, async () => {
    const { own, pods } = await daemons()
    await own.create(daemonSet('simple'))
    const made = await pods.untilAll('daemon=simple', onAll)
    await own.until('simple', ({ status }) => status?.numberReady === 3 && status.desiredNumberScheduled === 3)
    await pods.delete(made[0]!.metadata!.name!)
    await pods.untilAll(
      'daemon=simple',
      (now) => onAll(now) && now.every((pod) => pod.metadata!.uid !== made[0]!.metadata!.uid),
    )
  })

  void test('[sig-apps] Daemon set [Serial] should run and stop complex daemon [Conformance]', deadline, async () => {
    const { own, pods } = await daemons()
    const template = templateOf({ daemon: 'complex' })
    template.spec!.nodeSelector = { color: 'blue' }
    await own.create(daemonSet('complex', { template }))
    await own.until('complex', ({ status, metadata }) => status?.observedGeneration === metadata?.generation)
    assert.deepEqual(await pods.list('daemon=complex'), [])
    const [node] = await nodes().list()
    const { name } = node!.metadata!
    await nodes().merge(name!, { metadata: { labels: { color: 'blue' } } })
    await pods.untilAll('daemon=complex', (now) => onNodes(now).join() === name)
    await nodes().merge(name!, { metadata: { labels: { color: 'green' } } })
    await pods.untilAll('daemon=complex', (now) => now.length === 0)
    await own.merge('complex', {
      spec: { updateStrategy: { type: 'RollingUpdate' }, template: { spec: { nodeSelector: { color: 'green' } } } },
    })
    await pods.untilAll('daemon=complex', (now) => onNodes(now).join() === name)
    await nodes().merge(name!, { metadata: { labels: { color: null } } })
    await pods.untilAll('daemon=complex', (now) => now.length === 0)
  })

  void test(
    '[sig-apps] Daemon set [Serial] should retry creating failed daemon pods [Conformance]',
    deadline,
    async () => {
      const { own, pods } = await daemons()
      await own.create(daemonSet('retried'))
      const made = await pods.untilAll('daemon=retried', onAll)
      const { name, uid } = made[0]!.metadata!
      await pods.change(name!, (pod) => void (pod.status!.phase = 'Failed'), '/status')
      await pods.untilAll('daemon=retried', (now) => onAll(now) && !now.some(({ metadata }) => metadata!.uid === uid))
    },
  )

  void test(
    '[sig-apps] Daemon set [Serial] should update pod when spec was updated and update strategy is RollingUpdate [Conformance]',
    deadline,
    async () => {
      const { own, pods, namespace } = await daemons()
      await own.create(daemonSet('rolling', { updateStrategy: { type: 'RollingUpdate' } }))
      await pods.untilAll('daemon=rolling', onAll)
      const revisions = all<V1ControllerRevision>(`/apis/apps/v1/namespaces/${namespace}/controllerrevisions`)
      const hashOf = async (number: number): Promise<string> => {
        const found = (await revisions.list('daemon=rolling')).find(({ revision }) => revision === number)
        return found!.metadata!.labels!['controller-revision-hash']!
      }
      const hasHash = (pod: V1Pod, hash: string): boolean => pod.metadata!.labels!['controller-revision-hash'] === hash
      const first = await hashOf(1)
      assert.ok((await pods.list('daemon=rolling')).every((pod) => hasHash(pod, first)))
      await own.strategic('rolling', {
        spec: {
          template: { spec: { containers: [{ name: 'app', image: 'registry.k8s.io/e2e-test-images/agnhost:2.53' }] } },
        },
      })
      await pods.untilAll(
        'daemon=rolling',
        (now) => onAll(now) && now.every(({ spec }) => spec!.containers[0]!.image!.includes('agnhost')),
      )
      const second = await hashOf(2)
      assert.notEqual(second, first)
      assert.ok((await pods.list('daemon=rolling')).every((pod) => hasHash(pod, second)))
    },
  )

  void test(
    '[sig-apps] Daemon set [Serial] should rollback without unnecessary restarts [Conformance]',
    deadline,
    async () => {
      const { own, pods } = await daemons()
      const image = 'foo:non-existent'
      const template = templateOf({ daemon: 'undone' })
      await own.create(daemonSet('undone', { template, updateStrategy: { type: 'RollingUpdate' } }))
      const before = await pods.untilAll('daemon=undone', onAll)
      const stuck = templateOf({ daemon: 'undone' }, image)
      stuck.metadata!.annotations = { 'aksel.dev/simulated-stages': '{"imagePullFails":true}' }
      await own.change('undone', (set) => void (set.spec!.template = stuck))
      await pods.untilAll('daemon=undone', (now) => now.some(({ spec }) => spec!.containers[0]!.image === image))
      const touched = await pods.list('daemon=undone')
      const kept = before.filter(({ metadata }) => touched.some((pod) => pod.metadata!.uid === metadata!.uid))
      assert.ok(kept.length >= 2)
      await own.change('undone', (set) => void (set.spec!.template = template))
      const last = await pods.untilAll(
        'daemon=undone',
        (now) => onAll(now) && now.every(({ spec }) => spec!.containers[0]!.image === pause),
      )
      for (const { metadata } of kept)
        assert.ok(
          last.some((pod) => pod.metadata!.uid === metadata!.uid),
          'restarted needlessly',
        )
    },
  )

  void test(
    '[sig-apps] Daemon set [Serial] should list and delete a collection of DaemonSets [Conformance]',
    deadline,
    async () => {
      const { own, pods } = await daemons()
      await own.create(daemonSet('listed'))
      await pods.untilAll('daemon=listed', onAll)
      assert.equal((await own.list('daemon=listed')).length, 1)
      await own.deleteAll('daemon=listed')
      await own.gone('listed')
      assert.equal((await own.list('daemon=listed')).length, 0)
    },
  )

  const replicas = (name: string, count: number): V1ReplicaSet => ({
    metadata: { name, labels: { set: name } },
    spec: { replicas: count, selector: { matchLabels: { set: name } }, template: templateOf({ set: name }) },
  })
  const isOwned = ({ metadata }: V1Pod, owner: string): boolean =>
    metadata?.ownerReferences?.some(({ name, controller }) => name === owner && controller === true) === true

  void test(
    '[sig-apps] ReplicaSet should adopt matching pods on creation and release no longer matching pods [Conformance]',
    deadline,
    async () => {
      const { own, pods } = await place<V1ReplicaSet>('/apis/apps/v1', 'replicasets')
      const { spec } = templateOf({})
      await pods.create({ metadata: { name: 'found', labels: { set: 'adopts' } }, spec: spec! })
      await own.create(replicas('adopts', 1))
      await pods.until('found', (pod) => isOwned(pod, 'adopts'))
      await pods.merge('found', { metadata: { labels: { set: 'not-matching' } } })
      await pods.until('found', ({ metadata }) => (metadata!.ownerReferences ?? []).length === 0)
    },
  )

  void test('[sig-apps] ReplicaSet Replace and Patch tests [Conformance]', deadline, async () => {
    const { own, pods } = await place<V1ReplicaSet>('/apis/apps/v1', 'replicasets')
    await own.create(replicas('changed', 1))
    await pods.untilAll('set=changed', (now) => now.filter(isRunning).length === 1)
    await own.change('changed', (set) => void (set.spec!.replicas = 2))
    await own.until('changed', ({ status }) => status?.readyReplicas === 2)
    await own.strategic('changed', {
      metadata: { labels: { patched: 'yes' } },
      spec: {
        replicas: 3,
        template: { spec: { terminationGracePeriodSeconds: 0, containers: [{ name: 'app', image: pause }] } },
      },
    })
    const patched = await own.until('changed', ({ status }) => status?.readyReplicas === 3)
    assert.equal(patched.metadata!.labels!['patched'], 'yes')
    assert.equal(patched.spec!.template!.spec!.terminationGracePeriodSeconds, 0)
  })

  void test(
    '[sig-apps] ReplicaSet should list and delete a collection of ReplicaSets [Conformance]',
    deadline,
    async () => {
      const { own, pods } = await place<V1ReplicaSet>('/apis/apps/v1', 'replicasets')
      await own.create(replicas('listed', 3))
      await pods.untilAll('set=listed', (now) => now.filter(isRunning).length === 3)
      assert.equal((await own.list('set=listed')).length, 1)
      await own.deleteAll('set=listed')
      await own.gone('listed')
      assert.equal((await own.list('set=listed')).length, 0)
    },
  )

  const controller = (name: string, count: number): V1ReplicationController => ({
    metadata: { name, labels: { rc: name } },
    spec: { replicas: count, selector: { rc: name }, template: templateOf({ rc: name }) },
  })
  const controllers = (): Promise<Place<V1ReplicationController>> => place('/api/v1', 'replicationcontrollers')

  void test(
    '[sig-apps] ReplicationController should adopt matching pods on creation [Conformance]',
    deadline,
    async () => {
      const { own, pods } = await controllers()
      await pods.create({ metadata: { name: 'found', labels: { rc: 'adopts' } }, spec: templateOf({}).spec! })
      await own.create(controller('adopts', 1))
      await pods.until('found', (pod) => isOwned(pod, 'adopts'))
    },
  )

  void test(
    '[sig-apps] ReplicationController should release no longer matching pods [Conformance]',
    deadline,
    async () => {
      const { own, pods } = await controllers()
      await own.create(controller('releases', 1))
      const [pod] = await pods.untilAll('rc=releases', (now) => now.length === 1)
      await pods.merge(pod!.metadata!.name!, { metadata: { labels: { rc: 'not-matching' } } })
      await pods.until(pod!.metadata!.name!, ({ metadata }) => (metadata!.ownerReferences ?? []).length === 0)
    },
  )

  void test(
    '[sig-apps] ReplicationController should get and update a ReplicationController scale [Conformance]',
    deadline,
    async () => {
      const { own } = await controllers()
      await own.create(controller('scaled', 1))
      await own.until('scaled', ({ status }) => status?.readyReplicas === 1)
      const scale = (await own.get('scaled', '/scale')) as V1Scale
      assert.equal(scale.spec!.replicas, 1)
      scale.spec!.replicas = 2
      await own.replace(scale as V1ReplicationController, '/scale')
      await own.until('scaled', ({ status }) => status?.replicas === 2 && status.readyReplicas === 2)
    },
  )

  void test(
    '[sig-apps] ReplicationController should surface a failure condition on a common issue like exceeded quota [Conformance]',
    deadline,
    async () => {
      const { own, pods, namespace } = await controllers()
      const quotas = all<V1ResourceQuota>(`/api/v1/namespaces/${namespace}/resourcequotas`)
      await quotas.create({ metadata: { name: 'condition-test' }, spec: { hard: { pods: '2' } } })
      await quotas.until('condition-test', ({ status }) => status?.hard?.['pods'] === '2')
      await own.create(controller('bounded', 3))
      const isFailing = ({ status }: V1ReplicationController): boolean =>
        status?.conditions?.some(({ type, status: state }) => type === 'ReplicaFailure' && state === 'True') === true
      await own.until('bounded', isFailing)
      await own.change('bounded', (found) => void (found.spec!.replicas = 2))
      await own.until('bounded', (found) => !isFailing(found))
      assert.equal((await pods.list('rc=bounded')).length, 2)
    },
  )

  const budgets = (): Promise<Place<V1PodDisruptionBudget>> => place('/apis/policy/v1', 'poddisruptionbudgets')
  const budget = (name: string, minAvailable: number | string): V1PodDisruptionBudget => ({
    metadata: { name, labels: { pdb: name } },
    spec: { minAvailable, selector: { matchLabels: { foo: 'bar' } } },
  })
  const isObserved = ({ metadata, status }: V1PodDisruptionBudget): boolean =>
    status?.observedGeneration === metadata?.generation

  void test('[sig-apps] DisruptionController should create a PodDisruptionBudget [Conformance]', deadline, async () => {
    const { own } = await budgets()
    await own.create(budget('foo', '1%'))
    await own.until('foo', isObserved)
    assert.equal((await own.get('foo')).spec!.minAvailable, '1%')
    await own.change('foo', (found) => void (found.spec!.minAvailable = '2%'))
    assert.equal((await own.until('foo', isObserved)).spec!.minAvailable, '2%')
    await own.merge('foo', { spec: { minAvailable: '3%' } })
    assert.equal((await own.until('foo', isObserved)).spec!.minAvailable, '3%')
    await own.delete('foo')
    await own.gone('foo')
  })

  void test(
    '[sig-apps] DisruptionController should observe PodDisruptionBudget status updated [Conformance]',
    deadline,
    async () => {
      const { own, pods } = await budgets()
      await own.create(budget('foo', 1))
      for (const name of ['pod-0', 'pod-1', 'pod-2'])
        await pods.create({ metadata: { name, labels: { foo: 'bar' } }, spec: templateOf({}).spec! })
      await own.until('foo', ({ status }) => (status?.disruptionsAllowed ?? 0) > 0)
    },
  )

  void test(
    '[sig-apps] DisruptionController should update/patch PodDisruptionBudget status [Conformance]',
    deadline,
    async () => {
      const { own } = await budgets()
      await own.create(budget('foo', 1))
      await own.until('foo', isObserved)
      const updated = await own.change(
        'foo',
        (found) =>
          void (found.status!.disruptedPods = {
            old: new Date().toISOString().replace(/\.\d+/, '') as unknown as Date,
          }),
        '/status',
      )
      assert.ok('old' in updated.status!.disruptedPods!)
      const patched = await own.merge('foo', { status: { disruptedPods: { old: null } } }, '/status')
      assert.deepEqual(patched.status!.disruptedPods ?? {}, {})
    },
  )

  void test(
    '[sig-apps] DisruptionController Listing PodDisruptionBudgets for all namespaces should list and delete a collection of PodDisruptionBudgets [Conformance]',
    deadline,
    async () => {
      const { own } = await budgets()
      const other = await budgets()
      await own.create(budget('foo', '1%'))
      await own.create(budget('foo2', 1))
      await other.own.create(budget('foo2', 1))
      const everywhere = all<V1PodDisruptionBudget>('/apis/policy/v1/poddisruptionbudgets')
      assert.equal(
        (await everywhere.list('pdb in (foo,foo2)')).filter(({ metadata }) =>
          [own, other.own].some(({ path }) => path.includes(metadata!.namespace!)),
        ).length,
        3,
      )
      assert.equal((await own.list('pdb in (foo,foo2)')).length, 2)
      await own.deleteAll('pdb in (foo,foo2)')
      await own.gone('foo')
      await own.gone('foo2')
      assert.equal((await other.own.list()).length, 1)
    },
  )

  void test(
    '[sig-apps] DisruptionController should block an eviction until the PDB is updated to allow it [Conformance]',
    deadline,
    async () => {
      const { own, pods, namespace } = await budgets()
      for (const name of ['pod-0', 'pod-1', 'pod-2'])
        await pods.create({ metadata: { name, labels: { foo: 'bar' } }, spec: templateOf({}).spec! })
      await pods.untilAll('foo=bar', (now) => now.filter(isRunning).length === 3)
      const evict = (name: string): Promise<{ readonly code: number }> =>
        pods.call('POST', `/${name}/eviction`, {
          apiVersion: 'policy/v1',
          kind: 'Eviction',
          metadata: { name, namespace },
        })
      await own.create(budget('foo', 3))
      await own.until('foo', ({ status }) => status?.currentHealthy === 3 && status.disruptionsAllowed === 0)
      assert.equal((await evict('pod-0')).code, 429)
      await own.change('foo', (found) => void (found.spec!.minAvailable = 2))
      await own.until('foo', ({ status }) => status?.disruptionsAllowed === 1)
      assert.equal((await evict('pod-0')).code, 201)
      await pods.gone('pod-0')
      // One fewer stands: what is left is needed.
      await own.until('foo', ({ status }) => status?.currentHealthy === 2 && status.disruptionsAllowed === 0)
      assert.equal((await evict('pod-1')).code, 429)
      await own.delete('foo')
      assert.equal((await evict('pod-1')).code, 201)
    },
  )
})
