// Replica sets on a cluster in memory.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { events, pods, replicaSets, replicationControllers } from '@aksel/api/resources'
import type { ReplicaSet } from '@aksel/api/types/apps-v1'
import { ApiError } from '@aksel/base/errors'
import { killEverywhere, TestCluster } from '../testing/cluster.ts'
import type { MakeLoops } from '../testing/cluster.ts'
import { newPod, template } from '../testing/objects.ts'
import { replicaSetController, replicationController } from './controller.ts'

const loops: MakeLoops = (parts) => [replicaSetController(parts)]

function newSet(replicas: number): ReplicaSet {
  return {
    metadata: { name: 'web', namespace: 'shop' },
    spec: { replicas, selector: { matchLabels: { app: 'web' } }, template: template('web') },
  }
}

test('a replica set makes its pods in batches that double, and takes them away again', async () => {
  await using cluster = new TestCluster(loops)
  cluster.start()
  await cluster.client.create(replicaSets, newSet(7))
  await cluster.still()
  assert.equal(cluster.all(pods).length, 7)
  cluster.client.change(replicaSets, 'shop/web', (draft) => {
    draft.spec.replicas = 2
  })
  await cluster.still()
  assert.equal(cluster.all(pods).length, 2)
  const { status } = cluster.client.peek(replicaSets, 'shop/web')!
  assert.deepEqual([status!.replicas, status!.readyReplicas, status!.availableReplicas], [2, 2, 2])
})

test('a replica set adopts an orphan that matches, and releases a pod whose labels no longer do', async () => {
  await using cluster = new TestCluster(loops)
  cluster.start()
  await cluster.client.create(pods, newPod('stray', {}, { app: 'web' }))
  await cluster.client.create(replicaSets, newSet(2))
  await cluster.still()
  assert.equal(cluster.all(pods).length, 2)
  assert.equal(cluster.client.peek(pods, 'shop/stray')!.metadata.ownerReferences![0]!.name, 'web')
  cluster.client.change(pods, 'shop/stray', (draft) => {
    draft.metadata.labels = { app: 'debug' }
  })
  await cluster.still()
  assert.equal(cluster.client.peek(pods, 'shop/stray')!.metadata.ownerReferences, undefined)
  assert.equal(cluster.all(pods).length, 3)
})

test('a refused pod is not asked for fifty times, is told on the status and in an event, and comes later', async () => {
  await using cluster = new TestCluster(loops)
  let refuses = true
  let tries = 0
  cluster.start({
    before: ({ verb, type }) => {
      if (verb !== 'create' || type.plural !== 'pods') return
      tries += 1
      if (refuses) throw new ApiError('Forbidden', 'pods "web-" is forbidden: exceeded quota: team')
    },
  })
  await cluster.client.create(replicaSets, newSet(50))
  await cluster.clock.run(1)
  // Once, and once more when the status that tells it changed.
  assert.equal(tries, 2)
  const [condition] = cluster.client.peek(replicaSets, 'shop/web')!.status!.conditions!
  assert.deepEqual([condition!.type, condition!.reason], ['ReplicaFailure', 'FailedCreate'])
  assert.match(cluster.all(events)[0]!.message!, /^Error creating: pods "web-" is forbidden: exceeded quota/)
  refuses = false
  await cluster.still()
  assert.equal(cluster.all(pods).length, 50)
  assert.equal(cluster.client.peek(replicaSets, 'shop/web')!.status!.conditions, undefined)
})

test('a pod becomes available when it has been ready for minReadySeconds', async () => {
  await using cluster = new TestCluster(loops)
  cluster.start()
  await cluster.client.create(replicaSets, { ...newSet(1), spec: { ...newSet(1).spec, minReadySeconds: 30 } })
  await cluster.clock.run(1000)
  cluster.runPods()
  cluster.runPods()
  await cluster.clock.run(1000)
  assert.equal(cluster.client.peek(replicaSets, 'shop/web')!.status!.readyReplicas, 1)
  assert.equal(cluster.client.peek(replicaSets, 'shop/web')!.status!.availableReplicas, undefined)
  await cluster.clock.run(30_000)
  assert.equal(cluster.client.peek(replicaSets, 'shop/web')!.status!.availableReplicas, 1)
})

test('no kill leaves a replica set with another number of pods', async () => {
  const kills = await killEverywhere(
    loops,
    async (cluster) => {
      await cluster.client.create(replicaSets, newSet(4))
      await cluster.still()
    },
    (cluster, kill) => assert.equal(cluster.all(pods).length, 4, `killed after write ${kill}`),
  )
  assert.ok(kills > 4)
})

test('a replication controller keeps its pods, and takes up and releases by its own selector', async () => {
  await using cluster = new TestCluster((parts) => [replicationController(parts), replicaSetController(parts)])
  cluster.start()
  await cluster.client.create(pods, newPod('stray', {}, { app: 'web' }))
  await cluster.client.create(replicationControllers, {
    metadata: { name: 'old', namespace: 'shop' },
    spec: { replicas: 3, selector: { app: 'web' }, template: template('web') },
  })
  await cluster.still()
  assert.equal(cluster.all(pods).length, 3)
  const owners = cluster.all(pods).map(({ metadata }) => metadata.ownerReferences![0]!)
  assert.deepEqual(
    [...new Set(owners.map(({ kind, apiVersion }) => `${apiVersion} ${kind}`))],
    ['v1 ReplicationController'],
  )
  const { status } = cluster.client.peek(replicationControllers, 'shop/old')!
  assert.deepEqual([status!.replicas, status!.readyReplicas, status!.fullyLabeledReplicas], [3, 3, 3])
  cluster.client.change(pods, 'shop/stray', (draft) => {
    draft.metadata.labels = { app: 'debug' }
  })
  await cluster.still()
  assert.equal(cluster.client.peek(pods, 'shop/stray')!.metadata.ownerReferences, undefined)
  assert.equal(cluster.all(pods).length, 4)
})
