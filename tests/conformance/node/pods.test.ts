// Pods as users make, change, watch and end them on a real node.

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, before, suite, test } from 'node:test'
import { Watch, type V1Container, type V1Pod } from '@kubernetes/client-node'
import { sized } from '@aksel/testing/test-size'
import WebSocket from 'ws'
import { agnhost, busybox, conformanceCluster, pause, type ConformanceCluster } from '../cluster.ts'
import { changed, fresh, isReady, podsIn, type Pods } from '../pods.ts'

const deadline = { timeout: 180_000 }

void suite('pods', { concurrency: 5 }, () => {
  let cluster: ConformanceCluster
  let pods: Pods

  before(async () => {
    cluster = await conformanceCluster({ nodes: 'real', count: 1, agnhost: true })
    pods = await podsIn(cluster, 'pods')
  })
  after(() => cluster[Symbol.asyncDispose]())

  const kubectl = (...args: readonly string[]): Promise<string> =>
    cluster.aksel.kubectl(['-n', pods.namespace, ...args])
  const pauses: V1Container = { name: 'pause', image: pause }

  void test('[sig-node] Pods should get a host IP [NodeConformance] [Conformance]', deadline, async () => {
    const name = fresh('pod-hostip')
    await pods.create(name, { containers: [pauses] })
    const pod = await pods.running(name)
    const { items } = await cluster.core.listNode()
    const addresses = items.flatMap(({ status }) => status?.addresses?.map(({ address }) => address) ?? [])
    assert.ok(addresses.includes(pod.status!.hostIP!), `${pod.status!.hostIP} is none of ${addresses.join(', ')}`)
    await pods.delete(name)
  })
  void test('[sig-node] Pods should be submitted and removed [NodeConformance] [Conformance]', deadline, async () => {
    const time = randomBytes(4).toString('hex')
    const seen: string[] = []
    const watch = new Watch(cluster.config)
    const call = await watch.watch(
      `/api/v1/namespaces/${pods.namespace}/pods`,
      { labelSelector: `time=${time}` },
      (phase: string, pod: V1Pod) =>
        seen.push(`${phase}${pod.metadata?.deletionTimestamp === undefined ? '' : ' ending'}`),
      () => {},
    )
    const name = fresh('pod-submit-remove')
    assert.deepEqual(
      (await cluster.core.listNamespacedPod({ namespace: pods.namespace, labelSelector: `time=${time}` })).items,
      [],
    )
    await pods.create(
      name,
      { containers: [pauses], terminationGracePeriodSeconds: 30 },
      { labels: { name: 'foo', time } },
    )
    await pods.running(name)
    await pods.delete(name, 30)
    await pods.gone(name)
    call.abort()
    assert.equal(seen[0], 'ADDED')
    assert.ok(seen.includes('MODIFIED ending'), seen.join(', '))
    assert.equal(seen.at(-1), 'DELETED ending')
    assert.deepEqual(
      (await cluster.core.listNamespacedPod({ namespace: pods.namespace, labelSelector: `time=${time}` })).items,
      [],
    )
  })
  void test('[sig-node] Pods should be updated [NodeConformance] [Conformance]', deadline, async () => {
    const name = fresh('pod-update')
    await pods.create(name, { containers: [pauses] }, { labels: { name: 'foo', time: 'first' } })
    const pod = await pods.running(name)
    const metadata = changed(pod.metadata!, {
      labels: { ...pod.metadata!.labels, time: 'second' },
      resourceVersion: undefined,
    })
    await cluster.core.replaceNamespacedPod({ namespace: pods.namespace, name, body: changed(pod, { metadata }) })
    const { items } = await cluster.core.listNamespacedPod({ namespace: pods.namespace, labelSelector: 'time=second' })
    assert.deepEqual(
      items.map((each) => each.metadata?.name),
      [name],
    )
    await pods.delete(name)
  })
  void test(
    '[sig-node] Pods should allow activeDeadlineSeconds to be updated [NodeConformance] [Conformance]',
    deadline,
    async () => {
      const name = fresh('pod-deadline')
      await pods.create(name, { containers: [pauses], activeDeadlineSeconds: 30 })
      const pod = await pods.running(name)
      const body = changed(pod, {
        metadata: changed(pod.metadata!, { resourceVersion: undefined }),
        spec: changed(pod.spec!, { activeDeadlineSeconds: 5 }),
      })
      await cluster.core.replaceNamespacedPod({ namespace: pods.namespace, name, body })
      const ended = await pods.until(name, ({ status }) => status?.phase === 'Failed')
      assert.equal(ended.status?.reason, 'DeadlineExceeded')
    },
  )
  void test(
    '[sig-node] Pods should contain environment variables for services [NodeConformance] [Conformance]',
    deadline,
    async () => {
      const server = fresh('server-envvars')
      await pods.create(
        server,
        { containers: [{ name: 'srv', image: agnhost, args: ['netexec'] }] },
        { labels: { name: server } },
      )
      await pods.running(server)
      const service = await cluster.core.createNamespacedService({
        namespace: pods.namespace,
        body: {
          metadata: { name: 'fooservice' },
          spec: { ports: [{ port: 8765, targetPort: 8080 }], selector: { name: server } },
        },
      })
      const output = await pods.output(fresh('client-envvars'), { command: ['sh', '-c', 'env'] })
      const ip = service.spec!.clusterIP!
      for (const line of [
        `FOOSERVICE_SERVICE_HOST=${ip}`,
        'FOOSERVICE_SERVICE_PORT=8765',
        `FOOSERVICE_PORT=tcp://${ip}:8765`,
        'FOOSERVICE_PORT_8765_TCP_PORT=8765',
        'FOOSERVICE_PORT_8765_TCP_PROTO=tcp',
        `FOOSERVICE_PORT_8765_TCP=tcp://${ip}:8765`,
        `FOOSERVICE_PORT_8765_TCP_ADDR=${ip}`,
      ])
        assert.ok(output.split('\n').includes(line), `no ${line} in:\n${output}`)
      await pods.delete(server)
    },
  )

  /** Frames of the v4 channel protocol until the socket closes; the first byte of each is the channel. */
  const channels = async (path: string): Promise<ReadonlyMap<number, string>> => {
    const server = cluster.config.getCurrentCluster()!.server.replace(/^https/, 'wss')
    const user = cluster.config.getCurrentUser()!
    const pem = (data: string | undefined): Buffer => Buffer.from(data ?? '', 'base64')
    const socket = new WebSocket(`${server}${path}`, ['v4.channel.k8s.io', 'binary.k8s.io'], {
      ca: pem(cluster.config.getCurrentCluster()!.caData),
      cert: pem(user.certData),
      key: pem(user.keyData),
    })
    const said = new Map<number, string>()
    return new Promise((resolve, reject) => {
      socket.on('message', (data: Buffer) =>
        said.set(data[0]!, (said.get(data[0]!) ?? '') + data.subarray(1).toString()),
      )
      socket.on('close', () => resolve(said))
      socket.on('error', reject)
    })
  }
  void test(
    '[sig-node] Pods should support remote command execution over websockets [NodeConformance] [Conformance]',
    deadline,
    async () => {
      const name = fresh('pod-exec-websocket')
      const command = ['/bin/sh', '-c', 'echo container is alive; sleep 600']
      await pods.create(name, { containers: [{ name: 'main', image: busybox, command }] })
      await pods.running(name)
      const query = 'stderr=1&stdout=1&container=main&command=echo&command=remote%20execution%20test'
      const said = await channels(`/api/v1/namespaces/${pods.namespace}/pods/${name}/exec?${query}`)
      assert.equal(said.get(1), 'remote execution test\n')
      assert.equal((JSON.parse(said.get(3)!) as { status: string }).status, 'Success')
      await pods.delete(name)
    },
  )
  void test(
    '[sig-node] Pods should support retrieving logs from the container over websockets [NodeConformance] [Conformance]',
    deadline,
    async () => {
      const name = fresh('pod-logs-websocket')
      const command = ['/bin/sh', '-c', 'echo container is alive; sleep 10000']
      await pods.create(name, { containers: [{ name: 'main', image: busybox, command }] })
      await pods.running(name)
      await pods.logHolds(name, /alive/)
      const server = cluster.config.getCurrentCluster()!.server.replace(/^https/, 'wss')
      const user = cluster.config.getCurrentUser()!
      const pem = (data: string | undefined): Buffer => Buffer.from(data ?? '', 'base64')
      const socket = new WebSocket(
        `${server}/api/v1/namespaces/${pods.namespace}/pods/${name}/log?container=main`,
        ['binary.k8s.io'],
        {
          ca: pem(cluster.config.getCurrentCluster()!.caData),
          cert: pem(user.certData),
          key: pem(user.keyData),
        },
      )
      const text = await new Promise<string>((resolve, reject) => {
        const pieces: Buffer[] = []
        socket.on('message', (data: Buffer) => pieces.push(data))
        socket.on('close', () => resolve(Buffer.concat(pieces).toString()))
        socket.on('error', reject)
      })
      assert.equal(text, 'container is alive\n')
      await pods.delete(name)
    },
  )
  void test('[sig-node] Pods should delete a collection of pods [Conformance]', deadline, async () => {
    const labels = { type: 'Testing' }
    const names = [1, 2, 3].map((n) => `test-pod-${n}`)
    for (const name of names) await pods.create(name, { containers: [pauses] }, { labels })
    await Promise.all(names.map((name) => pods.running(name)))
    await cluster.core.deleteCollectionNamespacedPod({ namespace: pods.namespace, labelSelector: 'type=Testing' })
    await Promise.all(names.map((name) => pods.gone(name)))
  })
  void test('[sig-node] Pods should patch a pod status [Conformance]', deadline, async () => {
    const name = fresh('pod-status')
    await pods.create(name, { containers: [pauses] }, { labels: { e2e: name } })
    await pods.running(name)
    const patch = { metadata: { annotations: { patchedstatus: 'true' } }, status: { message: 'Patched by the test' } }
    await kubectl('patch', 'pod', name, '--subresource=status', '--type=merge', '-p', JSON.stringify(patch))
    const pod = await cluster.core.readNamespacedPodStatus({ namespace: pods.namespace, name })
    assert.equal(pod.metadata?.annotations?.['patchedstatus'], 'true')
    assert.equal(pod.status?.message, 'Patched by the test')
    await pods.delete(name)
  })
  void test(
    '[sig-node] Pods should run through the lifecycle of Pods and PodStatus [Conformance]',
    deadline,
    async () => {
      const name = 'pod-test'
      const labels = { 'test-pod-static': 'true' }
      await pods.create(name, { containers: [{ name: 'main', image: agnhost }] }, { labels })
      await pods.ready(name)
      const patch = { metadata: { labels: { 'test-pod': 'patched' } }, spec: { terminationGracePeriodSeconds: 1 } }
      await kubectl(
        'patch',
        'pod',
        name,
        '--type=strategic',
        '-p',
        JSON.stringify(patch.metadata === undefined ? {} : { metadata: patch.metadata }),
      )
      await pods.until(name, ({ metadata }) => metadata?.labels?.['test-pod'] === 'patched')
      const at = { namespace: pods.namespace, name }
      const present = await cluster.core.readNamespacedPodStatus(at)
      const conditions = present.status!.conditions!.map((each) =>
        each.type === 'Ready' || each.type === 'ContainersReady' ? changed(each, { status: 'False' }) : each,
      )
      const replaced = await cluster.core.replaceNamespacedPodStatus({
        ...at,
        body: changed(present, { status: changed(present.status!, { conditions }) }),
      })
      assert.equal(isReady(replaced), false)
      // The node knows better.
      const { items } = await cluster.core.listPodForAllNamespaces({ labelSelector: 'test-pod-static=true' })
      assert.equal(items.length, 1)
      await cluster.core.deleteCollectionNamespacedPod({
        namespace: pods.namespace,
        labelSelector: 'test-pod-static=true',
      })
      await pods.gone(name)
    },
  )

  const generations = ({ metadata, status }: V1Pod): readonly (number | undefined)[] => [
    metadata?.generation,
    status?.observedGeneration,
  ]
  const update = async (name: string, change: (pod: V1Pod) => V1Pod): Promise<V1Pod> => {
    const present = await cluster.core.readNamespacedPod({ namespace: pods.namespace, name })
    const body = change(changed(present, { metadata: changed(present.metadata!, { resourceVersion: undefined }) }))
    return cluster.core.replaceNamespacedPod({ namespace: pods.namespace, name, body })
  }
  void test(
    '[sig-node] Pods Extended (pod generation) Pod Generation pod generation should start at 1 and increment per update [MinimumKubeletVersion:1.34] [Conformance]',
    deadline,
    async () => {
      const name = fresh('pod-generation')
      const made = await pods.create(name, { containers: [pauses], activeDeadlineSeconds: 5000 })
      assert.equal(made.metadata?.generation, 1)
      await pods.until(name, (pod) => pod.status?.phase === 'Running' && generations(pod).join() === '1,1')
      const steps: readonly (readonly [string, (pod: V1Pod) => V1Pod, number])[] = [
        ['labels', (pod) => changed(pod, { metadata: changed(pod.metadata!, { labels: { step: 'one' } }) }), 1],
        ['deadline', (pod) => changed(pod, { spec: changed(pod.spec!, { activeDeadlineSeconds: 4000 }) }), 2],
        [
          'tolerations',
          (pod) =>
            changed(pod, {
              spec: changed(pod.spec!, {
                tolerations: [...(pod.spec!.tolerations ?? []), { key: 'foo', operator: 'Exists' }],
              }),
            }),
          3,
        ],
        [
          'image',
          (pod) =>
            changed(pod, {
              spec: changed(pod.spec!, {
                containers: [
                  changed(pod.spec!.containers[0]!, { image: 'mcr.microsoft.com/oss/kubernetes/pause:3.6' }),
                ],
              }),
            }),
          4,
        ],
      ]
      for (const [what, change, expected] of steps) {
        const updated = await update(name, change)
        assert.equal(updated.metadata?.generation, expected, what)
        await pods.until(name, (pod) => generations(pod).join() === `${expected},${expected}`)
      }
      await pods.delete(name)
    },
  )
  void test(
    '[sig-node] Pods Extended (pod generation) Pod Generation custom-set generation on new pods and graceful delete [Conformance]',
    deadline,
    async () => {
      const name = fresh('pod-generation')
      const made = await pods.create(
        name,
        { containers: [pauses], terminationGracePeriodSeconds: 30 },
        { generation: 100, finalizers: ['example.com/hold'] },
      )
      assert.equal(made.metadata?.generation, 1)
      await pods.running(name)
      await pods.delete(name, 30)
      const marked = await pods.until(name, ({ metadata }) => metadata?.deletionTimestamp !== undefined)
      assert.equal(marked.metadata?.generation, 2)
      await kubectl('patch', 'pod', name, '--type=json', '-p', '[{"op":"remove","path":"/metadata/finalizers"}]')
      await pods.gone(name)
    },
  )
  void test(
    '[sig-node] Pods Extended (pod generation) Pod Generation issue 500 podspec updates and verify generation and observedGeneration eventually converge [MinimumKubeletVersion:1.34] [Conformance]',
    deadline,
    async () => {
      const name = fresh('pod-generation')
      await pods.create(name, { containers: [pauses], activeDeadlineSeconds: 5000 })
      await pods.running(name)
      const updates = sized({ gate: 500, full: 500 })
      for (let count = 1; count <= updates; count += 1)
        await update(name, (pod) => changed(pod, { spec: changed(pod.spec!, { activeDeadlineSeconds: 5000 - count }) }))
      await pods.until(name, (pod) => generations(pod).join() === `${updates + 1},${updates + 1}`)
      await pods.delete(name)
    },
  )
  void test(
    '[sig-node] Pods Extended Pods Set QOS Class should be set on Pods with matching resource requests and limits for memory and cpu [Conformance]',
    deadline,
    async () => {
      const name = fresh('pod-qos')
      const resources = { requests: { cpu: '100m', memory: '100Mi' }, limits: { cpu: '100m', memory: '100Mi' } }
      await pods.create(name, { containers: [{ name: 'test', image: agnhost, resources }] })
      const pod = await cluster.core.readNamespacedPod({ namespace: pods.namespace, name })
      assert.equal(pod.status?.qosClass, 'Guaranteed')
      await pods.delete(name)
    },
  )
})
