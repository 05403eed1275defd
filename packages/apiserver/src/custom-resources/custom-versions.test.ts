// Versions of a custom kind with a webhook between them, its rules in CEL, and server-side apply by its schema.

import assert from 'node:assert/strict'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { after, before, suite, test } from 'node:test'
import { issue } from '@aksel/runtime/pki'
import { startTestServer, type TestServer } from '../test-server.ts'
import { admissionListener, startHook as startAdmission } from '../webhook/test-hook.ts'
import { crds, install, loose, merge, settled, type Loose } from './test-definitions.ts'

interface Hook extends AsyncDisposable {
  readonly url: string
  readonly caBundle: string
  /** Objects of each review, oldest first. */
  readonly asked: number[]
  /** Answers reviews with this message instead of objects. */
  fail: string | undefined
}

/** v1 has `hostPort`, v2 has `host` and `port`. */
function convert(object: Record<string, unknown>, apiVersion: string): Record<string, unknown> {
  const { hostPort, host, port, ...rest } = object
  if (apiVersion.endsWith('/v2')) {
    const [name = '', number = ''] = String(hostPort).split(':')
    return { ...rest, apiVersion, host: name, port: number }
  }
  return { ...rest, apiVersion, hostPort: `${String(host)}:${String(port)}` }
}

async function startHook(server: TestServer): Promise<Hook> {
  const { certificatePem, keyPem } = await issue(server.scope, server.authority, {
    commonName: 'hook',
    ipAddresses: ['127.0.0.1'],
    usages: ['server'],
    days: 1,
  })
  const asked: number[] = []
  const state: { fail: string | undefined } = { fail: undefined }
  const https = createServer({ cert: certificatePem, key: keyPem }, (request, response) => {
    void text(request).then((body) => {
      const review = JSON.parse(body) as {
        request: { uid: string; desiredAPIVersion: string; objects: Record<string, unknown>[] }
      }
      const { uid, desiredAPIVersion, objects } = review.request
      asked.push(objects.length)
      const convertedObjects = objects.map((object) => convert(object, desiredAPIVersion))
      const result = state.fail === undefined ? { status: 'Success' } : { status: 'Failure', message: state.fail }
      response.end(JSON.stringify({ ...review, response: { uid, result, convertedObjects } }))
    })
  })
  await new Promise<void>((resolve) => https.listen(0, '127.0.0.1', resolve))
  return Object.assign(state, {
    url: `https://127.0.0.1:${(https.address() as AddressInfo).port}/convert`,
    caBundle: Buffer.from(server.authority.certificatePem).toString('base64'),
    asked,
    async [Symbol.asyncDispose]() {
      https.closeAllConnections()
      await new Promise((resolve) => https.close(resolve))
    },
  })
}

const word = { type: 'string' }

function versions(storage: 'v1' | 'v2'): readonly object[] {
  return [
    {
      name: 'v1',
      served: true,
      storage: storage === 'v1',
      schema: { openAPIV3Schema: { type: 'object', properties: { hostPort: word } } },
      selectableFields: [{ jsonPath: '.hostPort' }],
    },
    {
      name: 'v2',
      served: true,
      storage: storage === 'v2',
      schema: { openAPIV3Schema: { type: 'object', properties: { host: word, port: word } } },
    },
  ]
}

