// Stateful sets on a cluster in memory.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { controllerRevisions, persistentVolumeClaims, pods, statefulSets } from '@aksel/api/resources'
import type { StatefulSet } from '@aksel/api/types/apps-v1'
import type { Pod } from '@aksel/api/types/core-v1'
import { killEverywhere, TestCluster } from '../testing/cluster.ts'
import type { MakeLoops } from '../testing/cluster.ts'
import { newClaim, newStatefulSet } from '../testing/objects.ts'
import { statefulSetController } from './controller.ts'

const loops: MakeLoops = (parts) => [statefulSetController(parts)]
const key = 'shop/db'
const claims = [{ ...newClaim('data'), metadata: { name: 'data' } }]

function names(cluster: TestCluster): readonly string[] {
  return cluster.all(pods).map(({ metadata }) => metadata.name)
}

function images(cluster: TestCluster): readonly string[] {
  return cluster
    .all(pods)
    .toSorted((left, right) => (left.metadata.name < right.metadata.name ? -1 : 1))
    .map(({ spec }) => spec.containers[0]!.image!)
}

function change(
  cluster: TestCluster,
  edit: (spec: { -readonly [K in keyof StatefulSet['spec']]: unknown }) => void,
): void {
  cluster.client.change(statefulSets, key, (draft) => edit(draft.spec))
}

function setImage(cluster: TestCluster, image: string): void {
  cluster.client.change(statefulSets, key, (draft) => {
    draft.spec.template.spec!.containers[0]!.image = image
  })
}

test('an ordered set makes each pod when the one before is ready', async () => {
  await using cluster = new TestCluster(loops)
  cluster.start()
  await cluster.client.create(statefulSets, newStatefulSet('db', { volumeClaimTemplates: claims }))
  await cluster.still({ ready: (pod) => pod.metadata.name !== 'db-1' })
  assert.deepEqual(names(cluster), ['db-0', 'db-1'])
  cluster.run(cluster.client.peek(pods, 'shop/db-1')!, true)
  await cluster.still()
  assert.deepEqual(names(cluster), ['db-0', 'db-1', 'db-2'])
  assert.deepEqual(
    cluster.all(persistentVolumeClaims).map(({ metadata }) => metadata.name),
    ['data-db-0', 'data-db-1', 'data-db-2'],
  )
  const pod = cluster.client.peek(pods, 'shop/db-2')!
  assert.deepEqual([pod.spec.hostname, pod.spec.subdomain], ['db-2', 'db'])
  assert.equal(pod.metadata.labels!['apps.kubernetes.io/pod-index'], '2')
  assert.equal(pod.spec.volumes![0]!.persistentVolumeClaim!.claimName, 'data-db-2')
  const { status } = cluster.client.peek(statefulSets, key)!
  assert.deepEqual([status!.replicas, status!.readyReplicas, status!.availableReplicas], [3, 3, 3])
  assert.equal(status!.currentRevision, status!.updateRevision)
})

test('a parallel set makes all pods at once', async () => {
  await using cluster = new TestCluster(loops)
  cluster.start()
  await cluster.client.create(statefulSets, newStatefulSet('db', { podManagementPolicy: 'Parallel' }))
  await cluster.still({ starts: () => false })
  assert.deepEqual(names(cluster), ['db-0', 'db-1', 'db-2'])
})

test('scaling down takes the highest ordinal first, one at a time, and leaves the claims', async () => {
  await using cluster = new TestCluster(loops)
  cluster.start()
  await cluster.client.create(statefulSets, newStatefulSet('db', { volumeClaimTemplates: claims }))
  await cluster.still()
  change(cluster, (spec) => (spec.replicas = 1))
  await cluster.clock.run(1000)
  const ending = (pod: Pod): boolean => pod.metadata.deletionTimestamp !== undefined
  assert.deepEqual(
    cluster
      .all(pods)
      .filter(ending)
      .map(({ metadata }) => metadata.name),
    ['db-2'],
  )
  await cluster.still()
  assert.deepEqual(names(cluster), ['db-0'])
  assert.equal(cluster.all(persistentVolumeClaims).length, 3)
})

