// Lives of core kinds that need the API, the loops and simulated nodes: no container runs.

import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import { conformanceCluster, type ConformanceCluster } from '../cluster.ts'
import { assertNewer, Objects, Refusal, type AnyObject } from '../objects.ts'
import { fresh } from '../pods.ts'

const deadline = { timeout: 120_000 }

void suite('lives of kinds', { concurrency: 4 }, () => {
  let cluster: ConformanceCluster

  before(async () => {
    cluster = await conformanceCluster({ nodes: 'simulated', count: 2 })
  })
  after(() => cluster[Symbol.asyncDispose]())

  const core = (resource: string, namespace?: string): Objects => new Objects(cluster, 'v1', resource, namespace)
  const isInvalid = (error: unknown): boolean => error instanceof Refusal && error.code === 422

  void test(
    '[sig-architecture] Conformance Tests should have at least two untainted nodes [Conformance]',
    deadline,
    async () => {
      const { items } = await core('nodes').list()
      const untainted = items.filter(({ spec }) =>
        (spec.taints ?? []).every(({ effect }: { effect: string }) => effect === 'PreferNoSchedule'),
      )
      assert.ok(untainted.length >= 2, `only ${untainted.length} untainted nodes`)
    },
  )

  for (const [kind, resource] of [
    ['ConfigMap', 'configmaps'],
    ['Secret', 'secrets'],
  ] as const) {
    const refuses = async (): Promise<void> => {
      const namespace = await cluster.namespace('empty-key')
      const data = { '': Buffer.from('value-1').toString('base64') }
      await assert.rejects(core(resource, namespace).create({ metadata: { name: 'empty-key' }, data }), isInvalid, kind)
    }
    if (kind === 'ConfigMap')
      void test('[sig-node] ConfigMap should fail to create ConfigMap with empty key [Conformance]', deadline, refuses)
    else
      void test(
        '[sig-node] Secrets should fail to create secret due to empty secret key [Conformance]',
        deadline,
        refuses,
      )
  }

  void test(
    '[sig-node] ConfigMap should update ConfigMap successfully [NodeConformance] [Conformance]',
    deadline,
    async () => {
      const maps = core('configmaps', await cluster.namespace('config-map'))
      await maps.create({ metadata: { name: 'update' }, data: { 'data-1': 'value-1' } })
      await maps.update('update', (map) => ({ ...map, data: { data: 'value' } }))
      assert.deepEqual((await maps.get('update'))['data'], { data: 'value' })
    },
  )

  const limits = {
    type: 'Container',
    min: { cpu: '50m', memory: '100Mi', 'ephemeral-storage': '100Gi' },
    max: { cpu: '500m', memory: '500Mi', 'ephemeral-storage': '500Gi' },
    default: { cpu: '500m', memory: '500Mi', 'ephemeral-storage': '500Gi' },
    defaultRequest: { cpu: '100m', memory: '200Mi', 'ephemeral-storage': '200Gi' },
  }
  const lower = { cpu: '9m', memory: '49Mi', 'ephemeral-storage': '49Gi' }

  void test(
    '[sig-scheduling] LimitRange should create a LimitRange with defaults and ensure pod has those defaults applied. [Conformance]',
    deadline,
    async () => {
      const namespace = await cluster.namespace('limitrange')
      const ranges = core('limitranges', namespace)
      const pods = core('pods', namespace)
      const pod = (name: string, resources: object = {}): object => ({
        metadata: { name },
        spec: { containers: [{ name: 'pause', image: 'registry.k8s.io/pause:3.10', resources }] },
      })
      const amounts = (cpu: string, memory: string, storage: string): object => ({
        cpu,
        memory,
        'ephemeral-storage': storage,
      })
      const isRefused = (resources: object): Promise<void> =>
        assert.rejects(
          pods.create(pod('refused', resources)),
          (error) => error instanceof Refusal && [403, 422].includes(error.code),
        )

      const list = await ranges.list({ labelSelector: 'time=now' })
      assert.equal(list.items.length, 0)
      using watch = await ranges.watch({
        labelSelector: 'time=now',
        resourceVersion: list.metadata.resourceVersion,
      })
      await ranges.create({ metadata: { name: 'limit-range', labels: { time: 'now' } }, spec: { limits: [limits] } })
      await watch.until(({ type }) => type === 'ADDED')
      const [found] = (await ranges.get('limit-range'))['spec'].limits
      assert.deepEqual([found.default, found.defaultRequest], [limits.default, limits.defaultRequest])

      await pods.create(pod('pod-no-resources'))
      const resourcesOf = async (name: string): Promise<unknown> =>
        (await pods.get(name))['spec'].containers[0].resources
      assert.deepEqual(await resourcesOf('pod-no-resources'), {
        limits: limits.default,
        requests: limits.defaultRequest,
      })
      const partial = { requests: { memory: '150Mi', 'ephemeral-storage': '150Gi' }, limits: { cpu: '300m' } }
      await pods.create(pod('pod-partial-resources', partial))
      assert.deepEqual(await resourcesOf('pod-partial-resources'), {
        limits: { cpu: '300m', memory: '500Mi', 'ephemeral-storage': '500Gi' },
        requests: { cpu: '300m', memory: '150Mi', 'ephemeral-storage': '150Gi' },
      })
      const low = { requests: amounts('10m', '50Mi', '50Gi') }
      const high = { requests: amounts('600m', '600Mi', '600Gi') }
      await isRefused(low)
      await isRefused(high)

      await ranges.update('limit-range', (range) => ({ ...range, spec: { limits: [{ ...limits, min: lower }] } }))
      assert.deepEqual((await ranges.get('limit-range'))['spec'].limits[0].min, lower)
      await pods.create(pod('pod-less-than-former-min', low))
      await isRefused(high)
      await ranges.delete('limit-range')
      await ranges.listed({}, (items) => items.length === 0)
      await pods.create(pod('pod-more-than-former-max', high))
    },
  )

  void test(
    '[sig-scheduling] LimitRange should list, patch and delete a LimitRange by collection [Conformance]',
    deadline,
    async () => {
      const name = fresh('e2e-limitrange')
      const range = { metadata: { name, labels: { 'e2e-test': name, [name]: 'created' } }, spec: { limits: [limits] } }
      const ranges = core('limitranges', await cluster.namespace('limitrange'))
      const created = await ranges.create(range)
      await core('limitranges', await cluster.namespace('limitrange')).create(range)
      const everywhere = core('limitranges')
      assert.equal((await everywhere.list({ labelSelector: `e2e-test=${name}` })).items.length, 2)
      const patch = { metadata: { labels: { [name]: 'patched' } }, spec: { limits: [{ ...limits, min: lower }] } }
      const patched = await ranges.patch(name, patch, 'strategic')
      assert.equal(patched.metadata.labels?.[name], 'patched')
      assert.deepEqual(patched['spec'].limits[0].min, lower)
      assertNewer(patched, created)
      await ranges.deleteCollection({ labelSelector: `${name}=patched` })
      await everywhere.listed({ labelSelector: `${name}=patched` }, (items) => items.length === 0)
      assert.equal((await everywhere.list({ labelSelector: `e2e-test=${name}` })).items.length, 1)
    },
  )

  const template = (labels: Readonly<Record<string, string>>): object => ({
    metadata: { labels },
    spec: {
      terminationGracePeriodSeconds: 0,
      containers: [{ name: 'httpd', image: 'registry.k8s.io/e2e-test-images/httpd:2.4.38-4' }],
    },
  })
  const counts = ({ status }: AnyObject): readonly number[] => [status?.replicas ?? 0, status?.readyReplicas ?? 0]

  const scales = async (objects: Objects, labels: Readonly<Record<string, string>>, more: object): Promise<void> => {
    const name = fresh('test-scale')
    const selector = objects.groupVersion === 'v1' ? labels : { matchLabels: labels }
    await objects.create({ metadata: { name }, spec: { replicas: 1, selector, template: template(labels), ...more } })
    const isAt = async (replicas: number): Promise<void> => {
      const query = { fieldSelector: `metadata.name=${name}` }
      await objects.listed(query, ([only]) => counts(only!).join('/') === `${replicas}/${replicas}`)
    }
    await isAt(1)
    const scale = await objects.get(name, 'scale')
    assert.deepEqual([scale['spec'].replicas, scale['status'].replicas], [1, 1])
    // No version: the write is unconditional.
    const { resourceVersion: _, ...metadata } = scale.metadata
    const wider = { ...scale, metadata, spec: { ...scale['spec'], replicas: 2 } } as unknown as AnyObject
    assert.equal((await objects.replace(wider, 'scale'))['spec'].replicas, 2)
    assert.equal((await objects.get(name))['spec'].replicas, 2)
    await isAt(2)
    assert.equal((await objects.patch(name, { spec: { replicas: 4 } }, 'strategic', 'scale'))['spec'].replicas, 4)
    assert.equal((await objects.get(name))['spec'].replicas, 4)
    await objects.delete(name)
  }
  const apps = async (resource: string): Promise<Objects> =>
    new Objects(cluster, 'apps/v1', resource, await cluster.namespace('scale'))

  void test(
    '[sig-apps] Deployment Deployment should have a working scale subresource [Conformance]',
    deadline,
    async () => scales(await apps('deployments'), { app: 'deployment' }, {}),
  )
  void test(
    '[sig-apps] ReplicaSet Replicaset should have a working scale subresource [Conformance]',
    deadline,
    async () => scales(await apps('replicasets'), { app: 'replicaset' }, {}),
  )
  void test(
    '[sig-apps] StatefulSet Basic StatefulSet functionality [StatefulSetBasic] should have a working scale subresource [Conformance]',
    deadline,
    async () => scales(await apps('statefulsets'), { app: 'statefulset' }, { serviceName: 'test' }),
  )

  void test(
    '[sig-api-machinery] ResourceQuota should manage the lifecycle of a ResourceQuota [Conformance]',
    deadline,
    async () => {
      const name = fresh('e2e-quota')
      const quotas = core('resourcequotas', await cluster.namespace('quota'))
      const quota = { metadata: { name, labels: { [name]: 'created' } }, spec: { hard: { cpu: '1', memory: '500Mi' } } }
      await quotas.create(quota)
      const { hard } = (await quotas.get(name))['spec']
      assert.deepEqual(hard, { cpu: '1', memory: '500Mi' })
      const all = await core('resourcequotas').list({ labelSelector: `${name}=created` })
      assert.equal(all.items.length, 1)
      const patch = { metadata: { labels: { [name]: 'patched' } }, spec: { hard: { memory: '750Mi' } } }
      const patched = await quotas.patch(name, patch, 'strategic')
      assert.equal(patched.metadata.labels?.[name], 'patched')
      assert.equal(patched['spec'].hard.memory, '750Mi')
      await quotas.deleteCollection({ labelSelector: `${name}=patched` })
      await quotas.listed({}, (items) => items.length === 0)
    },
  )

  void test(
    '[sig-api-machinery] ResourceQuota should apply changes to a resourcequota status [Conformance]',
    deadline,
    async () => {
      const name = fresh('e2e-rq-status')
      const quotas = core('resourcequotas', await cluster.namespace('quota-status'))
      const limits = (cpu: string, memory: string): Readonly<Record<string, string>> => ({ cpu, memory })
      await quotas.create({
        metadata: { name, labels: { 'e2e-rq-status': name } },
        spec: { hard: limits('500m', '500Mi') },
      })
      const isCounted = async (wanted: Readonly<Record<string, string>>): Promise<void> => {
        const query = { labelSelector: `e2e-rq-status=${name}` }
        await quotas.listed(query, ([quota]) => isDeepStrictEqual(quota?.['status']?.hard, wanted))
      }
      await isCounted(limits('500m', '500Mi'))
      const { metadata } = await quotas.get(name)
      using changes = await quotas.watch({
        fieldSelector: `metadata.name=${name}`,
        resourceVersion: metadata.resourceVersion,
      })
      // What was written is seen, however soon the loop that counts puts its own word in its place.
      const isSeen = async (wanted: Readonly<Record<string, string>>): Promise<void> =>
        void (await changes.until(
          ({ type, object }) => type === 'MODIFIED' && isDeepStrictEqual(object['status'].hard, wanted),
        ))
      const updated = await quotas.update(
        name,
        (quota) => ({ ...quota, status: { ...quota['status'], hard: limits('1', '1Gi') } }),
        'status',
      )
      assert.deepEqual(updated['status'].hard, limits('1', '1Gi'))
      await isSeen(limits('1', '1Gi'))
      const patch = { metadata: { labels: { [name]: 'patched' } }, status: { hard: limits('2', '2Gi') } }
      const patched = await quotas.patch(name, patch, 'merge', 'status')
      assert.deepEqual([patched['status'].hard, patched.metadata.labels?.[name]], [limits('2', '2Gi'), 'patched'])
      await isSeen(limits('2', '2Gi'))
      assert.equal((await quotas.get(name, 'status')).metadata.name, name)
      await quotas.patch(name, { spec: { hard: limits('3', '3Gi') } }, 'merge')
      await isCounted(limits('3', '3Gi'))
      assert.deepEqual((await quotas.get(name, 'status'))['status'].hard, limits('3', '3Gi'))
    },
  )

  void test(
    '[sig-api-machinery] ResourceQuota should be able to update and delete ResourceQuota. [Conformance]',
    deadline,
    async () => {
      const name = 'test-quota'
      const quotas = core('resourcequotas', await cluster.namespace('quota'))
      const hardOf = ({ spec }: AnyObject): unknown => spec.hard
      await quotas.create({ metadata: { name }, spec: { hard: { cpu: '1', memory: '500Mi' } } })
      const read = await quotas.get(name)
      assert.deepEqual(hardOf(read), { cpu: '1', memory: '500Mi' })
      const changed = { cpu: '2', memory: '1Gi' }
      const updated = await quotas.update(name, (each) => ({ ...each, spec: { hard: changed } }))
      assert.deepEqual(hardOf(updated), changed)
      assert.deepEqual(hardOf(await quotas.get(name)), changed)
      await quotas.delete(name)
      await assert.rejects(quotas.get(name), (error) => error instanceof Refusal && error.code === 404)
    },
  )

  /** An object goes with its namespace, and is not there when the namespace is made again. */
  async function goesWithNamespace(resource: string, spec: object, isThere: (object: AnyObject) => boolean) {
    const namespace = await cluster.namespace('nsdeletetest')
    const objects = core(resource, namespace)
    const name = fresh(`test-${resource}`)
    await objects.create({ metadata: { name }, spec })
    await objects.listed({}, (items) => items.length === 1 && isThere(items[0]!))
    const namespaces = core('namespaces')
    await namespaces.delete(namespace)
    await namespaces.isGone(namespace, 60_000)
    await namespaces.create({ metadata: { name: namespace } })
    await core('serviceaccounts', namespace).listed({}, (items) => items.length > 0)
    await assert.rejects(objects.get(name), (error) => error instanceof Refusal && error.code === 404)
    assert.deepEqual((await objects.list()).items, [])
  }
  const paused = { containers: [{ name: 'nginx', image: 'registry.k8s.io/pause:3.6' }] }

  void test(
    '[sig-api-machinery] Namespaces [Serial] should ensure that all pods are removed when a namespace is deleted [Conformance]',
    deadline,
    () => goesWithNamespace('pods', paused, ({ status }) => status?.phase === 'Running'),
  )

  void test(
    '[sig-api-machinery] Namespaces [Serial] should ensure that all services are removed when a namespace is deleted [Conformance]',
    deadline,
    () =>
      goesWithNamespace('services', { selector: { foo: 'bar' }, ports: [{ port: 80, targetPort: 80 }] }, () => true),
  )

  void test(
    '[sig-api-machinery] OrderedNamespaceDeletion namespace deletion should delete pod first [Conformance]',
    deadline,
    async () => {
      const namespace = await cluster.namespace('nsdeletetest')
      const [pods, maps, namespaces] = [core('pods', namespace), core('configmaps', namespace), core('namespaces')]
      const [pod, map] = ['pod1', 'configmap1']
      const finalizers = ['e2e.example.com/finalizer']
      await pods.create({ metadata: { name: pod, finalizers }, spec: { ...paused, terminationGracePeriodSeconds: 0 } })
      await pods.listed({}, ([found]) => found?.['status']?.phase === 'Running')
      await maps.create({ metadata: { name: map, finalizers }, data: { key: 'value' } })
      await namespaces.delete(namespace)
      // The loop has been through it, and tells of what is left.
      const left = 'NamespaceContentRemaining'
      const isLeft = ({ type, status }: { type: string; status: string }): boolean => type === left && status === 'True'
      const own = { fieldSelector: `metadata.name=${namespace}` }
      await namespaces.listed(own, ([found]) => found?.['status']?.conditions?.some(isLeft) === true)
      assert.equal((await namespaces.get(namespace))['status'].phase, 'Terminating')
      assert.notEqual((await pods.get(pod)).metadata['deletionTimestamp'], undefined)
      assert.equal((await maps.get(map)).metadata['deletionTimestamp'], undefined)

      const release = { metadata: { finalizers: null } }
      await pods.patch(pod, release)
      const isDeleted = ([found]: readonly AnyObject[]): boolean => found?.metadata['deletionTimestamp'] !== undefined
      await maps.listed({ fieldSelector: `metadata.name=${map}` }, isDeleted)
      await assert.rejects(pods.get(pod), (error) => error instanceof Refusal && error.code === 404)
      await maps.patch(map, release)
      await namespaces.isGone(namespace, 60_000)
    },
  )
})
