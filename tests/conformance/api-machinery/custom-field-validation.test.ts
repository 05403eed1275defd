// What a custom object may not have: fields its schema does not know, fields twice, metadata that does not exist.

import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { conformanceCluster, type ConformanceCluster } from '../cluster.ts'
import { applyPatch, callApi, expectCall, installKind, version, type TestKind } from '../custom.ts'

const deadline = { timeout: 60_000 }

const portSchema = {
  type: 'object',
  properties: {
    hostPort: { type: 'integer' },
    containerPort: { type: 'integer' },
    protocol: { type: 'string' },
  },
  required: ['containerPort', 'protocol'],
}

const ports = {
  type: 'array',
  'x-kubernetes-list-map-keys': ['containerPort', 'protocol'],
  'x-kubernetes-list-type': 'map',
  items: portSchema,
}

const spec = {
  type: 'object',
  properties: {
    foo: { type: 'string' },
    cronSpec: { type: 'string', pattern: '^(\\d+|\\*)(/\\d+)?(\\s+(\\d+|\\*)(/\\d+)?){4}$' },
    ports,
  },
}

function document(kind: TestKind, name: string, body: string): string {
  return `apiVersion: ${kind.group}/v1\nkind: ${kind.kind}\nmetadata:\n  name: ${name}\n  finalizers:\n  - ${kind.group}/done\n${body}`
}

