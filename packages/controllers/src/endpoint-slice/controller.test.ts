// Endpoint slices on a cluster in memory.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { endpointSlices, events, nodes, pods, services } from '@aksel/api/resources'
import type { Service, ServicePort } from '@aksel/api/types/core-v1'
import type { Endpoint } from '@aksel/api/types/discovery-v1'
import { killEverywhere, TestCluster } from '../testing/cluster.ts'
import type { MakeLoops } from '../testing/cluster.ts'
import { newPod, readyNode } from '../testing/objects.ts'
import { endpointSliceController } from './controller.ts'

const loops: MakeLoops = (parts) => [endpointSliceController(parts)]
const http: ServicePort = { name: 'http', protocol: 'TCP', port: 80, targetPort: 8080 }

function newService(spec: Partial<Service['spec']> = {}): Service {
  return {
    metadata: { name: 'web', namespace: 'shop', labels: { team: 'blue' } },
    spec: { selector: { app: 'web' }, ports: [http], clusterIP: '10.0.0.7', ipFamilies: ['IPv4'], ...spec },
  }
}

async function addPods(cluster: TestCluster, count: number): Promise<void> {
  for (let index = 0; index < count; index += 1) {
    await cluster.client.create(
      pods,
      newPod(`web-${String(index).padStart(3, '0')}`, { nodeName: 'node-1' }, { app: 'web' }),
    )
  }
}

function endpoints(cluster: TestCluster): readonly Endpoint[] {
  return cluster.all(endpointSlices).flatMap((slice) => slice.endpoints)
}

test('a service has a slice with the addresses, conditions and places of its pods', async () => {
  await using cluster = new TestCluster(loops)
  cluster.start()
  const node = readyNode('node-1', '10.224.0.4')
  cluster.client.put(nodes, {
    ...node,
    metadata: { name: 'node-1', labels: { 'topology.kubernetes.io/zone': 'we-1' } },
  })
  await cluster.client.create(services, newService())
  await addPods(cluster, 1)
  await cluster.still()
  const [slice] = cluster.all(endpointSlices)
  assert.match(slice!.metadata.name, /^web-[a-z0-9]{5}$/)
  assert.deepEqual(slice!.metadata.labels, {
    team: 'blue',
    'kubernetes.io/service-name': 'web',
    'endpointslice.kubernetes.io/managed-by': 'endpointslice-controller.k8s.io',
  })
  assert.deepEqual(slice!.ports, [{ name: 'http', protocol: 'TCP', port: 8080 }])
  const { uid } = cluster.client.peek(pods, 'shop/web-000')!.metadata
  assert.deepEqual(slice!.endpoints, [
    {
      addresses: ['10.244.0.11'],
      conditions: { ready: true, serving: true, terminating: false },
      targetRef: { kind: 'Pod', namespace: 'shop', name: 'web-000', uid },
      nodeName: 'node-1',
      zone: 'we-1',
    },
  ])
})

test('a service without pods has one empty slice', async () => {
  await using cluster = new TestCluster(loops)
  cluster.start()
  await cluster.client.create(services, newService())
  await cluster.still()
  assert.deepEqual(
    cluster.all(endpointSlices).map((slice) => [slice.endpoints, slice.ports]),
    [[[], []]],
  )
})

test('a pod on its way out still serves, and is not ready', async () => {
  await using cluster = new TestCluster(loops)
  cluster.start()
  await cluster.client.create(services, newService())
  await addPods(cluster, 2)
  await cluster.still()
  await cluster.client.delete(pods, { namespace: 'shop', name: 'web-000' })
  await cluster.clock.run(1000)
  const leaving = endpoints(cluster).find(({ targetRef }) => targetRef!.name === 'web-000')!
  assert.deepEqual(leaving.conditions, { ready: false, serving: true, terminating: true })
  await cluster.still()
  assert.deepEqual(
    endpoints(cluster).map(({ targetRef }) => targetRef!.name),
    ['web-001'],
  )
})

test('publishNotReadyAddresses makes a pod that is not ready count as ready', async () => {
  await using cluster = new TestCluster(loops)
  cluster.start()
  await cluster.client.create(services, newService({ publishNotReadyAddresses: true, clusterIP: 'None' }))
  await addPods(cluster, 1)
  await cluster.still({ ready: () => false })
  assert.deepEqual(endpoints(cluster)[0]!.conditions, { ready: true, serving: false, terminating: false })
  assert.equal(cluster.all(endpointSlices)[0]!.metadata.labels!['service.kubernetes.io/headless'], '')
})

test('a named port is looked up in each pod; pods that differ stand in slices of their own', async () => {
  await using cluster = new TestCluster(loops)
  cluster.start()
  await cluster.client.create(services, newService({ ports: [{ ...http, targetPort: 'web' }] }))
  for (const [name, containerPort] of [
    ['a', 8080],
    ['b', 9090],
  ] as const) {
    const containers = [{ name: 'main', ports: [{ name: 'web', containerPort }] }]
    await cluster.client.create(pods, newPod(name, { nodeName: 'node-1', containers }, { app: 'web' }))
  }
  await cluster.client.create(pods, newPod('c', { nodeName: 'node-1' }, { app: 'web' }))
  await cluster.still()
  assert.deepEqual(
    cluster
      .all(endpointSlices)
      .map((slice) => [slice.ports[0]!.port, slice.endpoints.map(({ targetRef }) => targetRef!.name)]),
    [
      [8080, ['a']],
      [9090, ['b']],
    ],
  )
})

