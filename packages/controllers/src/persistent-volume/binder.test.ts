// Claims and volumes on a cluster in memory.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { events, persistentVolumeClaims, persistentVolumes, pods, storageClasses } from '@aksel/api/resources'
import type { PersistentVolume } from '@aksel/api/types/core-v1'
import type { StorageClass } from '@aksel/api/types/storage-v1'
import { killEverywhere, TestCluster } from '../testing/cluster.ts'
import type { MakeLoops } from '../testing/cluster.ts'
import { newClaim, newPod } from '../testing/objects.ts'
import { persistentVolumeController } from './binder.ts'
import { claimProtectionController, volumeProtectionController } from './protection.ts'

const loops: MakeLoops = (parts) => [
  persistentVolumeController(parts),
  claimProtectionController(parts),
  volumeProtectionController(parts),
]

function newVolume(name: string, storage: string, spec: Partial<PersistentVolume['spec']> = {}): PersistentVolume {
  return {
    metadata: { name },
    spec: {
      capacity: { storage },
      accessModes: ['ReadWriteOnce'],
      persistentVolumeReclaimPolicy: 'Retain',
      storageClassName: '',
      hostPath: { path: '/tmp' },
      ...spec,
    },
  }
}

function newClass(volumeBindingMode: string, annotations: Readonly<Record<string, string>> = {}): StorageClass {
  return { metadata: { name: 'default', annotations }, provisioner: 'disk.csi.azure.com', volumeBindingMode }
}

function claim(cluster: TestCluster, name = 'data'): readonly (string | undefined)[] {
  const { spec, status } = cluster.client.peek(persistentVolumeClaims, `shop/${name}`)!
  return [status?.phase, spec.volumeName]
}

function phases(cluster: TestCluster): Record<string, string | undefined> {
  return Object.fromEntries(
    cluster.all(persistentVolumes).map(({ metadata, status }) => [metadata.name, status?.phase]),
  )
}

test('a claim gets the smallest volume that suits it', async () => {
  await using cluster = new TestCluster(loops)
  cluster.start()
  await cluster.client.create(persistentVolumes, newVolume('large', '10Gi'))
  await cluster.client.create(persistentVolumes, newVolume('fitting', '2Gi'))
  await cluster.client.create(persistentVolumes, newVolume('small', '500Mi'))
  await cluster.client.create(persistentVolumes, newVolume('shared', '1Gi', { accessModes: ['ReadWriteMany'] }))
  await cluster.still()
  await cluster.client.create(persistentVolumeClaims, newClaim('data', { storageClassName: '' }))
  await cluster.still()
  assert.deepEqual(claim(cluster), ['Bound', 'fitting'])
  assert.deepEqual(phases(cluster), { large: 'Available', fitting: 'Bound', small: 'Available', shared: 'Available' })
  const bound = cluster.client.peek(persistentVolumeClaims, 'shop/data')!
  assert.deepEqual(bound.status!.capacity, { storage: '2Gi' })
  assert.equal(bound.metadata.annotations!['pv.kubernetes.io/bind-completed'], 'yes')
})

test('two claims never share a volume', async () => {
  await using cluster = new TestCluster(loops)
  cluster.start()
  await cluster.client.create(persistentVolumes, newVolume('one', '1Gi'))
  await cluster.client.create(persistentVolumeClaims, newClaim('first', { storageClassName: '' }))
  await cluster.client.create(persistentVolumeClaims, newClaim('second', { storageClassName: '' }))
  await cluster.still()
  const bound = ['first', 'second'].filter((name) => claim(cluster, name)[0] === 'Bound')
  assert.equal(bound.length, 1)
  await cluster.client.create(persistentVolumes, newVolume('two', '1Gi'))
  await cluster.still()
  assert.deepEqual(
    ['first', 'second'].map((name) => claim(cluster, name)[0]),
    ['Bound', 'Bound'],
  )
})

