// Nodes of a cloud: freed for pods once their machine is known, and marked while it is off.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { events, nodes } from '@aksel/api/resources'
import type { Node } from '@aksel/api/types/core-v1'
import { killEverywhere, TestCluster, type MakeLoops } from '../testing/cluster.ts'
import { readyNode } from '../testing/objects.ts'
import { cloudNodeController } from './controller.ts'
import { shutdownTaint, uninitializedTaint, type CloudInstance } from './instances.ts'

const providerId = 'azure:///subscriptions/s/virtualMachineScaleSets/aks-a-1-vmss/virtualMachines/0'
const running: CloudInstance = {
  providerId,
  instanceType: 'Standard_D2s_v5',
  region: 'westeurope',
  zone: 'westeurope-1',
  isShutDown: false,
}
const uninitialized = { key: uninitializedTaint, value: 'true', effect: 'NoSchedule' }
const own = { key: 'team', value: 'blue', effect: 'NoSchedule' }

function loopsOver(machines: ReadonlyMap<string, CloudInstance>): MakeLoops {
  return (parts) => [cloudNodeController({ ...parts, instances: { find: (name) => machines.get(name) } })]
}

function newNode(name: string, spec: Node['spec']): Node {
  return { ...readyNode(name, '10.0.0.1'), spec }
}

function notReady(node: Node): Node {
  const conditions = (node.status?.conditions ?? []).map((one) =>
    one.type === 'Ready' ? { ...one, status: 'Unknown' } : one,
  )
  return { ...node, status: { ...node.status, conditions } }
}

test('a node waits for its cloud, and is then told what it is: providerID, size, region, zone, and no taint but its own', async () => {
  const machines = new Map<string, CloudInstance>()
  await using cluster = new TestCluster(loopsOver(machines))
  cluster.start()
  await cluster.client.create(nodes, newNode('a', { taints: [own, uninitialized] }))
  await cluster.clock.run(10_000)
  assert.deepEqual(cluster.client.peek(nodes, 'a')!.spec?.taints, [own, uninitialized])
  machines.set('a', running)
  await cluster.clock.run(2_000)
  const node = cluster.client.peek(nodes, 'a')!
  assert.deepEqual(node.spec, { providerID: providerId, taints: [own] })
  assert.deepEqual(node.metadata.labels, {
    'beta.kubernetes.io/instance-type': 'Standard_D2s_v5',
    'node.kubernetes.io/instance-type': 'Standard_D2s_v5',
    'failure-domain.beta.kubernetes.io/region': 'westeurope',
    'topology.kubernetes.io/region': 'westeurope',
    'failure-domain.beta.kubernetes.io/zone': 'westeurope-1',
    'topology.kubernetes.io/zone': 'westeurope-1',
  })
  const told = cluster.client.peekAll(events).map(({ reason, message }) => `${reason}: ${message}`)
  assert.deepEqual(told, ['Synced: Node synced successfully'])
})

test('a providerID that stands is kept, and a node that never waited is left alone', async () => {
  await using cluster = new TestCluster(
    loopsOver(
      new Map([
        ['a', running],
        ['b', running],
      ]),
    ),
  )
  cluster.start()
  await cluster.client.create(nodes, newNode('a', { providerID: 'azure://before', taints: [uninitialized] }))
  await cluster.client.create(nodes, newNode('b', {}))
  await cluster.clock.run(1_000)
  assert.deepEqual(cluster.client.peek(nodes, 'a')!.spec, { providerID: 'azure://before' })
  assert.deepEqual(cluster.client.peek(nodes, 'b')!.spec, {})
})

test('a silent node is marked when its machine is off, and no more once it is back', async () => {
  const machines = new Map([['a', running]])
  await using cluster = new TestCluster(loopsOver(machines))
  cluster.start()
  const ready = await cluster.client.create(nodes, newNode('a', { taints: [own] }))
  machines.set('a', { ...running, isShutDown: true })
  await cluster.clock.run(10_000)
  assert.deepEqual(cluster.client.peek(nodes, 'a')!.spec?.taints, [own], 'it still answers')
  machines.set('a', running)
  await cluster.client.update(nodes, notReady(ready), { subresource: 'status' })
  await cluster.clock.run(10_000)
  assert.deepEqual(cluster.client.peek(nodes, 'a')!.spec?.taints, [own], 'its machine is on')
  machines.set('a', { ...running, isShutDown: true })
  await cluster.clock.run(6_000)
  const shutDown = { key: shutdownTaint, effect: 'NoSchedule' }
  assert.deepEqual(cluster.client.peek(nodes, 'a')!.spec?.taints, [own, shutDown])
  machines.set('a', running)
  const now = cluster.client.peek(nodes, 'a')!
  await cluster.client.update(nodes, { ...now, status: ready.status! }, { subresource: 'status' })
  await cluster.clock.run(6_000)
  assert.deepEqual(cluster.client.peek(nodes, 'a')!.spec?.taints, [own])
})

test('a silent node whose machine is nobody s keeps the taint that it has', async () => {
  await using cluster = new TestCluster(loopsOver(new Map()))
  cluster.start()
  const shutDown = { key: shutdownTaint, effect: 'NoSchedule' }
  await cluster.client.create(nodes, notReady(newNode('a', { taints: [shutDown] })))
  await cluster.clock.run(10_000)
  assert.deepEqual(cluster.client.peek(nodes, 'a')!.spec?.taints, [shutDown])
})

test('no kill leaves a node waiting', async () => {
  const kills = await killEverywhere(
    loopsOver(new Map([['a', running]])),
    async (cluster) => {
      await cluster.client.create(nodes, newNode('a', { taints: [uninitialized] }))
      await cluster.clock.run(2_000)
    },
    (cluster) => assert.deepEqual(cluster.client.peek(nodes, 'a')!.spec, { providerID: providerId }),
    {},
    (cluster) => cluster.clock.run(3_000),
  )
  assert.ok(kills >= 1)
})
