// Bombs that go off later: definitions and policies that are fine as such, and the objects, managers and texts that set them off.

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { sized } from '@aksel/testing/test-size'
import { startTestServer, type TestServer } from '../test-server.ts'

const MANAGERS = sized({ gate: 200, full: 1000 })
const maps = '/api/v1/namespaces/default/configmaps'
const policies = '/apis/admissionregistration.k8s.io/v1'
/** Each takes time that doubles with every letter in an engine that goes back. */
const catastrophic = ['^(a+)+$', '^(a|a)*$', '^(a|aa)+$', '^([a-z]+)*$', '^(.*a){12}$', '^(a?){30}a{30}$'] as const
const trigger = `${'a'.repeat(10_000)}!`

async function made(api: TestServer, path: string, body: unknown): Promise<void> {
  const { status, text } = await api.ask(path, { body })
  assert.equal(status, 201, text)
}

async function defined(api: TestServer, spec: object): Promise<void> {
  const schema = { openAPIV3Schema: { type: 'object', properties: { spec } } }
  const names = { plural: 'bombs', singular: 'bomb', kind: 'Bomb' }
  const versions = [{ name: 'v1', served: true, storage: true, schema }]
  await made(api, '/apis/apiextensions.k8s.io/v1/customresourcedefinitions', {
    metadata: { name: 'bombs.example.com' },
    spec: { group: 'example.com', scope: 'Namespaced', names, versions },
  })
  for (let turn = 0; turn < 10_000; turn++) {
    const { status } = await api.ask('/apis/example.com/v1/bombs')
    if (status === 200) return
    await new Promise((resolve) => setImmediate(resolve))
  }
  assert.fail('the kind is not served')
}

const bomb = (spec: unknown): unknown => ({
  apiVersion: 'example.com/v1',
  kind: 'Bomb',
  metadata: { name: 'bomb' },
  spec,
})
const bombPath = '/apis/example.com/v1/namespaces/default/bombs'

void suite('bombs that go off later', () => {
  for (const pattern of catastrophic) {
    void test(`the pattern ${pattern} of a custom kind is judged in the time that its text is long`, async () => {
      await using api = await startTestServer()
      await defined(api, { type: 'string', pattern })
      const { status, text } = await api.ask(bombPath, { body: bomb(trigger) })
      assert.equal(status, 422)
      assert.ok(text.length < 50_000 && text.includes('should match'), text.slice(0, 300))
    })

    void test(`the expression matches(${pattern}) is judged in the time that its text is long, or costs too much`, async () => {
      await using api = await startTestServer()
      const rule = `self.matches(${JSON.stringify(pattern)})`
      await defined(api, { type: 'string', maxLength: 10_001, 'x-kubernetes-validations': [{ rule }] })
      const { status, text } = await api.ask(bombPath, { body: bomb(trigger) })
      assert.equal(status, 422)
      assert.match(text, /failed rule|cost/)
    })
  }

  void test('a text that a policy doubles again and again ends by its cost, and the request is refused', async () => {
    await using api = await startTestServer()
    const variables = [
      { name: 'v0', expression: 'object.data.seed' },
      ...Array.from({ length: 30 }, (_, at) => ({
        name: `v${at + 1}`,
        expression: `variables.v${at} + variables.v${at}`,
      })),
    ]
    const rule = { apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['configmaps'] }
    await made(api, `${policies}/validatingadmissionpolicies`, {
      metadata: { name: 'doubling' },
      spec: {
        matchConstraints: { resourceRules: [rule] },
        failurePolicy: 'Fail',
        variables,
        validations: [{ expression: 'variables.v30.size() > 0' }],
      },
    })
    await made(api, `${policies}/validatingadmissionpolicybindings`, {
      metadata: { name: 'doubling' },
      spec: { policyName: 'doubling', validationActions: ['Deny'] },
    })
    const { status, text } = await api.ask(maps, {
      body: { metadata: { name: 'bomb' }, data: { seed: 'x'.repeat(100_000) } },
    })
    assert.ok(status >= 400 && status < 500, `${status} ${text.slice(0, 300)}`)
    assert.match(text, /cost|limit|budget/)
    assert.ok(text.length < 10_000)
  })

  void test('as many managers as anybody may name each own their field, and the object stays readable', async () => {
    await using api = await startTestServer()
    for (let at = 0; at < MANAGERS; at++) {
      const { status, text } = await api.ask(`${maps}/shared?fieldManager=manager-${at}`, {
        method: 'PATCH',
        headers: { 'content-type': 'application/apply-patch+yaml' },
        body: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'shared' }, data: { [`key-${at}`]: 'x' } },
      })
      assert.ok(status === 200 || status === 201, `manager ${at}: ${status} ${text.slice(0, 300)}`)
    }
    const { json } = await api.ask(`${maps}/shared`)
    const { managedFields } = json['metadata'] as { readonly managedFields: readonly unknown[] }
    assert.equal(managedFields.length, MANAGERS)
    // One of them gives his field up; nobody else's goes.
    const given = await api.ask(`${maps}/shared?fieldManager=manager-7`, {
      method: 'PATCH',
      headers: { 'content-type': 'application/apply-patch+yaml' },
      body: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'shared' } },
    })
    const data = given.json['data'] as Readonly<Record<string, string>>
    assert.equal(Object.keys(data).length, MANAGERS - 1)
    assert.equal(data['key-7'], undefined)
  })
})