void suite('field validation of custom objects', () => {
  let cluster: ConformanceCluster
  const apply = (kind: TestKind, name: string, body: string, validation = 'Strict') =>
    callApi(
      cluster.config,
      `${kind.path('v1')}/${name}?fieldManager=field_validation_test&fieldValidation=${validation}`,
      { method: 'PATCH', type: applyPatch, body },
    )

  before(async () => {
    cluster = await conformanceCluster({ nodes: 'simulated', count: 1 })
  })
  after(() => cluster[Symbol.asyncDispose]())

  const install = (schema?: object): Promise<TestKind> =>
    installKind(cluster.config, { scope: 'Cluster', versions: [version('v1', schema)] })

  void test(
    '[sig-api-machinery] FieldValidation should create/apply a CR with unknown fields for CRD with no validation schema [Conformance]',
    deadline,
    async () => {
      const kind = await install()
      const body = document(kind, 'mytest', 'spec:\n  cronSpec: "* * * * */5"\n  foo: foo1\n  knownField1: val1\n')
      const { status, body: answer } = await apply(kind, 'mytest', body)
      assert.equal(status, 201, JSON.stringify(answer))
    },
  )

  void test(
    '[sig-api-machinery] FieldValidation should create/apply a valid CR for CRD with validation schema [Conformance]',
    deadline,
    async () => {
      const kind = await install({ type: 'object', properties: { spec } })
      const body = document(
        kind,
        'mytest',
        'spec:\n  cronSpec: "* * * * */5"\n  foo: foo1\n  ports:\n  - containerPort: 8080\n    protocol: TCP\n',
      )
      const { status, body: answer } = await apply(kind, 'mytest', body)
      assert.equal(status, 201, JSON.stringify(answer))
    },
  )

  void test(
    '[sig-api-machinery] FieldValidation should create/apply an invalid CR with extra properties for CRD with validation schema [Conformance]',
    deadline,
    async () => {
      const kind = await install({ type: 'object', properties: { spec } })
      const { status, body: answer } = await apply(
        kind,
        'mytest',
        document(kind, 'mytest', 'extraProperty: "arbitrary-value"\nspec:\n  cronSpec: "* * * * */5"\n  foo: foo1\n'),
      )
      assert.notEqual(status, 201)
      assert.match(String(answer['message']), /\.extraProperty: field not declared in schema/)
    },
  )

  void test(
    '[sig-api-machinery] FieldValidation should detect duplicates in a CR when preserving unknown fields [Conformance]',
    deadline,
    async () => {
      const kind = await install()
      const body = document(kind, 'mytest', 'spec:\n  unknown: uk1\n  foo: a\n  foo: b\n')
      const { status, body: answer } = await apply(kind, 'mytest', body)
      assert.equal(status, 400)
      assert.match(String(answer['message']), /line 10: key "foo" already set in map/)
    },
  )

  void test(
    '[sig-api-machinery] FieldValidation should detect unknown metadata fields in both the root and embedded object of a CR [Conformance]',
    deadline,
    async () => {
      const template = {
        type: 'object',
        'x-kubernetes-embedded-resource': true,
        properties: { spec: { type: 'object' } },
      }
      const kind = await install({
        type: 'object',
        properties: { spec: { type: 'object', properties: { template, foo: { type: 'string' } } } },
      })
      const body = {
        apiVersion: `${kind.group}/v1`,
        kind: kind.kind,
        metadata: { name: 'mytest', unknownMeta: 'foo' },
        spec: { template: { apiVersion: 'foo/v1', kind: 'Sub', metadata: { name: 'x', unknownSubMeta: 'foo' } } },
      }
      const path = (validation: string): string => `${kind.path('v1')}?fieldValidation=${validation}`
      const strict = await callApi(cluster.config, path('Strict'), { body })
      assert.equal(strict.status, 400)
      const message = String(strict.body['message'])
      assert.match(message, /unknown field "metadata\.unknownMeta"/)
      assert.match(message, /unknown field "spec\.template\.metadata\.unknownSubMeta"/)
      const warned = await callApi(cluster.config, path('Warn'), { body })
      assert.equal(warned.status, 201)
      assert.equal(warned.warnings.length, 2, warned.warnings.join())
    },
  )

  void test(
    '[sig-api-machinery] FieldValidation should detect unknown and duplicate fields of a typed object [Conformance]',
    deadline,
    async () => {
      const namespace = await cluster.namespace('validation')
      const path = `/apis/apps/v1/namespaces/${namespace}/deployments?fieldValidation=Strict`
      const deployment = `{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"d","labels":{"app":"nginx"}},
        "spec":{"unknown1":"val1","unknownDupe":"valDupe","unknownDupe":"valDupe2","paused":true,"paused":false,
        "selector":{"matchLabels":{"app":"nginx"}},"template":{"metadata":{"labels":{"app":"nginx"}},
        "spec":{"containers":[{"name":"nginx","image":"nginx:latest","unknownNested":"val1","imagePullPolicy":"Always","imagePullPolicy":"Never"}]}}}}`
      const { status, body } = await callApi(cluster.config, path, { method: 'POST', body: deployment })
      assert.equal(status, 400)
      const message = String(body['message'])
      assert.match(message, /strict decoding error: /)
      for (const complaint of [
        'unknown field "spec.template.spec.containers[0].unknownNested"',
        'duplicate field "spec.template.spec.containers[0].imagePullPolicy"',
        'unknown field "spec.unknown1"',
        'unknown field "spec.unknownDupe"',
        'duplicate field "spec.paused"',
      ])
        assert.ok(message.includes(complaint), message)
    },
  )

  void test(
    '[sig-api-machinery] FieldValidation should detect unknown metadata fields of a typed object [Conformance]',
    deadline,
    async () => {
      const namespace = await cluster.namespace('metadata')
      const path = `/apis/apps/v1/namespaces/${namespace}/deployments?fieldValidation=Strict`
      const body = {
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: { name: 'd', unknownMeta: 'foo', labels: { app: 'nginx' } },
        spec: {
          selector: { matchLabels: { app: 'nginx' } },
          template: {
            metadata: { labels: { app: 'nginx' }, unknownMeta: 'bar' },
            spec: { containers: [{ name: 'nginx', image: 'nginx:latest' }] },
          },
        },
      }
      const refused = await expectCall(cluster.config, path, { body }, 400)
      const message = String(refused['message'])
      assert.match(message, /unknown field "metadata\.unknownMeta"/)
      assert.match(message, /unknown field "spec\.template\.metadata\.unknownMeta"/)
    },
  )
})