test('with WaitForFirstConsumer a claim waits for a node, and is then handed to its provisioner', async () => {
  await using cluster = new TestCluster(loops)
  cluster.start()
  await cluster.client.create(storageClasses, newClass('WaitForFirstConsumer'))
  await cluster.client.create(persistentVolumeClaims, newClaim('data', { storageClassName: 'default' }))
  await cluster.still()
  const notes = (): Readonly<Record<string, string>> =>
    cluster.client.peek(persistentVolumeClaims, 'shop/data')!.metadata.annotations ?? {}
  assert.deepEqual(claim(cluster), ['Pending', undefined])
  assert.equal(notes()['volume.kubernetes.io/storage-provisioner'], undefined)
  assert.equal(cluster.all(events)[0]!.reason, 'WaitForFirstConsumer')
  cluster.client.change(persistentVolumeClaims, 'shop/data', (draft) => {
    draft.metadata.annotations = { 'volume.kubernetes.io/selected-node': 'node-1' }
  })
  await cluster.still()
  assert.equal(notes()['volume.kubernetes.io/storage-provisioner'], 'disk.csi.azure.com')
  assert.equal(notes()['volume.beta.kubernetes.io/storage-provisioner'], 'disk.csi.azure.com')
  // The provisioner makes a volume that is reserved for the claim.
  const { uid } = cluster.client.peek(persistentVolumeClaims, 'shop/data')!.metadata
  const claimRef = { kind: 'PersistentVolumeClaim', namespace: 'shop', name: 'data', uid: uid! }
  await cluster.client.create(persistentVolumes, newVolume('pvc-1', '1Gi', { storageClassName: 'default', claimRef }))
  await cluster.still()
  assert.deepEqual(claim(cluster), ['Bound', 'pvc-1'])
})

test('a claim without a class gets the default one, also when that comes later', async () => {
  await using cluster = new TestCluster(loops)
  cluster.start()
  await cluster.client.create(persistentVolumeClaims, newClaim('data'))
  await cluster.still()
  assert.deepEqual(claim(cluster), ['Pending', undefined])
  await cluster.client.create(
    storageClasses,
    newClass('Immediate', { 'storageclass.kubernetes.io/is-default-class': 'true' }),
  )
  await cluster.still()
  assert.equal(cluster.client.peek(persistentVolumeClaims, 'shop/data')!.spec.storageClassName, 'default')
})

test('a volume whose claim is gone is released, and not given to the next', async () => {
  await using cluster = new TestCluster(loops)
  cluster.start()
  await cluster.client.create(persistentVolumes, newVolume('one', '1Gi'))
  await cluster.client.create(persistentVolumeClaims, newClaim('data', { storageClassName: '' }))
  await cluster.still()
  await cluster.client.delete(persistentVolumeClaims, { namespace: 'shop', name: 'data' })
  await cluster.still()
  assert.deepEqual(phases(cluster), { one: 'Released' })
  await cluster.client.create(persistentVolumeClaims, newClaim('data', { storageClassName: '' }))
  await cluster.still()
  assert.deepEqual(claim(cluster), ['Pending', undefined])
})

test('a claim whose volume vanished is lost', async () => {
  await using cluster = new TestCluster(loops)
  cluster.start()
  await cluster.client.create(persistentVolumes, newVolume('one', '1Gi'))
  await cluster.client.create(persistentVolumeClaims, newClaim('data', { storageClassName: '' }))
  await cluster.still()
  cluster.objects.remove(persistentVolumes, 'one')
  await cluster.still()
  assert.deepEqual(claim(cluster), ['Lost', 'one'])
})

test('a claim in use goes when its pod has ended', async () => {
  await using cluster = new TestCluster(loops)
  cluster.start()
  await cluster.client.create(persistentVolumes, newVolume('one', '1Gi'))
  await cluster.client.create(persistentVolumeClaims, newClaim('data', { storageClassName: '' }))
  const volumes = [{ name: 'data', persistentVolumeClaim: { claimName: 'data' } }]
  await cluster.client.create(pods, newPod('user', { nodeName: 'node-1', volumes }))
  await cluster.still()
  await cluster.client.delete(persistentVolumeClaims, { namespace: 'shop', name: 'data' })
  await cluster.still()
  assert.ok(cluster.client.peek(persistentVolumeClaims, 'shop/data')!.metadata.deletionTimestamp)
  await cluster.client.delete(pods, { namespace: 'shop', name: 'user' })
  await cluster.still()
  assert.equal(cluster.client.peek(persistentVolumeClaims, 'shop/data'), undefined)
})

test('a binding that is killed after any write is finished by the next process', async () => {
  await killEverywhere(
    loops,
    async (cluster) => {
      await cluster.client.create(persistentVolumes, newVolume('one', '1Gi'))
      await cluster.client.create(persistentVolumes, newVolume('two', '1Gi'))
      await cluster.client.create(persistentVolumeClaims, newClaim('data', { storageClassName: '' }))
      await cluster.still()
    },
    (cluster, kill) => {
      assert.equal(claim(cluster)[0], 'Bound', `killed after write ${kill}`)
      assert.deepEqual(new Set(Object.values(phases(cluster))), new Set(['Available', 'Bound']))
    },
  )
})
