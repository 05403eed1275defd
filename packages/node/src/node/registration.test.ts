// The node's object, status and lease, against an API in memory.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { events, leases, nodes } from '@aksel/api/resources'
import { ApiError } from '@aksel/base/errors'
import { FakeClient } from '@aksel/testing/fake-client'
import { testScope } from '@aksel/testing/test-scope'
import type { ContainerRuntime, RuntimeCondition } from '../cri/types.ts'
import type { PressureCondition } from '../eviction/pressure.ts'
import { aksReserved } from '@aksel/base/aks-reserved'
import { nodeStatus } from './node-object.ts'
import type { NodeDescription } from './node-object.ts'
import { NodeRegistration } from './registration.ts'

const description: NodeDescription = {
  name: 'n1',
  address: '10.224.0.4',
  labels: { 'kubernetes.azure.com/agentpool': 'nodepool1' },
  taints: [{ key: 'a', value: 'b', effect: 'NoSchedule' }],
  providerId: 'azure:///n1',
  podCidr: '10.244.1.0/24',
  capacity: { cpuMilli: 2000, memoryBytes: 8 * 2 ** 30, ephemeralStorageBytes: 128 * 2 ** 30, maxPods: 250 },
  reserved: { cpuMilli: 100, memoryBytes: 2 ** 30, ephemeralStorageBytes: 2 ** 30 },
  kubernetesVersion: '1.35.7',
  osImage: 'Ubuntu 22.04.5 LTS',
  machine: { machineId: 'm', systemUuid: 's', bootId: 'b', kernelVersion: '6' },
  kubeletPort: 10250,
}

const healthy: readonly RuntimeCondition[] = [
  { type: 'RuntimeReady', status: true, reason: '', message: '' },
  { type: 'NetworkReady', status: true, reason: '', message: '' },
]

function setUp() {
  const scope = testScope()
  const client = new FakeClient({ clock: scope.clock, random: scope.random })
  const state = { conditions: healthy, down: false }
  const runtime = {
    version: async () => {
      if (state.down) throw new Error('connection refused')
      return { runtimeName: 'containerd', runtimeVersion: '1.6.20' }
    },
    conditions: async () => state.conditions,
    listImages: async () => [{ id: 'i', repoTags: ['a:1'], repoDigests: [], size: 5, uid: null, username: '' }],
  } as unknown as ContainerRuntime
  const ready = (): string | undefined => {
    const found = client.peek(nodes, 'n1')?.status?.conditions?.find(({ type }) => type === 'Ready')
    return found === undefined ? undefined : `${found.status} ${found.message}`
  }
  return { scope, client, state, ready, registration: new NodeRegistration(scope, client, runtime, description) }
}

test('a node registers with labels, taints, amounts and a lease that it owns', async () => {
  const { client, registration, ready } = setUp()
  await registration.register()
  const node = client.peek(nodes, 'n1')!
  assert.equal(node.metadata.labels?.['kubernetes.azure.com/agentpool'], 'nodepool1')
  assert.equal(node.spec?.providerID, 'azure:///n1')
  assert.deepEqual(node.spec?.taints, description.taints)
  assert.deepEqual([node.status?.capacity?.['cpu'], node.status?.allocatable?.['cpu']], ['2', '1900m'])
  assert.equal(node.status?.capacity?.['pods'], '250')
  assert.equal(ready(), 'True kubelet is posting ready status')
  const lease = client.peek(leases, 'kube-node-lease/n1')!
  assert.equal(lease.metadata.ownerReferences?.[0]?.uid, node.metadata.uid)
  assert.equal(lease.spec?.holderIdentity, 'n1')
})

