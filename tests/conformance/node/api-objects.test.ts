// Objects that are only kept and read: config maps, secrets, pod templates, leases and events through their whole lives.

import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import {
  ApiException,
  CoordinationV1Api,
  EventsV1Api,
  PatchStrategy,
  setHeaderOptions,
  type CoreV1Event,
  type EventsV1Event,
  type V1ConfigMap,
  type V1MicroTime,
} from '@kubernetes/client-node'
import { conformanceCluster, type ConformanceCluster } from '../cluster.ts'
import { WatchLog } from '../watch-log.ts'

const deadline = { timeout: 60_000 }
const strategic = setHeaderOptions('Content-Type', PatchStrategy.StrategicMergePatch)
const base64 = (text: string): string => Buffer.from(text).toString('base64')

const refusedWith =
  (code: number) =>
  (error: unknown): boolean =>
    error instanceof ApiException && error.code === code

void suite('objects of the API', () => {
  let cluster: ConformanceCluster

  before(async () => {
    cluster = await conformanceCluster({ nodes: 'simulated', count: 1 })
  })
  after(() => cluster[Symbol.asyncDispose]())

  void test('[sig-node] ConfigMap should fail to create ConfigMap with empty key [Conformance]', deadline, async () => {
    const namespace = await cluster.namespace('configmap')
    const body = { metadata: { name: 'configmap-test-emptykey' }, data: { '': 'value-1' } }
    await assert.rejects(cluster.core.createNamespacedConfigMap({ namespace, body }), refusedWith(422))
  })

  void test(
    '[sig-node] ConfigMap should update ConfigMap successfully [NodeConformance] [Conformance]',
    deadline,
    async () => {
      const namespace = await cluster.namespace('configmap')
      const made = await cluster.core.createNamespacedConfigMap({ namespace, body: { metadata: { name: 'update' } } })
      const data = { data: 'value' }
      await cluster.core.replaceNamespacedConfigMap({ namespace, name: 'update', body: Object.assign(made, { data }) })
      const read = await cluster.core.readNamespacedConfigMap({ namespace, name: 'update' })
      assert.deepEqual(read.data, data)
    },
  )

  void test('[sig-node] ConfigMap should run through a ConfigMap lifecycle [Conformance]', deadline, async () => {
    const namespace = await cluster.namespace('configmap')
    const { core } = cluster
    const labelSelector = 'test-configmap-static=true'
    const path = `/api/v1/namespaces/${namespace}/configmaps`
    await using log = await WatchLog.open<V1ConfigMap>(cluster.config, path, { labelSelector })
    const name = 'test-configmap'
    const body = { metadata: { name, labels: { 'test-configmap-static': 'true' } }, data: { valueName: 'value' } }
    await core.createNamespacedConfigMap({ namespace, body })
    assert.deepEqual((await core.readNamespacedConfigMap({ namespace, name })).data, body.data)
    const patch = { metadata: { labels: { 'test-configmap': 'patched' } }, data: { valueName: 'value1' } }
    await core.patchNamespacedConfigMap({ namespace, name, body: patch }, strategic)
    const [added, modified] = await log.first(2)
    assert.deepEqual([added!.type, modified!.type], ['ADDED', 'MODIFIED'])
    assert.equal(modified!.object.metadata!.labels!['test-configmap'], 'patched')
    const all = await core.listConfigMapForAllNamespaces({ labelSelector })
    const found = all.items.find(({ metadata }) => metadata!.name === name && metadata!.namespace === namespace)
    assert.equal(found!.metadata!.labels!['test-configmap'], 'patched')
    assert.equal(found!.data!['valueName'], 'value1')
    await core.deleteCollectionNamespacedConfigMap({ namespace, labelSelector })
    assert.equal((await log.first(3))[2]!.type, 'DELETED')
    assert.deepEqual((await core.listNamespacedConfigMap({ namespace, labelSelector })).items, [])
  })

  void test(
    '[sig-node] Secrets should fail to create secret due to empty secret key [Conformance]',
    deadline,
    async () => {
      const namespace = await cluster.namespace('secrets')
      const body = { metadata: { name: 'secret-emptykey-test' }, data: { '': base64('value-1') } }
      await assert.rejects(cluster.core.createNamespacedSecret({ namespace, body }), refusedWith(422))
    },
  )

  void test('[sig-node] Secrets should patch a secret [Conformance]', deadline, async () => {
    const namespace = await cluster.namespace('secrets')
    const { core } = cluster
    const name = 'test-secret'
    const labels = { 'testsecret-constant': 'true' }
    const labelSelector = 'testsecret-constant=true'
    const body = { metadata: { name, labels }, type: 'Opaque', data: { key: base64('value') } }
    await core.createNamespacedSecret({ namespace, body })
    const listed = async (): Promise<number> => {
      const { items } = await core.listSecretForAllNamespaces({ labelSelector })
      return items.filter(({ metadata }) => metadata!.name === name && metadata!.namespace === namespace).length
    }
    assert.equal(await listed(), 1)
    const patch = { metadata: { labels: { testsecret: 'true' } }, data: { key: base64('value1') } }
    await core.patchNamespacedSecret({ namespace, name, body: patch }, strategic)
    const patched = await core.readNamespacedSecret({ namespace, name })
    assert.equal(patched.metadata!.labels!['testsecret'], 'true')
    assert.equal(Buffer.from(patched.data!['key']!, 'base64').toString(), 'value1')
    await core.deleteCollectionNamespacedSecret({ namespace, labelSelector: 'testsecret=true' })
    assert.equal(await listed(), 0)
  })

  const template = (name: string, labels: Readonly<Record<string, string>>) => ({
    metadata: { name, labels: { ...labels } },
    template: { spec: { containers: [{ name: 'nginx', image: 'registry.k8s.io/e2e-test-images/nginx:1.14-4' }] } },
  })

  void test('[sig-node] PodTemplates should run the lifecycle of PodTemplates [Conformance]', deadline, async () => {
    const namespace = await cluster.namespace('podtemplate')
    const { core } = cluster
    const name = 'nginx-pod-template'
    await core.createNamespacedPodTemplate({ namespace, body: template(name, { 'podtemplate-static': 'true' }) })
    assert.equal((await core.readNamespacedPodTemplate({ namespace, name })).metadata!.name, name)
    const patch = { metadata: { labels: { podtemplate: 'patched' } } }
    await core.patchNamespacedPodTemplate({ namespace, name, body: patch }, strategic)
    const patched = await core.readNamespacedPodTemplate({ namespace, name })
    assert.equal(patched.metadata!.labels!['podtemplate'], 'patched')
    await core.deleteNamespacedPodTemplate({ namespace, name, body: {} })
    const left = await core.listPodTemplateForAllNamespaces({ labelSelector: 'podtemplate-static=true' })
    assert.deepEqual(
      left.items.filter(({ metadata }) => metadata!.namespace === namespace),
      [],
    )
  })

  void test('[sig-node] PodTemplates should delete a collection of pod templates [Conformance]', deadline, async () => {
    const namespace = await cluster.namespace('podtemplate')
    const { core } = cluster
    const labelSelector = 'podtemplate-set=true'
    for (const name of ['test-podtemplate-1', 'test-podtemplate-2', 'test-podtemplate-3'])
      await core.createNamespacedPodTemplate({ namespace, body: template(name, { 'podtemplate-set': 'true' }) })
    assert.equal((await core.listNamespacedPodTemplate({ namespace, labelSelector })).items.length, 3)
    await core.deleteCollectionNamespacedPodTemplate({ namespace, labelSelector })
    assert.deepEqual((await core.listNamespacedPodTemplate({ namespace, labelSelector })).items, [])
  })

  void test('[sig-node] PodTemplates should replace a pod template [Conformance]', deadline, async () => {
    const namespace = await cluster.namespace('podtemplate')
    const { core } = cluster
    const name = 'podtemplate-replace'
    const made = await core.createNamespacedPodTemplate({
      namespace,
      body: template(name, { 'podtemplate-static': 'true' }),
    })
    const body = Object.assign(made, { metadata: Object.assign(made.metadata!, { annotations: { updated: 'true' } }) })
    const replaced = await core.replaceNamespacedPodTemplate({ namespace, name, body })
    assert.equal(replaced.metadata!.annotations!['updated'], 'true')
    const read = await core.readNamespacedPodTemplate({ namespace, name })
    assert.equal(read.metadata!.annotations!['updated'], 'true')
  })

  void test('[sig-node] Lease lease API should be available [Conformance]', deadline, async () => {
    const namespace = await cluster.namespace('lease-test')
    const leases = cluster.config.makeApiClient(CoordinationV1Api)
    const name = 'lease'
    const time = (ms: number): V1MicroTime => new Date(ms) as V1MicroTime
    const spec = (holderIdentity: string, leaseDurationSeconds: number, leaseTransitions: number) => ({
      holderIdentity,
      leaseDurationSeconds,
      acquireTime: time(Date.UTC(2026, 0, 2)),
      renewTime: time(Date.UTC(2026, 0, 2, 0, 0, 5)),
      leaseTransitions,
    })
    const made = await leases.createNamespacedLease({
      namespace,
      body: { metadata: { name }, spec: spec('holder', 30, 0) },
    })
    const read = await leases.readNamespacedLease({ namespace, name })
    assert.deepEqual(read.spec, made.spec)
    assert.deepEqual([read.spec!.holderIdentity, read.spec!.leaseDurationSeconds], ['holder', 30])
    const next = spec('holder2', 60, 1)
    await leases.replaceNamespacedLease({ namespace, name, body: Object.assign(read, { spec: next }) })
    const updated = await leases.readNamespacedLease({ namespace, name })
    assert.deepEqual([updated.spec!.holderIdentity, updated.spec!.leaseTransitions], ['holder2', 1])
    const patch = { spec: { leaseDurationSeconds: 50, holderIdentity: 'holder3', leaseTransitions: 2 } }
    await leases.patchNamespacedLease({ namespace, name, body: patch }, strategic)
    const patched = await leases.readNamespacedLease({ namespace, name })
    assert.deepEqual([patched.spec!.holderIdentity, patched.spec!.leaseDurationSeconds], ['holder3', 50])
    assert.deepEqual(patched.spec!.renewTime, updated.spec!.renewTime)
    const labels = { deletecollection: 'true' }
    await leases.createNamespacedLease({
      namespace,
      body: { metadata: { name: 'lease2', labels }, spec: spec('holder', 30, 0) },
    })
    assert.equal((await leases.listNamespacedLease({ namespace })).items.length, 2)
    await leases.deleteCollectionNamespacedLease({ namespace, labelSelector: 'deletecollection=true' })
    assert.deepEqual(
      (await leases.listNamespacedLease({ namespace })).items.map(({ metadata }) => metadata!.name),
      [name],
    )
    await leases.deleteNamespacedLease({ namespace, name })
    await assert.rejects(leases.readNamespacedLease({ namespace, name }), refusedWith(404))
    assert.deepEqual((await leases.listNamespacedLease({ namespace })).items, [])
  })

  const coreEvent = (namespace: string, name: string, labels: Readonly<Record<string, string>>): CoreV1Event => ({
    metadata: { name, labels: { ...labels } },
    message: 'This is a test event',
    reason: 'Test',
    type: 'Normal',
    count: 1,
    involvedObject: { namespace },
  })

  void test(
    '[sig-instrumentation] Events should manage the lifecycle of an event [Conformance]',
    deadline,
    async () => {
      const namespace = await cluster.namespace('events')
      const { core } = cluster
      const name = 'event-test'
      const labelSelector = 'testevent-constant=true'
      await core.createNamespacedEvent({
        namespace,
        body: coreEvent(namespace, name, { 'testevent-constant': 'true' }),
      })
      const listed = async (): Promise<CoreV1Event | undefined> => {
        const { items } = await core.listEventForAllNamespaces({ labelSelector })
        return items.find(({ metadata }) => metadata.name === name && metadata.namespace === namespace)
      }
      assert.ok(await listed())
      const message = 'This is a test event - patched'
      await core.patchNamespacedEvent({ namespace, name, body: { message } }, strategic)
      const patched = await core.readNamespacedEvent({ namespace, name })
      assert.equal(patched.message, message)
      const series = { count: 100, lastObservedTime: new Date(Date.UTC(2026, 0, 2)) as V1MicroTime }
      await core.replaceNamespacedEvent({ namespace, name, body: Object.assign(patched, { series }) })
      const updated = await core.readNamespacedEvent({ namespace, name })
      assert.equal(updated.series!.count, 100)
      await core.deleteNamespacedEvent({ namespace, name })
      assert.equal(await listed(), undefined)
    },
  )

  void test('[sig-instrumentation] Events should delete a collection of events [Conformance]', deadline, async () => {
    const namespace = await cluster.namespace('events')
    const { core } = cluster
    const labelSelector = 'testevent-set=true'
    for (const name of ['test-event-1', 'test-event-2', 'test-event-3'])
      await core.createNamespacedEvent({ namespace, body: coreEvent(namespace, name, { 'testevent-set': 'true' }) })
    assert.equal((await core.listNamespacedEvent({ namespace, labelSelector })).items.length, 3)
    await core.deleteCollectionNamespacedEvent({ namespace, labelSelector })
    assert.deepEqual((await core.listNamespacedEvent({ namespace, labelSelector })).items, [])
  })

  const newEvent = (namespace: string, name: string, labels: Readonly<Record<string, string>>): EventsV1Event => ({
    metadata: { name, labels: { ...labels } },
    regarding: { namespace },
    eventTime: new Date(Date.UTC(2026, 0, 2)) as V1MicroTime,
    note: `This is ${name}`,
    action: 'Do',
    reason: 'Test',
    type: 'Normal',
    reportingController: 'test-controller',
    reportingInstance: 'test-node',
  })

  void test(
    '[sig-instrumentation] Events API should ensure that an event can be fetched, patched, deleted, and listed [Conformance]',
    deadline,
    async () => {
      const namespace = await cluster.namespace('events')
      const events = cluster.config.makeApiClient(EventsV1Api)
      const name = 'event-test'
      await events.createNamespacedEvent({
        namespace,
        body: newEvent(namespace, name, { 'testevent-constant': 'true' }),
      })
      const everywhere = await events.listEventForAllNamespaces()
      assert.ok(everywhere.items.some(({ metadata }) => metadata!.name === name && metadata!.namespace === namespace))
      const inNamespace = async (fieldSelector: string): Promise<number> =>
        (await events.listNamespacedEvent({ namespace, fieldSelector })).items.length
      assert.equal(await inNamespace('reportingController=test-controller'), 1)
      assert.equal(await inNamespace('reportingController=other'), 0)
      const read = await events.readNamespacedEvent({ namespace, name })
      const series = { count: 2, lastObservedTime: new Date(Date.UTC(2026, 0, 2, 0, 0, 1)) as V1MicroTime }
      await events.patchNamespacedEvent(
        { namespace, name, body: { series: { count: 2, lastObservedTime: '2026-01-02T00:00:01.000000Z' } } },
        strategic,
      )
      const patched = await events.readNamespacedEvent({ namespace, name })
      assert.equal(patched.series!.count, 2)
      assert.equal(patched.note, read.note)
      await events.replaceNamespacedEvent({
        namespace,
        name,
        body: Object.assign(patched, { series: { ...series, count: 100 } }),
      })
      assert.equal((await events.readNamespacedEvent({ namespace, name })).series!.count, 100)
      await events.deleteNamespacedEvent({ namespace, name })
      await assert.rejects(events.readNamespacedEvent({ namespace, name }), refusedWith(404))
      assert.deepEqual((await events.listNamespacedEvent({ namespace })).items, [])
    },
  )

  void test(
    '[sig-instrumentation] Events API should delete a collection of events [Conformance]',
    deadline,
    async () => {
      const namespace = await cluster.namespace('events')
      const events = cluster.config.makeApiClient(EventsV1Api)
      const labelSelector = 'testevent-set=true'
      for (const name of ['test-event-1', 'test-event-2', 'test-event-3'])
        await events.createNamespacedEvent({ namespace, body: newEvent(namespace, name, { 'testevent-set': 'true' }) })
      assert.equal((await events.listNamespacedEvent({ namespace, labelSelector })).items.length, 3)
      await events.deleteCollectionNamespacedEvent({ namespace, labelSelector })
      assert.deepEqual((await events.listNamespacedEvent({ namespace, labelSelector })).items, [])
    },
  )
})
