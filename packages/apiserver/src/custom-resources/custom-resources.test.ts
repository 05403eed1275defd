// Custom kinds through the whole pipeline: served when established, held to their schema, gone with their definition.

import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { startTestServer, type Asked, type TestServer } from '../test-server.ts'
import { crds, install, isTrue, loose, merge, settled, type Loose } from './test-definitions.ts'

const schema = {
  type: 'object',
  properties: {
    spec: {
      type: 'object',
      required: ['size'],
      properties: {
        size: { type: 'integer', minimum: 1, maximum: 10 },
        colour: { type: 'string', enum: ['red', 'blue'], default: 'red' },
        replicas: { type: 'integer', default: 1 },
        name: { type: 'string', pattern: '^[a-z]+$', maxLength: 5 },
        port: { 'x-kubernetes-int-or-string': true },
        open: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
        parts: {
          type: 'array',
          'x-kubernetes-list-type': 'map',
          'x-kubernetes-list-map-keys': ['id'],
          items: { type: 'object', required: ['id'], properties: { id: { type: 'string' }, n: { type: 'integer' } } },
        },
        template: {
          type: 'object',
          'x-kubernetes-embedded-resource': true,
          'x-kubernetes-preserve-unknown-fields': true,
        },
        either: {
          type: 'object',
          properties: { a: { type: 'string' }, b: { type: 'string' } },
          oneOf: [{ required: ['a'] }, { required: ['b'] }],
        },
      },
    },
    status: { type: 'object', properties: { replicas: { type: 'integer' }, selector: { type: 'string' } } },
  },
}

