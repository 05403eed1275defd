// Definitions of custom kinds: made, listed, found in discovery, with a status of their own, with defaults, and watched.

import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { Watch } from '@kubernetes/client-node'
import { conformanceCluster, type ConformanceCluster } from '../cluster.ts'
import {
  callApi,
  definitions,
  expectCall,
  installKind,
  jsonPatch,
  mergePatch,
  removeKind,
  version,
  type Loose,
} from '../custom.ts'
import { watched } from '../watched.ts'

const deadline = { timeout: 90_000 }
interface Discovered {
  readonly metadata: { readonly name: string }
  readonly versions: readonly {
    readonly version: string
    readonly resources: readonly { readonly resource: string; readonly responseKind: { readonly kind: string } }[]
  }[]
}

void suite('custom resource definitions', () => {
  let cluster: ConformanceCluster

  before(async () => {
    cluster = await conformanceCluster({ nodes: 'simulated', count: 1 })
  })
  after(() => cluster[Symbol.asyncDispose]())

  void test(
    '[sig-api-machinery] CustomResourceDefinition resources [Privileged:ClusterAdmin] Simple CustomResourceDefinition creating/deleting custom resource definition objects works [Conformance]',
    deadline,
    async () => {
      const kind = await installKind(cluster.config)
      await removeKind(cluster.config, kind.name)
      assert.equal((await callApi(cluster.config, kind.path('v1'))).status, 404)
    },
  )

  void test(
    '[sig-api-machinery] CustomResourceDefinition resources [Privileged:ClusterAdmin] Simple CustomResourceDefinition listing custom resource definition objects works [Conformance]',
    deadline,
    async () => {
      const { config } = cluster
      const label = `e2e-list-test=${Date.now().toString(36)}`
      const [key = '', value = ''] = label.split('=')
      const kinds = await Promise.all(
        Array.from({ length: 10 }, () => installKind(config, { labels: { [key]: value } })),
      )
      const selected = `${definitions}?labelSelector=${encodeURIComponent(label)}`
      const { items } = await expectCall(config, selected)
      assert.deepEqual(
        items!.map(({ metadata }) => String(metadata!['name'])).toSorted(),
        kinds.map(({ name }) => name).toSorted(),
      )
      await expectCall(config, selected, { method: 'DELETE' })
      for (const { name } of kinds)
        await watched(config, { path: definitions, name, isWanted: (one) => one === undefined, waitMs: 30_000 })
      assert.equal((await expectCall(config, selected))['items']!.length, 0)
    },
  )

  void test(
    '[sig-api-machinery] CustomResourceDefinition resources [Privileged:ClusterAdmin] Simple CustomResourceDefinition getting/updating/patching custom resource definition status sub-resource works [Conformance]',
    deadline,
    async () => {
      const { config } = cluster
      const { name } = await installKind(config)
      const path = `${definitions}/${name}/status`
      const whole = await expectCall(config, `${definitions}/${name}`)
      const status = await expectCall(config, path)
      assert.deepEqual(status['spec'], whole['spec'])
      const withCondition = (message: string, old: Loose): object => ({
        ...(old as object),
        status: {
          ...(old['status'] as object),
          conditions: [
            ...(old['status']!['conditions'] as unknown as readonly object[]),
            { message, type: '', status: '' },
          ],
        },
      })
      const updated = await expectCall(config, path, { method: 'PUT', body: withCondition('updated', status) })
      const messages = (object: Loose): readonly unknown[] =>
        object['status']!['conditions']!.map(({ message }) => message)
      assert.ok(messages(updated).includes('updated'))
      const { conditions } = (withCondition('patched', updated) as { status: { conditions: readonly object[] } }).status
      const body = { status: { conditions } }
      const patched = await expectCall(config, path, { method: 'PATCH', type: mergePatch, body })
      assert.ok(messages(patched).includes('updated'))
      assert.ok(messages(patched).includes('patched'))
    },
  )

  void test(
    '[sig-api-machinery] CustomResourceDefinition resources [Privileged:ClusterAdmin] should include custom resource definition resources in discovery documents [Conformance]',
    deadline,
    async () => {
      const { config } = cluster
      const { groups } = await expectCall(config, '/apis')
      const group = groups!.find(({ name }) => String(name) === 'apiextensions.k8s.io')
      assert.ok(group)
      assert.ok(group['versions']!.some((one) => String(one['groupVersion']) === 'apiextensions.k8s.io/v1'))
      const own = await expectCall(config, '/apis/apiextensions.k8s.io')
      assert.ok(own['versions']!.some((one) => String(one['version']) === 'v1'))
      const { resources } = await expectCall(config, '/apis/apiextensions.k8s.io/v1')
      assert.ok(resources!.some(({ name }) => String(name) === 'customresourcedefinitions'))
    },
  )

  void test(
    '[sig-api-machinery] CustomResourceDefinition resources [Privileged:ClusterAdmin] custom resource defaulting for requests and from storage works [Conformance]',
    deadline,
    async () => {
      const { config } = cluster
      const properties = { a: { type: 'string', default: 'A' }, b: { type: 'string' } }
      const kind = await installKind(config, {
        scope: 'Cluster',
        versions: [version('v1', { type: 'object', properties })],
      })
      const create = (name: string): Promise<Loose> =>
        expectCall(
          config,
          kind.path('v1'),
          { body: { apiVersion: `${kind.group}/v1`, kind: kind.kind, metadata: { name } } },
          201,
        )
      const shown = ({ a, b }: Loose): unknown => [a, b]
      assert.deepEqual(shown(await create('cr-1')), ['A', undefined])
      assert.deepEqual(shown(await expectCall(config, `${kind.path('v1')}/cr-1`)), ['A', undefined])
      const at = '/spec/versions/0/schema/openAPIV3Schema/properties/b/default'
      const body = JSON.stringify([{ op: 'add', path: at, value: 'B' }])
      await expectCall(config, `${definitions}/${kind.name}`, { method: 'PATCH', type: jsonPatch, body })
      assert.deepEqual(shown(await create('cr-2')), ['A', 'B'])
      // The stored object lacks the field: it is filled in when it is read.
      assert.deepEqual(shown(await expectCall(config, `${kind.path('v1')}/cr-1`)), ['A', 'B'])
    },
  )

  void test(
    '[sig-api-machinery] CustomResourceDefinition Watch [Privileged:ClusterAdmin] CustomResourceDefinition Watch watch on custom resource definition objects [Conformance]',
    deadline,
    async () => {
      const { config } = cluster
      const kind = await installKind(config, { scope: 'Cluster' })
      const names = ['name1', 'name2'] as const
      const seen: Record<string, string[]> = { name1: [], name2: [] }
      const reached = names.map(() => Promise.withResolvers<void>())
      const watch = new Watch(config)
      const calls = await Promise.all(
        names.map((name, index) =>
          watch.watch(
            kind.path('v1'),
            { fieldSelector: `metadata.name=${name}` },
            (type: string) => {
              seen[name]!.push(type)
              if (type === 'DELETED') reached[index]!.resolve()
            },
            (error: unknown) => reached[index]!.reject(error instanceof Error ? error : new Error(String(error))),
          ),
        ),
      )
      for (const name of names) {
        const body = { apiVersion: `${kind.group}/v1`, kind: kind.kind, metadata: { name } }
        await expectCall(config, kind.path('v1'), { body }, 201)
      }
      for (const name of names) {
        const body = { spec: { touched: true } }
        await expectCall(config, `${kind.path('v1')}/${name}`, { method: 'PATCH', type: mergePatch, body })
        await expectCall(config, `${kind.path('v1')}/${name}`, { method: 'DELETE' })
      }
      await Promise.all(reached.map(({ promise }) => promise))
      for (const call of calls) call.abort()
      for (const name of names) assert.deepEqual(seen[name], ['ADDED', 'MODIFIED', 'DELETED'])
    },
  )

  void test(
    '[sig-api-machinery] AggregatedDiscovery should support aggregated discovery interface for CRDs [Conformance]',
    deadline,
    async () => {
      const { config } = cluster
      const group = `aggregated${Date.now().toString(36)}.example.com`
      const kinds = [
        await installKind(config, { group, kind: 'Foo', versions: [version('v1')] }),
        await installKind(config, { group, kind: 'Bar', scope: 'Cluster', versions: [version('v1')] }),
      ]
      const found = (await discovered(cluster, 'v2')).find(({ metadata }) => metadata.name === group)
      const resources = found?.versions.find((one) => one.version === 'v1')?.resources ?? []
      assert.deepEqual(
        resources.map(({ resource, responseKind }) => `${resource} ${responseKind.kind}`).toSorted(),
        kinds.map(({ plural, kind }) => `${plural} ${kind}`).toSorted(),
      )
    },
  )

  void test(
    '[sig-api-machinery] AggregatedDiscovery should support raw aggregated discovery request for CRDs [Conformance]',
    deadline,
    async () => {
      const kind = await installKind(cluster.config)
      const found = (await discovered(cluster, 'v2')).find(({ metadata }) => metadata.name === kind.group)
      const own = found?.versions.find((one) => one.version === 'v1')
      assert.ok(own?.resources.some(({ resource }) => resource === kind.plural))
    },
  )

  void test(
    '[sig-api-machinery] AggregatedDiscovery should support raw aggregated discovery endpoint Accept headers [Conformance]',
    deadline,
    async () => {
      const asked = async (path: string, accept: string): Promise<string> =>
        String((await cluster.get<{ readonly kind: string }>(path, { accept })).kind)
      const aggregated = (v: string): string => `application/json;g=apidiscovery.k8s.io;v=${v};as=APIGroupDiscoveryList`
      for (const path of ['/api', '/apis']) {
        const plain = path === '/api' ? 'APIVersions' : 'APIGroupList'
        assert.equal(await asked(path, 'application/json'), plain)
        assert.equal(await asked(path, aggregated('v2')), 'APIGroupDiscoveryList')
        assert.equal(await asked(path, `${aggregated('v2')},application/json`), 'APIGroupDiscoveryList')
        assert.equal(await asked(path, `${aggregated('v9')},application/json`), plain)
      }
    },
  )

  void test(
    '[sig-api-machinery] AggregatedDiscovery should support aggregated discovery interface [Conformance]',
    deadline,
    async () => {
      const groups = await discovered(cluster, 'v2')
      const expected: readonly (readonly [group: string, version: string, resource: string])[] = [
        ['admissionregistration.k8s.io', 'v1', 'mutatingwebhookconfigurations'],
        ['admissionregistration.k8s.io', 'v1', 'validatingwebhookconfigurations'],
        ['apiextensions.k8s.io', 'v1', 'customresourcedefinitions'],
        ['apiregistration.k8s.io', 'v1', 'apiservices'],
        ['apps', 'v1', 'deployments'],
        ['apps', 'v1', 'replicasets'],
        ['authentication.k8s.io', 'v1', 'tokenreviews'],
        ['authorization.k8s.io', 'v1', 'selfsubjectaccessreviews'],
        ['autoscaling', 'v1', 'horizontalpodautoscalers'],
        ['autoscaling', 'v2', 'horizontalpodautoscalers'],
        ['batch', 'v1', 'jobs'],
        ['batch', 'v1', 'cronjobs'],
        ['certificates.k8s.io', 'v1', 'certificatesigningrequests'],
        ['coordination.k8s.io', 'v1', 'leases'],
        ['discovery.k8s.io', 'v1', 'endpointslices'],
        ['networking.k8s.io', 'v1', 'ingresses'],
        ['networking.k8s.io', 'v1', 'networkpolicies'],
        ['node.k8s.io', 'v1', 'runtimeclasses'],
        ['policy', 'v1', 'poddisruptionbudgets'],
        ['scheduling.k8s.io', 'v1', 'priorityclasses'],
        ['storage.k8s.io', 'v1', 'storageclasses'],
      ]
      for (const [group, name, resource] of expected) {
        const found = groups.find(({ metadata }) => metadata.name === group)
        const own = found?.versions.find((one) => one.version === name)
        assert.ok(
          own?.resources.some((one) => one.resource === resource),
          `${group}/${name} has no ${resource}`,
        )
      }
    },
  )
})

async function discovered(cluster: ConformanceCluster, v: 'v2'): Promise<readonly Discovered[]> {
  const accept = `application/json;g=apidiscovery.k8s.io;v=${v};as=APIGroupDiscoveryList`
  const list = await cluster.get<{ readonly kind: string; readonly items: readonly Discovered[] }>('/apis', { accept })
  assert.equal(list.kind, 'APIGroupDiscoveryList')
  return list.items
}
