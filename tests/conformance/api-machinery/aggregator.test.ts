// An API server in a pod answers for a group of its own, behind the cluster's API.

import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { busybox, conformanceCluster, type ConformanceCluster } from '../cluster.ts'
import { expectCall, mergePatch, type Loose } from '../custom.ts'
import { Pods } from '../pods.ts'
import { servingPod } from '../serving-pod.ts'
import { watched } from '../watched.ts'

const services = '/apis/apiregistration.k8s.io/v1/apiservices'
const name = 'v1alpha1.wardle.example.com'
const root = '/apis/wardle.example.com/v1alpha1'

interface Conditioned {
  readonly status?: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] }
}

void suite('aggregator', () => {
  let cluster: ConformanceCluster

  before(async () => {
    cluster = await conformanceCluster({ nodes: 'real', count: 1, agnhost: true })
  })
  after(() => cluster[Symbol.asyncDispose]())

  void test(
    '[sig-api-machinery] Aggregator Should be able to support the 1.17 Sample API Server using the current Aggregator [LinuxOnly] [Conformance]',
    { timeout: 180_000 },
    async () => {
      const { config, aksel } = cluster
      const namespace = await cluster.namespace('aggregator')
      // The server reads there whose client certificate it believes.
      const reader = ['--role=extension-apiserver-authentication-reader', `--serviceaccount=${namespace}:default`]
      await aksel.kubectl(['-n', 'kube-system', 'create', 'rolebinding', 'wardler-auth-reader', ...reader])
      const wish = { service: 'sample-api', command: 'sample-apiserver', portFlag: 'secure-port', port: 7443 }
      const caBundle = await servingPod(cluster, { namespace, ...wish })
      const body = {
        apiVersion: 'apiregistration.k8s.io/v1',
        kind: 'APIService',
        metadata: { name },
        spec: {
          service: { namespace, name: 'sample-api', port: 7443 },
          group: 'wardle.example.com',
          version: 'v1alpha1',
          caBundle,
          groupPriorityMinimum: 2000,
          versionPriority: 200,
        },
      }
      await expectCall(config, services, { body }, 201)
      await watched<Conditioned>(config, {
        path: services,
        name,
        isWanted: (one) =>
          (one?.status?.conditions ?? []).some(({ type, status }) => type === 'Available' && status === 'True'),
        waitMs: 60_000,
      })

      const flunders = `${root}/namespaces/${namespace}/flunders`
      const flunder = (of: string): object => ({
        body: { apiVersion: 'wardle.example.com/v1alpha1', kind: 'Flunder', metadata: { name: of }, spec: {} },
      })
      const made = await expectCall(config, flunders, flunder('rest-flunder'), 201)
      // The server knows who asked.
      assert.equal(made['metadata']!['annotations']!['wardle.example.com/user'] as unknown, 'masterclient')
      const names = async (): Promise<readonly string[]> =>
        (await expectCall(config, flunders))['items']!.map(({ metadata }) => String(metadata!['name']))
      assert.deepEqual(await names(), ['rest-flunder'])
      await expectCall(config, `${flunders}/rest-flunder`, { method: 'DELETE' })
      assert.deepEqual(await names(), [])
      assert.match(await aksel.kubectl(['api-resources', '--api-group=wardle.example.com']), /flunders .*true +Flunder/)
      await expectCall(config, flunders, flunder('dynamic-flunder'), 201)
      assert.match(await aksel.kubectl(['-n', namespace, 'get', 'flunders', '-o', 'name']), /dynamic-flunder/)
      await aksel.kubectl(['-n', namespace, 'delete', 'flunder', 'dynamic-flunder', '--wait=false'])
      assert.deepEqual(await names(), [])

      const status = await expectCall(config, `${services}/${name}/status`)
      assert.ok(status['status']!['conditions']!.some(({ type }) => String(type) === 'Available'))
      const condition = { type: 'StatusUpdated', status: 'True', reason: 'E2E', message: 'Set from an e2e test' }
      const changed = (old: Loose): object => ({
        ...(old as object),
        status: { conditions: [...(old['status']!['conditions'] as unknown as readonly object[]), condition] },
      })
      const updated = await expectCall(config, `${services}/${name}/status`, { method: 'PUT', body: changed(status) })
      assert.ok(updated['status']!['conditions']!.some(({ reason }) => String(reason) === 'E2E'))
      const labels = { [namespace]: 'patched' }
      const patch = { method: 'PATCH', type: mergePatch, body: { metadata: { labels } } }
      const patched = await expectCall(config, `${services}/${name}`, patch)
      assert.equal(patched['metadata']!['labels']![namespace] as unknown, 'patched')
      await expectCall(config, `${services}?labelSelector=${namespace}%3Dpatched`, { method: 'DELETE' })
      await watched(config, { path: services, name, isWanted: (one) => one === undefined, waitMs: 30_000 })
      await expectCall(config, flunders, {}, 404)
    },
  )

  void test('kubectl top shows what nodes and pods use', { timeout: 60_000 }, async () => {
    const { aksel } = cluster
    const nodes = await aksel.kubectl(['top', 'nodes'])
    assert.match(nodes, /^NAME +CPU\(cores\) +CPU\(%\) +MEMORY\(bytes\) +MEMORY\(%\)\s+\S+ +\d+m +\d+% +\d+Mi +\d+%/)
    const namespace = await cluster.namespace('top')
    const pods = new Pods(cluster, namespace)
    const command = ['sh', '-c', 'while :; do :; done']
    await pods.create('busy', {
      containers: [{ name: 'busy', image: busybox, command, resources: { limits: { cpu: '200m' } } }],
    })
    await pods.running('busy')
    // The node was asked before the pod was there: its usage is known with the next two samples.
    await watchedTop(cluster, namespace)
    const shown = await aksel.kubectl(['-n', namespace, 'top', 'pods', '--containers'])
    const milli = Number(/busy +busy +(\d+)m +\d+Mi/.exec(shown)?.[1])
    assert.ok(milli > 100 && milli < 300, shown)
  })
})

/** Asks until the pod has usage: there is nothing to watch, and the node is sampled every 15 seconds. */
async function watchedTop(cluster: ConformanceCluster, namespace: string): Promise<void> {
  const path = `/apis/metrics.k8s.io/v1beta1/namespaces/${namespace}/pods`
  for (let left = 50; left > 0; left -= 1) {
    const { items } = await expectCall(cluster.config, path)
    if (items!.length > 0) return
    await new Promise((resolve) => setTimeout(resolve, 1000))
  }
  assert.fail('the pod has no usage after 50 seconds')
}
