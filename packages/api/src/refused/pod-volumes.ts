// What the volumes of a pod may not say, each by an example with upstream's words.

import type { Refusal } from './examples.ts'
import { label } from './words.ts'

export const podVolumes: readonly Refusal[] = [
  [
    { 'spec.volumes.0': { name: 'data', emptyDir: {}, hostPath: { path: '/x' } } },
    'spec.volumes[0].hostPath: Forbidden: may not specify more than 1 volume type',
  ],
  [{ 'spec.volumes.1': { name: 'data', emptyDir: {} } }, 'spec.volumes[1].name: Duplicate value: "data"'],
  [{ 'spec.volumes.1': { name: 'V', emptyDir: {} } }, `spec.volumes[1].name: Invalid value: "V": ${label}`],
  [{ 'spec.volumes.1': { name: '', emptyDir: {} } }, 'spec.volumes[1].name: Required value'],
  [
    { 'spec.volumes.1': { name: 'v', emptyDir: { sizeLimit: '-1' } } },
    'spec.volumes[1].emptyDir.sizeLimit: Forbidden: SizeLimit field must be a valid resource quantity',
  ],
  [{ 'spec.volumes.1': { name: 'v', hostPath: { path: '' } } }, 'spec.volumes[1].hostPath.path: Required value'],
  [
    { 'spec.volumes.1': { name: 'v', hostPath: { path: '/a/../b' } } },
    `spec.volumes[1].hostPath.path: Invalid value: "/a/../b": must not contain '..'`,
  ],
  [
    { 'spec.volumes.1': { name: 'v', hostPath: { path: '/a', type: 'Pipe' } } },
    'spec.volumes[1].hostPath.type: Unsupported value: "Pipe": supported values: "", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket"',
  ],
  [{ 'spec.volumes.1': { name: 'v', secret: {} } }, 'spec.volumes[1].secret.secretName: Required value'],
  [
    { 'spec.volumes.1': { name: 'v', secret: { secretName: 's', defaultMode: 512 } } },
    'spec.volumes[1].secret.defaultMode: Invalid value: 512: must be a number between 0 and 0777 (octal), both inclusive',
  ],
  [
    {
      'spec.volumes.1': {
        name: 'v',
        secret: { secretName: 's', items: [{ key: '', path: 'a' }] },
      },
    },
    'spec.volumes[1].secret.items[0].key: Required value',
  ],
  [
    {
      'spec.volumes.1': {
        name: 'v',
        secret: { secretName: 's', items: [{ key: 'a', path: '..a' }] },
      },
    },
    `spec.volumes[1].secret.items[0].path: Invalid value: "..a": must not start with '..'`,
  ],
  [{ 'spec.volumes.1': { name: 'v', configMap: {} } }, 'spec.volumes[1].configMap.name: Required value'],
  [
    {
      'spec.volumes.1': {
        name: 'v',
        configMap: { name: 'c', items: [{ key: 'a', path: '/a', mode: 512 }] },
      },
    },
    [
      'spec.volumes[1].configMap.items[0].path: Invalid value: "/a": must be a relative path',
      'spec.volumes[1].configMap.items[0].mode: Invalid value: 512: must be a number between 0 and 0777 (octal), both inclusive',
    ],
  ],
  [
    { 'spec.volumes.1': { name: 'v', persistentVolumeClaim: { claimName: '' } } },
    'spec.volumes[1].persistentVolumeClaim.claimName: Required value',
  ],
  [
    {
      'spec.volumes.1': {
        name: 'v',
        downwardAPI: { items: [{ path: 'a' }] },
      },
    },
    'spec.volumes[1].downwardAPI: Required value: one of fieldRef and resourceFieldRef is required',
  ],
  [
    {
      'spec.volumes.1': {
        name: 'v',
        downwardAPI: {
          items: [{ path: 'a', fieldRef: { fieldPath: 'status.podIP' } }],
        },
      },
    },
    'spec.volumes[1].downwardAPI.fieldRef.fieldPath: Unsupported value: "status.podIP": supported values: "metadata.annotations", "metadata.labels", "metadata.name", "metadata.namespace", "metadata.uid"',
  ],
  [
    {
      'spec.volumes.1': {
        name: 'v',
        downwardAPI: {
          items: [{ path: 'a', resourceFieldRef: { resource: 'limits.cpu' } }],
        },
      },
    },
    'spec.volumes[1].downwardAPI.resourceFieldRef.containerName: Required value',
  ],
  [
    {
      'spec.volumes.1': {
        name: 'v',
        projected: {
          sources: [{ secret: {}, configMap: { name: 'a' } }],
        },
      },
    },
    [
      'spec.volumes[1].projected.sources[0].secret.name: Required value',
      'spec.volumes[1].projected.sources[0]: Forbidden: may not specify more than 1 volume type',
    ],
  ],
  [
    {
      'spec.serviceAccountName': 's',
      'spec.volumes.1': {
        name: 'v',
        projected: {
          sources: [{ serviceAccountToken: { path: 't', expirationSeconds: 10 } }],
        },
      },
    },
    'spec.volumes[1].projected.sources[0].serviceAccountToken.expirationSeconds: Invalid value: 10: may not specify a duration less than 10 minutes',
  ],
  [
    {
      'spec.volumes.1': {
        name: 'v',
        projected: {
          sources: [{ serviceAccountToken: { path: 't' } }],
        },
      },
    },
    'spec.volumes[1].projected.sources[0].serviceAccountToken: Forbidden: must not be specified when serviceAccountName is not set',
  ],
  [
    {
      'spec.volumes.1': {
        name: 'v',
        projected: {
          sources: [
            {
              secret: { name: 's', items: [{ key: 'a', path: 'x' }] },
            },
            {
              configMap: { name: 'c', items: [{ key: 'a', path: 'x' }] },
            },
          ],
        },
      },
    },
    'spec.volumes[1].projected: Invalid value: "c": conflicting duplicate paths',
  ],
  [{ 'spec.volumes.1': { name: 'v', csi: { driver: '' } } }, 'spec.volumes[1].csi.driver: Required value'],
  [
    { 'spec.volumes.1': { name: 'v', csi: { driver: 'd', nodePublishSecretRef: {} } } },
    'spec.volumes[1].csi.nodePublishSecretRef.name: Required value',
  ],
  [{ 'spec.volumes.1': { name: 'v', image: { reference: '' } } }, 'spec.volumes[1].image.reference: Required value'],
  [{ 'spec.volumes.1': { name: 'v', ephemeral: {} } }, 'spec.volumes[1].ephemeral.volumeClaimTemplate: Required value'],
  [
    {
      'spec.volumes.1': { name: 'v', ephemeral: { volumeClaimTemplate: { spec: {} } } },
    },
    [
      'spec.volumes[1].ephemeral.volumeClaimTemplate.spec.accessModes: Required value: at least 1 access mode is required',
      'spec.volumes[1].ephemeral.volumeClaimTemplate.spec.resources[storage]: Required value',
    ],
  ],
  [
    { 'spec.volumes.1': { name: 'v', nfs: { server: '', path: 'a' } } },
    [
      'spec.volumes[1].nfs.server: Required value',
      'spec.volumes[1].nfs.path: Invalid value: "a": must be an absolute path',
    ],
  ],
  [
    { 'spec.volumes.1': { name: 'v', iscsi: { targetPortal: 'a', iqn: 'x', lun: 256 } } },
    [
      'spec.volumes[1].iscsi.iqn: Invalid value: "x": must be valid format starting with iqn, eui, or naa',
      'spec.volumes[1].iscsi.lun: Invalid value: 256: must be between 0 and 255, inclusive',
    ],
  ],
  [
    {
      'spec.volumes.1': {
        name: 'v',
        iscsi: { targetPortal: '', iqn: 'iqn.2001-04.com.example:x', lun: 0, chapAuthSession: true },
      },
    },
    ['spec.volumes[1].iscsi.targetPortal: Required value', 'spec.volumes[1].iscsi.secretRef: Required value'],
  ],
  [
    { 'spec.volumes.1': { name: 'v', gcePersistentDisk: { pdName: '', partition: 256 } } },
    [
      'spec.volumes[1].gcePersistentDisk.pdName: Required value',
      'spec.volumes[1].gcePersistentDisk.partition: Invalid value: 256: must be between 0 and 255, inclusive',
    ],
  ],
  [
    { 'spec.volumes.1': { name: 'v', awsElasticBlockStore: { volumeID: '' } } },
    'spec.volumes[1].awsElasticBlockStore.volumeID: Required value',
  ],
  [
    { 'spec.volumes.1': { name: 'v', gitRepo: { repository: '', directory: '/a' } } },
    [
      'spec.volumes[1].gitRepo.repository: Required value',
      'spec.volumes[1].gitRepo.directory: Invalid value: "/a": must be a relative path',
    ],
  ],
  [
    { 'spec.volumes.1': { name: 'v', glusterfs: { endpoints: '', path: '' } } },
    ['spec.volumes[1].glusterfs.endpoints: Required value', 'spec.volumes[1].glusterfs.path: Required value'],
  ],
  [
    { 'spec.volumes.1': { name: 'v', rbd: { monitors: [], image: '' } } },
    ['spec.volumes[1].rbd.monitors: Required value', 'spec.volumes[1].rbd.image: Required value'],
  ],
  [{ 'spec.volumes.1': { name: 'v', cinder: { volumeID: '' } } }, 'spec.volumes[1].cinder.volumeID: Required value'],
  [{ 'spec.volumes.1': { name: 'v', cephfs: { monitors: [] } } }, 'spec.volumes[1].cephfs.monitors: Required value'],
  [
    { 'spec.volumes.1': { name: 'v', flocker: {} } },
    'spec.volumes[1].flocker: Required value: one of datasetName and datasetUUID is required',
  ],
  [
    { 'spec.volumes.1': { name: 'v', fc: {} } },
    'spec.volumes[1].fc.targetWWNs: Required value: must specify either targetWWNs or wwids, but not both',
  ],
  [
    {
      'spec.volumes.1': { name: 'v', fc: { targetWWNs: ['a'] } },
    },
    'spec.volumes[1].fc.lun: Required value: lun is required if targetWWNs is specified',
  ],
  [
    { 'spec.volumes.1': { name: 'v', azureFile: { secretName: '', shareName: '' } } },
    ['spec.volumes[1].azureFile.secretName: Required value', 'spec.volumes[1].azureFile.shareName: Required value'],
  ],
  [
    { 'spec.volumes.1': { name: 'v', azureDisk: { diskName: 'a', diskURI: 'b' } } },
    'spec.volumes[1].azureDisk.diskURI: Unsupported value: "b": supported values: "https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd"',
  ],
  [
    {
      'spec.volumes.1': { name: 'v', azureDisk: { diskName: 'a', diskURI: 'b', kind: 'Managed', cachingMode: 'All' } },
    },
    [
      'spec.volumes[1].azureDisk.cachingMode: Unsupported value: "All": supported values: "None", "ReadOnly", "ReadWrite"',
      'spec.volumes[1].azureDisk.diskURI: Unsupported value: "b": supported values: "/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/disks/{disk-id}"',
    ],
  ],
  [
    { 'spec.volumes.1': { name: 'v', vsphereVolume: { volumePath: '' } } },
    'spec.volumes[1].vsphereVolume.volumePath: Required value',
  ],
  [
    { 'spec.volumes.1': { name: 'v', quobyte: { registry: '', volume: '' } } },
    ['spec.volumes[1].quobyte.registry: Required value', 'spec.volumes[1].quobyte.volume: Required value'],
  ],
  [
    { 'spec.volumes.1': { name: 'v', photonPersistentDisk: { pdID: '' } } },
    'spec.volumes[1].photonPersistentDisk.pdID: Required value',
  ],
  [
    { 'spec.volumes.1': { name: 'v', portworxVolume: { volumeID: '' } } },
    'spec.volumes[1].portworxVolume.volumeID: Required value',
  ],
  [
    { 'spec.volumes.1': { name: 'v', scaleIO: { gateway: '', system: '', secretRef: {} } } },
    [
      'spec.volumes[1].scaleIO.gateway: Required value',
      'spec.volumes[1].scaleIO.system: Required value',
      'spec.volumes[1].scaleIO.volumeName: Required value',
    ],
  ],
  [
    { 'spec.volumes.1': { name: 'v', flexVolume: { driver: '' } } },
    'spec.volumes[1].flexVolume.driver: Required value',
  ],
]