test('an update goes from the highest ordinal down to the partition', async () => {
  await using cluster = new TestCluster(loops)
  cluster.start()
  const updateStrategy = { type: 'RollingUpdate', rollingUpdate: { partition: 1 } }
  await cluster.client.create(statefulSets, newStatefulSet('db', { updateStrategy }))
  await cluster.still()
  setImage(cluster, 'web:2')
  await cluster.clock.run(1000)
  assert.deepEqual(
    cluster
      .all(pods)
      .filter(({ metadata }) => metadata.deletionTimestamp !== undefined)
      .map(({ metadata }) => metadata.name),
    ['db-2'],
  )
  await cluster.still()
  assert.deepEqual(images(cluster), ['web:1', 'web:2', 'web:2'])
  const { status } = cluster.client.peek(statefulSets, key)!
  assert.deepEqual([status!.currentReplicas, status!.updatedReplicas], [1, 2])
  assert.notEqual(status!.currentRevision, status!.updateRevision)
  // A pod below the partition that is lost comes back as it was.
  await cluster.client.delete(pods, { namespace: 'shop', name: 'db-0' })
  await cluster.still()
  assert.deepEqual(images(cluster), ['web:1', 'web:2', 'web:2'])
  change(cluster, (spec) => (spec.updateStrategy = { type: 'RollingUpdate', rollingUpdate: { partition: 0 } }))
  await cluster.still()
  assert.deepEqual(images(cluster), ['web:2', 'web:2', 'web:2'])
})

test('OnDelete updates a pod only when somebody deletes it', async () => {
  await using cluster = new TestCluster(loops)
  cluster.start()
  await cluster.client.create(statefulSets, newStatefulSet('db', { updateStrategy: { type: 'OnDelete' } }))
  await cluster.still()
  setImage(cluster, 'web:2')
  await cluster.still()
  assert.deepEqual(images(cluster), ['web:1', 'web:1', 'web:1'])
  await cluster.client.delete(pods, { namespace: 'shop', name: 'db-1' })
  await cluster.still()
  assert.deepEqual(images(cluster), ['web:1', 'web:2', 'web:1'])
})

test('going back to an earlier template moves its revision to the end of the history', async () => {
  await using cluster = new TestCluster(loops)
  cluster.start()
  await cluster.client.create(statefulSets, newStatefulSet('db'))
  await cluster.still()
  setImage(cluster, 'web:2')
  await cluster.still()
  setImage(cluster, 'web:1')
  await cluster.still()
  assert.deepEqual(images(cluster), ['web:1', 'web:1', 'web:1'])
  assert.deepEqual(
    cluster
      .all(controllerRevisions)
      .map(({ revision }) => revision)
      .toSorted((left, right) => left - right),
    [2, 3],
  )
})

test('a failed pod is replaced under its name', async () => {
  await using cluster = new TestCluster(loops)
  cluster.start()
  await cluster.client.create(statefulSets, newStatefulSet('db'))
  await cluster.still()
  const { uid } = cluster.client.peek(pods, 'shop/db-1')!.metadata
  cluster.client.change(pods, 'shop/db-1', (draft) => {
    draft.status = { phase: 'Failed' }
  })
  await cluster.still()
  const pod = cluster.client.peek(pods, 'shop/db-1')!
  assert.notEqual(pod.metadata.uid, uid)
  assert.equal(pod.status!.phase, 'Running')
})

test('with whenScaled Delete a claim belongs to the pod that is scaled away', async () => {
  await using cluster = new TestCluster(loops)
  cluster.start()
  const persistentVolumeClaimRetentionPolicy = { whenDeleted: 'Delete', whenScaled: 'Delete' }
  await cluster.client.create(
    statefulSets,
    newStatefulSet('db', { volumeClaimTemplates: claims, persistentVolumeClaimRetentionPolicy }),
  )
  await cluster.still()
  const ownerKinds = (): readonly string[] =>
    cluster.all(persistentVolumeClaims).map(({ metadata }) => metadata.ownerReferences![0]!.kind)
  assert.deepEqual(ownerKinds(), ['StatefulSet', 'StatefulSet', 'StatefulSet'])
  change(cluster, (spec) => (spec.replicas = 2))
  await cluster.still()
  assert.deepEqual(ownerKinds(), ['StatefulSet', 'StatefulSet', 'Pod'])
})

test('no kill leaves a stateful set half updated', async () => {
  const kills = await killEverywhere(
    loops,
    async (cluster) => {
      await cluster.client.create(statefulSets, newStatefulSet('db', { replicas: 2, volumeClaimTemplates: claims }))
      await cluster.still()
      setImage(cluster, 'web:2')
      await cluster.still()
    },
    (cluster, kill) => {
      assert.deepEqual(images(cluster), ['web:2', 'web:2'], `killed after write ${kill}`)
      assert.equal(cluster.all(persistentVolumeClaims).length, 2)
      assert.equal(cluster.all(controllerRevisions).length, 2)
    },
  )
  assert.ok(kills > 10)
})
