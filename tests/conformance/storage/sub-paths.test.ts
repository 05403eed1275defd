// Single files of volumes that change as a whole, mounted into containers by subPath, and many volumes in one pod.

import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { sized } from '@aksel/testing/test-size'
import type { V1Volume } from '@kubernetes/client-node'
import { agnhost, busybox, conformanceCluster, type ConformanceCluster } from '../cluster.ts'
import { fresh, isReady, podsIn, type Pods } from '../pods.ts'
import { watchedSet } from '../watched.ts'
import type { V1Pod } from '@kubernetes/client-node'

const deadline = { timeout: 180_000 }

void suite('subPaths', { concurrency: 6 }, () => {
  let cluster: ConformanceCluster
  let pods: Pods

  before(async () => {
    cluster = await conformanceCluster({ nodes: 'real', count: 1, agnhost: true })
    pods = await podsIn(cluster, 'subpath')
    const { namespace } = pods
    await cluster.core.createNamespacedConfigMap({
      namespace,
      body: { metadata: { name: 'my-configmap' }, data: { 'configmap-key': 'configmap-value' } },
    })
    await cluster.core.createNamespacedSecret({
      namespace,
      body: { metadata: { name: 'my-secret' }, stringData: { 'secret-key': 'secret-value' } },
    })
  })
  after(() => cluster[Symbol.asyncDispose]())

  /** Reads the file for twenty seconds, as upstream does, to its end; it is there all the time. */
  const holds = async (
    volume: V1Volume,
    subPath: string,
    content: string | RegExp,
    mountPath = '/test-volume',
  ): Promise<void> => {
    const name = fresh('pod-subpath-test')
    await pods.create(
      name,
      {
        restartPolicy: 'Never',
        volumes: [volume],
        containers: [
          {
            name: 'test-container-subpath',
            image: agnhost,
            args: ['mounttest', `--file_content_in_loop=${mountPath}`, '--retry_time=20'],
            volumeMounts: [{ name: volume.name, mountPath, subPath }],
          },
        ],
      },
      { labels: { 'test-label': 'downward-value' } },
    )
    await pods.succeeded(name)
    const lines = (await pods.log(name)).split('\n').filter((line) => line.includes(mountPath))
    assert.ok(lines.length >= 15, `only ${lines.length} readings`)
    for (const line of lines) assert.match(line, typeof content === 'string' ? new RegExp(`: ${content}$`) : content)
  }

  void test(
    '[sig-storage] Subpath Atomic writer volumes should support subpaths with configmap pod [Conformance]',
    deadline,
    () => holds({ name: 'test-volume', configMap: { name: 'my-configmap' } }, 'configmap-key', 'configmap-value'),
  )
  void test(
    '[sig-storage] Subpath Atomic writer volumes should support subpaths with configmap pod with mountPath of existing file [Conformance]',
    deadline,
    () =>
      holds(
        { name: 'test-volume', configMap: { name: 'my-configmap' } },
        'configmap-key',
        'configmap-value',
        '/etc/resolv.conf',
      ),
  )
  void test(
    '[sig-storage] Subpath Atomic writer volumes should support subpaths with secret pod [Conformance]',
    deadline,
    () => holds({ name: 'test-volume', secret: { secretName: 'my-secret' } }, 'secret-key', 'secret-value'),
  )
  void test(
    '[sig-storage] Subpath Atomic writer volumes should support subpaths with downward pod [Conformance]',
    deadline,
    () =>
      holds(
        {
          name: 'test-volume',
          downwardAPI: { items: [{ path: 'downward/podname', fieldRef: { fieldPath: 'metadata.name' } }] },
        },
        'downward/podname',
        /: pod-subpath-test-\d+$/,
      ),
  )
  void test(
    '[sig-storage] Subpath Atomic writer volumes should support subpaths with projected pod [Conformance]',
    deadline,
    () => {
      const items = [{ key: 'configmap-key', path: 'projected/configmap-key' }]
      const sources = [{ configMap: { name: 'my-configmap', items } }]
      return holds({ name: 'test-volume', projected: { sources } }, 'projected/configmap-key', 'configmap-value')
    },
  )

  void test('[sig-storage] EmptyDir wrapper volumes should not conflict [Conformance]', deadline, async () => {
    const name = fresh('pod-secrets')
    await pods.create(name, {
      volumes: [
        { name: 'secret-volume', secret: { secretName: 'my-secret' } },
        { name: 'configmap-volume', configMap: { name: 'my-configmap' } },
      ],
      containers: [
        {
          name: 'secret-test',
          image: agnhost,
          volumeMounts: [
            { name: 'secret-volume', mountPath: '/etc/secret-volume', readOnly: true },
            { name: 'configmap-volume', mountPath: '/etc/configmap-volume' },
          ],
        },
      ],
    })
    await pods.ready(name)
    await pods.delete(name)
  })
  void test(
    '[sig-storage] EmptyDir wrapper volumes should not cause race condition when used for configmaps [Serial] [Conformance]',
    deadline,
    async () => {
      const { namespace } = pods
      const names = Array.from({ length: 50 }, (_, index) => `racey-configmap-${index}`)
      for (const name of names)
        await cluster.core.createNamespacedConfigMap({
          namespace,
          body: { metadata: { name }, data: { 'data-1': 'value-1' } },
        })
      for (let round = 0; round < sized({ gate: 1, full: 3 }); round += 1) {
        const name = fresh('wrapped-volume-race')
        const labels = { name }
        const spec = {
          terminationGracePeriodSeconds: 1,
          volumes: names.map((each, index) => ({
            name: `racey-${index}`,
            configMap: { name: each, items: [{ key: 'data-1', path: 'data-1' }] },
          })),
          containers: [
            {
              name: 'test-container',
              image: busybox,
              command: ['sleep', '10000'],
              volumeMounts: names.map((_, index) => ({ name: `racey-${index}`, mountPath: `/etc/config-${index}` })),
            },
          ],
        }
        await cluster.core.createNamespacedReplicationController({
          namespace,
          body: {
            metadata: { name },
            spec: { replicas: 5, selector: labels, template: { metadata: { labels }, spec } },
          },
        })
        const five = (isWanted: (found: readonly V1Pod[]) => boolean) =>
          watchedSet<V1Pod>(cluster.config, {
            path: `/api/v1/namespaces/${namespace}/pods`,
            labelSelector: `name=${name}`,
            list: async () =>
              (await cluster.core.listNamespacedPod({ namespace, labelSelector: `name=${name}` })).items,
            isWanted,
            waitMs: 120_000,
          })
        await five((found) => found.length === 5 && found.every(isReady))
        await cluster.core.deleteNamespacedReplicationController({
          namespace,
          name,
          body: { propagationPolicy: 'Background' },
        })
        await five((found) => found.length === 0)
      }
    },
  )
})
