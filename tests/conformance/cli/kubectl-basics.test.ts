// kubectl commands of the suite that need a cluster but no running container.

import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { request } from 'node:http'
import { join } from 'node:path'
import { after, before, suite, test } from 'node:test'
import type { V1Deployment } from '@kubernetes/client-node'
import { busybox, conformanceCluster, type ConformanceCluster } from '../cluster.ts'
import { podsIn } from '../pods.ts'

const deadline = { timeout: 120_000 }
const httpd = 'registry.k8s.io/e2e-test-images/httpd:2.4.38-4'

void suite('kubectl without containers', { concurrency: 4 }, () => {
  let cluster: ConformanceCluster

  before(async () => {
    cluster = await conformanceCluster({ nodes: 'simulated', count: 1 })
  })
  after(() => cluster[Symbol.asyncDispose]())

  const kubectl = (...args: readonly string[]): Promise<string> => cluster.aksel.kubectl(args)
  const fileOf = async (name: string, object: object): Promise<string> => {
    const path = join(cluster.aksel.dataDir, `${name}.json`)
    await writeFile(path, JSON.stringify(object))
    return path
  }

  void test(
    '[sig-cli] Kubectl client Kubectl api-versions should check if v1 is in available api versions [Conformance]',
    deadline,
    async () => {
      assert.ok((await kubectl('api-versions')).split('\n').includes('v1'))
    },
  )

  void test(
    '[sig-cli] Kubectl client Kubectl cluster-info should check if Kubernetes control plane services is included in cluster-info [Conformance]',
    deadline,
    async () => {
      const output = await kubectl('cluster-info')
      for (const words of ['Kubernetes control plane', 'is running at']) assert.ok(output.includes(words), output)
    },
  )

  void test(
    '[sig-cli] Kubectl client Kubectl version should check is all data is printed [Conformance]',
    deadline,
    async () => {
      const output = await kubectl('version')
      for (const words of ['Client Version: ', 'Server Version: ']) assert.ok(output.includes(words), output)
    },
  )

  void test(
    '[sig-cli] Kubectl client Kubectl diff should check if kubectl diff finds a difference for Deployments [Conformance]',
    deadline,
    async () => {
      const namespace = await cluster.namespace('diff')
      const labels = { app: 'httpd' }
      const deployment = (image: string): V1Deployment => ({
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: { name: 'httpd-deployment' },
        spec: {
          replicas: 1,
          selector: { matchLabels: labels },
          template: { metadata: { labels }, spec: { containers: [{ name: 'httpd', image }] } },
        },
      })
      await kubectl('-n', namespace, 'create', '-f', await fileOf('diff-live', deployment(httpd)))
      const changed = await fileOf('diff-local', deployment(busybox))
      const { code, stdout, stderr } = await cluster.aksel.run(['kubectl', '-n', namespace, 'diff', '-f', changed])
      assert.equal(code, 1, stderr)
      for (const image of [httpd, busybox]) assert.ok(stdout.includes(image), stdout)
    },
  )

  void test(
    '[sig-cli] Kubectl client Kubectl run pod should create a pod from an image when restart is Never [Conformance]',
    deadline,
    async () => {
      const pods = await podsIn(cluster, 'kubectl-run')
      const name = 'e2e-test-httpd-pod'
      await kubectl('-n', pods.namespace, 'run', name, '--restart=Never', `--image=${httpd}`)
      const { spec } = await pods.until(name, () => true)
      assert.equal(spec?.containers[0]?.image, httpd)
      assert.equal(spec.restartPolicy, 'Never')
      await kubectl('-n', pods.namespace, 'delete', 'pods', name)
    },
  )

  /** The versions that a proxy without credentials of our own answers at `/api/`. */
  const versionsBy = async (target: { readonly socketPath: string } | { readonly port: number }): Promise<unknown> => {
    const text = await new Promise<string>((resolve, reject) => {
      const going = request({ ...target, host: '127.0.0.1', path: '/api/' }, (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('error', reject)
        response.on('end', () => resolve(Buffer.concat(chunks).toString()))
      })
      going.on('error', reject)
      going.end()
    })
    return (JSON.parse(text) as { versions?: unknown }).versions
  }

  void test(
    '[sig-cli] Kubectl client Proxy server should support --unix-socket=/path [Conformance]',
    deadline,
    async () => {
      const socketPath = join(cluster.aksel.dataDir, 'proxy.sock')
      await using proxy = cluster.aksel.start(['kubectl', 'proxy', `--unix-socket=${socketPath}`])
      await proxy.says(/Starting to serve on/)
      assert.deepEqual(await versionsBy({ socketPath }), ['v1'])
    },
  )

  void test(
    '[sig-cli] Kubectl client Proxy server should support proxy with --port 0 [Conformance]',
    deadline,
    async () => {
      await using proxy = cluster.aksel.start(['kubectl', 'proxy', '-p', '0', '--disable-filter'])
      const [, port] = /Starting to serve on 127\.0\.0\.1:(\d+)/.exec(await proxy.says(/Starting to serve on .*:\d+/))!
      assert.deepEqual(await versionsBy({ port: Number(port) }), ['v1'])
    },
  )
})
