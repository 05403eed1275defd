// Server-side apply and managedFields through the whole pipeline: who owns what after each verb, and what is refused.

import assert from 'node:assert/strict'
import { after, suite, test } from 'node:test'
import { startTestServer, type Asked, type TestServer } from '../test-server.ts'

interface Entry {
  readonly manager: string
  readonly operation: string
  readonly apiVersion: string
  readonly time?: string
  readonly fieldsV1: Readonly<Record<string, unknown>>
  readonly subresource?: string
}

type Answered = Readonly<Record<string, unknown>> & {
  readonly metadata: { readonly managedFields?: readonly Entry[]; readonly resourceVersion: string }
  readonly spec: Readonly<Record<string, unknown>>
}

const deployments = '/apis/apps/v1/namespaces/default/deployments'
const APPLY = { 'content-type': 'application/apply-patch+yaml' }
const MERGE = { 'content-type': 'application/merge-patch+json' }

function deployment(name: string, spec: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  const containers = [{ name: 'c', image: 'nginx', ports: [{ containerPort: 80 }] }]
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name },
    spec: {
      selector: { matchLabels: { app: name } },
      template: { metadata: { labels: { app: name } }, spec: { containers } },
      ...spec,
    },
  }
}

function part(name: string, spec: Readonly<Record<string, unknown>>, metadata = {}): Record<string, unknown> {
  return { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name, ...metadata }, spec }
}

function apply(server: TestServer, path: string, query: string, body: unknown): Promise<Asked> {
  return server.ask(`${path}?${query}`, { method: 'PATCH', headers: APPLY, body })
}

function entries(answer: Asked): readonly Entry[] {
  return (answer.json as Answered).metadata.managedFields ?? []
}

function shown(answer: Asked): readonly string[] {
  return entries(answer).map(({ manager, operation, apiVersion, subresource = '-', fieldsV1 }) =>
    [manager, operation, apiVersion, subresource, JSON.stringify(fieldsV1)].join(' '),
  )
}

function refused(answer: Asked): readonly unknown[] {
  return [answer.status, answer.json['reason'], answer.json['message']]
}

