// What a CSIDriver may not say or change, each by an example with upstream's words.

import type { RefusedExamples } from './examples.ts'

export const csiDriverExamples: RefusedExamples = {
  kind: 'CSIDriver',
  valid: { metadata: { name: 'disk.aksel.dev' }, spec: {} },
  create: [
    [
      { 'spec.fsGroupPolicy': 'Mine' },
      'spec.fsGroupPolicy: Unsupported value: "Mine": supported values: "File", "None", "ReadWriteOnceWithFSType"',
    ],
    [
      { 'spec.volumeLifecycleModes': ['Forever'] },
      'spec.volumeLifecycleModes: Unsupported value: "Forever": supported values: "Ephemeral", "Persistent"',
    ],
    [
      { 'spec.tokenRequests': [{ audience: 'a' }, { audience: 'a' }] },
      'spec.tokenRequests[1].audience: Duplicate value: "a"',
    ],
    [
      { 'spec.tokenRequests': [{ audience: 'a', expirationSeconds: 10 }] },
      'spec.tokenRequests[0].expirationSeconds: Invalid value: 10: may not specify a duration less than 10 minutes',
    ],
    [
      { 'metadata.name': 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa' },
      'metadata.name: Too long: may not be more than 63 bytes',
    ],
    [
      { 'spec.nodeAllocatableUpdatePeriodSeconds': 5 },
      'spec.nodeAllocatableUpdatePeriodSeconds: Invalid value: 5: must be greater than or equal to 10 seconds',
    ],
  ],
  update: [
    [{ 'spec.attachRequired': false }, 'spec.attachedRequired: Invalid value: false: field is immutable'],
    [
      { 'spec.volumeLifecycleModes': ['Ephemeral'] },
      'spec.volumeLifecycleModes: Invalid value: ["Ephemeral"]: field is immutable',
    ],
  ],
}
