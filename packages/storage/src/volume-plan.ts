// From a claim, its class and the chosen node to the volume: pure, so that every refusal has a row in a test.

import type {
  Node,
  ObjectReference,
  PersistentVolume,
  PersistentVolumeClaim,
  VolumeNodeAffinity,
} from '@aksel/api/types/core-v1'
import type { StorageClass } from '@aksel/api/types/storage-v1'
import { quantityUnits } from '@aksel/base/quantity'
import { diskDriver } from './storage-classes.ts'

export const provisionerAnnotation = 'volume.kubernetes.io/storage-provisioner'
export const betaProvisionerAnnotation = 'volume.beta.kubernetes.io/storage-provisioner'
export const selectedNodeAnnotation = 'volume.kubernetes.io/selected-node'
export const provisionedByAnnotation = 'pv.kubernetes.io/provisioned-by'
/** Keeps a volume whose disk is to be deleted until the disk is gone. */
export const deletionFinalizer = 'external-provisioner.volume.kubernetes.io/finalizer'

const GIB = 2 ** 30
const diskZoneLabel = 'topology.disk.csi.azure.com/zone'
const zoneLabel = 'topology.kubernetes.io/zone'
const fileSystems = ['ext2', 'ext3', 'ext4', 'xfs', 'btrfs']

export interface VolumeRequest {
  readonly claim: PersistentVolumeClaim
  readonly storageClass: StorageClass
  /** Undefined where the class binds at once. */
  readonly node: Node | undefined
  /** What disks' resource ids begin with, up to and with the slash before the name. */
  readonly diskIdPrefix: string
}

export type VolumePlan =
  | { readonly kind: 'create'; readonly volume: PersistentVolume; readonly sizeBytes: number }
  /** The user's fault: told on the claim, not retried until something changes. */
  | { readonly kind: 'refuse'; readonly message: string }

export function volumeNameOf(claim: PersistentVolumeClaim): string {
  return `pvc-${claim.metadata.uid}`
}

/** Whether the claim waits for this driver, as upstream's provisioner judges it. */
export function waitsForDriver(claim: PersistentVolumeClaim): boolean {
  if (claim.metadata.deletionTimestamp !== undefined) return false
  if (claim.spec.volumeName !== undefined && claim.spec.volumeName !== '') return false
  const annotations = claim.metadata.annotations ?? {}
  return (annotations[provisionerAnnotation] ?? annotations[betaProvisionerAnnotation]) === diskDriver
}

export function planVolume(request: VolumeRequest): VolumePlan {
  const refusal = refusalOf(request)
  if (refusal !== undefined) return { kind: 'refuse', message: refusal }
  const { claim, storageClass } = request
  const gib = Math.max(1, Math.ceil(quantityUnits(claim.spec.resources?.requests?.storage ?? '0') / GIB))
  const name = volumeNameOf(claim)
  const reclaimPolicy = storageClass.reclaimPolicy ?? 'Delete'
  const affinity = affinityOf(request)
  const volumeMode = claim.spec.volumeMode ?? 'Filesystem'
  const fsType = parameter(storageClass, 'fstype', 'csi.storage.k8s.io/fstype') ?? 'ext4'
  const volume: PersistentVolume = {
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: {
      name,
      annotations: {
        [provisionedByAnnotation]: diskDriver,
        'volume.kubernetes.io/provisioner-deletion-secret-name': '',
        'volume.kubernetes.io/provisioner-deletion-secret-namespace': '',
      },
      ...(reclaimPolicy === 'Delete' ? { finalizers: [deletionFinalizer] } : {}),
    },
    spec: {
      accessModes: claim.spec.accessModes ?? [],
      capacity: { storage: `${gib}Gi` },
      claimRef: claimReference(claim),
      csi: {
        driver: diskDriver,
        volumeHandle: `${request.diskIdPrefix}${name}`,
        ...(volumeMode === 'Block' ? {} : { fsType }),
        volumeAttributes: attributesOf(claim, storageClass, gib),
      },
      ...(affinity === undefined ? {} : { nodeAffinity: affinity }),
      persistentVolumeReclaimPolicy: reclaimPolicy,
      storageClassName: storageClass.metadata.name,
      ...(storageClass.mountOptions === undefined ? {} : { mountOptions: storageClass.mountOptions }),
      volumeMode,
    },
  }
  return { kind: 'create', volume, sizeBytes: gib * GIB }
}

function refusalOf({ claim, storageClass }: VolumeRequest): string | undefined {
  const { spec } = claim
  if (spec.selector !== undefined) return 'claim Selector is not supported'
  if (spec.dataSource !== undefined || spec.dataSourceRef !== undefined) {
    const { kind, name } = (spec.dataSource ?? spec.dataSourceRef)!
    return `a volume cannot be made from ${kind} "${name}": data sources are not supported`
  }
  const shared = spec.accessModes?.find((mode) => mode !== 'ReadWriteOnce' && mode !== 'ReadWriteOncePod')
  if (shared !== undefined) return `mountVolume is not supported for access mode: ${shared}`
  const fsType = parameter(storageClass, 'fstype', 'csi.storage.k8s.io/fstype') ?? 'ext4'
  if (!fileSystems.includes(fsType)) return `fsType "${fsType}" is not one of ${fileSystems.join(', ')}`
  return undefined
}

function claimReference({ metadata }: PersistentVolumeClaim): ObjectReference {
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    name: metadata.name,
    namespace: metadata.namespace!,
    uid: metadata.uid!,
    resourceVersion: metadata.resourceVersion!,
  }
}

function attributesOf(
  claim: PersistentVolumeClaim,
  storageClass: StorageClass,
  gib: number,
): Readonly<Record<string, string>> {
  return {
    ...storageClass.parameters,
    'csi.storage.k8s.io/pv/name': volumeNameOf(claim),
    'csi.storage.k8s.io/pvc/name': claim.metadata.name,
    'csi.storage.k8s.io/pvc/namespace': claim.metadata.namespace!,
    requestedsizegib: String(gib),
  }
}

/** Parameters are spelled in any case; the first name that is set wins. */
function parameter(storageClass: StorageClass, ...names: readonly string[]): string | undefined {
  const entries = Object.entries(storageClass.parameters ?? {})
  for (const name of names) {
    const found = entries.find(([key]) => key.toLowerCase() === name)
    if (found !== undefined) return found[1]
  }
  return undefined
}

/** A disk in one zone is reached from that zone alone. Only labels that the node has are asked for: others match nothing. */
function affinityOf({ storageClass, node }: VolumeRequest): VolumeNodeAffinity | undefined {
  const sku = parameter(storageClass, 'skuname', 'storageaccounttype') ?? 'StandardSSD_LRS'
  const labels = node?.metadata.labels ?? {}
  if (sku.toUpperCase().endsWith('_ZRS')) return undefined
  const region = labels['topology.kubernetes.io/region']
  const zone = labels[zoneLabel]
  // AKS numbers nodes outside zones `0`; zones are `region-1` to `region-3`.
  const isZonal = zone !== undefined && (region === undefined ? /-\d+$/.test(zone) : zone.startsWith(`${region}-`))
  const key = labels[diskZoneLabel] !== undefined ? diskZoneLabel : isZonal ? zoneLabel : undefined
  if (key === undefined) return undefined
  const matchExpressions = [{ key, operator: 'In', values: [labels[key]!] }]
  return { required: { nodeSelectorTerms: [{ matchExpressions }] } }
}
