// kubectl changes objects: labels, replaces, and a dry run on the server that changes nothing.

import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import type { V1Pod } from '@kubernetes/client-node'
import { conformanceCluster, type ConformanceCluster } from '../cluster.ts'
import { watched } from '../watched.ts'

const deadline = { timeout: 90_000 }

void suite('kubectl changes objects', { concurrency: 4 }, () => {
  let cluster: ConformanceCluster

  before(async () => {
    cluster = await conformanceCluster({ nodes: 'simulated', count: 1 })
  })
  after(() => cluster[Symbol.asyncDispose]())

  const kubectl = (namespace: string, args: readonly string[], input?: string): Promise<string> =>
    cluster.aksel.kubectl(['-n', namespace, ...args], input === undefined ? {} : { input })

  const running = (namespace: string, name: string): Promise<V1Pod | undefined> =>
    watched<V1Pod>(cluster.config, {
      path: `/api/v1/namespaces/${namespace}/pods`,
      name,
      waitMs: 60_000,
      isWanted: (pod) => pod?.status?.phase === 'Running',
    })

  const json = async <T>(namespace: string, args: readonly string[]): Promise<T> =>
    JSON.parse(await kubectl(namespace, [...args, '-o', 'json'])) as T

  void test(
    '[sig-cli] Kubectl client Kubectl label should update the label on a resource [Conformance]',
    deadline,
    async () => {
      const namespace = await cluster.namespace('kubectl-label')
      const pause = {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name: 'pause', labels: { name: 'pause' } },
        spec: { containers: [{ name: 'pause', image: 'registry.k8s.io/pause:3.10' }] },
      }
      await kubectl(namespace, ['create', '-f', '-'], JSON.stringify(pause))
      await running(namespace, 'pause')
      const shown = (): Promise<string> => kubectl(namespace, ['get', 'pod', 'pause', '-L', 'testing-label'])
      await kubectl(namespace, ['label', 'pods', 'pause', 'testing-label=testing-label-value'])
      assert.match(await shown(), /testing-label-value/)
      await kubectl(namespace, ['label', 'pods', 'pause', 'testing-label-'])
      assert.doesNotMatch(await shown(), /testing-label-value/)
    },
  )

  const httpd = 'registry.k8s.io/e2e-test-images/httpd:2.4.38-4'
  const busybox = 'registry.k8s.io/e2e-test-images/busybox:1.36.1-1'
  const name = 'e2e-test-httpd-pod'
  const imageOf = async (namespace: string): Promise<string | undefined> =>
    (await json<V1Pod>(namespace, ['get', 'pod', name])).spec?.containers[0]?.image

  void test(
    "[sig-cli] Kubectl client Kubectl replace should update a single-container pod's image [Conformance]",
    deadline,
    async () => {
      const namespace = await cluster.namespace('kubectl-replace')
      await kubectl(namespace, ['run', name, `--image=${httpd}`, '--pod-running-timeout=2m0s', `--labels=run=${name}`])
      await running(namespace, name)
      const pod = await kubectl(namespace, ['get', 'pod', name, '-o', 'json'])
      await kubectl(namespace, ['replace', '-f', '-'], pod.replaceAll(httpd, busybox))
      assert.equal(await imageOf(namespace), busybox)
      await kubectl(namespace, ['delete', 'pods', name, '--grace-period=0', '--force'])
    },
  )

  void test(
    '[sig-cli] Kubectl client Kubectl server-side dry-run should check if kubectl can dry-run update Pods [Conformance]',
    deadline,
    async () => {
      const namespace = await cluster.namespace('kubectl-dry-run')
      await kubectl(namespace, ['run', name, `--image=${httpd}`, '--pod-running-timeout=2m0s', `--labels=run=${name}`])
      const patch = JSON.stringify({ spec: { containers: [{ name, image: busybox }] } })
      const dry = await json<V1Pod>(namespace, ['patch', 'pod', name, '-p', patch, '--dry-run=server'])
      assert.equal(dry.spec?.containers[0]?.image, busybox)
      await running(namespace, name)
      assert.equal(await imageOf(namespace), httpd)
      await kubectl(namespace, ['delete', 'pods', name, '--grace-period=0', '--force'])
    },
  )
})
