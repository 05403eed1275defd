// Applications that the suite makes with kubectl and takes down again: the guestbook, the update demo, and a stateful set
// whose node refuses its pod.

import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import type { V1Pod } from '@kubernetes/client-node'
import { agnhost, conformanceCluster, nautilus, pause, type ConformanceCluster } from '../cluster.ts'
import { Objects } from '../objects.ts'
import { podsIn } from '../pods.ts'
import { watchedSet } from '../watched.ts'
import { WatchLog } from '../watch-log.ts'

const deadline = { timeout: 240_000 }
/** Six containers start at once, on two cores that others use too. */
const START_MS = 120_000

void suite('applications of the suite', { concurrency: 3 }, () => {
  let cluster: ConformanceCluster

  before(async () => {
    cluster = await conformanceCluster({ nodes: 'real', count: 1, agnhost: true, demo: true })
  })
  after(() => cluster[Symbol.asyncDispose]())

  const kubectl = (namespace: string, ...args: readonly string[]): Promise<string> =>
    cluster.aksel.kubectl(['-n', namespace, ...args])
  const feed = (namespace: string, object: object, ...args: readonly string[]): Promise<string> =>
    cluster.aksel.ok(['kubectl', '-n', namespace, ...args, '-f', '-'], { input: JSON.stringify(object) })

  /** Deletes at once, as the suite does, and waits until nothing that a selector finds is left. */
  async function cleanUp(namespace: string, object: object, selector?: string): Promise<void> {
    const said = await feed(namespace, object, 'delete', '--grace-period=0', '--force')
    assert.match(said, /deleted|force deleted/)
    if (selector === undefined) return
    const query = { labelSelector: selector }
    for (const resource of ['replicationcontrollers', 'services'])
      await new Objects(cluster, 'v1', resource, namespace).listed(query, (items) => items.length === 0)
    await new Objects(cluster, 'v1', 'pods', namespace).listed(
      query,
      (items) => items.every(({ metadata }) => metadata['deletionTimestamp'] !== undefined),
      60_000,
    )
  }

  const running = (namespace: string, labelSelector: string, count: number): Promise<readonly V1Pod[]> =>
    watchedSet<V1Pod>(cluster.config, {
      path: `/api/v1/namespaces/${namespace}/pods`,
      labelSelector,
      list: async () => (await cluster.core.listNamespacedPod({ namespace, labelSelector })).items,
      isWanted: (pods) => pods.length === count && pods.every(({ status }) => status?.phase === 'Running'),
      waitMs: START_MS,
    })

  interface Tier {
    readonly name: string
    readonly labels: Readonly<Record<string, string>>
    readonly replicas: number
    readonly container: string
    readonly args: readonly string[]
    readonly port: number
  }

  const tiers: readonly Tier[] = [
    {
      name: 'agnhost-replica',
      labels: { app: 'agnhost', role: 'replica', tier: 'backend' },
      replicas: 2,
      container: 'replica',
      args: ['guestbook', '--replicaof', 'agnhost-primary', '--http-port', '6379'],
      port: 6379,
    },
    {
      name: 'agnhost-primary',
      labels: { app: 'agnhost', role: 'primary', tier: 'backend' },
      replicas: 1,
      container: 'primary',
      args: ['guestbook', '--http-port', '6379'],
      port: 6379,
    },
    {
      name: 'frontend',
      labels: { app: 'guestbook', tier: 'frontend' },
      replicas: 3,
      container: 'guestbook-frontend',
      args: ['guestbook', '--backend-port', '6379'],
      port: 80,
    },
  ]

  const serviceOf = ({ name, labels, port }: Tier): object => ({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, labels },
    spec: { ports: [{ port }], selector: labels },
  })
  const deploymentOf = ({ name, labels, replicas, container, args, port }: Tier): object => ({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name },
    spec: {
      replicas,
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: {
          containers: [
            {
              name: container,
              image: agnhost,
              args,
              resources: { requests: { cpu: '100m', memory: '100Mi' } },
              ports: [{ containerPort: port }],
            },
          ],
        },
      },
    },
  })

  void test(
    '[sig-cli] Kubectl client Guestbook application should create and stop a working application [Conformance]',
    deadline,
    async () => {
      const namespace = await cluster.namespace('guestbook')
      const objects = [...tiers.map(serviceOf), ...tiers.map(deploymentOf)]
      for (const object of objects) await feed(namespace, object, 'create')
      await running(namespace, 'tier=frontend,app=guestbook', 3)
      /** Asks the service again until it answers so: programs listen, and rules spread, a moment after pods run. */
      const answers = async (cmd: string, value: string, expected: object): Promise<void> => {
        const query = new URLSearchParams({ cmd, key: 'messages', value }).toString()
        const path = `/api/v1/namespaces/${namespace}/services/frontend/proxy/guestbook?${query}`
        const endMs = Date.now() + START_MS
        for (;;) {
          const { stdout, stderr } = await cluster.aksel.run(['kubectl', 'get', '--raw', path])
          if (stdout.trim() === JSON.stringify(expected)) return
          if (Date.now() > endMs) assert.fail(`${cmd}: ${stdout}${stderr}`)
        }
      }
      await answers('get', '', { data: '' })
      await answers('set', 'TestEntry', { message: 'Updated' })
      await answers('get', '', { data: 'TestEntry' })
      for (const object of objects) await cleanUp(namespace, object)
    },
  )

  const demoSelector = 'name=update-demo'
  const demo = (): object => {
    const labels = { name: 'update-demo', version: 'nautilus' }
    return {
      apiVersion: 'v1',
      kind: 'ReplicationController',
      metadata: { name: 'update-demo-nautilus', labels: { name: 'update-demo' } },
      spec: {
        replicas: 2,
        selector: labels,
        template: {
          metadata: { labels },
          spec: { containers: [{ name: 'update-demo', image: nautilus, ports: [{ containerPort: 80 }] }] },
        },
      },
    }
  }

  /** As many pods as wanted, all running the image, each serving its own file through the API server's proxy. */
  async function validate(namespace: string, count: number): Promise<void> {
    const pods = await running(namespace, demoSelector, count)
    const template = '{{range.items}}{{.metadata.name}} {{end}}'
    const listed = await kubectl(
      namespace,
      'get',
      'pods',
      '-o',
      'template',
      `--template=${template}`,
      '-l',
      demoSelector,
    )
    assert.deepEqual(listed.trim().split(' ').toSorted(), pods.map(({ metadata }) => metadata!.name!).toSorted())
    for (const { metadata, spec, status } of pods) {
      assert.equal(spec!.containers.find(({ name }) => name === 'update-demo')?.image, nautilus)
      assert.ok(status!.containerStatuses?.find(({ name }) => name === 'update-demo')?.state?.running)
      const path = `/api/v1/namespaces/${namespace}/pods/${metadata!.name}/proxy/data.json`
      const endMs = Date.now() + START_MS
      for (;;) {
        const { code, stdout, stderr } = await cluster.aksel.run(['kubectl', 'get', '--raw', path])
        if (code === 0) {
          assert.deepEqual(JSON.parse(stdout), { image: 'nautilus.jpg' })
          break
        }
        if (Date.now() > endMs) assert.fail(stderr)
      }
    }
  }

  void test(
    '[sig-cli] Kubectl client Update Demo should create and stop a replication controller [Conformance]',
    deadline,
    async () => {
      const namespace = await cluster.namespace('update-demo')
      await feed(namespace, demo(), 'create')
      await validate(namespace, 2)
      await cleanUp(namespace, demo(), demoSelector)
    },
  )

  void test(
    '[sig-cli] Kubectl client Update Demo should scale a replication controller [Conformance]',
    deadline,
    async () => {
      const namespace = await cluster.namespace('update-demo')
      await feed(namespace, demo(), 'create')
      await validate(namespace, 2)
      for (const replicas of [1, 2]) {
        await kubectl(namespace, 'scale', 'rc', 'update-demo-nautilus', `--replicas=${replicas}`, '--timeout=5m')
        await validate(namespace, replicas)
      }
      await cleanUp(namespace, demo(), demoSelector)
    },
  )

  void test(
    '[sig-apps] StatefulSet Basic StatefulSet functionality [StatefulSetBasic] Should recreate evicted statefulset [Conformance]',
    deadline,
    async () => {
      const pods = await podsIn(cluster, 'statefulset')
      const { namespace } = pods
      const [node] = (await cluster.core.listNode()).items
      const ports = [{ hostPort: 21_017, containerPort: 21_017, name: 'conflict' }]
      const spec = {
        nodeName: node!.metadata!.name!,
        containers: [{ name: 'webserver', image: pause, ports }],
      }
      await pods.create('test-pod', spec)
      await pods.running('test-pod')

      await using log = await WatchLog.open<V1Pod>(cluster.config, `/api/v1/namespaces/${namespace}/pods`, {
        fieldSelector: 'metadata.name=ss-0',
      })
      const labels = { foo: 'bar', baz: 'blah' }
      const sets = new Objects(cluster, 'apps/v1', 'statefulsets', namespace)
      await sets.create({
        metadata: { name: 'ss' },
        spec: {
          serviceName: 'test',
          replicas: 1,
          selector: { matchLabels: labels },
          template: { metadata: { labels }, spec: { ...spec, terminationGracePeriodSeconds: 1 } },
        },
      })
      // It comes, the node refuses it, the set takes it away: at least once.
      let count = 0
      const seen = async (isWanted: (event: { type: string; object: V1Pod }) => boolean): Promise<V1Pod> => {
        for (;;) {
          count += 1
          const event = (await log.first(count, 60_000))[count - 1]!
          if (isWanted(event)) return event.object
        }
      }
      const first = await seen(({ type }) => type === 'ADDED')
      const refused = await seen(({ object }) => object.status?.phase === 'Failed')
      assert.equal(refused.status!.reason, 'NodePorts')
      await seen(({ type }) => type === 'DELETED')

      await pods.delete('test-pod')
      const last = await pods.until('ss-0', ({ status }) => status?.phase === 'Running', START_MS)
      assert.notEqual(last.metadata!.uid, first.metadata!.uid)
    },
  )
})