void suite('server-side apply', async () => {
  const server = await startTestServer()
  after(() => server[Symbol.asyncDispose]())

  void test('makes what is not there, and owns what it says and no default', async () => {
    const made = await apply(server, `${deployments}/made`, 'fieldManager=me', deployment('made', { replicas: 2 }))
    assert.equal(made.status, 201, made.text)
    assert.deepEqual(shown(made), [
      'me Apply apps/v1 - {"f:spec":{"f:replicas":{},"f:selector":{},"f:template":{"f:metadata":{"f:labels":{"f:app":{}}},"f:spec":{"f:containers":{"k:{\\"name\\":\\"c\\"}":{".":{},"f:image":{},"f:name":{},"f:ports":{"k:{\\"containerPort\\":80,\\"protocol\\":\\"TCP\\"}":{".":{},"f:containerPort":{}}}}}}}}}',
    ])
    const again = await apply(server, `${deployments}/made`, 'fieldManager=me', deployment('made', { replicas: 2 }))
    assert.equal(again.status, 200)
    assert.equal((again.json as Answered).metadata.resourceVersion, (made.json as Answered).metadata.resourceVersion)
  })

  void test('lists the conflict with an updater, and takes over by force', async () => {
    await server.ask(`${deployments}?fieldManager=kubectl-create`, { body: deployment('taken', { replicas: 1 }) })
    const conflict = await apply(server, `${deployments}/taken`, 'fieldManager=me', part('taken', { replicas: 3 }))
    assert.deepEqual(conflict.json, {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Failure',
      message: 'Apply failed with 1 conflict: conflict with "kubectl-create" using apps/v1: .spec.replicas',
      reason: 'Conflict',
      details: {
        causes: [
          {
            reason: 'FieldManagerConflict',
            message: 'conflict with "kubectl-create" using apps/v1',
            field: '.spec.replicas',
          },
        ],
      },
      code: 409,
    })
    const spec = { replicas: 3, paused: true, template: { spec: { restartPolicy: 'Never' } } }
    const several = await apply(server, `${deployments}/taken`, 'fieldManager=me', part('taken', spec))
    assert.equal(
      several.json['message'],
      'Apply failed with 2 conflicts: conflicts with "kubectl-create" using apps/v1:\n- .spec.replicas\n- .spec.template.spec.restartPolicy',
    )
    const forced = await apply(
      server,
      `${deployments}/taken`,
      'fieldManager=me&force=true',
      part('taken', { replicas: 3 }),
    )
    assert.equal((forced.json as Answered).spec['replicas'], 3)
    assert.deepEqual(entries(forced)[0]?.fieldsV1, { 'f:spec': { 'f:replicas': {} } })
    assert.doesNotMatch(JSON.stringify(entries(forced)[1]), /f:replicas/)
  })

  void test('drops what it applies no more, and defaults come back', async () => {
    await apply(server, `${deployments}/less`, 'fieldManager=me', deployment('less', { replicas: 5, paused: true }))
    const less = await apply(server, `${deployments}/less`, 'fieldManager=me', deployment('less'))
    assert.deepEqual([(less.json as Answered).spec['replicas'], (less.json as Answered).spec['paused']], [1, undefined])
  })

  void test('refuses what cannot be applied, in upstream’s words', async () => {
    const path = `${deployments}/refused`
    await server.ask(deployments, { body: deployment('refused') })
    const cases: readonly (readonly [string, unknown, readonly unknown[]])[] = [
      [
        '',
        part('refused', {}),
        [
          422,
          'Invalid',
          'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch',
        ],
      ],
      [
        'fieldManager=me',
        { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'refused' } },
        [400, 'BadRequest', 'invalid object type: /v1, Kind=Pod'],
      ],
      [
        'fieldManager=me',
        part('refused', {}, { managedFields: [] }),
        [400, 'BadRequest', 'metadata.managedFields must be nil'],
      ],
      [
        'fieldManager=me',
        part('refused', { foo: 1 }, { namespace: 'default' }),
        [
          500,
          undefined,
          'failed to create typed patch object (default/refused; apps/v1, Kind=Deployment): .spec.foo: field not declared in schema',
        ],
      ],
      [
        'fieldManager=me',
        part('refused', { replicas: 'two' }),
        [
          500,
          undefined,
          'failed to create typed patch object (/refused; apps/v1, Kind=Deployment): .spec.replicas: expected numeric (int or float), got string',
        ],
      ],
      [
        'fieldManager=me',
        'a: [1',
        [
          400,
          'BadRequest',
          'error decoding patch: error converting YAML to JSON: yaml: line 1: Flow sequence in block collection must be sufficiently indented and end with a ]',
        ],
      ],
    ]
    for (const [query, body, answer] of cases) assert.deepEqual(refused(await apply(server, path, query, body)), answer)
    const force = await server.ask(`${path}?force=true`, { method: 'PATCH', headers: MERGE, body: {} })
    assert.deepEqual(refused(force), [
      422,
      'Invalid',
      'PatchOptions.meta.k8s.io "" is invalid: force: Forbidden: may not be specified for non-apply patch',
    ])
  })

  void test('reads YAML; keys that stand twice warn, or are refused where the caller is strict', async () => {
    const body = ['apiVersion: v1', 'kind: ConfigMap', 'metadata: {name: twice}', 'data:', '  a: "1"', '  a: "2"'].join(
      '\n',
    )
    const path = '/api/v1/namespaces/default/configmaps/twice'
    const strict = await apply(server, path, 'fieldManager=me&fieldValidation=Strict', body)
    const text = 'error converting YAML to JSON: yaml: unmarshal errors:\n  line 6: key "a" already set in map'
    assert.deepEqual(refused(strict), [400, 'BadRequest', `error strict decoding patch: ${text}`])
    const warned = await apply(server, path, 'fieldManager=me', body)
    assert.deepEqual([warned.status, warned.json['data']], [201, { a: '2' }])
    assert.match(warned.headers['warning'] ?? '', /already set in map/)
  })

  void test('of the status owns no spec, and of an object without managed fields leaves the rest to before-first-apply', async () => {
    const created = await server.ask(`${deployments}?fieldManager=kubectl-create`, { body: deployment('status') })
    assert.equal(created.status, 201)
    const body = { ...part('status', { replicas: 9 }), status: { observedGeneration: 1 } }
    const status = await apply(server, `${deployments}/status/status`, 'fieldManager=loop&force=true', body)
    assert.equal((status.json as Answered).spec['replicas'], 1)
    assert.equal(shown(status)[0], 'loop Apply apps/v1 status {"f:status":{"f:observedGeneration":{}}}')

    const reset = { metadata: { managedFields: [{}] } }
    const cleared = await server.ask(`${deployments}/status`, { method: 'PATCH', headers: MERGE, body: reset })
    assert.deepEqual(entries(cleared), [])
    const applied = await apply(server, `${deployments}/status`, 'fieldManager=me', part('status', { paused: true }))
    assert.deepEqual(
      entries(applied).map(({ manager, operation }) => `${manager} ${operation}`),
      ['me Apply', 'before-first-apply Update'],
    )
  })

  void test('through the scale owns the replicas under the scale’s name, and meets their owners', async () => {
    await apply(server, `${deployments}/scaled`, 'fieldManager=me', deployment('scaled', { replicas: 2 }))
    const scale = { apiVersion: 'autoscaling/v1', kind: 'Scale', metadata: { name: 'scaled', namespace: 'default' } }
    const path = `${deployments}/scaled/scale`
    const conflict = await apply(server, path, 'fieldManager=hpa', { ...scale, spec: { replicas: 4 } })
    assert.equal(conflict.json['message'], 'Apply failed with 1 conflict: conflict with "me": .spec.replicas')
    const put = await server.ask(`${path}?fieldManager=kubectl`, {
      method: 'PUT',
      body: { ...scale, spec: { replicas: 3 } },
    })
    assert.equal(put.status, 200, put.text)
    const after = await server.ask(`${deployments}/scaled`)
    assert.deepEqual(shown(after)[1], 'kubectl Update apps/v1 scale {"f:spec":{"f:replicas":{}}}')
    assert.doesNotMatch(shown(after)[0]!, /f:replicas/)
    const rest = await apply(server, `${deployments}/scaled`, 'fieldManager=me', deployment('scaled'))
    assert.equal((rest.json as Answered).spec['replicas'], 3)
  })

  void test('by kubectl takes over what its client-side apply had set, and keeps the annotation true', async () => {
    const last = JSON.stringify(deployment('migrated', { replicas: 1 }))
    const annotations = { 'kubectl.kubernetes.io/last-applied-configuration': last }
    const object = deployment('migrated', { replicas: 1 })
    await server.ask(`${deployments}?fieldManager=kubectl-client-side-apply`, {
      body: { ...object, metadata: { name: 'migrated', annotations } },
    })
    const other = await apply(
      server,
      `${deployments}/migrated`,
      'fieldManager=me',
      deployment('migrated', { replicas: 2 }),
    )
    assert.equal(other.status, 409)
    const taken = await apply(
      server,
      `${deployments}/migrated`,
      'fieldManager=kubectl',
      deployment('migrated', { replicas: 2 }),
    )
    assert.equal(taken.status, 200, taken.text)
    const { metadata, spec } = taken.json as Answered & { metadata: { annotations: Record<string, string> } }
    const kept = JSON.parse(metadata.annotations['kubectl.kubernetes.io/last-applied-configuration']!) as Answered
    assert.deepEqual([spec['replicas'], kept.spec['replicas']], [2, 2])
  })
})
