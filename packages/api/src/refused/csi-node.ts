// What a CSINode may not say or change, each by an example with upstream's words.

import type { RefusedExamples } from './examples.ts'
import { nonNegative } from './words.ts'

export const csiNodeExamples: RefusedExamples = {
  kind: 'CSINode',
  valid: {
    metadata: { name: 'a' },
    spec: { drivers: [{ name: 'disk.aksel.dev', nodeID: 'n1' }] },
  },
  create: [
    [{ 'spec.drivers.0.nodeID': '' }, 'spec.drivers[0].nodeID: Required value'],
    [
      { 'spec.drivers.1': { name: 'disk.aksel.dev', nodeID: 'n2' } },
      'spec.drivers[1].name: Duplicate value: "disk.aksel.dev"',
    ],
    [
      { 'spec.drivers.0.allocatable': { count: -1 } },
      `spec.drivers[0].allocatable.count: Invalid value: -1: ${nonNegative}`,
    ],
    [{ 'spec.drivers.0.topologyKeys': ['a', 'a'] }, 'spec.drivers[0].topologyKeys[1]: Duplicate value: "a"'],
    [
      {
        'spec.drivers.0.nodeID':
          'nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn',
      },
      'spec.drivers[0].nodeID: Invalid value: "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn": must be 192 characters or less',
    ],
    [{ 'spec.drivers.0.name': '' }, 'spec.drivers[0].name: Required value'],
  ],
  update: [[{ 'spec.drivers.0.nodeID': 'n2' }, 'spec.drivers[0].nodeID: Invalid value: "n2": field is immutable']],
}
