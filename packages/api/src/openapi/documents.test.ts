// The OpenAPI documents hold together: every reference leads somewhere, and kubectl finds what it looks for.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { loadTables } from '../tables.ts'
import { openApiGroupVersions, openApiV2, openApiV3 } from './documents.ts'

const tables = await loadTables('1.35')
const kinds = tables.kinds.filter(({ plural, version }) => plural !== undefined && /^v\d+$/.test(version))
const options = { tables, kinds, gitVersion: 'v1.35.7' }

function referencesIn(value: unknown): readonly string[] {
  return Array.from(JSON.stringify(value).matchAll(/"\$ref":"([^"]+)"/g), (match) => match[1]!)
}

test('every reference of every document leads to a definition in it', () => {
  let seen = 0
  for (const groupVersion of openApiGroupVersions(kinds)) {
    const document = openApiV3(options, groupVersion) as { components: { schemas: Record<string, unknown> } }
    for (const reference of referencesIn(document)) {
      seen += 1
      assert.ok(
        Object.hasOwn(document.components.schemas, reference.replace('#/components/schemas/', '')),
        `${groupVersion}: ${reference}`,
      )
    }
  }
  const swagger = openApiV2(options) as { definitions: Record<string, unknown> }
  for (const reference of referencesIn(swagger))
    assert.ok(Object.hasOwn(swagger.definitions, reference.replace('#/definitions/', '')), reference)
  assert.ok(seen > 1000)
})

test('a patch of a deployment takes fieldValidation, and its schema says how lists merge', () => {
  const document = openApiV3(options, 'apis/apps/v1') as {
    paths: Record<string, { patch: { parameters: { name: string }[]; 'x-kubernetes-group-version-kind': unknown } }>
    components: {
      schemas: Record<
        string,
        { properties: Record<string, Record<string, unknown>>; 'x-kubernetes-group-version-kind'?: unknown }
      >
    }
  }
  const { patch } = document.paths['/apis/apps/v1/namespaces/{namespace}/deployments/{name}']!
  assert.ok(patch.parameters.some(({ name }) => name === 'fieldValidation'))
  assert.deepEqual(patch['x-kubernetes-group-version-kind'], { group: 'apps', version: 'v1', kind: 'Deployment' })
  const containers = document.components.schemas['io.k8s.api.core.v1.PodSpec']!.properties['containers']!
  assert.equal(containers['x-kubernetes-patch-merge-key'], 'name')
  assert.equal(containers['x-kubernetes-patch-strategy'], 'merge')
  assert.deepEqual(document.components.schemas['io.k8s.api.apps.v1.Deployment']!['x-kubernetes-group-version-kind'], [
    { group: 'apps', version: 'v1', kind: 'Deployment' },
  ])
})

test('an unknown group version has no document', () => {
  assert.equal(openApiV3(options, 'apis/none/v1'), undefined)
})
