// Claims, volumes and classes for table tests.

import type { PersistentVolume, PersistentVolumeClaim, Pod } from '@aksel/api/types/core-v1'
import type { StorageClass } from '@aksel/api/types/storage-v1'
import { pod } from './decisions.ts'

export function withClaim(): Pod {
  return pod('p', { volumes: [{ name: 'd', persistentVolumeClaim: { claimName: 'data' } }] })
}

export function claim(spec: PersistentVolumeClaim['spec']): PersistentVolumeClaim {
  return { metadata: { name: 'data', namespace: 'default' }, spec }
}

export function boundClaim(): PersistentVolumeClaim {
  return {
    metadata: { name: 'data', namespace: 'default', annotations: { 'pv.kubernetes.io/bind-completed': 'yes' } },
    spec: { volumeName: 'pv1' },
    status: { phase: 'Bound' },
  }
}

export function volumeInZone(zone: string): PersistentVolume {
  return {
    metadata: { name: 'pv1' },
    spec: {
      nodeAffinity: {
        required: { nodeSelectorTerms: [{ matchExpressions: [{ key: 'zone', operator: 'In', values: [zone] }] }] },
      },
    },
  }
}

export function storageClass(name: string, volumeBindingMode: string): StorageClass {
  return { metadata: { name }, provisioner: 'x', volumeBindingMode } as StorageClass
}
