// What a CSIStorageCapacity may not say or change, each by an example with upstream's words.

import type { RefusedExamples } from './examples.ts'
import { immutable, nonNegative, subdomain } from './words.ts'

export const csiStorageCapacityExamples: RefusedExamples = {
  kind: 'CSIStorageCapacity',
  valid: {
    metadata: { name: 'a' },
    storageClassName: 'fast',
    nodeTopology: { matchLabels: { zone: 'a' } },
    capacity: '1Gi',
  },
  create: [
    [{ storageClassName: '' }, 'storageClassName: Required value'],
    [{ storageClassName: 'Fast' }, `storageClassName: Invalid value: "Fast": ${subdomain}`],
    [{ capacity: '-1' }, `capacity: Invalid value: "-1": ${nonNegative}`],
    [{ maximumVolumeSize: '-1Gi' }, `maximumVolumeSize: Invalid value: "-1Gi": ${nonNegative}`],
    [
      { 'nodeTopology.matchExpressions': [{ key: 'a', operator: 'Near' }] },
      'nodeTopology.matchExpressions[0].operator: Invalid value: "Near": not a valid selector operator',
    ],
  ],
  update: [
    [{ storageClassName: 'slow' }, `storageClassName: Invalid value: "slow": ${immutable}`],
    [
      { 'nodeTopology.matchLabels.zone': 'b' },
      `nodeTopology: Invalid value: {"matchLabels":{"zone":"b"}}: ${immutable}`,
    ],
  ],
}