function definition(plural: string, kind: string, more: object = {}, version: object = {}): object {
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.example.com` },
    spec: {
      group: 'example.com',
      scope: 'Namespaced',
      names: { plural, kind, shortNames: [plural.slice(0, 2)], categories: ['all'] },
      versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: schema }, ...version }],
      ...more,
    },
  }
}

const widgets = '/apis/example.com/v1/namespaces/default/widgets'

function widget(name: string, spec: object, more: object = {}): object {
  return { apiVersion: 'example.com/v1', kind: 'Widget', metadata: { name }, spec, ...more }
}

void suite('a custom kind', () => {
  let server: TestServer
  before(async () => {
    server = await startTestServer()
    await install(
      server,
      definition(
        'widgets',
        'Widget',
        {},
        {
          subresources: {
            status: {},
            scale: {
              specReplicasPath: '.spec.replicas',
              statusReplicasPath: '.status.replicas',
              labelSelectorPath: '.status.selector',
            },
          },
          additionalPrinterColumns: [
            { name: 'Size', type: 'integer', jsonPath: '.spec.size' },
            { name: 'Colour', type: 'string', jsonPath: '.spec.colour', priority: 1 },
            { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
          ],
          selectableFields: [{ jsonPath: '.spec.colour' }, { jsonPath: '.spec.size' }],
        },
      ),
    )
  })
  after(() => server[Symbol.asyncDispose]())

  void test('stands in discovery, legacy and aggregated', async () => {
    const list = loose(await server.ask('/apis/example.com/v1'))
    const names = (list['resources'] as unknown as { name: string }[]).map(({ name }) => name)
    assert.deepEqual(names, ['widgets', 'widgets/scale', 'widgets/status'])
    const aggregated = await server.ask('/apis', {
      headers: { accept: 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList' },
    })
    const group = (aggregated.json['items'] as { metadata: { name: string }; versions: Loose[] }[]).find(
      ({ metadata }) => metadata.name === 'example.com',
    )
    const resource = (group!.versions[0]!['resources'] as Loose)[0]!
    assert.deepEqual([resource['shortNames'], resource['categories']], [['wi'], ['all']])
  })

  void test('is pruned of all that is unknown, however much that is; a hundred fields are named', async () => {
    const many = Object.fromEntries(Array.from({ length: 500 }, (_, at) => [`unknown-${at}`, { x: at }]))
    const made = await server.ask(widgets, { body: { ...widget('wide', { ...many, size: 1 }), ...many } })
    const { colour, size, ...spec } = loose(made, 201)['spec'] as unknown as Readonly<Record<string, unknown>>
    assert.deepEqual([colour, size, Object.keys(spec).filter((key) => key.startsWith('unknown'))], ['red', 1, []])
    const kept = (await server.ask(`${widgets}/wide`)).json
    assert.deepEqual(Object.keys(kept).sort(), ['apiVersion', 'kind', 'metadata', 'spec'])
    assert.equal(made.headers['warning']?.match(/unknown field/g)?.length, 100)
  })

  void test('is pruned and defaulted, and complains as asked', async () => {
    const body = widget('pruned', { size: 1, extra: 1, open: { x: 1 }, parts: [{ id: 'a', y: 2 }] })
    const made = await server.ask(widgets, { body })
    assert.deepEqual(loose(made, 201)['spec'], {
      colour: 'red',
      open: { x: 1 },
      parts: [{ id: 'a' }],
      replicas: 1,
      size: 1,
    } as unknown)
    assert.deepEqual(
      made.headers['warning'],
      '299 - "unknown field \\"spec.extra\\"", 299 - "unknown field \\"spec.parts[0].y\\""',
    )
    const strict = await server.ask(`${widgets}?fieldValidation=Strict`, {
      body: widget('strict', { size: 1, extra: 1 }),
    })
    assert.deepEqual(
      [strict.status, strict.json['message']],
      [400, 'Widget in version "v1" cannot be handled as a Widget: strict decoding error: unknown field "spec.extra"'],
    )
  })

  void test('is refused in upstream’s words where it does not fit its schema', async () => {
    for (const [spec, message] of [
      [{}, 'spec.size: Required value'],
      [{ size: 'x' }, 'spec.size: Invalid value: "string": spec.size in body must be of type integer: "string"'],
      [{ size: 0 }, 'spec.size: Invalid value: 0: spec.size in body should be greater than or equal to 1'],
      [{ size: 11 }, 'spec.size: Invalid value: 11: spec.size in body should be less than or equal to 10'],
      [{ size: 1, colour: 'green' }, 'spec.colour: Unsupported value: "green": supported values: "red", "blue"'],
      [{ size: 1, name: 'A' }, `spec.name: Invalid value: "A": spec.name in body should match '^[a-z]+$'`],
      [{ size: 1, name: 'abcdef' }, 'spec.name: Too long: may not be more than 5 bytes'],
      [
        { size: 1, port: 1.5 },
        'spec.port: Invalid value: "number": spec.port in body must be of type integer,string: "number"',
      ],
      [{ size: 1, parts: [{ id: 'a' }, { id: 'a' }] }, 'spec.parts[1]: Duplicate value: {"id":"a"}'],
      [{ size: 1, template: { kind: 'Pod' } }, 'spec.template.apiVersion: Required value'],
    ] as const) {
      const answer = await server.ask(widgets, { body: widget('bad', spec) })
      assert.deepEqual(
        [answer.status, answer.json['message']],
        [422, `Widget.example.com "bad" is invalid: ${message}`],
      )
    }
    const either = await server.ask(widgets, { body: widget('bad', { size: 1, either: {} }) })
    assert.match(
      String(either.json['message']),
      /<nil>: Invalid value: "": "spec.either" must validate one and only one schema \(oneOf\). Found none valid/,
    )
  })

  void test('keeps status and spec apart, and counts generations', async () => {
    const made = loose(
      await server.ask(widgets, { body: widget('apart', { size: 1 }, { status: { replicas: 5 } }) }),
      201,
    )
    assert.deepEqual([made['status'], made['metadata']!['generation']], [undefined, 1] as unknown[])
    const patch = (path: string, body: object): Promise<Asked> =>
      server.ask(path, { method: 'PATCH', headers: merge, body })
    const status = loose(
      await patch(`${widgets}/apart/status`, {
        spec: { size: 9 },
        status: { replicas: 2 },
        metadata: { labels: { a: 'b' } },
      }),
    )
    assert.deepEqual(
      [status['spec']!['size'], status['status'], status['metadata']!['generation'], status['metadata']!['labels']],
      [1, { replicas: 2 }, 1, undefined] as unknown[],
    )
    const labelled = loose(
      await patch(`${widgets}/apart`, { metadata: { labels: { a: 'b' } }, status: { replicas: 3 } }),
    )
    assert.deepEqual([labelled['metadata']!['generation'], labelled['status']], [1, { replicas: 2 }] as unknown[])
    const grown = loose(await patch(`${widgets}/apart`, { spec: { size: 2 } }))
    assert.equal(grown['metadata']!['generation'] as unknown, 2)
    const wrong = await patch(`${widgets}/apart/status`, { status: { replicas: 'x' } })
    assert.match(
      wrong.text,
      /status.replicas: Invalid value: \\"string\\": replicas in body must be of type integer: \\"string\\"/,
    )
  })

  void test('scales through its paths', async () => {
    await server.ask(widgets, { body: widget('scaled', { size: 1 }) })
    const scale = loose(await server.ask(`${widgets}/scaled/scale`))
    assert.deepEqual([scale['kind'], scale['spec'], scale['status']], [
      'Scale',
      { replicas: 1 },
      { replicas: 0 },
    ] as unknown[])
    await server.ask(`${widgets}/scaled/scale`, { method: 'PATCH', headers: merge, body: { spec: { replicas: 4 } } })
    const { spec, metadata } = loose(await server.ask(`${widgets}/scaled`))
    assert.deepEqual([spec!['replicas'], metadata!['generation']], [4, 2] as unknown[])
  })

  void test('shows its columns, and is selected by its fields', async () => {
    const table = loose(
      await server.ask(`${widgets}/scaled`, { headers: { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' } }),
    )
    const columns = (table['columnDefinitions'] as unknown as { name: string; priority: number }[]).map(
      ({ name, priority }) => [name, priority],
    )
    assert.deepEqual(columns, [
      ['Name', 0],
      ['Size', 0],
      ['Colour', 1],
      ['Age', 0],
    ])
    assert.deepEqual((table['rows']![0]!['cells'] as unknown as unknown[]).slice(0, 3), ['scaled', 1, 'red'])
    await server.ask(widgets, { body: widget('blue', { size: 2, colour: 'blue' }) })
    const blue = loose(await server.ask(`${widgets}?fieldSelector=spec.colour%3Dblue`))
    assert.deepEqual(
      (blue['items'] as unknown as Loose[]).map(({ metadata }) => metadata!['name'] as unknown),
      ['blue'],
    )
    const other = await server.ask(`${widgets}?fieldSelector=spec.name%3Dblue`)
    assert.deepEqual([other.status, other.json['message']], [400, 'field label not supported: spec.name'])
  })

  void test('ratchets: what an update leaves alone is not judged again', async () => {
    const tighter = structuredClone(schema)
    const name = await install(server, definition('gadgets', 'Gadget'))
    const path = '/apis/example.com/v1/namespaces/default/gadgets'
    loose(await server.ask(path, { body: { ...widget('old', { size: 9 }), kind: 'Gadget' } }), 201)
    tighter.properties.spec.properties.size.maximum = 5
    const changed = await server.ask(`${crds}/${name}`, {
      method: 'PATCH',
      headers: merge,
      body: { spec: { versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: tighter } }] } },
    })
    loose(changed)
    const patch = (body: object): Promise<Asked> => server.ask(`${path}/old`, { method: 'PATCH', headers: merge, body })
    loose(await patch({ spec: { replicas: 2 } }))
    const refused = await patch({ spec: { size: 8 } })
    assert.equal(
      refused.json['message'],
      'Gadget.example.com "old" is invalid: spec.size: Invalid value: 8: spec.size in body should be less than or equal to 5',
    )
  })

  void test('takes no strategic merge patches', async () => {
    const answer = await server.ask(`${widgets}/scaled`, {
      method: 'PATCH',
      headers: { 'content-type': 'application/strategic-merge-patch+json' },
      body: {},
    })
    assert.equal(answer.status, 415)
  })

  void test('gives its objects the defaults of a changed schema when they are read', async () => {
    const name = await install(server, definition('things', 'Thing'))
    const path = '/apis/example.com/v1/namespaces/default/things'
    loose(await server.ask(path, { body: { ...widget('a', { size: 1 }), kind: 'Thing' } }), 201)
    const next = structuredClone(schema) as unknown as { properties: { spec: { properties: Record<string, unknown> } } }
    next.properties.spec.properties['late'] = { type: 'string', default: 'yes' }
    delete next.properties.spec.properties['colour']
    loose(
      await server.ask(`${crds}/${name}`, {
        method: 'PATCH',
        headers: merge,
        body: { spec: { versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: next } }] } },
      }),
    )
    const read = loose(await server.ask(`${path}/a`))
    assert.deepEqual([read['spec']!['late'], read['spec']!['colour']], ['yes', undefined] as unknown[])
  })
})

void suite('a definition', () => {
  let server: TestServer
  before(async () => {
    server = await startTestServer()
  })
  after(() => server[Symbol.asyncDispose]())

  void test('whose names another one has is not accepted, until that one goes', async () => {
    await install(server, definition('apples', 'Apple'))
    const body = definition('pears', 'Apple')
    loose(await server.ask(crds, { body }), 201)
    const status = await settled(server, 'pears.example.com', (one) =>
      JSON.stringify(one ?? {}).includes('KindConflict'),
    )
    const condition = (status!['conditions'] as unknown as { type: string; status: string; message: string }[]).find(
      ({ type }) => type === 'NamesAccepted',
    )
    assert.deepEqual([condition?.status, condition?.message], ['False', '"AppleList" is already in use'])
    assert.equal((await server.ask('/apis/example.com/v1/namespaces/default/pears')).status, 404)
    await server.ask(`${crds}/apples.example.com`, { method: 'DELETE' })
    await settled(server, 'pears.example.com', (one) => isTrue(one, 'Established'))
    assert.equal((await server.ask('/apis/example.com/v1/namespaces/default/pears')).status, 200)
  })

  void test('takes its objects with it, and refuses new ones while it goes', async () => {
    const name = await install(server, definition('doomed', 'Doomed'))
    const path = '/apis/example.com/v1/namespaces/default/doomed'
    const body = {
      ...widget('held', { size: 1 }),
      kind: 'Doomed',
      metadata: { name: 'held', finalizers: ['example.com/hold'] },
    }
    loose(await server.ask(path, { body }), 201)
    loose(await server.ask(path, { body: { ...widget('free', { size: 1 }), kind: 'Doomed' } }), 201)
    loose(await server.ask(`${crds}/${name}`, { method: 'DELETE' }))
    const refused = await server.ask(path, { body: { ...widget('late', { size: 1 }), kind: 'Doomed' } })
    assert.match(refused.text, /create not allowed while custom resource definition is terminating/)
    await settled(server, name, (status) => JSON.stringify(status).includes('InstanceDeletionInProgress'))
    loose(
      await server.ask(`${path}/held`, { method: 'PATCH', headers: merge, body: { metadata: { finalizers: null } } }),
    )
    await settled(server, name, (status) => status === undefined)
    assert.equal((await server.ask(path)).status, 404)
    // Its objects are gone, not only out of sight.
    await install(server, definition('doomed', 'Doomed'))
    assert.deepEqual(loose(await server.ask(path))['items'], [] as unknown)
  })
})
