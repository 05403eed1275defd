// What a PersistentVolumeClaim may not say or change, each by an example with upstream's words.

import type { RefusedExamples } from './examples.ts'

export const persistentVolumeClaimExamples: RefusedExamples = {
  kind: 'PersistentVolumeClaim',
  valid: {
    metadata: { name: 'a' },
    spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
  },
  create: [
    [{ 'spec.accessModes': [] }, 'spec.accessModes: Required value: at least 1 access mode is required'],
    [
      { 'spec.accessModes': ['Always'] },
      'spec.accessModes: Unsupported value: "Always": supported values: "ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"',
    ],
    [
      { 'spec.accessModes': ['ReadWriteOncePod', 'ReadWriteOnce'] },
      'spec.accessModes: Forbidden: may not use ReadWriteOncePod with other access modes',
    ],
    [{ 'spec.resources.requests': {} }, 'spec.resources[storage]: Required value'],
    [
      { 'spec.resources.requests.storage': '0' },
      'spec.resources[storage]: Invalid value: "0": must be greater than zero',
    ],
  ],
  update: [
    [
      { 'spec.accessModes': ['ReadWriteMany'] },
      'spec: Forbidden: spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims',
    ],
    [
      { 'spec.resources.requests.storage': '2Gi' },
      'spec: Forbidden: spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims',
    ],
  ],
}
