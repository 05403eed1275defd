// Admission webhooks, asked by a real server over TLS. The webhook server runs in this process and is named by its URL.

import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import type { V1APIGroup, V1APIGroupList, V1APIResourceList } from '@kubernetes/client-node'
import { refusalOf, type Loose } from './objects.ts'
import { configMaps, registration, unwanted, version, WebhookFixture } from './webhook-fixture.ts'

const deadline = { timeout: 60_000 }
const scaling = { terminationGracePeriodSeconds: 1 }

void suite('admission webhooks', () => {
  let fix: WebhookFixture

  before(async () => {
    fix = await WebhookFixture.start()
  })
  after(() => fix.stop())

  void test(
    '[sig-api-machinery] AdmissionWebhook [Privileged:ClusterAdmin] should include webhook resources in discovery documents [Conformance]',
    deadline,
    async () => {
      const { groups } = await fix.cluster.get<V1APIGroupList>('/apis')
      const listed = groups.find(({ name }) => name === 'admissionregistration.k8s.io')
      assert.ok(listed?.versions.some(({ groupVersion }) => groupVersion === registration))
      const group = await fix.cluster.get<V1APIGroup>('/apis/admissionregistration.k8s.io')
      assert.ok(group.versions.some(({ version: one }) => one === 'v1'))
      const { resources } = await fix.cluster.get<V1APIResourceList>(`/apis/${registration}`)
      for (const name of ['mutatingwebhookconfigurations', 'validatingwebhookconfigurations']) {
        assert.ok(
          resources.some((resource) => resource.name === name),
          name,
        )
      }
    },
  )

  void test(
    '[sig-api-machinery] AdmissionWebhook [Privileged:ClusterAdmin] should be able to deny pod and configmap creation [Conformance]',
    deadline,
    async () => {
      const { namespace, label } = await fix.labelled()
      const namespaceSelector = {
        matchLabels: label,
        matchExpressions: [{ key: 'skip-webhook-admission', operator: 'NotIn', values: ['yes'] }],
      }
      await using _hooks = await fix.register('Validating', 'deny-pod-and-configmap', [
        fix.webhook('/pods', { operations: ['CREATE'], resources: ['pods'] }, { namespaceSelector, timeoutSeconds: 2 }),
        fix.webhook('/configmaps', configMaps('CREATE', 'UPDATE', 'DELETE'), { namespaceSelector }),
      ])
      const container = { image: 'registry.k8s.io/pause:3.10' }
      const made = (name: string, containerName: string, labels = {}): Promise<unknown> =>
        fix
          .pods(namespace)
          .create(name, { ...scaling, containers: [{ ...container, name: containerName }] }, { labels })
      const refused = await refusalOf(made('disallowed-pod', 'webhook-disallow', unwanted))
      assert.match(refused, /the pod contains unwanted label/)
      assert.match(refused, /the pod contains unwanted container name/)
      assert.match(
        await refusalOf(made('hanging-pod', 'webhook-wait')),
        /failed calling webhook.*context deadline exceeded/,
      )
      assert.match(
        await refusalOf(fix.pods(namespace).core.readNamespacedPod({ namespace, name: 'hanging-pod' })),
        /not found/,
      )
      const unwantedMap = refusalOf(fix.objects.create(fix.configMap(namespace, 'disallowed-configmap', unwanted)))
      assert.match(await unwantedMap, /the configmap contains unwanted key and value/)
      const fine = await fix.objects.create(fix.configMap(namespace, 'allowed-configmap', { admit: 'this' }))
      const put = refusalOf(fix.objects.replace({ ...fine, data: unwanted }))
      assert.match(await put, /the configmap contains unwanted key and value/)
      const patched = refusalOf(fix.objects.merge(fix.configMap(namespace, 'allowed-configmap', unwanted)))
      assert.match(await patched, /the configmap contains unwanted key and value/)
      await fix.objects.merge({
        apiVersion: 'v1',
        kind: 'Namespace',
        metadata: { name: namespace, labels: { 'skip-webhook-admission': 'yes' } },
      })
      await fix.objects.create(fix.configMap(namespace, 'disallowed-configmap', unwanted))
    },
  )

  void test(
    '[sig-api-machinery] AdmissionWebhook [Privileged:ClusterAdmin] should be able to deny attaching pod [Conformance]',
    deadline,
    async () => {
      const { namespace, label } = await fix.labelled()
      const rule = { operations: ['CONNECT'], resources: ['pods/attach'] }
      await using _hooks = await fix.register('Validating', 'deny-attaching-pod', [
        fix.webhook('/pods/attach', rule, { namespaceSelector: { matchLabels: label } }),
      ])
      await fix.pods(namespace).create('to-be-attached-pod', {
        ...scaling,
        containers: [{ name: 'container1', image: 'registry.k8s.io/pause:3.10' }],
      })
      await fix.pods(namespace).running('to-be-attached-pod')
      const attach = fix.cluster.aksel.kubectl([
        'attach',
        `--namespace=${namespace}`,
        'to-be-attached-pod',
        '-i',
        '-c=container1',
      ])
      await assert.rejects(attach, /attaching to pod 'to-be-attached-pod' is not allowed/)
    },
  )

  void test(
    '[sig-api-machinery] AdmissionWebhook [Privileged:ClusterAdmin] should be able to deny custom resource creation, update and deletion [Conformance]',
    deadline,
    async () => {
      const { namespace, label } = await fix.labelled()
      const { plural, make } = await fix.customKind([version('v1', true)])
      const rule = {
        operations: ['CREATE', 'UPDATE', 'DELETE'],
        apiGroups: ['example.com'],
        apiVersions: ['v1'],
        resources: [plural],
      }
      await using _hooks = await fix.register('Validating', 'deny-custom-resource', [
        fix.webhook('/custom-resource', rule, { namespaceSelector: { matchLabels: label } }),
      ])
      const words = /the custom resource contains unwanted data/
      assert.match(await refusalOf(fix.objects.create(make('v1', namespace, 'a', unwanted))), words)
      const made = await fix.objects.create(make('v1', namespace, 'b', { 'webhook-e2e-test': 'webhook-allow' }))
      assert.match(await refusalOf(fix.objects.merge(make('v1', namespace, 'b', unwanted))), words)
      // Without the label nobody is asked, and an object comes to be that may not be deleted once the label is back.
      const labels = (value: string | null): Loose =>
        ({
          apiVersion: 'v1',
          kind: 'Namespace',
          metadata: { name: namespace, labels: { [namespace]: value } },
        }) as unknown as Loose
      await fix.objects.merge(labels(null))
      await fix.objects.merge({ ...make('v1', namespace, 'b', unwanted), metadata: made.metadata! })
      await fix.objects.merge(labels('true'))
      assert.match(await refusalOf(fix.objects.delete(make('v1', namespace, 'b', {}))), words)
      await fix.objects.merge(labels(null))
      await fix.objects.merge(make('v1', namespace, 'b', { 'webhook-e2e-test': 'webhook-allow' }))
      await fix.objects.merge(labels('true'))
      await fix.objects.delete(make('v1', namespace, 'b', {}))
    },
  )

  void test(
    '[sig-api-machinery] AdmissionWebhook [Privileged:ClusterAdmin] should unconditionally reject operations on fail closed webhook [Conformance]',
    deadline,
    async () => {
      const { namespace, label } = await fix.labelled()
      // A service without an endpoint: nothing to talk to.
      const clientConfig = { service: { namespace, name: 'nobody', path: '/configmaps' } }
      await using _hooks = await fix.register('Validating', 'fail-closed', [
        fix.webhook('/configmaps', configMaps('CREATE'), {
          clientConfig,
          failurePolicy: 'Fail',
          namespaceSelector: { matchLabels: label },
        }),
      ])
      const refused = fix.objects.create(fix.configMap(namespace, 'foo'))
      assert.match(await refusalOf(refused), /^Internal error occurred: failed calling webhook/)
    },
  )

  void test(
    '[sig-api-machinery] AdmissionWebhook [Privileged:ClusterAdmin] should mutate configmap [Conformance]',
    deadline,
    async () => {
      const { namespace, label } = await fix.labelled()
      const more = { namespaceSelector: { matchLabels: label } }
      await using _hooks = await fix.register('Mutating', 'mutating-configmap', [
        fix.webhook('/mutating-configmaps', configMaps('CREATE'), more),
        fix.webhook('/mutating-configmaps', configMaps('CREATE'), more),
      ])
      const { data } = await fix.objects.create(fix.configMap(namespace, 'to-be-mutated', { 'mutation-start': 'yes' }))
      assert.deepEqual(data, { 'mutation-start': 'yes', 'mutation-stage-1': 'yes', 'mutation-stage-2': 'yes' })
    },
  )

  void test(
    '[sig-api-machinery] AdmissionWebhook [Privileged:ClusterAdmin] should mutate pod and apply defaults after mutation [Conformance]',
    deadline,
    async () => {
      const { namespace, label } = await fix.labelled()
      await using _hooks = await fix.register('Mutating', 'mutating-pod', [
        fix.webhook(
          '/mutating-pods',
          { operations: ['CREATE'], resources: ['pods'] },
          { namespaceSelector: { matchLabels: label } },
        ),
      ])
      const pod = await fix.pods(namespace).create('webhook-to-be-mutated', {
        ...scaling,
        containers: [{ name: 'example', image: 'registry.k8s.io/pause:3.10' }],
      })
      assert.equal(pod.spec!.initContainers!.length, 1)
      const [added] = pod.spec!.initContainers!
      assert.deepEqual(
        [added!.name, added!.terminationMessagePolicy, added!.imagePullPolicy],
        ['webhook-added-init-container', 'File', 'Always'],
      )
    },
  )

  void test(
    '[sig-api-machinery] AdmissionWebhook [Privileged:ClusterAdmin] should not be able to mutate or prevent deletion of webhook configuration objects [Conformance]',
    deadline,
    async () => {
      const rule = {
        operations: ['*'],
        apiGroups: ['admissionregistration.k8s.io'],
        apiVersions: ['*'],
        resources: ['validatingwebhookconfigurations', 'mutatingwebhookconfigurations'],
      }
      await using _denying = await fix.register('Validating', 'prevent-deletion', [fix.webhook('/always-deny', rule)])
      await using _labelling = await fix.register('Mutating', 'label-configurations', [fix.webhook('/add-label', rule)])
      for (const kind of ['Validating', 'Mutating'] as const) {
        const name = `dummy-${kind.toLowerCase()}`
        const dummy = await fix.objects.create(
          fix.configuration(kind, name, [
            fix.webhook('/nothing', { operations: ['CREATE'], resources: ['invalid'] }, { failurePolicy: 'Ignore' }),
          ]),
        )
        assert.equal(dummy.metadata!.labels?.['added-label'], undefined)
        await fix.objects.delete({ apiVersion: registration, kind: `${kind}WebhookConfiguration`, metadata: { name } })
      }
    },
  )

  const anyRule = (plural: string, operations: readonly string[], apiVersions: readonly string[] = ['v1']): object => ({
    operations,
    apiGroups: ['example.com'],
    apiVersions,
    resources: [plural],
  })
  const stages = { 'mutation-start': 'yes', 'mutation-stage-1': 'yes', 'mutation-stage-2': 'yes' }

  void test(
    '[sig-api-machinery] AdmissionWebhook [Privileged:ClusterAdmin] should mutate custom resource [Conformance]',
    deadline,
    async () => {
      const { namespace, label } = await fix.labelled()
      const { plural, make } = await fix.customKind([version('v1', true)])
      const one = (): object =>
        fix.webhook('/mutating-custom-resource', anyRule(plural, ['CREATE', 'UPDATE']), {
          namespaceSelector: { matchLabels: label },
        })
      await using _hooks = await fix.register('Mutating', 'mutate-custom-resource', [one(), one()])
      const { data } = await fix.objects.create(make('v1', namespace, 'a', { 'mutation-start': 'yes' }))
      assert.deepEqual(data, stages)
    },
  )

  void test(
    '[sig-api-machinery] AdmissionWebhook [Privileged:ClusterAdmin] should mutate custom resource with different stored version [Conformance]',
    deadline,
    async () => {
      const { namespace, label } = await fix.labelled()
      const { plural, make, crd } = await fix.customKind([version('v1', true), version('v2', false)])
      const one = (): object =>
        fix.webhook('/mutating-custom-resource', anyRule(plural, ['CREATE', 'UPDATE'], ['v1', 'v2']), {
          namespaceSelector: { matchLabels: label },
        })
      await using _hooks = await fix.register('Mutating', 'mutate-versions', [one()])
      const made = await fix.objects.create(make('v1', namespace, 'a', { 'mutation-start': 'yes' }))
      assert.deepEqual(made['data'], { 'mutation-start': 'yes', 'mutation-stage-1': 'yes' })
      await fix.jsonPatch('crd', crd.metadata!.name!, [
        { op: 'replace', path: '/spec/versions/0/storage', value: false },
        { op: 'replace', path: '/spec/versions/1/storage', value: true },
      ])
      const changed = await fix.objects.merge({ ...make('v2', namespace, 'a', {}), dummy: 'v2' })
      assert.deepEqual(changed['data'], stages)
      assert.equal(changed['dummy'], 'v2')
    },
  )

  void test(
    '[sig-api-machinery] AdmissionWebhook [Privileged:ClusterAdmin] should mutate custom resource with pruning [Conformance]',
    deadline,
    async () => {
      const { namespace, label } = await fix.labelled()
      const text = { type: 'string' }
      const properties = { 'mutation-start': text, 'mutation-stage-1': text }
      const schema = { type: 'object', properties: { data: { type: 'object', properties } } }
      const { plural, make } = await fix.customKind([version('v1', true, schema)])
      const one = (): object =>
        fix.webhook('/mutating-custom-resource', anyRule(plural, ['CREATE', 'UPDATE']), {
          namespaceSelector: { matchLabels: label },
        })
      await using _hooks = await fix.register('Mutating', 'mutate-pruned', [one(), one()])
      const { data } = await fix.objects.create(make('v1', namespace, 'a', { 'mutation-start': 'yes' }))
      assert.deepEqual(data, { 'mutation-start': 'yes', 'mutation-stage-1': 'yes' })
    },
  )

  void test(
    '[sig-api-machinery] AdmissionWebhook [Privileged:ClusterAdmin] should deny crd creation [Conformance]',
    deadline,
    async () => {
      const rule = {
        operations: ['CREATE'],
        apiGroups: ['apiextensions.k8s.io'],
        apiVersions: ['*'],
        resources: ['customresourcedefinitions'],
      }
      await using _hooks = await fix.register('Validating', 'deny-crd', [
        fix.webhook('/crd', rule, { objectSelector: { matchLabels: unwanted } }),
      ])
      const refused = refusalOf(fix.objects.create(fix.definition([version('v1', true)], unwanted)))
      assert.match(await refused, /the crd contains unwanted label/)
    },
  )

  void test(
    '[sig-api-machinery] AdmissionWebhook [Privileged:ClusterAdmin] should honor timeout [Conformance]',
    deadline,
    async () => {
      const { namespace, label } = await fix.labelled()
      const create = async (more: object, name: string): Promise<unknown> => {
        await using _hooks = await fix.register('Validating', 'slow-webhook', [
          fix.webhook('/always-allow-delay', configMaps('CREATE'), {
            namespaceSelector: { matchLabels: label },
            ...more,
          }),
        ])
        return await fix.objects.create(fix.configMap(namespace, name))
      }
      const late = await refusalOf(create({ timeoutSeconds: 1, failurePolicy: 'Fail' }, 'a'))
      assert.match(late, /failed calling webhook.*timeout=1s.*(context deadline exceeded|timeout)/)
      await create({ timeoutSeconds: 1, failurePolicy: 'Ignore' }, 'b')
      await create({ timeoutSeconds: 10, failurePolicy: 'Fail' }, 'c')
      await create({ failurePolicy: 'Fail' }, 'd')
    },
  )
})
