// What custom kinds publish in OpenAPI, and what kubectl makes of it.

import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, suite, test } from 'node:test'
import { conformanceCluster, type ConformanceCluster } from '../cluster.ts'
import { definitions, expectCall, installKind, jsonPatch, version, type Loose, type TestKind } from '../custom.ts'

const deadline = { timeout: 120_000 }

const fooSchema = {
  description: 'Foo CRD for Testing',
  type: 'object',
  properties: {
    spec: {
      type: 'object',
      description: 'Specification of Foo',
      properties: {
        bars: {
          description: 'List of Bars and their specs.',
          type: 'array',
          items: {
            type: 'object',
            required: ['name'],
            properties: {
              name: { description: 'Name of Bar.', type: 'string' },
              age: { description: 'Age of Bar.', type: 'string' },
              feeling: { description: "Bar's feeling.", type: 'string', enum: ['Great', 'Down'] },
              bazs: { description: 'List of Bazs.', type: 'array', items: { type: 'string' } },
            },
          },
        },
      },
    },
    status: {
      description: 'Status of Foo',
      type: 'object',
      properties: {
        bars: {
          description: 'List of Bars and their statuses.',
          type: 'array',
          items: { type: 'object', properties: { available: { type: 'boolean' } } },
        },
      },
    },
  },
}

const preserving = { 'x-kubernetes-preserve-unknown-fields': true }

function definitionIn(document: Loose, kind: TestKind, of: string): Loose | undefined {
  const reversed = kind.group.split('.').toReversed().join('.')
  return document['definitions']![`${reversed}.${of}.${kind.kind}`]
}

