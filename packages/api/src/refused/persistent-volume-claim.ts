// What a PersistentVolumeClaim may not say or change, each by an example with upstream's words.

import type { RefusedExamples } from './examples.ts'
import { subdomain } from './words.ts'

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
    [{ 'spec.storageClassName': 'A' }, `spec.storageClassName: Invalid value: "A": ${subdomain}`],
    [
      { 'spec.volumeMode': 'Tape' },
      'spec.volumeMode: Unsupported value: "Tape": supported values: "Block", "Filesystem"',
    ],
    [
      { 'spec.dataSource': { kind: 'Pod', name: 'p' } },
      [
        `spec.dataSource: Invalid value: "Pod": must be 'PersistentVolumeClaim' when referencing the default apiGroup`,
        `spec.dataSourceRef: Invalid value: "Pod": must be 'PersistentVolumeClaim' when referencing the default apiGroup`,
      ],
    ],
    [
      { 'spec.dataSource': { kind: 'PersistentVolumeClaim', name: '' } },
      ['spec.dataSource.name: Required value', 'spec.dataSourceRef.name: Required value'],
    ],
    [
      {
        'spec.selector': { matchExpressions: [{ key: 'a', operator: 'Near' }] },
      },
      'spec.selector.matchExpressions[0].operator: Invalid value: "Near": not a valid selector operator',
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
    [
      { 'spec.volumeMode': 'Block' },
      [
        'spec: Forbidden: spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims',
        'spec.volumeMode: Invalid value: "Block": field is immutable',
      ],
    ],
    [
      { 'spec.resources.requests.storage': '500Mi' },
      'spec.resources.requests.storage: Forbidden: field can not be less than status.capacity',
      { status: { phase: 'Bound', capacity: { storage: '1Gi' } } },
    ],
    [
      { 'spec.volumeAttributesClassName': undefined },
      'spec.volumeAttributesClassName: Forbidden: update from non-nil value to nil is forbidden',
      { 'spec.volumeAttributesClassName': 'gold', status: { phase: 'Bound' } },
    ],
    [
      { 'spec.volumeName': 'w' },
      'spec: Forbidden: spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims',
      { 'spec.volumeName': 'v' },
    ],
    [
      { 'spec.storageClassName': 'b' },
      'spec: Forbidden: spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims',
      { 'spec.storageClassName': 'a' },
    ],
  ],
  status: [
    [
      { 'status.capacity': { storage: '-1' } },
      'status.capacity[storage]: Invalid value: "-1": must be a valid resource quantity',
    ],
    [
      { 'status.allocatedResourceStatuses': { storage: 'Growing' } },
      'status.allocatedResourceStatus[storage]: Unsupported value: "Growing": supported values: "ControllerResizeInProgress", "ControllerResizeInfeasible", "NodeResizeInProgress", "NodeResizeInfeasible", "NodeResizePending"',
    ],
  ],
}
