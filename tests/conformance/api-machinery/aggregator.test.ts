// An API server in a pod answers for a group of its own, behind the cluster's API.

import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import type { KubeConfig } from '@kubernetes/client-node'
import { busybox, conformanceCluster, pause, type ConformanceCluster } from '../cluster.ts'
import { callApi, expectCall, mergePatch, type Loose } from '../custom.ts'
import { Pods } from '../pods.ts'
import { servingPod } from '../serving-pod.ts'
import { watched } from '../watched.ts'

const services = '/apis/apiregistration.k8s.io/v1/apiservices'
const name = 'v1alpha1.wardle.example.com'
const root = '/apis/wardle.example.com/v1alpha1'

interface Conditioned {
  readonly status?: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] }
}

void suite('aggregator', { concurrency: 3 }, () => {
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

  void test(
    'an autoscaler follows numbers from outside and of an object, through the APIs of an adapter in a pod',
    { timeout: 180_000 },
    async () => {
      const { config, core } = cluster
      const namespace = await cluster.namespace('scaled')
      const wish = { service: 'adapter', command: 'metrics-adapter', portFlag: 'secure-port', port: 6443 }
      const caBundle = await servingPod(cluster, { namespace, ...wish })
      const [custom, external] = ['custom.metrics.k8s.io', 'external.metrics.k8s.io']
      for (const [group, version] of [
        [custom, 'v1beta2'],
        [external, 'v1beta1'],
      ] as const) {
        const service = { namespace, name: 'adapter', port: 6443 }
        const spec = { service, group, version, caBundle, groupPriorityMinimum: 100, versionPriority: 100 }
        const metadata = { name: `${version}.${group}` }
        const body = { apiVersion: 'apiregistration.k8s.io/v1', kind: 'APIService', metadata, spec }
        await expectCall(config, services, { body }, 201)
        await available(config, metadata.name)
      }
      const say = async (name: string, number: string): Promise<void> => {
        const call = { method: 'PUT', body: number, type: 'text/plain' }
        const path = `/apis/${external}/v1beta1/values/${name}`
        // An adapter that did not answer a probe in five seconds, on a machine that is busy, is unavailable until the next one.
        for (let tries = 0; tries < 5 && (await callApi(config, path, call)).status === 503; tries += 1)
          await available(config, `v1beta1.${external}`)
        await expectCall(config, path, call)
      }
      const labels = { app: 'web' }
      const deployments = `/apis/apps/v1/namespaces/${namespace}/deployments`
      const template = { metadata: { labels }, spec: { containers: [{ name: 'web', image: pause }] } }
      const spec = { replicas: 1, selector: { matchLabels: labels }, template }
      await expectCall(config, deployments, { body: { metadata: { name: 'web' }, spec } }, 201)
      await say('queue', '6')
      await say('hits', '10')
      const service = { apiVersion: 'v1', kind: 'Service', name: 'adapter' }
      const metrics = [
        {
          type: 'External',
          external: { metric: { name: 'queue' }, target: { type: 'AverageValue', averageValue: '3' } },
        },
        {
          type: 'Object',
          object: { describedObject: service, metric: { name: 'hits' }, target: { type: 'Value', value: '10' } },
        },
      ]
      const scaleTargetRef = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' }
      const behavior = { scaleDown: { stabilizationWindowSeconds: 0 } }
      const autoscaler = { scaleTargetRef, minReplicas: 1, maxReplicas: 4, metrics, behavior }
      const autoscalers = `/apis/autoscaling/v2/namespaces/${namespace}/horizontalpodautoscalers`
      await expectCall(config, autoscalers, { body: { metadata: { name: 'web' }, spec: autoscaler } }, 201)
      const grown = (replicas: number): Promise<unknown> =>
        watched<{ readonly spec: { readonly replicas: number } }>(config, {
          path: deployments,
          name: 'web',
          isWanted: (one) => one?.spec.replicas === replicas,
          waitMs: 60_000,
        })
      // Six that wait, three for each: two. Then twice the hits that are wanted, of two: four, which is also the most.
      await grown(2)
      await say('hits', '20')
      await grown(4)
      await say('hits', '1')
      await say('queue', '1')
      await grown(1)
      const log = await core.readNamespacedPodLog({ namespace, name: 'adapter' })
      const loop = 'system:serviceaccount:kube-system:horizontal-pod-autoscaler'
      assert.ok(log.includes(`GET /apis/${external}/v1beta1/namespaces/${namespace}/queue ${loop}`), log)
      assert.match(
        log,
        new RegExp(`GET /apis/${custom}/v1beta2/namespaces/${namespace}/services/adapter/hits\\S* ${loop}`),
      )
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
    // Its limit holds; how much of it the pod gets is for the machine's other work to say.
    assert.ok(milli > 20 && milli < 300, shown)
  })
})

async function available(config: KubeConfig, name: string): Promise<void> {
  await watched<Conditioned>(config, {
    path: services,
    name,
    isWanted: (one) =>
      (one?.status?.conditions ?? []).some(({ type, status }) => type === 'Available' && status === 'True'),
    waitMs: 60_000,
  })
}

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
