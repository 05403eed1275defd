// Controllers whose pods really serve, log and listen: one cluster of real nodes for tests of several areas.

import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import type { V1Container, V1Pod } from '@kubernetes/client-node'
import { agnhost, conformanceCluster, type ConformanceCluster } from '../cluster.ts'
import { Objects, type AnyObject } from '../objects.ts'
import { fresh, podsIn, serving, type Pods } from '../pods.ts'

const deadline = { timeout: 180_000 }
const agnhostPort = 6379

void suite('controllers on nodes', { concurrency: 5 }, () => {
  let cluster: ConformanceCluster

  before(async () => {
    cluster = await conformanceCluster({ nodes: 'real', count: 1, agnhost: true })
  })
  after(() => cluster[Symbol.asyncDispose]())

  const kubectl = (namespace: string, ...args: readonly string[]): Promise<string> =>
    cluster.aksel.kubectl(['-n', namespace, ...args])
  const slicesOf = async (namespace: string, service: string): Promise<readonly AnyObject[]> => {
    const slices = new Objects(cluster, 'discovery.k8s.io/v1', 'endpointslices', namespace)
    return (await slices.list({ labelSelector: `kubernetes.io/service-name=${service}` })).items
  }

  async function serveBasicImage(groupVersion: string, resource: string, selector: (labels: object) => object) {
    const name = fresh('my-hostname-basic')
    const pods = await podsIn(cluster, resource)
    const labels = { name }
    const readinessProbe = { httpGet: { path: '/', port: 9376 }, periodSeconds: 1 }
    const container = {
      name,
      image: agnhost,
      args: ['serve-hostname'],
      ports: [{ containerPort: 9376 }],
      readinessProbe,
    }
    const owners = new Objects(cluster, groupVersion, resource, pods.namespace)
    const owner = await owners.create({
      metadata: { name },
      spec: {
        replicas: 1,
        selector: selector(labels),
        template: { metadata: { labels }, spec: { terminationGracePeriodSeconds: 0, containers: [container] } },
      },
    })
    const all = new Objects(cluster, 'v1', 'pods', pods.namespace)
    const { items } = await all.listed({ labelSelector: `name=${name}` }, (found) => found.length === 1)
    for (const { metadata } of items) {
      assert.equal((metadata['ownerReferences'] as readonly { uid: string }[])[0]!.uid, owner.metadata.uid)
      assert.equal((await pods.ready(metadata.name)).status?.phase, 'Running')
      const path = `/api/v1/namespaces/${pods.namespace}/pods/${metadata.name}:9376/proxy/`
      assert.equal((await kubectl(pods.namespace, 'get', '--raw', path)).trim(), metadata.name)
    }
    await owners.delete(name)
  }

  void test(
    '[sig-apps] ReplicationController should serve a basic image on each replica with a public image [Conformance]',
    deadline,
    () => serveBasicImage('v1', 'replicationcontrollers', (labels) => labels),
  )

  void test(
    '[sig-apps] ReplicaSet should serve a basic image on each replica with a public image [Conformance]',
    deadline,
    () => serveBasicImage('apps/v1', 'replicasets', (matchLabels) => ({ matchLabels })),
  )

  interface Primary {
    readonly pods: Pods
    readonly name: string
    readonly list: () => Promise<readonly V1Pod[]>
  }

  /** The suite's replication controller of one agnhost, which pauses. */
  async function agnhostPrimary(): Promise<Primary> {
    const pods = await podsIn(cluster, 'kubectl')
    const labels = { app: 'agnhost', role: 'primary' }
    const container = {
      name: 'agnhost-primary',
      image: agnhost,
      ports: [{ name: 'agnhost-server', containerPort: 6379 }],
    }
    const controller = {
      kind: 'ReplicationController',
      apiVersion: 'v1',
      metadata: { name: 'agnhost-primary', labels },
      spec: {
        replicas: 1,
        selector: labels,
        template: { metadata: { labels }, spec: { terminationGracePeriodSeconds: 1, containers: [container] } },
      },
    }
    const input = JSON.stringify(controller)
    await cluster.aksel.ok(['kubectl', '-n', pods.namespace, 'create', '-f', '-'], { input })
    const all = new Objects(cluster, 'v1', 'pods', pods.namespace)
    const { items } = await all.listed({ labelSelector: 'app=agnhost' }, (found) => found.length === 1)
    const { name } = items[0]!.metadata
    await pods.running(name)
    const list = async (): Promise<readonly V1Pod[]> =>
      (await cluster.core.listNamespacedPod({ namespace: pods.namespace, labelSelector: 'app=agnhost' })).items
    return { pods, name, list }
  }

  void test(
    '[sig-cli] Kubectl client Kubectl expose should create services for rc [Conformance]',
    deadline,
    async () => {
      const { pods, name } = await agnhostPrimary()
      const { namespace } = pods
      await pods.logHolds(name, /Paused/)
      const validate = async (service: string, servicePort: number): Promise<void> => {
        const endpoints = new Objects(cluster, 'discovery.k8s.io/v1', 'endpointslices', namespace)
        const { items } = await endpoints.listed({ labelSelector: `kubernetes.io/service-name=${service}` }, (slices) =>
          slices.some((slice) => slice['endpoints']?.length > 0),
        )
        const found = items.flatMap((slice) =>
          slice['endpoints'].map(({ targetRef }: { targetRef: { name: string } }) => [
            targetRef.name,
            slice['ports'][0].port,
          ]),
        )
        assert.deepEqual(found, [[name, agnhostPort]])
        const { spec } = await cluster.core.readNamespacedService({ namespace, name: service })
        const ports = spec!.ports!.map(({ port, targetPort }) => [port, targetPort])
        assert.deepEqual(ports, [[servicePort, agnhostPort]])
      }
      const target = `--target-port=${agnhostPort}`
      await kubectl(namespace, 'expose', 'rc', 'agnhost-primary', '--name=rm2', '--port=1234', target)
      await validate('rm2', 1234)
      await kubectl(namespace, 'expose', 'service', 'rm2', '--name=rm3', '--port=2345', target)
      await validate('rm3', 2345)
    },
  )

  void test(
    '[sig-cli] Kubectl client Kubectl patch should add annotations for pods in rc [Conformance]',
    deadline,
    async () => {
      const { pods, list } = await agnhostPrimary()
      for (const { metadata } of await list())
        await kubectl(pods.namespace, 'patch', 'pod', metadata!.name!, '-p', '{"metadata":{"annotations":{"x":"y"}}}')
      const annotations = (await list()).map(({ metadata }) => metadata?.annotations?.['x'])
      assert.deepEqual(annotations, ['y'])
    },
  )

  /** From line to line, the next one with a row's first word has the row's other words too. */
  function assertLines(output: string, wanted: readonly (readonly string[])[]): void {
    let lines = output.split('\n')
    for (const words of wanted) {
      const at = lines.findIndex((line) => line.includes(words[0]!))
      assert.notEqual(at, -1, `no line with ${words[0]} at its place in:\n${output}`)
      for (const word of words) assert.ok(lines[at]!.includes(word), `no ${word} in ${lines[at]} of:\n${output}`)
      lines = lines.slice(at)
    }
  }

  void test(
    '[sig-cli] Kubectl client Kubectl describe should check if kubectl describe prints relevant information for rc and pods [Conformance]',
    deadline,
    async () => {
      const { pods, name } = await agnhostPrimary()
      const { namespace } = pods
      const labels = { app: 'agnhost', role: 'primary' }
      const service = {
        kind: 'Service',
        apiVersion: 'v1',
        metadata: { name: 'agnhost-primary', labels },
        spec: { ports: [{ port: 6379, targetPort: 'agnhost-server' }], selector: labels },
      }
      await cluster.aksel.ok(['kubectl', '-n', namespace, 'create', '-f', '-'], { input: JSON.stringify(service) })
      const describe = (kind: string, object: string): Promise<string> => kubectl(namespace, 'describe', kind, object)

      assertLines(await describe('pod', name), [
        ['Name:', 'agnhost-primary-'],
        ['Namespace:', namespace],
        ['Node:'],
        ['Labels:', 'app=agnhost'],
        ['role=primary'],
        ['Annotations:'],
        ['Status:', 'Running'],
        ['IP:'],
        ['Controlled By:', 'ReplicationController/agnhost-primary'],
        ['Image:', agnhost],
        ['State:', 'Running'],
        ['QoS Class:', 'BestEffort'],
      ])
      assertLines(await describe('rc', 'agnhost-primary'), [
        ['Name:', 'agnhost-primary'],
        ['Namespace:', namespace],
        ['Selector:', 'app=agnhost,role=primary'],
        ['Labels:', 'app=agnhost'],
        ['role=primary'],
        ['Annotations:'],
        ['Replicas:', '1 current', '1 desired'],
        ['Pods Status:', '1 Running', '0 Waiting', '0 Succeeded', '0 Failed'],
        ['Pod Template:'],
        ['Image:', agnhost],
        ['Events:'],
      ])
      assertLines(await describe('service', 'agnhost-primary'), [
        ['Name:', 'agnhost-primary'],
        ['Namespace:', namespace],
        ['Labels:', 'app=agnhost'],
        ['role=primary'],
        ['Annotations:'],
        ['Selector:', 'app=agnhost', 'role=primary'],
        ['Type:', 'ClusterIP'],
        ['IP:'],
        ['Port:', '<unset>', '6379/TCP'],
        ['Endpoints:'],
        ['Session Affinity:', 'None'],
      ])
      const node = (await cluster.core.listNode()).items[0]!.metadata!.name!
      assertLines(await describe('node', node), [
        ['Name:', node],
        ['Labels:'],
        ['Annotations:'],
        ['CreationTimestamp:'],
        ['Conditions:'],
        ['Type', 'Status', 'LastHeartbeatTime', 'LastTransitionTime', 'Reason', 'Message'],
        ['Addresses:'],
        ['Capacity:'],
        ['Version:'],
        ['Kernel Version:'],
        ['OS Image:'],
        ['Container Runtime Version:'],
        ['Kubelet Version:'],
        ['Kube-Proxy Version:'],
        ['Pods:'],
      ])
      assertLines(await describe('namespace', namespace), [
        ['Name:', namespace],
        ['Labels:'],
        ['Annotations:'],
        ['Status:', 'Active'],
      ])
    },
  )

  void test(
    '[sig-cli] Kubectl logs logs should be able to retrieve and filter logs [Conformance]',
    deadline,
    async () => {
      const pods = await podsIn(cluster, 'kubectl-logs')
      const name = 'logs-generator'
      const args = ['logs-generator', '--log-lines-total', '100', '--run-duration', '20s']
      await kubectl(pods.namespace, 'run', name, `--image=${agnhost}`, '--restart=Never', '--', ...args)
      await pods.running(name)
      await pods.logHolds(name, /\/api\/v1\/namespaces\/kube-system/, name)
      const logs = (...flags: readonly string[]): Promise<string> =>
        kubectl(pods.namespace, 'logs', name, name, ...flags)
      const lines = (text: string): readonly string[] => text.replace(/\n+$/, '').split('\n')

      const last = await logs('--tail=1')
      assert.notEqual(last, '')
      assert.equal(lines(last).length, 1)
      assert.equal((await logs('--limit-bytes=1')).length, 1)
      const [stamped, ...others] = lines(await logs('--tail=1', '--timestamps'))
      assert.deepEqual(others, [])
      assert.match(stamped!, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d) ./)
      // The first lines are older than the range once the generator is well past them.
      await pods.logHolds(name, /logs_generator\.go:76\] 24 /, name)
      const [recent, older] = [await logs('--since=1s'), await logs('--since=24h')]
      assert.ok(lines(recent).length < lines(older).length, `${recent}\nis not less than\n${older}`)
      await pods.delete(name)
    },
  )

  /** Asks, over a given protocol, who listens there, from a pod. */
  const whoIs = (pods: Pods, from: string, protocol: 'tcp' | 'udp', host: string, port: number, source?: string) => {
    const options = JSON.stringify({ host, port, path: '/hostname', ...(source && { localAddress: source }) })
    const script =
      protocol === 'tcp'
        ? `require('http').get(${options},(r)=>r.pipe(process.stdout)).on('error',()=>process.exit(1))`
        : `const s=require('dgram').createSocket('udp4');s.on('message',(m)=>{process.stdout.write(m);s.close()});s.send('hostname',${port},'${host}')`
    const once = `timeout 5 node -e "$0"`
    return pods
      .exec(from, ['sh', '-c', `for i in 1 2 3 4 5; do ${once} && exit 0; sleep 1; done; exit 1`, script])
      .then((said) => said.trim())
  }

  async function manualSlices(shared: boolean): Promise<void> {
    const pods = await podsIn(cluster, 'endpoint-slices')
    const { namespace } = pods
    const service = 'example-custom-endpoints'
    const ports = [80, 81].map((port) => ({ name: `port${port}`, port, protocol: 'TCP' }))
    const { spec } = await cluster.core.createNamespacedService({
      namespace,
      body: { metadata: { name: service }, spec: { ports } },
    })
    const server = (port: number): V1Container =>
      serving(port, {
        name: `container-handle-${port}-request`,
        image: agnhost,
        args: ['netexec', '--http-port', String(port), '--udp-port', '-1'],
        ports: [{ containerPort: port }],
      })
    const servers = shared ? ['pod-handle-http-request'] : ['pod1-handle-http-request', 'pod2-handle-http-request']
    for (const name of servers)
      await pods.create(name, { containers: shared ? [server(8090), server(9090)] : [server(8090)] })
    await pods.create('pause-pod-0', { containers: [{ name: 'agnhost', image: agnhost }] })
    const ready = await Promise.all(servers.map((name) => pods.ready(name)))
    await pods.ready('pause-pod-0')
    const slices = new Objects(cluster, 'discovery.k8s.io/v1', 'endpointslices', namespace)
    const backends = [
      { pod: ready[0]!, port: 8090 },
      { pod: ready.at(-1)!, port: shared ? 9090 : 8090 },
    ]
    for (const [index, { pod, port }] of backends.entries())
      await slices.create({
        metadata: {
          generateName: 'e2e-custom-slice',
          labels: {
            'kubernetes.io/service-name': service,
            'endpointslice.kubernetes.io/managed-by': `e2e-test${namespace}`,
          },
        },
        addressType: 'IPv4',
        endpoints: [{ addresses: [pod.status!.podIP!], conditions: { ready: true } }],
        ports: [{ name: ports[index]!.name, port, protocol: 'TCP' }],
      })
    for (const [index, { pod }] of backends.entries())
      assert.equal(await whoIs(pods, 'pause-pod-0', 'tcp', spec!.clusterIP!, ports[index]!.port), pod.metadata!.name)
  }

  void test(
    '[sig-network] EndpointSlice should support a Service with multiple ports specified in multiple EndpointSlices [Conformance]',
    deadline,
    () => manualSlices(true),
  )

  void test(
    '[sig-network] EndpointSlice should support a Service with multiple endpoint IPs specified in multiple EndpointSlices [Conformance]',
    deadline,
    () => manualSlices(false),
  )

  void test(
    '[sig-network] HostPort validates that there is no conflict between pods with same hostPort but different hostIP and protocol [LinuxOnly] [Conformance]',
    deadline,
    async () => {
      const pods = await podsIn(cluster, 'host-port')
      const [node] = (await cluster.core.listNode()).items
      const nodeName = node!.metadata!.name!
      const hostIp = node!.status!.addresses!.find(({ type }) => type === 'InternalIP')!.address
      const hostPort = 54_323
      const create = async (name: string, hostIP: string, protocol: string): Promise<void> => {
        const container = {
          name: 'agnhost',
          image: agnhost,
          args: ['netexec', '--http-port=8080', '--udp-port=8080'],
          ports: [{ hostPort, containerPort: 8080, protocol, hostIP }],
          readinessProbe: { httpGet: { path: '/hostname', port: 8080, scheme: 'HTTP' }, periodSeconds: 1 },
        }
        await pods.create(name, { nodeName, containers: [container] })
        await pods.ready(name)
      }
      await create('pod1', '127.0.0.1', 'TCP')
      await create('pod2', hostIp, 'TCP')
      await create('pod3', hostIp, 'UDP')
      const asker = 'e2e-host-exec'
      await pods.create(asker, { hostNetwork: true, nodeName, containers: [{ name: asker, image: agnhost }] })
      await pods.ready(asker)
      assert.equal(await whoIs(pods, asker, 'tcp', '127.0.0.1', hostPort, hostIp), 'pod1')
      assert.equal(await whoIs(pods, asker, 'tcp', hostIp, hostPort), 'pod2')
      assert.equal(await whoIs(pods, asker, 'udp', hostIp, hostPort), 'pod3')
    },
  )

  void test(
    '[sig-network] API Server should have Endpoints and EndpointSlices pointing to API Server [Conformance]',
    deadline,
    async () => {
      await cluster.core.readNamespacedService({ namespace: 'default', name: 'kubernetes' })
      const endpoints = await new Objects(cluster, 'v1', 'endpoints', 'default').get('kubernetes')
      const slices = (await slicesOf('default', 'kubernetes')).filter((each) => each['addressType'] === 'IPv4')
      assert.ok(endpoints['subsets'].length > 0)
      assert.ok(slices.length > 0)
      type Ports = { readonly ports: readonly { readonly port: number }[] }
      const ports = (all: readonly Ports[]): unknown =>
        new Set(all.flatMap((each) => each.ports.map(({ port }) => port)))
      type Subset = Ports & { readonly addresses?: readonly { ip: string }[] }
      const subsets = endpoints['subsets'] as readonly Subset[]
      assert.deepEqual(ports(slices as unknown as readonly Ports[]), ports(subsets))
      const addresses = new Set(subsets.flatMap((each) => each.addresses ?? []).map(({ ip }) => ip))
      assert.ok(addresses.size > 0)
      const inSlices = slices.flatMap((each) => each['endpoints'] as readonly { addresses: readonly string[] }[])
      assert.deepEqual(new Set(inSlices.flatMap((each) => each.addresses)), addresses)
    },
  )
})
