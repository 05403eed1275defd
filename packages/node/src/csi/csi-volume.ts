// A CSI volume as a driver is asked for it: what a persistent volume or a pod says, turned into the words of the
// specification. Pure.

import { createHash } from 'node:crypto'
import { join } from 'node:path'
import type { PersistentVolume, PersistentVolumeClaim, Pod, SecretReference, Volume } from '@aksel/api/types/core-v1'
import type { CSIDriver } from '@aksel/api/types/storage-v1'
import type { NodeCapability } from './driver.ts'

export interface CsiVolume {
  readonly driver: string
  readonly handle: string
  /** The persistent volume's name, or the volume's in its pod. */
  readonly specName: string
  readonly mode: 'Persistent' | 'Ephemeral'
  /** The pod gets the device, not a file system on it. */
  readonly isBlock: boolean
  readonly fsType: string
  readonly readOnly: boolean
  readonly attributes: Readonly<Record<string, string>>
  readonly accessModes: readonly string[]
  readonly mountOptions: readonly string[]
  readonly stageSecret?: SecretReference
  readonly publishSecret?: SecretReference
  readonly expandSecret?: SecretReference
  /** Of a persistent volume: what it has, and who claims it. */
  readonly capacity?: string | number
  readonly claim?: PersistentVolumeClaim
}

export function persistentCsiVolume(
  volume: PersistentVolume,
  claim: PersistentVolumeClaim,
  readOnly: boolean,
): CsiVolume {
  const { csi, accessModes = [], mountOptions = [], capacity } = volume.spec
  const { nodeStageSecretRef, nodePublishSecretRef, nodeExpandSecretRef } = csi!
  return {
    driver: csi!.driver,
    handle: csi!.volumeHandle,
    specName: volume.metadata.name,
    mode: 'Persistent',
    isBlock: volume.spec.volumeMode === 'Block',
    fsType: csi!.fsType ?? '',
    readOnly: readOnly || csi!.readOnly === true,
    attributes: csi!.volumeAttributes ?? {},
    accessModes,
    mountOptions,
    ...(nodeStageSecretRef === undefined ? {} : { stageSecret: nodeStageSecretRef }),
    ...(nodePublishSecretRef === undefined ? {} : { publishSecret: nodePublishSecretRef }),
    ...(nodeExpandSecretRef === undefined ? {} : { expandSecret: nodeExpandSecretRef }),
    ...(capacity?.['storage'] === undefined ? {} : { capacity: capacity['storage'] }),
    claim,
  }
}

export function inlineCsiVolume(pod: Pod, volume: Volume): CsiVolume {
  const { driver, fsType = '', readOnly = false, volumeAttributes = {}, nodePublishSecretRef } = volume.csi!
  const { uid = '', namespace = 'default' } = pod.metadata
  return {
    driver,
    handle: `csi-${createHash('sha256').update(`${uid}${volume.name}`).digest('hex')}`,
    specName: volume.name,
    mode: 'Ephemeral',
    isBlock: false,
    fsType,
    readOnly,
    attributes: volumeAttributes,
    accessModes: ['ReadWriteOnce'],
    mountOptions: [],
    ...(nodePublishSecretRef?.name === undefined
      ? {}
      : { publishSecret: { namespace, name: nodePublishSecretRef.name } }),
  }
}

/** Throws in upstream's words where the driver does not serve volumes of this mode. */
export function checkMode(volume: CsiVolume, driver: CSIDriver | undefined): void {
  const { mode, driver: name } = volume
  if (driver === undefined) {
    if (mode === 'Persistent') return
    throw new Error(`volume mode "${mode}" not supported by driver ${name} (no CSIDriver object)`)
  }
  const modes = driver.spec.volumeLifecycleModes ?? ['Persistent']
  if (modes.length === 0 ? mode === 'Persistent' : modes.includes(mode)) return
  throw new Error(
    `volume mode "${mode}" not supported by driver ${name} (only supports ${modes.map((each) => `"${each}"`).join(', ')})`,
  )
}

/** The name of the attachment of a volume to a node. */
export function attachmentName(handle: string, driver: string, node: string): string {
  return `csi-${createHash('sha256').update(`${handle}${driver}${node}`).digest('hex')}`
}

/** Where a volume is staged for all pods of the node. */
export function stagingPath(rootDirectory: string, driver: string, handle: string): string {
  const hash = createHash('sha256').update(handle).digest('hex')
  return join(rootDirectory, 'plugins', 'kubernetes.io', 'csi', driver, hash, 'globalmount')
}

/** Who applies the pod's fsGroup: the driver, the agent, or nobody. */
export function fsGroupBy(
  volume: CsiVolume,
  policy: string | undefined,
  capabilities: ReadonlySet<NodeCapability>,
): 'driver' | 'agent' | 'nobody' {
  if (volume.isBlock) return 'nobody'
  if (capabilities.has('VOLUME_MOUNT_GROUP')) return 'driver'
  if (policy === 'None') return 'nobody'
  if (policy === 'File') return 'agent'
  // The default judges whether the files are this node's alone and lie on a file system that has owners.
  const alone = volume.accessModes.includes('ReadWriteOnce') || volume.accessModes.includes('ReadWriteOncePod')
  return volume.fsType !== '' && alone && volume.mode === 'Persistent' ? 'agent' : 'nobody'
}

export function volumeCapability(
  volume: CsiVolume,
  capabilities: ReadonlySet<NodeCapability>,
  mountGroup: number | undefined,
): object {
  const access = { mode: accessMode(volume.accessModes, capabilities.has('SINGLE_NODE_MULTI_WRITER')) }
  if (volume.isBlock) return { block: {}, accessMode: access }
  return {
    mount: {
      fsType: volume.fsType,
      mountFlags: volume.mountOptions,
      ...(mountGroup === undefined ? {} : { volumeMountGroup: String(mountGroup) }),
    },
    accessMode: access,
  }
}

function accessMode(modes: readonly string[], tellsSingleWriters: boolean): string {
  if (modes.includes('ReadWriteMany')) return 'MULTI_NODE_MULTI_WRITER'
  if (modes.includes('ReadOnlyMany')) return 'MULTI_NODE_READER_ONLY'
  if (!tellsSingleWriters) return 'SINGLE_NODE_WRITER'
  return modes.includes('ReadWriteOncePod') ? 'SINGLE_NODE_SINGLE_WRITER' : 'SINGLE_NODE_MULTI_WRITER'
}

/** What a driver that asks for it is told of the pod. */
export function podInfo(pod: Pod, volume: CsiVolume): Readonly<Record<string, string>> {
  const { name, namespace = 'default', uid = '' } = pod.metadata
  return {
    'csi.storage.k8s.io/pod.name': name,
    'csi.storage.k8s.io/pod.namespace': namespace,
    'csi.storage.k8s.io/pod.uid': uid,
    'csi.storage.k8s.io/serviceAccount.name': pod.spec.serviceAccountName ?? 'default',
    'csi.storage.k8s.io/ephemeral': String(volume.mode === 'Ephemeral'),
  }
}
