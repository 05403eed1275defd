// What a CSINode may not say or change, each by an example with upstream's words.

import type { RefusedExamples } from './examples.ts'

export const csiNodeExamples: RefusedExamples = {
  kind: 'CSINode',
  valid: {
    metadata: { name: 'a' },
    spec: { drivers: [{ name: 'disk.aksel.dev', nodeID: 'n1' }] },
  },
  create: [[{ 'spec.drivers.0.nodeID': '' }, 'spec.drivers[0].nodeID: Required value']],
  update: [],
}
