// Deletion modes on a cluster in memory.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { configMaps, deployments, events, namespaces, nodes, pods, replicaSets } from '@aksel/api/resources'
import type { ConfigMap } from '@aksel/api/types/core-v1'
import type { OwnerReference } from '@aksel/api/types/meta-v1'
import { deploymentController } from '../deployment/controller.ts'
import { replicaSetController } from '../replica-set/controller.ts'
import { killEverywhere, TestCluster } from '../testing/cluster.ts'
import type { MakeLoops } from '../testing/cluster.ts'
import { newDeployment } from '../testing/objects.ts'
import { garbageCollector } from './controller.ts'

const loops: MakeLoops = (parts) => [deploymentController(parts), replicaSetController(parts), garbageCollector(parts)]

function serve(cluster: TestCluster): void {
  for (const type of [configMaps, deployments, namespaces, nodes, pods, replicaSets]) cluster.objects.kind(type)
}

async function shop(cluster: TestCluster): Promise<void> {
  serve(cluster)
  cluster.start()
  await cluster.client.create(deployments, newDeployment('web'))
  await cluster.still()
}

const web = { namespace: 'shop', name: 'web' }

function counts(cluster: TestCluster): readonly number[] {
  return [deployments, replicaSets, pods].map((type) => cluster.all<{ metadata: { name: string } }>(type).length)
}

function owned(name: string, ...owners: readonly Partial<OwnerReference>[]): ConfigMap {
  const full = owners.map((owner) => ({ apiVersion: 'v1', kind: 'ConfigMap', name: '', uid: '', ...owner }))
  return { metadata: { name, namespace: 'shop', ownerReferences: full } }
}

test('background deletion takes the owner first and then what it owned', async () => {
  await using cluster = new TestCluster(loops)
  await shop(cluster)
  await cluster.client.delete(deployments, web, { propagationPolicy: 'Background' })
  assert.deepEqual(counts(cluster), [0, 1, 3])
  await cluster.still()
  assert.deepEqual(counts(cluster), [0, 0, 0])
})

test('foreground deletion keeps the owner until everything that blocks it is gone', async () => {
  await using cluster = new TestCluster(loops)
  await shop(cluster)
  await cluster.client.delete(deployments, web, { propagationPolicy: 'Foreground' })
  await cluster.clock.run(5000)
  assert.deepEqual(counts(cluster), [1, 1, 3])
  assert.ok(cluster.all(pods).every(({ metadata }) => metadata.deletionTimestamp !== undefined))
  await cluster.still()
  assert.deepEqual(counts(cluster), [0, 0, 0])
})

test('orphan deletion leaves what was owned without that owner', async () => {
  await using cluster = new TestCluster(loops)
  await shop(cluster)
  await cluster.client.delete(deployments, web, { propagationPolicy: 'Orphan' })
  await cluster.still()
  assert.deepEqual(counts(cluster), [0, 1, 3])
  assert.equal(cluster.all(replicaSets)[0]!.metadata.ownerReferences, undefined)
})

test('an object whose owner never existed is deleted, one with another owner only loses the reference', async () => {
  await using cluster = new TestCluster(loops)
  serve(cluster)
  cluster.start()
  const { metadata } = await cluster.client.create(configMaps, owned('owner'))
  await cluster.client.create(configMaps, owned('lost', { name: 'nobody', uid: 'u-0' }))
  await cluster.client.create(
    configMaps,
    owned('shared', { name: 'nobody', uid: 'u-0' }, { name: 'owner', uid: metadata.uid! }),
  )
  await cluster.still()
  assert.deepEqual(
    cluster.all(configMaps).map((map) => [map.metadata.name, map.metadata.ownerReferences?.map(({ name }) => name)]),
    [
      ['owner', []],
      ['shared', ['owner']],
    ],
  )
})

test('an owner that was made anew under its name is another owner', async () => {
  await using cluster = new TestCluster(loops)
  serve(cluster)
  cluster.start()
  const first = await cluster.client.create(configMaps, owned('owner'))
  await cluster.client.create(configMaps, owned('child', { name: 'owner', uid: first.metadata.uid! }))
  await cluster.still()
  await cluster.client.delete(configMaps, { namespace: 'shop', name: 'owner' }, { propagationPolicy: 'Background' })
  await cluster.client.create(configMaps, owned('owner'))
  await cluster.still()
  assert.deepEqual(
    cluster.all(configMaps).map(({ metadata }) => metadata.name),
    ['owner'],
  )
})

test('an owner of a kind that is not served keeps what it owns', async () => {
  await using cluster = new TestCluster(loops)
  serve(cluster)
  cluster.start()
  await cluster.client.create(
    configMaps,
    owned('child', { apiVersion: 'example.com/v1', kind: 'Widget', name: 'w', uid: 'u' }),
  )
  await cluster.still()
  assert.equal(cluster.all(configMaps).length, 1)
})

test('a foreground deletion that is killed after any write is finished by the next process', async () => {
  await killEverywhere(
    loops,
    async (cluster) => {
      serve(cluster)
      await cluster.client.create(deployments, newDeployment('web', { replicas: 2 }))
      await cluster.still()
      await cluster.client.delete(deployments, web, { propagationPolicy: 'Foreground' })
      await cluster.still()
    },
    (cluster, kill) => assert.deepEqual(counts(cluster), [0, 0, 0], `killed after write ${kill}`),
  )
})

test('an owner in another namespace is none: people are told, and what names it goes', async () => {
  await using cluster = new TestCluster(loops)
  serve(cluster)
  cluster.start()
  const { uid } = (await cluster.client.create(configMaps, { metadata: { name: 'owner', namespace: 'other' } }))
    .metadata
  await cluster.client.create(configMaps, owned('lost', { name: 'owner', uid: uid! }))
  await cluster.clock.run(5000)
  assert.deepEqual(
    cluster.all(configMaps).map(({ metadata }) => metadata.name),
    ['owner'],
  )
  const [event] = cluster.all(events)
  assert.deepEqual(
    [event!.type, event!.reason, event!.involvedObject.name, event!.source?.component],
    ['Warning', 'OwnerRefInvalidNamespace', 'lost', 'garbage-collector-controller'],
  )
  assert.equal(
    event!.message,
    `ownerRef [v1/ConfigMap, namespace: shop, name: owner, uid: ${uid}] does not exist in namespace "shop"`,
  )
})

test('an object of the cluster that names an owner of a namespace stays: nobody can say which one it means', async () => {
  await using cluster = new TestCluster(loops)
  serve(cluster)
  cluster.start()
  const ownerReferences = [{ apiVersion: 'v1', kind: 'ConfigMap', name: 'gone', uid: 'gone' }]
  await cluster.client.create(nodes, { metadata: { name: 'n1', ownerReferences }, spec: {} })
  const { uid } = (await cluster.client.create(configMaps, { metadata: { name: 'owner', namespace: 'other' } }))
    .metadata
  const told = [{ apiVersion: 'v1', kind: 'ConfigMap', name: 'owner', uid: uid! }]
  await cluster.client.create(nodes, { metadata: { name: 'n2', ownerReferences: told }, spec: {} })
  await cluster.clock.run(60_000)
  assert.deepEqual(
    cluster.all(nodes).map(({ metadata }) => metadata.name),
    ['n1', 'n2'],
  )
  assert.equal(cluster.all(events)[0]!.involvedObject.name, 'n2')
})