void suite('a kind with a conversion webhook', () => {
  let server: TestServer
  let hook: Hook
  const path = (version: string): string => `/apis/stable.example.com/${version}/namespaces/default/multis`

  before(async () => {
    server = await startTestServer()
    hook = await startHook(server)
    await install(server, {
      apiVersion: 'apiextensions.k8s.io/v1',
      kind: 'CustomResourceDefinition',
      metadata: { name: 'multis.stable.example.com' },
      spec: {
        group: 'stable.example.com',
        scope: 'Namespaced',
        names: { plural: 'multis', kind: 'Multi' },
        versions: versions('v1'),
        conversion: {
          strategy: 'Webhook',
          webhook: { conversionReviewVersions: ['v1'], clientConfig: { url: hook.url, caBundle: hook.caBundle } },
        },
      },
    })
  })
  after(async () => {
    await hook[Symbol.asyncDispose]()
    await server[Symbol.asyncDispose]()
  })

  void test('shows an object in each version, and asks only where they differ', async () => {
    const body = { apiVersion: 'stable.example.com/v1', kind: 'Multi', metadata: { name: 'a' }, hostPort: 'h:80' }
    loose(await server.ask(path('v1'), { body }), 201)
    assert.deepEqual(hook.asked, [])
    const v2 = loose(await server.ask(`${path('v2')}/a`))
    assert.deepEqual([v2['apiVersion'], v2['host'], v2['port'], v2['hostPort']], [
      'stable.example.com/v2',
      'h',
      '80',
      undefined,
    ] as unknown[])
    loose(await server.ask(`${path('v2')}/a`))
    assert.deepEqual(hook.asked, [1], 'a revision is converted once')
  })

  void test('takes writes in a version that is not stored', async () => {
    const body = { apiVersion: 'stable.example.com/v2', kind: 'Multi', metadata: { name: 'b' }, host: 'x', port: '1' }
    loose(await server.ask(path('v2'), { body }), 201)
    assert.equal(loose(await server.ask(`${path('v1')}/b`))['hostPort'] as unknown, 'x:1')
    const patched = await server.ask(`${path('v2')}/b`, { method: 'PATCH', headers: merge, body: { port: '2' } })
    assert.equal(loose(patched)['port'] as unknown, '2')
    const selected = loose(await server.ask(`${path('v1')}?fieldSelector=hostPort%3Dx:2`))
    assert.equal((selected['items'] as unknown as Loose[]).length, 1)
  })

  void test('lists objects that are stored in different versions, with one call', async () => {
    const changed = await server.ask(`${crds}/multis.stable.example.com`, {
      method: 'PATCH',
      headers: merge,
      body: { spec: { versions: versions('v2') } },
    })
    loose(changed)
    assert.deepEqual(loose(changed)['status']!['storedVersions'] as unknown, ['v1', 'v2'])
    const body = { apiVersion: 'stable.example.com/v1', kind: 'Multi', metadata: { name: 'c' }, hostPort: 'y:3' }
    loose(await server.ask(path('v1'), { body }), 201)
    hook.asked.length = 0
    const list = loose(await server.ask(path('v2')))
    const shown = (list['items'] as unknown as Loose[]).map(({ apiVersion, host, port }) => [apiVersion, host, port])
    assert.deepEqual(shown, [
      ['stable.example.com/v2', 'h', '80'],
      ['stable.example.com/v2', 'x', '2'],
      ['stable.example.com/v2', 'y', '3'],
    ] as unknown[])
    assert.deepEqual(hook.asked, [2], 'c is stored as v2')
  })

  void test('watches in each version', async () => {
    const signal = AbortSignal.timeout(10_000)
    const { resourceVersion } = loose(await server.ask(path('v1')))['metadata'] as unknown as Record<string, string>
    const type = { group: 'stable.example.com', version: 'v1', kind: 'Multi', plural: 'multis', namespaced: true }
    const events = server.client().watch(type, { namespace: 'default', resourceVersion: resourceVersion!, signal })
    const patched = await server.ask(`${path('v2')}/c`, { method: 'PATCH', headers: merge, body: { port: '4' } })
    loose(patched)
    for await (const event of events) {
      assert.deepEqual([event.type, (event.object as unknown as Loose)['hostPort']], ['MODIFIED', 'y:4'] as unknown[])
      break
    }
  })

  void test('is shown to admission in the version that a webhook asks for, and taken back from it', async () => {
    const seen: unknown[] = []
    await using judge = await startAdmission(
      server.scope,
      admissionListener((request) => {
        seen.push(request.object)
        return { patch: [{ op: 'replace', path: '/port', value: '99' }] }
      }),
    )
    const hooks = '/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations'
    const rule = {
      operations: ['CREATE'],
      apiGroups: ['stable.example.com'],
      apiVersions: ['v2'],
      resources: ['multis'],
    }
    const webhook = { name: 'w.example.com', clientConfig: judge.clientConfig(), rules: [rule], sideEffects: 'None' }
    const webhooks = [{ ...webhook, admissionReviewVersions: ['v1'] }]
    loose(await server.ask(hooks, { body: { metadata: { name: 'multis' }, webhooks } }), 201)
    const body = { apiVersion: 'stable.example.com/v1', kind: 'Multi', metadata: { name: 'judged' }, hostPort: 'h:80' }
    const made = loose(await server.ask(path('v1'), { body }), 201)
    assert.deepEqual([made['apiVersion'], made['hostPort']] as unknown[], ['stable.example.com/v1', 'h:99'])
    const { apiVersion, host, port, hostPort } = seen[0] as Record<string, unknown>
    assert.deepEqual([apiVersion, host, port, hostPort], ['stable.example.com/v2', 'h', '80', undefined])
    loose(await server.ask(`${hooks}/multis`, { method: 'DELETE' }))
    loose(await server.ask(`${path('v1')}/judged`, { method: 'DELETE' }))
  })

  void test('tells what the webhook says where it fails', async () => {
    hook.fail = 'no way'
    const body = { apiVersion: 'stable.example.com/v1', kind: 'Multi', metadata: { name: 'd' }, hostPort: 'z:5' }
    const answer = await server.ask(path('v1'), { body })
    assert.deepEqual(
      [answer.status, answer.json['message']],
      [500, 'conversion webhook for stable.example.com/v1, Kind=Multi failed: no way'],
    )
    hook.fail = undefined
  })

  void test('may not lose a version that objects are stored in', async () => {
    const answer = await server.ask(`${crds}/multis.stable.example.com`, {
      method: 'PATCH',
      headers: merge,
      body: { spec: { versions: [versions('v2')[1]] } },
    })
    assert.equal(
      answer.json['message'],
      'CustomResourceDefinition.apiextensions.k8s.io "multis.stable.example.com" is invalid: status.storedVersions[0]: Invalid value: "v1": missing from spec.versions; v1 was previously a storage version, and must remain in spec.versions until a storage migration ensures no data remains persisted in v1 and removes v1 from status.storedVersions',
    )
  })
})

