// What a PersistentVolume may not say or change, each by an example with upstream's words.

import type { RefusedExamples } from './examples.ts'

export const persistentVolumeExamples: RefusedExamples = {
  kind: 'PersistentVolume',
  valid: {
    metadata: { name: 'a' },
    spec: { accessModes: ['ReadWriteOnce'], capacity: { storage: '1Gi' }, csi: { driver: 'd', volumeHandle: 'h' } },
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
      { 'spec.csi': undefined, 'spec.hostPath': { path: '/' }, 'spec.persistentVolumeReclaimPolicy': 'Recycle' },
      "spec.persistentVolumeReclaimPolicy: Forbidden: may not be 'recycle' for a hostPath mount of '/'",
    ],
  ],
  update: [
    [
      { 'spec.csi.volumeHandle': 'other' },
      'spec.persistentvolumesource: Forbidden: spec.persistentvolumesource is immutable after creation',
    ],
    [{ 'spec.volumeMode': 'Block' }, 'spec.volumeMode: Invalid value: "Block": field is immutable'],
  ],
}