test('a slice holds a hundred endpoints', async () => {
  await using cluster = new TestCluster(loops)
  const client = cluster.start()
  await cluster.client.create(services, newService())
  await addPods(cluster, 130)
  await cluster.still()
  assert.deepEqual(
    cluster
      .all(endpointSlices)
      .map((slice) => slice.endpoints.length)
      .toSorted((left, right) => left - right),
    [30, 100],
  )
  const writes = client.writes.length
  await cluster.client.delete(pods, { namespace: 'shop', name: 'web-005' }, { gracePeriodSeconds: 0 })
  await cluster.still()
  assert.equal(client.writes.length, writes + 1)
})

test('at rest nothing is written, and no kill leaves a second slice', async () => {
  await killEverywhere(
    loops,
    async (cluster) => {
      await cluster.client.create(services, newService())
      await addPods(cluster, 3)
      await cluster.still()
      await cluster.client.delete(pods, { namespace: 'shop', name: 'web-001' }, { gracePeriodSeconds: 0 })
      await cluster.still()
    },
    (cluster, kill) => {
      const names = endpoints(cluster).map(({ targetRef }) => targetRef!.name!)
      assert.deepEqual(names.toSorted(), ['web-000', 'web-002'], `killed after write ${kill}`)
      assert.equal(cluster.all(endpointSlices).length, 1)
    },
  )
})

test('endpoints are shared out among zones where the service asks for it, told, and again when the nodes change', async () => {
  await using cluster = new TestCluster(loops)
  cluster.start()
  const machine = (name: string, zone: string, cpu: string) => {
    const { status, ...rest } = readyNode(name, '10.224.0.4')
    const labels = { 'topology.kubernetes.io/zone': zone }
    cluster.client.put(nodes, { ...rest, metadata: { name, labels }, status: { ...status, allocatable: { cpu } } })
  }
  machine('node-1', 'we-1', '4')
  machine('node-2', 'we-2', '4')
  await cluster.client.create(services, {
    ...newService(),
    metadata: { name: 'web', namespace: 'shop', annotations: { 'service.kubernetes.io/topology-mode': 'Auto' } },
  })
  const add = (name: string, nodeName: string) =>
    cluster.client.create(pods, newPod(name, { nodeName }, { app: 'web' }))
  await add('a', 'node-1')
  await cluster.still()
  for (const name of ['b', 'c']) await add(name, 'node-1')
  await add('d', 'node-2')
  await cluster.still()
  const zones = (): readonly (string | undefined)[] => endpoints(cluster).map(({ hints }) => hints?.forZones?.[0]?.name)
  assert.deepEqual(zones(), ['we-1', 'we-1', 'we-2', 'we-2'])
  assert.deepEqual(
    cluster.all(events).map(({ reason, message }) => `${reason}: ${message}`),
    [
      'TopologyAwareHintsDisabled: Insufficient number of endpoints (0 endpoints, 2 zones), addressType: IPv4',
      'TopologyAwareHintsDisabled: Insufficient number of endpoints (1 endpoints, 2 zones), addressType: IPv4',
      'TopologyAwareHintsEnabled: Topology Aware Hints has been enabled, addressType: IPv4',
    ],
  )
  machine('node-2', 'we-2', '1')
  await cluster.still()
  assert.deepEqual(zones(), ['we-1', 'we-1', 'we-1', 'we-2'])
  cluster.client.change(services, 'shop/web', (draft) => void (draft.metadata.annotations = {}))
  await cluster.still()
  assert.deepEqual(zones(), [undefined, undefined, undefined, undefined])
  assert.equal(cluster.all(events).at(-1)!.message, 'Topology Aware Hints has been disabled, addressType: IPv4')
})

test('a service of both families has slices of each, and loses those of one that it gives up', async () => {
  await using cluster = new TestCluster((parts) => [endpointSliceController(parts)])
  cluster.start()
  const spec = { selector: { app: 'web' }, ports: [{ port: 80 }], ipFamilies: ['IPv6', 'IPv4'] }
  await cluster.client.create(services, { metadata: { name: 'web', namespace: 'shop' }, spec })
  for (const [name, podIPs] of [
    ['both', [{ ip: '10.244.0.7' }, { ip: 'fd00::7' }]],
    ['four', [{ ip: '10.244.0.8' }]],
  ] as const) {
    const pod = newPod(name, { nodeName: 'node-1' }, { app: 'web' })
    cluster.client.put(pods, { ...pod, status: { phase: 'Running', podIP: '10.244.0.7', podIPs } })
  }
  await cluster.clock.run(1000)
  const shown = (): readonly unknown[] =>
    cluster
      .all(endpointSlices)
      .toSorted((left, right) => (left.addressType < right.addressType ? -1 : 1))
      .map(({ addressType, endpoints }) => [addressType, endpoints.flatMap(({ addresses }) => addresses).toSorted()])
  assert.deepEqual(shown(), [
    ['IPv4', ['10.244.0.7', '10.244.0.8']],
    ['IPv6', ['fd00::7']],
  ])
  cluster.client.change(services, 'shop/web', (draft) => {
    draft.spec.ipFamilies = ['IPv6']
  })
  await cluster.clock.run(1000)
  assert.deepEqual(shown(), [['IPv6', ['fd00::7']]])
})
