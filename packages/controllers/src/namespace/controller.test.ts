// Namespaces on a cluster in memory: what they get, and how they go.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { configMaps, deployments, namespaces, pods, serviceAccounts } from '@aksel/api/resources'
import { rootCaController } from '../root-ca/controller.ts'
import { serviceAccountController } from '../service-account/controller.ts'
import { killEverywhere, TestCluster } from '../testing/cluster.ts'
import type { MakeLoops } from '../testing/cluster.ts'
import { newDeployment, newPod } from '../testing/objects.ts'
import { namespaceController } from './controller.ts'

const loops: MakeLoops = (parts) => [
  namespaceController(parts),
  serviceAccountController(parts),
  rootCaController({ ...parts, rootCaPem: 'PEM' }),
]
const shop = { name: 'shop' }

async function filled(cluster: TestCluster): Promise<void> {
  for (const type of [configMaps, deployments, namespaces, pods, serviceAccounts]) cluster.objects.kind(type)
  await cluster.client.create(namespaces, { metadata: shop, spec: {} })
  await cluster.client.create(deployments, newDeployment('web'))
  await cluster.client.create(pods, newPod('one', { nodeName: 'node-1' }))
  await cluster.still()
}

test('a new namespace gets its service account and the certificate of the cluster', async () => {
  await using cluster = new TestCluster(loops)
  cluster.start()
  await filled(cluster)
  assert.ok(cluster.client.peek(serviceAccounts, 'shop/default'))
  assert.deepEqual(cluster.client.peek(configMaps, 'shop/kube-root-ca.crt')!.data, { 'ca.crt': 'PEM' })
})

test('what a user changes or deletes of them comes back', async () => {
  await using cluster = new TestCluster(loops)
  cluster.start()
  await filled(cluster)
  cluster.client.change(configMaps, 'shop/kube-root-ca.crt', (draft) => {
    draft.data = {}
  })
  await cluster.client.delete(serviceAccounts, { namespace: 'shop', name: 'default' })
  await cluster.still()
  assert.ok(cluster.client.peek(serviceAccounts, 'shop/default'))
  assert.deepEqual(cluster.client.peek(configMaps, 'shop/kube-root-ca.crt')!.data, { 'ca.crt': 'PEM' })
})

test('a deleted namespace is emptied, says what it waits for, and goes when the last pod has ended', async () => {
  await using cluster = new TestCluster(loops)
  cluster.start()
  await filled(cluster)
  await cluster.client.delete(namespaces, shop)
  await cluster.clock.run(10)
  const waiting = cluster.client.peek(namespaces, 'shop')!
  assert.equal(waiting.status!.phase, 'Terminating')
  const remaining = waiting.status!.conditions!.find(({ type }) => type === 'NamespaceContentRemaining')!
  assert.deepEqual(
    [remaining.status, remaining.reason, remaining.message],
    ['True', 'SomeResourcesRemain', 'Some resources are remaining: pods. has 1 resource instances'],
  )
  // What the pod may use stays until it has ended.
  assert.equal(cluster.client.peek(configMaps, 'shop/kube-root-ca.crt')!.metadata.deletionTimestamp, undefined)
  cluster.end(cluster.client.peek(pods, 'shop/one')!)
  await cluster.clock.run(10)
  assert.equal(cluster.client.peek(namespaces, 'shop'), undefined)
  assert.deepEqual([...cluster.all(configMaps), ...cluster.all(serviceAccounts), ...cluster.all(deployments)], [])
})

test('a finalizer on an object holds its namespace up, by name', async () => {
  await using cluster = new TestCluster(loops)
  cluster.start()
  await filled(cluster)
  const metadata = { name: 'held', namespace: 'shop', finalizers: ['example.com/hold'] }
  await cluster.client.create(configMaps, { metadata })
  await cluster.client.delete(namespaces, shop)
  await cluster.clock.run(60_000)
  cluster.runPods()
  await cluster.clock.run(60_000)
  const { conditions } = cluster.client.peek(namespaces, 'shop')!.status!
  assert.equal(
    conditions!.find(({ type }) => type === 'NamespaceFinalizersRemaining')!.message,
    'Some content in the namespace has finalizers remaining: example.com/hold in 1 resource instances',
  )
  cluster.client.change(configMaps, 'shop/held', (draft) => {
    delete draft.metadata.finalizers
  })
  await cluster.clock.run(60_000)
  assert.equal(cluster.client.peek(namespaces, 'shop'), undefined)
})

test('a namespace deletion that is killed after any write is finished by the next process', async () => {
  await killEverywhere(
    loops,
    async (cluster) => {
      await filled(cluster)
      await cluster.client.delete(namespaces, shop)
      await cluster.still()
    },
    (cluster, kill) => assert.equal(cluster.client.peek(namespaces, 'shop'), undefined, `killed after write ${kill}`),
  )
})
