// What drivers are asked for: modes, access, groups and names, as upstream's kubelet words them.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Pod } from '@aksel/api/types/core-v1'
import type { CSIDriver } from '@aksel/api/types/storage-v1'
import { hostPathOf, publicPathOf } from '../plugins/kubelet-directory.ts'
import {
  attachmentName,
  checkMode,
  fsGroupBy,
  inlineCsiVolume,
  persistentCsiVolume,
  stagingPath,
  volumeCapability,
} from './csi-volume.ts'
import type { CsiVolume } from './csi-volume.ts'
import type { NodeCapability } from './driver.ts'

const pod = { metadata: { name: 'p', namespace: 'shop', uid: 'u1' }, spec: { containers: [] } } as unknown as Pod
const inline = inlineCsiVolume(pod, { name: 'v', csi: { driver: 'd', nodePublishSecretRef: { name: 's' } } })
const persistent: CsiVolume = { ...inline, mode: 'Persistent', fsType: 'ext4', accessModes: ['ReadWriteOnce'] }
const driverWith = (...volumeLifecycleModes: string[]): CSIDriver =>
  ({ metadata: { name: 'd' }, spec: { volumeLifecycleModes } }) as unknown as CSIDriver
const can = (...names: NodeCapability[]): ReadonlySet<NodeCapability> => new Set(names)

test('a block volume is asked for as a device, and nobody changes the group of its files', () => {
  const persistent = {
    metadata: { name: 'raw' },
    spec: {
      csi: { driver: 'd', volumeHandle: 'h', fsType: 'ext4' },
      volumeMode: 'Block',
      accessModes: ['ReadWriteOnce'],
    },
  }
  const volume = persistentCsiVolume(persistent, { metadata: { name: 'c' }, spec: {} }, false)
  const all = new Set(['VOLUME_MOUNT_GROUP'] as const)
  assert.deepEqual(volumeCapability(volume, all, 2000), { block: {}, accessMode: { mode: 'SINGLE_NODE_WRITER' } })
  assert.equal(fsGroupBy(volume, 'File', all), 'nobody')
})

test('an inline volume has a handle of its own in each pod, and its secret lies in the pod’s namespace', () => {
  assert.match(inline.handle, /^csi-[0-9a-f]{64}$/)
  const other = { ...pod, metadata: { ...pod.metadata, uid: 'u2' } }
  assert.notEqual(inlineCsiVolume(other, { name: 'v', csi: { driver: 'd' } }).handle, inline.handle)
  assert.deepEqual(inline.publishSecret, { namespace: 'shop', name: 's' })
})

test('a driver that does not serve a mode is refused in upstream’s words', () => {
  checkMode(persistent, undefined)
  checkMode(persistent, driverWith())
  checkMode(inline, driverWith('Persistent', 'Ephemeral'))
  assert.throws(() => checkMode(inline, undefined), {
    message: 'volume mode "Ephemeral" not supported by driver d (no CSIDriver object)',
  })
  assert.throws(() => checkMode(inline, driverWith('Persistent')), {
    message: 'volume mode "Ephemeral" not supported by driver d (only supports "Persistent")',
  })
})

test('the group is applied by the driver, the agent or nobody, as policy and volume say', () => {
  assert.equal(fsGroupBy(persistent, 'None', can('VOLUME_MOUNT_GROUP')), 'driver')
  assert.equal(fsGroupBy(persistent, 'None', can()), 'nobody')
  assert.equal(fsGroupBy({ ...persistent, fsType: '' }, 'File', can()), 'agent')
  assert.equal(fsGroupBy(persistent, 'ReadWriteOnceWithFSType', can()), 'agent')
  assert.equal(fsGroupBy(persistent, undefined, can()), 'agent')
  assert.equal(fsGroupBy({ ...persistent, fsType: '' }, undefined, can()), 'nobody')
  assert.equal(fsGroupBy({ ...persistent, accessModes: ['ReadWriteMany'] }, undefined, can()), 'nobody')
})

test('access modes are told as the driver understands them', () => {
  const modeOf = (modes: readonly string[], ...names: NodeCapability[]): unknown =>
    (
      volumeCapability({ ...persistent, accessModes: modes }, can(...names), undefined) as {
        readonly accessMode: { readonly mode: string }
      }
    ).accessMode.mode
  assert.equal(modeOf(['ReadWriteOnce']), 'SINGLE_NODE_WRITER')
  assert.equal(modeOf(['ReadWriteOnce'], 'SINGLE_NODE_MULTI_WRITER'), 'SINGLE_NODE_MULTI_WRITER')
  assert.equal(modeOf(['ReadWriteOncePod'], 'SINGLE_NODE_MULTI_WRITER'), 'SINGLE_NODE_SINGLE_WRITER')
  assert.equal(modeOf(['ReadOnlyMany']), 'MULTI_NODE_READER_ONLY')
  assert.equal(modeOf(['ReadWriteMany', 'ReadWriteOnce']), 'MULTI_NODE_MULTI_WRITER')
})

test('names and places are those that external controllers and drivers work out too', () => {
  assert.equal(
    attachmentName('vol-1', 'ebs.csi.aws.com', 'n1'),
    'csi-ddbfb4470da740e26d0871a8e7cbfaaea0fe241c682170c176b52f44abb4a3be',
  )
  assert.equal(
    stagingPath('/m/kubelet', 'd', 'abc'),
    '/m/kubelet/plugins/kubernetes.io/csi/d/ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad/globalmount',
  )
})

test('/var/lib/kubelet is the machine’s own folder, and no other path is changed', () => {
  assert.equal(hostPathOf('/m/kubelet', '/var/lib/kubelet'), '/m/kubelet')
  assert.equal(hostPathOf('/m/kubelet', '/var/lib/kubelet/plugins/../pods'), '/m/kubelet/pods')
  assert.equal(hostPathOf('/m/kubelet', '/var/lib/kubelet/../other'), '/var/lib/kubelet/../other')
  assert.equal(hostPathOf('/m/kubelet', '/var/lib/kubelets/x'), '/var/lib/kubelets/x')
  assert.equal(hostPathOf('/m/kubelet', '/etc/cni/net.d'), '/m/kubelet/cni/etc/net.d')
  assert.equal(hostPathOf('/m/kubelet', '/opt/cni/bin/'), '/m/kubelet/cni/opt/bin/')
  assert.equal(publicPathOf('/m/kubelet', '/m/kubelet/pods/u'), '/var/lib/kubelet/pods/u')
  assert.equal(publicPathOf('/m/kubelet', '/elsewhere'), '/elsewhere')
})