test('registering again keeps what the cluster added and removes no taint that it set', async () => {
  const { client, registration } = setUp()
  await registration.register()
  const node = client.peek(nodes, 'n1')!
  const taints = [{ key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' }]
  await client.update(nodes, {
    ...node,
    metadata: { ...node.metadata, labels: { mine: 'x' } },
    spec: { ...node.spec, taints },
  })
  await registration.register()
  const again = client.peek(nodes, 'n1')!
  assert.deepEqual(again.spec?.taints, taints)
  assert.deepEqual([again.metadata.labels?.['mine'], again.metadata.labels?.['kubernetes.io/os']], ['x', 'linux'])
})

test('the lease is renewed every 10 s, the status only when it changes or after 5 min', async () => {
  const { scope, client, state, registration, ready } = setUp()
  await registration.register()
  const before = client.peek(leases, 'kube-node-lease/n1')!.spec?.renewTime
  const written = client.peek(nodes, 'n1')!.metadata.resourceVersion
  const kept = registration.keep()
  await scope.clock.run(30_000)
  assert.notEqual(client.peek(leases, 'kube-node-lease/n1')!.spec?.renewTime, before)
  assert.equal(client.peek(nodes, 'n1')!.metadata.resourceVersion, written)
  state.conditions = [
    healthy[0]!,
    { type: 'NetworkReady', status: false, reason: 'NetworkPluginNotReady', message: 'cni plugin not initialized' },
  ]
  await scope.clock.run(10_000)
  assert.match(
    ready() ?? '',
    /^False container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady/,
  )
  state.down = true
  await scope.clock.run(10_000)
  assert.equal(ready(), 'False container runtime is down')
  scope.abort()
  await kept
})

test('registration goes on trying while the server refuses, and a lost lease is made again', async () => {
  const { scope, client, registration } = setUp()
  let refusals = 3
  const stubborn = new FakeClient({
    clock: scope.clock,
    random: scope.random,
    before: () => {
      if (refusals > 0) {
        refusals -= 1
        throw new ApiError('ServiceUnavailable', 'starting')
      }
    },
  })
  const runtime = {
    version: async () => ({ runtimeName: 'c', runtimeVersion: '1' }),
    conditions: async () => healthy,
    listImages: async () => [],
  }
  const other = new NodeRegistration(scope, stubborn, runtime as unknown as ContainerRuntime, description)
  const done = other.register()
  await scope.clock.run(2000)
  await done
  await registration.register()
  await client.delete(leases, { namespace: 'kube-node-lease', name: 'n1' })
  const kept = registration.keep()
  await scope.clock.run(11_000)
  assert.equal(client.peek(leases, 'kube-node-lease/n1')?.spec?.holderIdentity, 'n1')
  scope.abort()
  await kept
})

test('nodeStatus() keeps the time of a condition that did not change, and conditions of others', () => {
  const first = nodeStatus(description, {
    nowMs: 0,
    before: { conditions: [{ type: 'NetworkUnavailable', status: 'False' }] },
    runtime: undefined,
    runtimeConditions: healthy,
    images: [],
    pressure: new Set(),
  })
  const later = nodeStatus(description, {
    nowMs: 60_000,
    before: first,
    runtime: undefined,
    runtimeConditions: healthy,
    images: [],
    pressure: new Set(),
  })
  const ready = later.conditions?.find(({ type }) => type === 'Ready')
  assert.deepEqual(
    [ready?.lastTransitionTime, ready?.lastHeartbeatTime],
    ['1970-01-01T00:00:00Z', '1970-01-01T00:01:00Z'],
  )
  assert.equal(later.conditions?.[0]?.type, 'NetworkUnavailable')
})

test('a condition that pressure makes true is written at once, and told as an event', async () => {
  const { scope, client, state: _, registration: __ } = setUp()
  const pressure = new Set<PressureCondition>()
  const runtime = {
    version: async () => ({ runtimeName: 'containerd', runtimeVersion: '1.6.20' }),
    conditions: async () => healthy,
    listImages: async () => [],
  } as unknown as ContainerRuntime
  const registration = new NodeRegistration(scope, client, runtime, description, () => ({ pressure }))
  await registration.register()
  const kept = registration.keep()
  pressure.add('DiskPressure')
  registration.tell()
  await scope.clock.run(1)
  const disk = client.peek(nodes, 'n1')?.status?.conditions?.find(({ type }) => type === 'DiskPressure')
  assert.deepEqual(
    [disk?.status, disk?.reason, disk?.message],
    ['True', 'KubeletHasDiskPressure', 'kubelet has disk pressure'],
  )
  const told = client.peekAll(events, 'default').map(({ message }) => message)
  assert.ok(told.includes('Node n1 status is now: NodeHasDiskPressure'), told.join('\n'))
  assert.ok(told.includes('Node n1 status is now: NodeReady'), told.join('\n'))
  scope.abort()
  await kept
})

test('aksReserved() keeps what AKS keeps', () => {
  const GI = 2 ** 30
  const eviction = 100 * 2 ** 20
  assert.deepEqual(aksReserved(2, 8 * GI, 30), { cpuMilli: 100, memoryBytes: 650_000_000 + eviction })
  assert.deepEqual(aksReserved(4, 16 * GI, 250), { cpuMilli: 140, memoryBytes: 4 * GI + eviction })
  assert.deepEqual(
    [1, 3, 8, 100].map((cores) => aksReserved(cores, GI, 10).cpuMilli),
    [60, 100, 180, 740],
  )
})

test('a lease that always conflicts is tried five times and then at the next renewal, not without end', async () => {
  const { scope } = setUp()
  let updates = 0
  const contested = new FakeClient({
    clock: scope.clock,
    random: scope.random,
    before: ({ verb, type }) => {
      if (verb !== 'update' || type !== leases) return
      updates += 1
      throw new ApiError('Conflict', 'the object has been modified')
    },
  })
  await contested.create(leases, { metadata: { name: 'n1', namespace: 'kube-node-lease' }, spec: {} })
  const runtime = {
    version: async () => ({ runtimeName: 'c', runtimeVersion: '1' }),
    conditions: async () => healthy,
    listImages: async () => [],
  }
  const registration = new NodeRegistration(scope, contested, runtime as unknown as ContainerRuntime, description)
  const kept = registration.keep()
  await scope.clock.run(10_000)
  assert.equal(updates, 5)
  await scope.clock.run(10_000)
  assert.equal(updates, 10)
  scope.abort()
  await kept
})
