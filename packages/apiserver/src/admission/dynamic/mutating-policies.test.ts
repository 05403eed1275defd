// Mutating policies through the whole server: what they change, when they are asked again, and what they refuse.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  apply,
  configMap,
  configMapsPath,
  deployment,
  deployments,
  group,
  make,
  mutating,
  mutation,
  patch,
  server,
} from './test-policies.ts'

test('a mutating policy adds labels, by apply configuration and by JSON patch, in order', async () => {
  await using api = await server('1.36.2')
  await mutation(api, 'labels', {
    variables: [{ name: 'team', expression: 'namespaceObject.metadata.labels.env' }],
    mutations: [
      apply('Object{metadata: Object.metadata{labels: {"env": variables.team}}}'),
      patch(
        '[JSONPatch{op: "add", path: "/data/" + jsonpatch.escapeKey("seen/env"), value: object.metadata.labels.env}]'.replace(
          'seen/env',
          'seen',
        ),
      ),
    ],
  })
  const made = await configMap(api, 'a', { b: '1' })
  assert.equal(made.status, 201, made.text)
  const { metadata, data } = made.json as { metadata: { labels: unknown }; data: unknown }
  assert.deepEqual([metadata.labels, data], [{ env: 'prod' }, { b: '1', seen: 'prod' }])
})

test('policies that changed an object are asked again where they ask for it', async () => {
  await using api = await server('1.36.2')
  const copy = (from: string, to: string): unknown =>
    patch(`has(object.data.${from}) ? [JSONPatch{op: "add", path: "/data/${to}", value: "1"}] : []`)
  await mutation(api, 'a-first', { mutations: [copy('b', 'c')] })
  await mutation(api, 'b-second', { mutations: [copy('a', 'b')] })
  const made = await configMap(api, 'x', { a: '1' })
  assert.deepEqual(made.json['data'], { a: '1', b: '1', c: '1' })
})

test('a mutation that cannot be applied refuses, in upstream’s words', async () => {
  await using api = await server('1.36.2')
  const rule = { ...deployments, operations: ['CREATE'] }
  await mutation(api, 'p', {
    matchConstraints: { resourceRules: [rule] },
    mutations: [
      apply(
        'Object{spec: Object.spec{template: Object.spec.template{spec: Object.spec.template.spec{containers: [Object.spec.template.spec.containers{name: "c", command: ["a"]}]}}}}',
      ),
    ],
  })
  const { status, json } = await api.ask('/apis/apps/v1/namespaces/web/deployments', { body: deployment('a', 'b') })
  assert.equal(status, 403)
  assert.match(
    String(json['message']),
    /^policy 'p' with binding 'p' denied request: error applying patch: invalid ApplyConfiguration: may not mutate atomic arrays, maps or structs: /,
  )
})

test('a policy that does not ask for it is not asked again, whatever others change after it', async () => {
  await using api = await server('1.36.2')
  const copy = (from: string, to: string): unknown =>
    patch(`has(object.data.${from}) ? [JSONPatch{op: "add", path: "/data/${to}", value: "1"}] : []`)
  await mutation(api, 'a-first', { reinvocationPolicy: 'Never', mutations: [copy('b', 'c')] })
  await mutation(api, 'b-second', { mutations: [copy('a', 'b')] })
  assert.deepEqual((await configMap(api, 'x', { a: '1' })).json['data'], { a: '1', b: '1' })
})

test('a policy is asked for each of its parameters, and for no request that its conditions leave out', async () => {
  await using api = await server('1.36.2')
  for (const [name, key] of Object.entries({ one: 'first', two: 'second', three: 'third' })) {
    const labels = name === 'three' ? {} : { kind: 'stamp' }
    await make(api, configMapsPath, { metadata: { name, labels }, data: { key } })
  }
  await make(api, mutating, {
    metadata: { name: 'stamps' },
    spec: {
      matchConstraints: { resourceRules: [{ ...deployments, operations: ['CREATE'] }] },
      paramKind: { apiVersion: 'v1', kind: 'ConfigMap' },
      matchConditions: [{ name: 'not-plain', expression: '!object.metadata.name.startsWith("plain")' }],
      failurePolicy: 'Fail',
      reinvocationPolicy: 'IfNeeded',
      mutations: [apply('Object{metadata: Object.metadata{labels: {params.data.key: params.metadata.name}}}')],
    },
  })
  const binding = async (name: string, paramRef: unknown): Promise<void> =>
    make(api, `${group}/mutatingadmissionpolicybindings`, {
      metadata: { name },
      spec: { policyName: 'stamps', paramRef },
    })
  await binding('by-labels', { selector: { matchLabels: { kind: 'stamp' } }, parameterNotFoundAction: 'Allow' })
  await binding('by-name', { name: 'three', namespace: 'web', parameterNotFoundAction: 'Deny' })
  const created = async (name: string): Promise<unknown> => {
    const { json, status, text } = await api.ask('/apis/apps/v1/namespaces/web/deployments', {
      body: deployment(name, 'b:1'),
    })
    return status === 201 ? (json as { metadata: { labels?: unknown } }).metadata.labels : text
  }
  assert.deepEqual(await created('stamped'), { first: 'one', second: 'two', third: 'three' })
  assert.equal(await created('plain'), undefined)
  assert.equal((await api.ask(`${configMapsPath}/three`, { method: 'DELETE' })).status, 200)
  assert.match(
    String(await created('late')),
    /policy 'stamps' with binding 'by-name' denied request: failed to configure binding: no params found for policy binding with `Deny` parameterNotFoundAction/,
  )
})

test('what goes wrong in a mutation refuses where the policy fails closed, and changes nothing where it does not', async () => {
  await using api = await server('1.36.2')
  const mutations = [patch('[JSONPatch{op: "replace", path: "/data/none", value: "1"}]')]
  await mutation(api, 'careless', { failurePolicy: 'Ignore', mutations })
  const made = await configMap(api, 'a', { b: '1' })
  assert.deepEqual([made.status, made.json['data']], [201, { b: '1' }])
  await mutation(api, 'strict', { mutations })
  const refused = await configMap(api, 'c', { b: '1' })
  assert.equal(refused.status, 403)
  assert.match(String(refused.json['message']), /^policy 'strict' with binding 'strict' denied request: JSON Patch: /)
})
