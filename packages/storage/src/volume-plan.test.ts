// Every verdict on a claim has a row here.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Node, PersistentVolumeClaim } from '@aksel/api/types/core-v1'
import { builtInStorageClasses } from './storage-classes.ts'
import { deletionFinalizer, planVolume, waitsForDriver } from './volume-plan.ts'

const storageClass = builtInStorageClasses({ kubernetesVersion: '1.35.7' })[0]!
const diskIdPrefix = '/subscriptions/s/resourceGroups/MC_g_c_l/providers/Microsoft.Compute/disks/'

function claimOf(spec: Partial<PersistentVolumeClaim['spec']> = {}): PersistentVolumeClaim {
  return {
    metadata: {
      name: 'data',
      namespace: 'shop',
      uid: 'u1',
      resourceVersion: '7',
      annotations: { 'volume.kubernetes.io/storage-provisioner': 'disk.csi.azure.com' },
    },
    spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1500Mi' } }, ...spec },
  }
}

function nodeOf(labels: Readonly<Record<string, string>>): Node {
  return { metadata: { name: 'n1', labels } } as Node
}

test('a volume is rounded up to whole GiB, names its claim and is kept until its disk is gone', () => {
  const plan = planVolume({ claim: claimOf(), storageClass, node: nodeOf({}), diskIdPrefix })
  assert.ok(plan.kind === 'create')
  const { metadata, spec } = plan.volume
  assert.equal(plan.sizeBytes, 2 * 2 ** 30)
  assert.deepEqual([metadata.name, metadata.finalizers], ['pvc-u1', [deletionFinalizer]])
  assert.deepEqual(spec!.capacity, { storage: '2Gi' })
  assert.deepEqual([spec!.claimRef!.name, spec!.claimRef!.uid, spec!.storageClassName], ['data', 'u1', 'default'])
  assert.deepEqual([spec!.csi!.volumeHandle, spec!.csi!.fsType], [`${diskIdPrefix}pvc-u1`, 'ext4'])
  assert.equal(spec!.nodeAffinity, undefined)
})

test('a disk is tied to the zone of its node, by a label that the node has', () => {
  const valuesOf = (labels: Readonly<Record<string, string>>, skuname = 'Premium_LRS') => {
    const request = { claim: claimOf(), storageClass: { ...storageClass, parameters: { skuname } }, diskIdPrefix }
    const plan = planVolume({ ...request, node: nodeOf(labels) })
    assert.ok(plan.kind === 'create')
    const [term] = plan.volume.spec!.nodeAffinity?.required?.nodeSelectorTerms ?? []
    return term?.matchExpressions?.map(({ key, values }) => [key, ...(values ?? [])])
  }
  const disk = 'topology.disk.csi.azure.com/zone'
  const zone = 'topology.kubernetes.io/zone'
  const region = { 'topology.kubernetes.io/region': 'westeurope' }
  assert.deepEqual(valuesOf({ [disk]: 'westeurope-2' }), [[disk, 'westeurope-2']])
  assert.deepEqual(valuesOf({ [disk]: '' }), [[disk, '']])
  assert.deepEqual(valuesOf({ ...region, [zone]: 'westeurope-1' }), [[zone, 'westeurope-1']])
  assert.equal(valuesOf({ ...region, [zone]: '0' }), undefined)
  assert.equal(valuesOf({ [disk]: 'westeurope-2' }, 'Premium_ZRS'), undefined)
})

test('what this driver does not serve is refused in words', () => {
  const messageOf = (spec: Partial<PersistentVolumeClaim['spec']>, parameters = storageClass.parameters!) => {
    const plan = planVolume({
      claim: claimOf(spec),
      storageClass: { ...storageClass, parameters },
      node: undefined,
      diskIdPrefix,
    })
    return plan.kind === 'refuse' ? plan.message : 'created'
  }
  assert.match(messageOf({ accessModes: ['ReadWriteMany'] }), /not supported for access mode: ReadWriteMany/)
  assert.equal(messageOf({ volumeMode: 'Block' }), 'created')
  assert.match(messageOf({ selector: {} }), /claim Selector is not supported/)
  assert.match(messageOf({ dataSource: { kind: 'VolumeSnapshot', name: 's' } }), /VolumeSnapshot "s"/)
  assert.match(messageOf({}, { fsType: 'ntfs' }), /fsType "ntfs" is not one of/)
})

test('only a claim without a volume whose annotation names the driver waits for it', () => {
  assert.equal(waitsForDriver(claimOf()), true)
  assert.equal(waitsForDriver(claimOf({ volumeName: 'pv' })), false)
  const { metadata, spec } = claimOf()
  assert.equal(waitsForDriver({ metadata: { ...metadata, annotations: {} }, spec }), false)
  assert.equal(waitsForDriver({ metadata: { ...metadata, deletionTimestamp: '2026-01-01T00:00:00Z' }, spec }), false)
})
