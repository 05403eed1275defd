// The storage classes and the driver that every AKS cluster has from its first minute, as the server applies them.

import type { CSIDriver, StorageClass } from '@aksel/api/types/storage-v1'

export const diskDriver = 'disk.csi.azure.com'

export interface StorageClassOptions {
  /** `1.35.7`. */
  readonly kubernetesVersion: string
  /** Nodes in several zones: the classes then ask for disks that are kept in all of them. */
  readonly multiZone?: boolean
}

/** AKS's built-in classes for disks. The server keeps them: one that is edited or deleted comes back. */
export function builtInStorageClasses(options: StorageClassOptions): readonly StorageClass[] {
  const redundancy = options.multiZone === true ? 'ZRS' : 'LRS'
  const standard = { skuname: `StandardSSD_${redundancy}` }
  const premium = { skuname: `Premium_${redundancy}` }
  // The two names that are older than the CSI driver keep the parameters of their time.
  const legacy = (storageaccounttype: string): Readonly<Record<string, string>> => ({
    cachingmode: 'ReadOnly',
    kind: 'Managed',
    storageaccounttype,
  })
  return [
    diskClass('default', standard, { 'storageclass.kubernetes.io/is-default-class': 'true' }),
    diskClass('managed', legacy('StandardSSD_LRS')),
    diskClass('managed-csi', standard),
    diskClass('managed-csi-premium', premium),
    ...(minorOf(options.kubernetesVersion) < 35
      ? []
      : [diskClass('managed-csi-premium-v2', { skuname: 'PremiumV2_LRS', cachingMode: 'None' })]),
    diskClass('managed-premium', legacy('Premium_LRS')),
  ]
}

/** The drivers of those classes. Nothing attaches a disk but the node itself, which is why no attachment is required. */
export function builtInCsiDrivers(): readonly CSIDriver[] {
  const spec: CSIDriver['spec'] = {
    attachRequired: false,
    podInfoOnMount: false,
    volumeLifecycleModes: ['Persistent'],
    storageCapacity: false,
    fsGroupPolicy: 'File',
    requiresRepublish: false,
    seLinuxMount: false,
  }
  return [{ apiVersion: 'storage.k8s.io/v1', kind: 'CSIDriver', metadata: { name: diskDriver, labels }, spec }]
}

const labels = {
  'addonmanager.kubernetes.io/mode': 'EnsureExists',
  'kubernetes.io/cluster-service': 'true',
}

function diskClass(
  name: string,
  parameters: Readonly<Record<string, string>>,
  annotations?: Readonly<Record<string, string>>,
): StorageClass {
  return {
    apiVersion: 'storage.k8s.io/v1',
    kind: 'StorageClass',
    metadata: { name, labels, ...(annotations === undefined ? {} : { annotations }) },
    provisioner: diskDriver,
    parameters,
    reclaimPolicy: 'Delete',
    allowVolumeExpansion: true,
    volumeBindingMode: 'WaitForFirstConsumer',
  }
}

function minorOf(version: string): number {
  return Number(version.split('.')[1])
}
