// The OpenAPI documents hold together: every reference leads somewhere, and kubectl finds what it looks for.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { loadTables } from '../tables.ts'
import { loadDescriptions } from './descriptions.ts'
import { openApiKeys, openApiV2, openApiV3 } from './documents.ts'

const tables = await loadTables('1.35')
const kinds = tables.kinds.filter(({ plural, version }) => plural !== undefined && /^v\d+$/.test(version))
const options = { tables, descriptions: await loadDescriptions(), kinds, gitVersion: 'v1.35.7' }

function referencesIn(value: unknown): readonly string[] {
  return Array.from(JSON.stringify(value).matchAll(/"\$ref":"([^"]+)"/g), (match) => match[1]!)
}

test('every reference of every document leads to a definition in it', () => {
  let seen = 0
  for (const groupVersion of openApiKeys(kinds)) {
    const document = openApiV3(options, groupVersion) as { components: { schemas: Record<string, unknown> } }
    for (const reference of referencesIn(document)) {
      seen += 1
      assert.ok(
        Object.hasOwn(document.components.schemas, reference.replace('#/components/schemas/', '')),
        `${groupVersion}: ${reference}`,
      )
    }
  }
  const swagger = openApiV2(options) as Record<string, Record<string, unknown>>
  for (const reference of referencesIn(swagger)) {
    const [, part = '', name = ''] = reference.split('/')
    assert.ok(Object.hasOwn(swagger[part]!, name), reference)
  }
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

test('fields have their closed sets, defaults and descriptions, and open sets stay open', () => {
  const document = openApiV3(options, 'api/v1') as {
    components: {
      schemas: Record<string, { description?: string; properties: Record<string, Record<string, unknown>> }>
    }
  }
  const schemas = document.components.schemas
  const { containers, restartPolicy, affinity } = schemas['io.k8s.api.core.v1.PodSpec']!.properties
  assert.deepEqual(restartPolicy!['enum'], ['Always', 'Never', 'OnFailure'])
  assert.match(String(containers!['description']), /^The containers of the pod/)
  // Beside a reference nothing may stand in version 3.
  assert.deepEqual(affinity!['allOf'], [{ $ref: '#/components/schemas/io.k8s.api.core.v1.Affinity' }])
  const { accessModes } = schemas['io.k8s.api.core.v1.PersistentVolumeClaimSpec']!.properties
  assert.deepEqual((accessModes!['items'] as { enum: unknown }).enum, [
    'ReadOnlyMany',
    'ReadWriteMany',
    'ReadWriteOnce',
    'ReadWriteOncePod',
  ])
  assert.equal(schemas['io.k8s.api.core.v1.EmptyDirVolumeSource']!.properties['medium']!['enum'], undefined)
  assert.match(schemas['io.k8s.api.core.v1.Pod']!.description!, /containers/)
})

test('operations have the names that code generators make functions of, each once', () => {
  const seen = new Set<string>()
  for (const groupVersion of openApiKeys(kinds)) {
    const { paths } = openApiV3(options, groupVersion) as {
      paths: Record<string, Record<string, { operationId?: string }>>
    }
    for (const [path, item] of Object.entries(paths))
      for (const [method, { operationId }] of Object.entries(item)) {
        if (method === 'parameters') continue
        assert.ok(operationId !== undefined && !operationId.includes('undefined'), `${method} ${path}`)
        assert.ok(!seen.has(operationId), operationId)
        seen.add(operationId)
      }
  }
  for (const name of [
    'listCoreV1NamespacedPod',
    'listAppsV1DeploymentForAllNamespaces',
    'readAppsV1NamespacedDeploymentStatus',
    'replaceCoreV1Node',
    'deleteRbacAuthorizationV1CollectionClusterRole',
    'createCoreV1NamespacedPodEviction',
  ]) {
    assert.ok(seen.has(name), name)
  }
})