void suite('a kind with rules', () => {
  let server: TestServer
  const path = '/apis/example.com/v1/limits'
  const apply = (name: string, spec: object, query = ''): ReturnType<TestServer['ask']> =>
    server.ask(`${path}/${name}?fieldManager=me${query}`, {
      method: 'PATCH',
      headers: { 'content-type': 'application/apply-patch+yaml' },
      body: { apiVersion: 'example.com/v1', kind: 'Limit', metadata: { name }, spec },
    })

  before(async () => {
    server = await startTestServer()
    const ports = {
      type: 'array',
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['port', 'protocol'],
      items: {
        type: 'object',
        required: ['port'],
        properties: { port: { type: 'integer' }, protocol: { type: 'string', default: 'TCP' }, name: word },
      },
    }
    const spec = {
      type: 'object',
      properties: { min: { type: 'integer' }, max: { type: 'integer' }, ports },
      'x-kubernetes-validations': [
        { rule: '!has(self.min) || !has(self.max) || self.min <= self.max', message: 'min must not be above max' },
        { rule: '!has(oldSelf.min) || has(self.min)', message: 'min may not go', fieldPath: '.min' },
      ],
    }
    await install(server, {
      metadata: { name: 'limits.example.com' },
      spec: {
        group: 'example.com',
        scope: 'Cluster',
        names: { plural: 'limits', kind: 'Limit' },
        versions: [
          {
            name: 'v1',
            served: true,
            storage: true,
            schema: { openAPIV3Schema: { type: 'object', properties: { spec } } },
          },
        ],
      },
    })
  })
  after(() => server[Symbol.asyncDispose]())

  void test('holds its objects to them', async () => {
    const refused = await apply('a', { min: 2, max: 1 })
    assert.deepEqual(
      [refused.status, refused.json['message']],
      [422, 'Limit.example.com "a" is invalid: spec: Invalid value: min must not be above max'],
    )
    loose(await apply('a', { min: 1, max: 2 }), 201)
    const later = await server.ask(`${path}/a`, { method: 'PATCH', headers: merge, body: { spec: { min: null } } })
    assert.equal(later.json['message'], 'Limit.example.com "a" is invalid: spec.min: Invalid value: min may not go')
  })

  void test('is merged by its schema, field by field and key by key', async () => {
    loose(await apply('b', { ports: [{ port: 1, name: 'one' }] }), 201)
    const other = await server.ask(`${path}/b?fieldManager=other`, {
      method: 'PATCH',
      headers: { 'content-type': 'application/apply-patch+yaml' },
      body: {
        apiVersion: 'example.com/v1',
        kind: 'Limit',
        metadata: { name: 'b' },
        spec: { max: 9, ports: [{ port: 2 }] },
      },
    })
    assert.deepEqual(loose(other)['spec'], {
      max: 9,
      ports: [
        { name: 'one', port: 1, protocol: 'TCP' },
        { port: 2, protocol: 'TCP' },
      ],
    } as unknown)
    const conflict = await apply('b', { max: 8, ports: [{ port: 1, name: 'one' }] })
    assert.equal(conflict.status, 409)
    assert.match(conflict.text, /conflict with \\"other\\": .spec.max/)
    const unknown = await apply('c', { what: 1 })
    assert.match(unknown.text, /\.spec\.what: field not declared in schema/)
  })

  void test('tells of what an update leaves as it was, though a newer rule would refuse it', async () => {
    const definition = loose(await server.ask(`${crds}/limits.example.com`))
    const versions = structuredClone(definition['spec']!['versions']) as unknown as {
      schema: { openAPIV3Schema: { properties: { spec: { 'x-kubernetes-validations': object[] } } } }
    }[]
    versions[0]!.schema.openAPIV3Schema.properties.spec['x-kubernetes-validations'].push({
      rule: '!has(self.max) || self.max < 2',
      message: 'max is too big',
    })
    const tightened = { method: 'PATCH', headers: merge, body: { spec: { versions } } }
    loose(await server.ask(`${crds}/limits.example.com`, tightened))
    const labels = { method: 'PATCH', headers: merge, body: { metadata: { labels: { a: 'b' } } } }
    const labelled = await server.ask(`${path}/a`, labels)
    assert.equal(labelled.status, 200, labelled.text)
    assert.equal(labelled.headers['warning'], '299 - "spec: Invalid value: max is too big"')
    const changed = await server.ask(`${path}/a`, { method: 'PATCH', headers: merge, body: { spec: { max: 3 } } })
    assert.equal(changed.json['message'], 'Limit.example.com "a" is invalid: spec: Invalid value: max is too big')
  })

  void test('may not have rules that cannot be', async () => {
    const bad = {
      metadata: { name: 'bads.example.com' },
      spec: {
        group: 'example.com',
        scope: 'Cluster',
        names: { plural: 'bads', kind: 'Bad' },
        versions: [
          {
            name: 'v1',
            served: true,
            storage: true,
            schema: {
              openAPIV3Schema: { type: 'object', 'x-kubernetes-validations': [{ rule: 'self.nothing == 1' }] },
            },
          },
        ],
      },
    }
    const answer = await server.ask(crds, { body: bad })
    assert.equal(answer.status, 422)
    assert.match(
      answer.text,
      /openAPIV3Schema\.x-kubernetes-validations\[0\]\.rule: Invalid value: .*undefined field 'nothing'/,
    )
  })

  void test('goes with its definition', async () => {
    loose(await server.ask(`${crds}/limits.example.com`, { method: 'DELETE' }))
    await settled(server, 'limits.example.com', (status) => status === undefined)
    assert.equal((await server.ask(path)).status, 404)
  })
})
