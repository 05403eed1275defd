// Versions of custom kinds that a webhook in a pod converts: read, listed, selected and watched in each.

import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { Watch } from '@kubernetes/client-node'
import { conformanceCluster, type ConformanceCluster } from '../cluster.ts'
import { definitions, expectCall, installKind, jsonPatch, version, type Loose, type TestKind } from '../custom.ts'
import { servingPod } from '../serving-pod.ts'

const deadline = { timeout: 120_000 }
const service = 'e2e-test-crd-conversion-webhook'

const one = { type: 'object', properties: { hostPort: { type: 'string' } } }
const two = { type: 'object', properties: { host: { type: 'string' }, port: { type: 'string' } } }

void suite('conversion of custom objects', () => {
  let cluster: ConformanceCluster
  let namespace = ''
  let caBundle = ''

  before(async () => {
    cluster = await conformanceCluster({ nodes: 'real', count: 1, agnhost: true })
    namespace = await cluster.namespace('crd-webhook')
    caBundle = await servingPod(cluster, {
      namespace,
      service,
      command: 'crd-conversion-webhook',
      portFlag: 'port',
      port: 9443,
    })
  })
  after(() => cluster[Symbol.asyncDispose]())

  const install = (more: readonly [object, object] = [{}, {}]): Promise<TestKind> =>
    installKind(cluster.config, {
      versions: [version('v1', one, more[0]), version('v2', two, { storage: false, ...more[1] })],
      spec: {
        conversion: {
          strategy: 'Webhook',
          webhook: {
            clientConfig: { caBundle, service: { namespace, name: service, path: '/crdconvert', port: 9443 } },
            conversionReviewVersions: ['v1', 'v1beta1'],
          },
        },
      },
    })

  const create = (kind: TestKind, of: string, name: string, fields: object): Promise<Loose> => {
    const body = { apiVersion: `${kind.group}/${of}`, kind: kind.kind, metadata: { name }, ...fields }
    return expectCall(cluster.config, kind.path(of, namespace), { body }, 201)
  }

  const shown = ({ apiVersion, hostPort, host, port }: Loose): readonly unknown[] => [
    String(apiVersion).split('/')[1],
    hostPort,
    host,
    port,
  ]

  void test(
    '[sig-api-machinery] CustomResourceConversionWebhook [Privileged:ClusterAdmin] should be able to convert from CR v1 to CR v2 [Conformance]',
    deadline,
    async () => {
      const kind = await install()
      await create(kind, 'v1', 'cr-instance-1', { hostPort: 'localhost:8080' })
      const read = await expectCall(cluster.config, `${kind.path('v2', namespace)}/cr-instance-1`)
      assert.deepEqual(shown(read), ['v2', undefined, 'localhost', '8080'])
    },
  )

  void test(
    '[sig-api-machinery] CustomResourceConversionWebhook [Privileged:ClusterAdmin] should be able to convert a non homogeneous list of CRs [Conformance]',
    deadline,
    async () => {
      const kind = await install()
      await create(kind, 'v1', 'cr-instance-1', { hostPort: 'localhost:8080' })
      const body = JSON.stringify([
        { op: 'replace', path: '/spec/versions/0/storage', value: false },
        { op: 'replace', path: '/spec/versions/1/storage', value: true },
      ])
      await expectCall(cluster.config, `${definitions}/${kind.name}`, { method: 'PATCH', type: jsonPatch, body })
      await create(kind, 'v2', 'cr-instance-2', { host: 'localhost', port: '8080' })
      const old = await expectCall(cluster.config, kind.path('v1', namespace))
      assert.deepEqual(
        old['items']!.map(shown),
        Array.from({ length: 2 }, () => ['v1', 'localhost:8080', undefined, undefined]),
      )
      const now = await expectCall(cluster.config, kind.path('v2', namespace))
      assert.deepEqual(
        now['items']!.map(shown),
        Array.from({ length: 2 }, () => ['v2', undefined, 'localhost', '8080']),
      )
    },
  )

  void test(
    '[sig-api-machinery] CustomResourceFieldSelectors [Privileged:ClusterAdmin] CustomResourceFieldSelectors MUST list and watch custom resources matching the field selector [Conformance]',
    deadline,
    async () => {
      const kind = await install([
        { selectableFields: [{ jsonPath: '.hostPort' }] },
        { selectableFields: [{ jsonPath: '.host' }, { jsonPath: '.port' }] },
      ])
      const selections = [
        ['v1', 'hostPort=host1:80'],
        ['v1', 'hostPort=host1:8080'],
        ['v2', 'host=host1'],
        ['v2', 'host=host1,port=80'],
      ] as const
      const seen: string[][] = selections.map(() => [])
      const done = selections.map(() => Promise.withResolvers<void>())
      const watch = new Watch(cluster.config)
      const calls = await Promise.all(
        selections.map(([of, fieldSelector], index) =>
          watch.watch(
            kind.path(of, namespace),
            { fieldSelector },
            (type: string, object: { readonly metadata: { readonly name: string } }) => {
              seen[index]!.push(`${type} ${object.metadata.name}`)
              if (type === 'DELETED' && object.metadata.name !== 'b') done[index]!.resolve()
            },
            (error: unknown) => done[index]!.reject(error instanceof Error ? error : new Error(String(error))),
          ),
        ),
      )
      await create(kind, 'v1', 'a', { hostPort: 'host1:80' })
      await create(kind, 'v1', 'b', { hostPort: 'host1:8080' })
      await create(kind, 'v2', 'c', { host: 'host2', port: '80' })
      const listed = async (of: string, selector: string): Promise<readonly string[]> => {
        const path = `${kind.path(of, namespace)}?fieldSelector=${encodeURIComponent(selector)}`
        const { items } = await expectCall(cluster.config, path)
        return items!.map(({ metadata }) => String(metadata!['name']))
      }
      assert.deepEqual(await listed('v1', 'hostPort=host1:80'), ['a'])
      assert.deepEqual(await listed('v1', 'hostPort=host1:8080'), ['b'])
      assert.deepEqual(await listed('v2', 'host=host1'), ['a', 'b'])
      assert.deepEqual(await listed('v2', 'host=host1,port=80'), ['a'])
      assert.deepEqual(await listed('v2', 'host!=host1'), ['c'])
      // What no longer fits is gone for who selects by it, and new for who selects by what it is now.
      const moved = {
        method: 'PATCH',
        type: jsonPatch,
        body: JSON.stringify([{ op: 'replace', path: '/hostPort', value: 'host1:8080' }]),
      }
      await expectCall(cluster.config, `${kind.path('v1', namespace)}/a`, moved)
      for (const name of ['b', 'a'])
        await expectCall(cluster.config, `${kind.path('v1', namespace)}/${name}`, { method: 'DELETE' })
      await Promise.all(done.map(({ promise }) => promise))
      for (const call of calls) call.abort()
      assert.deepEqual(seen, [
        ['ADDED a', 'DELETED a'],
        ['ADDED b', 'ADDED a', 'DELETED b', 'DELETED a'],
        ['ADDED a', 'ADDED b', 'MODIFIED a', 'DELETED b', 'DELETED a'],
        ['ADDED a', 'DELETED a'],
      ])
    },
  )
})