void suite('OpenAPI of custom kinds', () => {
  let cluster: ConformanceCluster
  let namespace = ''

  before(async () => {
    cluster = await conformanceCluster({ nodes: 'simulated', count: 1 })
    namespace = await cluster.namespace('open-api')
  })
  after(() => cluster[Symbol.asyncDispose]())

  const published = (): Promise<Loose> => expectCall(cluster.config, '/openapi/v2')
  const install = (schema: object | undefined, wish: object = {}): Promise<TestKind> =>
    installKind(cluster.config, { versions: [version('v1', schema)], ...wish })

  async function manifest(kind: TestKind, name: string, body: object, of = 'v1'): Promise<string> {
    const object = { apiVersion: `${kind.group}/${of}`, kind: kind.kind, metadata: { name }, ...body }
    const file = join(cluster.aksel.dataDir, `${name}.json`)
    await writeFile(file, JSON.stringify(object))
    return file
  }

  const kubectl = (...args: string[]): Promise<string> => cluster.aksel.kubectl(['-n', namespace, ...args])
  const refused = (...args: string[]): Promise<string> => cluster.aksel.fails(['kubectl', '-n', namespace, ...args])

  async function writesAnything(kind: TestKind, name: string, body: object): Promise<void> {
    const file = await manifest(kind, name, body)
    for (const verb of ['create', 'apply']) {
      await kubectl(verb, '-f', file)
      await kubectl('delete', kind.name, name)
    }
  }

  void test(
    '[sig-api-machinery] CustomResourcePublishOpenAPI [Privileged:ClusterAdmin] works for CRD with validation schema [Conformance]',
    deadline,
    async () => {
      const kind = await install(fooSchema)
      const found = definitionIn(await published(), kind, 'v1')
      assert.deepEqual(Object.keys(found!['properties']!).toSorted(), [
        'apiVersion',
        'kind',
        'metadata',
        'spec',
        'status',
      ])
      await writesAnything(kind, 'valid', { spec: { bars: [{ name: 'test-bar' }] } })
      const unknown = await manifest(kind, 'unknown', { spec: { bars: [{ name: 'x' }], foo: true } })
      for (const verb of ['create', 'apply'])
        assert.match(await refused(verb, '-f', unknown), /unknown field "spec\.foo"/)
      const unnamed = await manifest(kind, 'unnamed', { spec: { bars: [{ age: '10' }] } })
      for (const verb of ['create', 'apply'])
        assert.match(await refused(verb, '-f', unnamed), /spec\.bars\[0\]\.name: Required value/)
      const sad = await manifest(kind, 'sad', { spec: { bars: [{ name: 'test-bar', feeling: 'NonExistentValue' }] } })
      for (const verb of ['create', 'apply'])
        assert.match(await refused(verb, '-f', sad), /spec\.bars\[0\]\.feeling: Unsupported value: "NonExistentValue"/)

      const { plural } = kind
      assert.match(
        await kubectl('explain', plural),
        /DESCRIPTION:.*Foo CRD for Testing.*FIELDS:.*apiVersion.*<string>.*APIVersion defines.*spec.*<Object>.*Specification of Foo/s,
      )
      assert.match(
        await kubectl('explain', `${plural}.metadata`),
        /DESCRIPTION:.*Standard object's metadata.*FIELDS:.*creationTimestamp.*<string>.*CreationTimestamp is a timestamp/s,
      )
      assert.match(
        await kubectl('explain', `${plural}.spec`),
        /DESCRIPTION:.*Specification of Foo.*FIELDS:.*bars.*<\[\]Object>.*List of Bars and their specs/s,
      )
      assert.match(
        await kubectl('explain', `${plural}.spec.bars`),
        /bars.*<\[\]Object>.*DESCRIPTION:.*List of Bars and their specs.*FIELDS:.*bazs.*<\[\]string>.*List of Bazs.*name.*<string>.*Name of Bar/s,
      )
      assert.match(await kubectl('explain', plural, '--recursive'), /bars.*bazs/s)
      assert.match(await refused('explain', `${plural}.spec.bars2`), /field "bars2" does not exist/)
    },
  )

  void test(
    '[sig-api-machinery] CustomResourcePublishOpenAPI [Privileged:ClusterAdmin] works for CRD without validation schema [Conformance]',
    deadline,
    async () => {
      const kind = await install(undefined)
      assert.equal(definitionIn(await published(), kind, 'v1')!['properties'], undefined)
      await writesAnything(kind, 'anything', { spec: { a: null, b: [{ c: 'd' }] } })
      assert.match(await kubectl('explain', kind.plural), /DESCRIPTION:.*<empty>/s)
    },
  )

  void test(
    '[sig-api-machinery] CustomResourcePublishOpenAPI [Privileged:ClusterAdmin] works for CRD preserving unknown fields at the schema root [Conformance]',
    deadline,
    async () => {
      const kind = await install({ type: 'object', ...preserving })
      assert.equal(definitionIn(await published(), kind, 'v1')!['properties'], undefined)
      await writesAnything(kind, 'rooted', { a: { b: ['c'] } })
      assert.match(await kubectl('explain', kind.plural), new RegExp(`KIND:\\s+${kind.kind}`))
    },
  )

  void test(
    '[sig-api-machinery] CustomResourcePublishOpenAPI [Privileged:ClusterAdmin] works for CRD preserving unknown fields in an embedded object [Conformance]',
    deadline,
    async () => {
      const properties = {
        spec: {
          type: 'object',
          description: 'Specification of Waldo',
          ...preserving,
          properties: { dummy: { type: 'string' } },
        },
        status: { type: 'object', description: 'Status of Waldo', properties: { bars: { type: 'string' } } },
      }
      const kind = await install({
        type: 'object',
        description: 'preserve-unknown-properties in nested field for Testing',
        properties,
      })
      await writesAnything(kind, 'nested', { spec: { a: { b: [{ c: 'd' }] } } })
      assert.match(
        await kubectl('explain', kind.plural),
        /DESCRIPTION:.*preserve-unknown-properties in nested field for Testing/s,
      )
    },
  )

  void test(
    '[sig-api-machinery] CustomResourcePublishOpenAPI [Privileged:ClusterAdmin] works for multiple CRDs of different groups [Conformance]',
    deadline,
    async () => {
      const kinds = [await install(fooSchema), await install(fooSchema)]
      const document = await published()
      for (const kind of kinds) assert.ok(definitionIn(document, kind, 'v1'))
    },
  )

  void test(
    '[sig-api-machinery] CustomResourcePublishOpenAPI [Privileged:ClusterAdmin] works for multiple CRDs of same group but different versions [Conformance]',
    deadline,
    async () => {
      const group = `versions${Date.now().toString(36)}.example.com`
      const both = await install(undefined, {
        group,
        versions: [version('v1', fooSchema), version('v2', fooSchema, { storage: false })],
      })
      const others = [
        await install(undefined, { group, versions: [version('v3', fooSchema)] }),
        await install(undefined, { group, versions: [version('v4', fooSchema)] }),
      ] as const
      const document = await published()
      for (const name of ['v1', 'v2']) assert.ok(definitionIn(document, both, name))
      assert.ok(definitionIn(document, others[0], 'v3'))
      assert.ok(definitionIn(document, others[1], 'v4'))
    },
  )

  void test(
    '[sig-api-machinery] CustomResourcePublishOpenAPI [Privileged:ClusterAdmin] works for multiple CRDs of same group and version but different kinds [Conformance]',
    deadline,
    async () => {
      const group = `kinds${Date.now().toString(36)}.example.com`
      const kinds = [await install(fooSchema, { group }), await install(fooSchema, { group })]
      const document = await published()
      for (const kind of kinds) assert.ok(definitionIn(document, kind, 'v1'))
    },
  )

  void test(
    '[sig-api-machinery] CustomResourcePublishOpenAPI [Privileged:ClusterAdmin] updates the published spec when one version gets renamed [Conformance]',
    deadline,
    async () => {
      const kind = await install(undefined, {
        versions: [version('v2', fooSchema), version('v3', fooSchema, { storage: false })],
      })
      const before = await published()
      assert.ok(definitionIn(before, kind, 'v2'))
      const old = definitionIn(before, kind, 'v3')
      assert.ok(old)
      const body = JSON.stringify([
        { op: 'test', path: '/spec/versions/1/name', value: 'v3' },
        { op: 'replace', path: '/spec/versions/1/name', value: 'v4' },
      ])
      await expectCall(cluster.config, `${definitions}/${kind.name}`, { method: 'PATCH', type: jsonPatch, body })
      const renamed = await published()
      assert.equal(definitionIn(renamed, kind, 'v3'), undefined)
      assert.deepEqual(definitionIn(renamed, kind, 'v4')!['properties'], old['properties'])
      assert.deepEqual(definitionIn(renamed, kind, 'v2'), definitionIn(before, kind, 'v2'))
    },
  )

  void test(
    '[sig-api-machinery] CustomResourcePublishOpenAPI [Privileged:ClusterAdmin] removes definition from spec when one version gets changed to not be served [Conformance]',
    deadline,
    async () => {
      const kind = await install(undefined, {
        versions: [version('v5', fooSchema), version('v6alpha1', fooSchema, { storage: false })],
      })
      const before = await published()
      assert.ok(definitionIn(before, kind, 'v6alpha1'))
      const body = JSON.stringify([{ op: 'replace', path: '/spec/versions/1/served', value: false }])
      await expectCall(cluster.config, `${definitions}/${kind.name}`, { method: 'PATCH', type: jsonPatch, body })
      const after = await published()
      assert.equal(definitionIn(after, kind, 'v6alpha1'), undefined)
      assert.deepEqual(definitionIn(after, kind, 'v5'), definitionIn(before, kind, 'v5'))
    },
  )
})
