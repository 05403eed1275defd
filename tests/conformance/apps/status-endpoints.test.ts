// The status subresource of workloads: read, updated and patched by a client, and seen by a watch.

import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import type { KubernetesObject } from '@kubernetes/client-node'
import { conformanceCluster, type ConformanceCluster } from '../cluster.ts'
import { watched } from '../watched.ts'

const deadline = { timeout: 120_000 }

interface Condition {
  readonly type: string
  readonly status: string
  readonly reason?: string
  readonly message?: string
}

interface Workload extends KubernetesObject {
  readonly status?: { readonly conditions?: readonly Condition[] } & Readonly<Record<string, unknown>>
}

interface Story {
  readonly resource: string
  readonly object: KubernetesObject & { readonly spec: unknown }
  /** It is there with its pods. */
  readonly isReady: (object: Workload) => boolean
}

const update: Condition = { type: 'StatusUpdate', status: 'True', reason: 'E2E', message: 'Set from e2e test' }
const patch: Condition = { type: 'StatusPatched', status: 'True' }

void suite('status endpoints', { concurrency: 4 }, () => {
  let cluster: ConformanceCluster

  before(async () => {
    cluster = await conformanceCluster({ nodes: 'simulated', count: 1 })
  })
  after(() => cluster[Symbol.asyncDispose]())

  /** Reads, changes and writes the status until no loop was faster. */
  const updateStatus = async (namespace: string, story: Story): Promise<Workload> => {
    const kubectl = ['kubectl', '-n', namespace]
    for (let tries = 1; ; tries += 1) {
      const args = [
        ...kubectl,
        'get',
        story.resource,
        story.object.metadata!.name!,
        '--subresource=status',
        '-o',
        'json',
      ]
      const read = JSON.parse(await cluster.aksel.ok(args)) as Workload
      const status = { ...read.status, conditions: [...(read.status?.conditions ?? []), update] }
      const input = JSON.stringify({ ...read, status })
      const { code, stdout, stderr } = await cluster.aksel.run(
        [...kubectl, 'replace', '--subresource=status', '-f', '-', '-o', 'json'],
        { input },
      )
      if (code === 0) return JSON.parse(stdout) as Workload
      if (!stderr.includes('the object has been modified') || tries === 10) assert.fail(stderr)
    }
  }

  const run = async (story: Story): Promise<void> => {
    const { resource, object } = story
    const name = object.metadata!.name!
    const namespace = await cluster.namespace('status')
    const group = object.apiVersion === 'v1' ? '/api/v1' : `/apis/${object.apiVersion!}`
    const path = `${group}/namespaces/${namespace}/${resource.split('.')[0]!}`
    const seen = (isWanted: (object: Workload) => boolean): Promise<Workload | undefined> =>
      watched<Workload>(cluster.config, {
        path,
        name,
        waitMs: 60_000,
        isWanted: (one) => one !== undefined && isWanted(one),
      })
    await cluster.aksel.kubectl(['-n', namespace, 'create', '-f', '-'], { input: JSON.stringify(object) })
    await seen(story.isReady)
    const read = await cluster.get<Workload>(`${path}/${name}/status`)
    assert.equal(read.metadata?.name, name)
    const updated = await updateStatus(namespace, story)
    assert.deepEqual(
      updated.status?.conditions
        ?.filter(({ type }) => type === update.type)
        .map(({ reason, message }) => [reason, message]),
      [[update.reason, update.message]],
    )
    await seen(({ status }) => status?.conditions?.some(({ type }) => type === update.type) === true)
    const body = JSON.stringify({ status: { conditions: [patch] } })
    await cluster.aksel.kubectl([
      '-n',
      namespace,
      'patch',
      resource,
      name,
      '--subresource=status',
      '--type=merge',
      '-p',
      body,
    ])
    await seen(({ status }) => status?.conditions?.some(({ type }) => type === patch.type) === true)
  }

  const labels = { e2e: 'testing' }
  const template = { metadata: { labels }, spec: { containers: [{ name: 'httpd', image: 'httpd:2.4' }] } }
  const spec = { replicas: 1, selector: { matchLabels: labels }, template }
  const one = (field: string) => (object: Workload) => object.status?.[field] === 1

  void test('[sig-apps] Deployment should validate Deployment Status endpoints [Conformance]', deadline, () =>
    run({
      resource: 'deployments.apps',
      object: { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'test-deployment', labels }, spec },
      isReady: one('availableReplicas'),
    }),
  )

  void test('[sig-apps] ReplicaSet should validate Replicaset Status endpoints [Conformance]', deadline, () =>
    run({
      resource: 'replicasets.apps',
      object: { apiVersion: 'apps/v1', kind: 'ReplicaSet', metadata: { name: 'test-rs', labels }, spec },
      isReady: one('readyReplicas'),
    }),
  )

  void test(
    '[sig-apps] StatefulSet Basic StatefulSet functionality [StatefulSetBasic] should validate Statefulset Status endpoints [Conformance]',
    deadline,
    () =>
      run({
        resource: 'statefulsets.apps',
        object: {
          apiVersion: 'apps/v1',
          kind: 'StatefulSet',
          metadata: { name: 'ss', labels },
          spec: { ...spec, serviceName: 'test' },
        },
        isReady: one('readyReplicas'),
      }),
  )

  void test('[sig-apps] Daemon set [Serial] should verify changes to a daemon set status [Conformance]', deadline, () =>
    run({
      resource: 'daemonsets.apps',
      object: {
        apiVersion: 'apps/v1',
        kind: 'DaemonSet',
        metadata: { name: 'daemon-set', labels },
        spec: { selector: { matchLabels: labels }, template },
      },
      isReady: one('numberReady'),
    }),
  )
})
