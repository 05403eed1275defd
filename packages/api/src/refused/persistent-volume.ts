// What a PersistentVolume may not say or change, each by an example with upstream's words.

import type { RefusedExamples } from './examples.ts'
import { labelValue } from './words.ts'

export const persistentVolumeExamples: RefusedExamples = {
  kind: 'PersistentVolume',
  valid: {
    metadata: { name: 'a' },
    spec: {
      accessModes: ['ReadWriteOnce'],
      capacity: { storage: '1Gi' },
      csi: { driver: 'd', volumeHandle: 'h' },
    },
  },
  create: [
    [{ 'spec.capacity': undefined }, 'spec.capacity: Required value'],
    [{ 'spec.csi': undefined }, 'spec: Required value: must specify a volume type'],
    [{ 'spec.hostPath': { path: '/x' } }, 'spec.csi: Forbidden: may not specify more than 1 volume type'],
    [
      { 'spec.csi': undefined, 'spec.local': { path: '/x' } },
      'spec.nodeAffinity: Required value: Local volume requires node affinity',
    ],
    [
      {
        'spec.csi': undefined,
        'spec.hostPath': { path: '/' },
        'spec.persistentVolumeReclaimPolicy': 'Recycle',
      },
      "spec.persistentVolumeReclaimPolicy: Forbidden: may not be 'recycle' for a hostPath mount of '/'",
    ],
    [{ 'spec.accessModes': [] }, 'spec.accessModes: Required value'],
    [
      { 'spec.accessModes': ['Always'] },
      'spec.accessModes: Unsupported value: "Always": supported values: "ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"',
    ],
    [{ 'spec.capacity': { storage: '0' } }, 'spec.capacity[storage]: Invalid value: "0": must be greater than zero'],
    [
      { 'spec.capacity': { storage: '1Gi', cpu: '1' } },
      'spec.capacity: Unsupported value: {"cpu":"1","storage":"1Gi"}: supported values: "storage"',
    ],
    [
      { 'spec.persistentVolumeReclaimPolicy': 'Keep' },
      'spec.persistentVolumeReclaimPolicy: Unsupported value: "Keep": supported values: "Delete", "Recycle", "Retain"',
    ],
    [{ 'spec.csi.driver': '' }, 'spec.csi.driver: Required value'],
    [{ 'spec.csi.volumeHandle': '' }, 'spec.csi.volumeHandle: Required value'],
    [{ 'spec.csi.nodePublishSecretRef': { name: 's' } }, 'spec.csi.nodePublishSecretRef.namespace: Required value'],
    [{ 'spec.csi': undefined, 'spec.nfs': { server: '', path: '/a' } }, 'spec.nfs.server: Required value'],
    [
      { 'spec.volumeMode': 'Tape' },
      'spec.volumeMode: Unsupported value: "Tape": supported values: "Block", "Filesystem"',
    ],
    [{ 'spec.nodeAffinity': {} }, 'spec.nodeAffinity.required: Required value: must specify required node constraints'],
  ],
  update: [
    [
      { 'spec.csi.volumeHandle': 'other' },
      'spec.persistentvolumesource: Forbidden: spec.persistentvolumesource is immutable after creation',
    ],
    [{ 'spec.volumeMode': 'Block' }, 'spec.volumeMode: Invalid value: "Block": field is immutable'],
    [
      { 'spec.nodeAffinity': undefined },
      'spec.nodeAffinity: Invalid value: "null": field is immutable',
      {
        'spec.nodeAffinity': {
          required: {
            nodeSelectorTerms: [{ matchExpressions: [{ key: 'a', operator: 'Exists' }] }],
          },
        },
      },
    ],
  ],
  status: [[{ 'metadata.labels': { a: 'b c' } }, `metadata.labels: Invalid value: "b c": ${labelValue}`]],
}
