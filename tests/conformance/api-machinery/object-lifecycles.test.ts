// Objects of the API through their lives: created, listed, patched, updated, deleted one by one and as a collection.

import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import {
  EventsV1Api,
  PatchStrategy,
  setHeaderOptions,
  type ConfigurationOptions,
  type CoreV1Event,
  type EventsV1Event,
  type KubernetesObject,
  type V1Namespace,
  type V1PodTemplate,
} from '@kubernetes/client-node'
import { conformanceCluster, type ConformanceCluster } from '../cluster.ts'
import { watched } from '../watched.ts'

const deadline = { timeout: 60_000 }
const waitMs = 30_000

const as = (strategy: string): ConfigurationOptions =>
  setHeaderOptions('Content-Type', strategy) as unknown as ConfigurationOptions
const strategic = as(PatchStrategy.StrategicMergePatch)
const merge = as(PatchStrategy.MergePatch)

void suite('lives of objects', { concurrency: 4 }, () => {
  let cluster: ConformanceCluster
  let events: EventsV1Api

  before(async () => {
    cluster = await conformanceCluster({ nodes: 'simulated', count: 1 })
    events = cluster.config.makeApiClient(EventsV1Api)
  })
  after(() => cluster[Symbol.asyncDispose]())

  const gone = (path: string, name: string): Promise<unknown> =>
    watched<KubernetesObject>(cluster.config, { path, name, waitMs, isWanted: (object) => object === undefined })
  const there = (path: string, name: string, isWanted: (object: KubernetesObject) => boolean): Promise<unknown> =>
    watched<KubernetesObject>(cluster.config, {
      path,
      name,
      waitMs,
      isWanted: (object) => object !== undefined && isWanted(object),
    })

  void test('[sig-node] ConfigMap should run through a ConfigMap lifecycle [Conformance]', deadline, async () => {
    const namespace = await cluster.namespace('configmap-lifecycle')
    const name = 'test-configmap'
    const path = `/api/v1/namespaces/${namespace}/configmaps`
    const labelSelector = 'test-configmap-static=true'
    const labels = { 'test-configmap-static': 'true' }
    await cluster.core.createNamespacedConfigMap({
      namespace,
      body: { metadata: { name, labels }, data: { valueName: 'value' } },
    })
    await there(path, name, ({ metadata }) => metadata?.labels?.['test-configmap-static'] === 'true')
    const patch = { metadata: { labels: { 'test-configmap': 'patched' } }, data: { valueName: 'value1' } }
    await cluster.core.patchNamespacedConfigMap({ namespace, name, body: patch }, strategic)
    await there(path, name, ({ metadata }) => metadata?.labels?.['test-configmap'] === 'patched')
    const read = await cluster.core.readNamespacedConfigMap({ namespace, name })
    assert.deepEqual([read.data?.['valueName'], read.metadata?.labels?.['test-configmap']], ['value1', 'patched'])
    const listed = await cluster.core.listConfigMapForAllNamespaces({ labelSelector })
    const found = listed.items.filter((one) => one.metadata?.namespace === namespace)
    assert.deepEqual(
      found.map(({ metadata, data }) => [metadata?.name, metadata?.labels?.['test-configmap'], data?.['valueName']]),
      [[name, 'patched', 'value1']],
    )
    await cluster.core.deleteCollectionNamespacedConfigMap({ namespace, labelSelector })
    await gone(path, name)
    const rest = await cluster.core.listNamespacedConfigMap({ namespace, labelSelector })
    assert.deepEqual(rest.items, [])
  })

  void test('[sig-node] Secrets should patch a secret [Conformance]', deadline, async () => {
    const namespace = await cluster.namespace('secrets')
    const name = 'test-secret'
    const body = {
      metadata: { name, labels: { 'testsecret-constant': 'true' } },
      data: { key: Buffer.from('value').toString('base64') },
      type: 'Opaque',
    }
    await cluster.core.createNamespacedSecret({ namespace, body })
    const all = await cluster.core.listSecretForAllNamespaces({ labelSelector: 'testsecret-constant=true' })
    assert.ok(all.items.some((one) => one.metadata?.name === name && one.data?.['key'] === body.data.key))
    const key = Buffer.from('value1').toString('base64')
    const patch = { metadata: { labels: { testsecret: 'true' } }, data: { key } }
    await cluster.core.patchNamespacedSecret({ namespace, name, body: patch }, strategic)
    const read = await cluster.core.readNamespacedSecret({ namespace, name })
    assert.deepEqual([read.metadata?.labels?.['testsecret'], read.data?.['key']], ['true', key])
    await cluster.core.deleteCollectionNamespacedSecret({ namespace, labelSelector: 'testsecret=true' })
    const rest = await cluster.core.listSecretForAllNamespaces({ labelSelector: 'testsecret-constant=true' })
    assert.deepEqual(
      rest.items.filter((one) => one.metadata?.namespace === namespace),
      [],
    )
  })

  const podTemplate = (name: string, labels: Record<string, string>): V1PodTemplate => ({
    metadata: { name, labels },
    template: { spec: { containers: [{ name: 'nginx', image: 'nginx' }] } },
  })

  void test('[sig-node] PodTemplates should run the lifecycle of PodTemplates [Conformance]', deadline, async () => {
    const namespace = await cluster.namespace('podtemplate')
    const name = 'nginx-pod-template'
    const body = podTemplate(name, { 'podtemplate-static': 'true' })
    await cluster.core.createNamespacedPodTemplate({ namespace, body })
    const created = await cluster.core.readNamespacedPodTemplate({ namespace, name })
    assert.equal(created.metadata?.name, name)
    const patch = { metadata: { labels: { podtemplate: 'patched' } } }
    await cluster.core.patchNamespacedPodTemplate({ namespace, name, body: patch }, strategic)
    const patched = await cluster.core.readNamespacedPodTemplate({ namespace, name })
    assert.equal(patched.metadata?.labels?.['podtemplate'], 'patched')
    await cluster.core.deleteNamespacedPodTemplate({ namespace, name })
    const rest = await cluster.core.listPodTemplateForAllNamespaces({ labelSelector: 'podtemplate-static=true' })
    assert.deepEqual(
      rest.items.filter((one) => one.metadata?.namespace === namespace),
      [],
    )
  })

  void test('[sig-node] PodTemplates should delete a collection of pod templates [Conformance]', deadline, async () => {
    const namespace = await cluster.namespace('podtemplates')
    const labelSelector = 'podtemplate-set=true'
    for (const name of ['test-podtemplate-1', 'test-podtemplate-2', 'test-podtemplate-3'])
      await cluster.core.createNamespacedPodTemplate({
        namespace,
        body: podTemplate(name, { 'podtemplate-set': 'true' }),
      })
    const listed = await cluster.core.listNamespacedPodTemplate({ namespace, labelSelector })
    assert.equal(listed.items.length, 3)
    await cluster.core.deleteCollectionNamespacedPodTemplate({ namespace, labelSelector })
    const rest = await cluster.core.listNamespacedPodTemplate({ namespace, labelSelector })
    assert.equal(rest.items.length, 0)
  })

  void test('[sig-node] PodTemplates should replace a pod template [Conformance]', deadline, async () => {
    const namespace = await cluster.namespace('podtemplate-replace')
    const name = 'podtemplate-replaced'
    const created = await cluster.core.createNamespacedPodTemplate({ namespace, body: podTemplate(name, {}) })
    created.metadata!.annotations = { updated: 'true' }
    const replaced = await cluster.core.replaceNamespacedPodTemplate({ namespace, name, body: created })
    assert.equal(replaced.metadata?.annotations?.['updated'], 'true')
  })

  const coreEvent = (namespace: string, name: string, labels: Record<string, string>): CoreV1Event => ({
    metadata: { name, labels },
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
      const name = 'event-test'
      const labelSelector = 'testevent-constant=true'
      await cluster.core.createNamespacedEvent({
        namespace,
        body: coreEvent(namespace, name, { 'testevent-constant': 'true' }),
      })
      const inAll = async (): Promise<readonly CoreV1Event[]> => {
        const { items } = await cluster.core.listEventForAllNamespaces({ labelSelector })
        return items.filter((one) => one.metadata.namespace === namespace && one.metadata.name === name)
      }
      assert.equal((await inAll()).length, 1)
      const message = 'This is a test event - patched'
      await cluster.core.patchNamespacedEvent({ namespace, name, body: { message } }, strategic)
      const patched = await cluster.core.readNamespacedEvent({ namespace, name })
      assert.equal(patched.message, message)
      const lastObservedTime = '2017-09-19T13:49:16.000000Z'
      patched.series = { count: 100, lastObservedTime: lastObservedTime as never }
      await cluster.core.replaceNamespacedEvent({ namespace, name, body: patched })
      const updated = await cluster.get<CoreV1Event>(`/api/v1/namespaces/${namespace}/events/${name}`)
      assert.deepEqual(updated.series, { count: 100, lastObservedTime })
      await cluster.core.deleteNamespacedEvent({ namespace, name })
      assert.deepEqual(await inAll(), [])
    },
  )

  void test('[sig-instrumentation] Events should delete a collection of events [Conformance]', deadline, async () => {
    const namespace = await cluster.namespace('events-collection')
    const labelSelector = 'testevent-set=true'
    for (const name of ['test-event-1', 'test-event-2', 'test-event-3'])
      await cluster.core.createNamespacedEvent({
        namespace,
        body: coreEvent(namespace, name, { 'testevent-set': 'true' }),
      })
    assert.equal((await cluster.core.listNamespacedEvent({ namespace, labelSelector })).items.length, 3)
    await cluster.core.deleteCollectionNamespacedEvent({ namespace, labelSelector })
    assert.equal((await cluster.core.listNamespacedEvent({ namespace, labelSelector })).items.length, 0)
  })

  const newEvent = (namespace: string, name: string, labels: Record<string, string>): Promise<EventsV1Event> =>
    events.createNamespacedEvent({
      namespace,
      body: {
        metadata: { name, labels },
        regarding: { namespace },
        // The client writes milliseconds; the wire form has six digits.
        eventTime: new Date(1505828951000) as never,
        note: 'This is ' + name,
        action: 'Do',
        reason: 'Test',
        type: 'Normal',
        reportingController: 'test-controller',
        reportingInstance: 'test-node',
      },
    })

  void test(
    '[sig-instrumentation] Events API should ensure that an event can be fetched, patched, deleted, and listed [Conformance]',
    deadline,
    async () => {
      const namespace = await cluster.namespace('events-api')
      const name = 'event-test'
      await newEvent(namespace, name, { 'testevent-constant': 'true' })
      const inAll = async (): Promise<readonly (string | undefined)[]> => {
        const { items } = await events.listEventForAllNamespaces({})
        return items.filter((one) => one.metadata?.namespace === namespace).map((one) => one.metadata?.name)
      }
      const bySource = async (source: string): Promise<number> =>
        (await cluster.core.listNamespacedEvent({ namespace, fieldSelector: `source=${source}` })).items.length
      const byController = async (controller: string): Promise<number> =>
        (await events.listNamespacedEvent({ namespace, fieldSelector: `reportingController=${controller}` })).items
          .length
      assert.deepEqual(await inAll(), [name])
      assert.deepEqual(
        (await events.listNamespacedEvent({ namespace })).items.map((one) => one.metadata?.name),
        [name],
      )
      assert.deepEqual([await bySource('test-controller'), await bySource('another')], [1, 0])
      assert.deepEqual([await byController('test-controller'), await byController('another')], [1, 0])
      const created = await events.readNamespacedEvent({ namespace, name })
      const series = { count: 2, lastObservedTime: '2017-09-19T13:49:16.000000Z' }
      await events.patchNamespacedEvent({ namespace, name, body: { series } }, strategic)
      const patched = await events.readNamespacedEvent({ namespace, name })
      assert.equal(patched.series?.count, 2)
      assert.deepEqual([patched.note, patched.reason, patched.action], [created.note, created.reason, created.action])
      patched.series!.count = 100
      await events.replaceNamespacedEvent({ namespace, name, body: patched })
      const updated = await events.readNamespacedEvent({ namespace, name })
      assert.equal(updated.series?.count, 100)
      await events.deleteNamespacedEvent({ namespace, name })
      assert.deepEqual(await inAll(), [])
      assert.deepEqual((await events.listNamespacedEvent({ namespace })).items, [])
    },
  )

  void test(
    '[sig-instrumentation] Events API should delete a collection of events [Conformance]',
    deadline,
    async () => {
      const namespace = await cluster.namespace('events-api-collection')
      const labelSelector = 'testevent-set=true'
      for (const name of ['test-event-1', 'test-event-2', 'test-event-3'])
        await newEvent(namespace, name, { 'testevent-set': 'true' })
      assert.equal((await events.listNamespacedEvent({ namespace, labelSelector })).items.length, 3)
      await events.deleteCollectionNamespacedEvent({ namespace, labelSelector })
      assert.equal((await events.listNamespacedEvent({ namespace, labelSelector })).items.length, 0)
    },
  )

  void test('[sig-api-machinery] Namespaces [Serial] should patch a Namespace [Conformance]', deadline, async () => {
    const name = await cluster.namespace('nspatchtest')
    await cluster.core.patchNamespace({ name, body: { metadata: { labels: { testLabel: 'testValue' } } } }, strategic)
    const read = await cluster.core.readNamespace({ name })
    assert.equal(read.metadata?.labels?.['testLabel'], 'testValue')
  })

  /** Reads, changes and writes until nobody was faster: loops write labels and status of namespaces too. */
  const retried = async (name: string, change: (body: V1Namespace) => Promise<V1Namespace>): Promise<V1Namespace> => {
    for (let tries = 1; ; tries += 1) {
      try {
        return await change(await cluster.core.readNamespace({ name }))
      } catch (error) {
        if ((error as { code?: number }).code !== 409 || tries === 10) throw error
      }
    }
  }

  void test(
    '[sig-api-machinery] Namespaces [Serial] should apply an update to a Namespace [Conformance]',
    deadline,
    async () => {
      const name = await cluster.namespace('nsupdate')
      const updated = await retried(name, (body) => {
        body.metadata!.labels = { ...body.metadata?.labels, [name]: 'updated' }
        return cluster.core.replaceNamespace({ name, body })
      })
      assert.equal(updated.metadata?.labels?.[name], 'updated')
    },
  )

  void test(
    '[sig-api-machinery] Namespaces [Serial] should apply changes to a namespace status [Conformance]',
    deadline,
    async () => {
      const name = await cluster.namespace('nsstatus')
      const read = await cluster.core.readNamespaceStatus({ name })
      assert.equal(read.status?.phase, 'Active')
      const condition = { type: 'StatusPatch', status: 'True', reason: 'E2E', message: 'Patched by an e2e test' }
      const body = { metadata: { annotations: { 'e2e-patched-ns-status': name } }, status: { conditions: [condition] } }
      const patched = await cluster.core.patchNamespaceStatus({ name, body }, merge)
      assert.equal(patched.metadata?.annotations?.['e2e-patched-ns-status'], name)
      const first = patched.status?.conditions?.find(({ type }) => type === 'StatusPatch')
      assert.deepEqual([first?.reason, first?.message], [condition.reason, condition.message])
      const updated = await retried(name, (object) => {
        const second = { type: 'StatusUpdate', status: 'True', reason: 'E2E', message: 'Updated by an e2e test' }
        object.status!.conditions = [...(object.status?.conditions ?? []), second]
        return cluster.core.replaceNamespaceStatus({ name, body: object })
      })
      assert.deepEqual(
        updated.status?.conditions?.map(({ type }) => type),
        ['StatusPatch', 'StatusUpdate'],
      )
    },
  )

  void test(
    '[sig-api-machinery] Namespaces [Serial] should apply a finalizer to a Namespace [Conformance]',
    deadline,
    async () => {
      const name = await cluster.namespace('nsfinalize')
      const fake = 'e2e.example.com/fakeFinalizer'
      const finalize = (change: (before: readonly string[]) => string[]): Promise<V1Namespace> =>
        retried(name, (body) => {
          body.spec!.finalizers = change(body.spec?.finalizers ?? [])
          return cluster.core.replaceNamespaceFinalize({ name, body })
        })
      const added = await finalize((before) => [...before, fake])
      assert.ok(added.spec?.finalizers?.includes(fake))
      const removed = await finalize((before) => before.filter((one) => one !== fake))
      assert.deepEqual(removed.spec?.finalizers?.includes(fake), false)
      await cluster.core.deleteNamespace({ name })
      await gone('/api/v1/namespaces', name)
    },
  )

  void test('[sig-auth] ServiceAccounts should update a ServiceAccount [Conformance]', deadline, async () => {
    const namespace = await cluster.namespace('svcaccounts-update')
    const name = 'e2e-sa'
    const created = await cluster.core.createNamespacedServiceAccount({ namespace, body: { metadata: { name } } })
    assert.equal(created.metadata?.name, name)
    created.automountServiceAccountToken = false
    const updated = await cluster.core.replaceNamespacedServiceAccount({ namespace, name, body: created })
    assert.equal(updated.automountServiceAccountToken, false)
    await there(
      `/api/v1/namespaces/${namespace}/serviceaccounts`,
      name,
      (one) => (one as typeof updated).automountServiceAccountToken === false,
    )
  })

  void test(
    '[sig-auth] ServiceAccounts should run through the lifecycle of a ServiceAccount [Conformance]',
    deadline,
    async () => {
      const namespace = await cluster.namespace('svcaccounts')
      const name = 'testserviceaccount'
      const path = `/api/v1/namespaces/${namespace}/serviceaccounts`
      const labelSelector = 'test-serviceaccount-static=true'
      const labels = { 'test-serviceaccount-static': 'true' }
      await cluster.core.createNamespacedServiceAccount({ namespace, body: { metadata: { name, labels } } })
      await there(path, name, ({ metadata }) => metadata?.labels?.['test-serviceaccount-static'] === 'true')
      const body = { automountServiceAccountToken: false }
      await cluster.core.patchNamespacedServiceAccount({ namespace, name, body }, strategic)
      await there(path, name, (one) => (one as typeof body).automountServiceAccountToken === false)
      const listed = await cluster.core.listServiceAccountForAllNamespaces({ labelSelector })
      const found = listed.items.filter((one) => one.metadata?.namespace === namespace)
      assert.deepEqual(
        found.map((one) => [one.metadata?.name, one.automountServiceAccountToken]),
        [[name, false]],
      )
      await cluster.core.deleteCollectionNamespacedServiceAccount({ namespace, labelSelector })
      await gone(path, name)
    },
  )
})
