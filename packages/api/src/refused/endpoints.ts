// What a Endpoints may not say or change, each by an example with upstream's words.

import type { RefusedExamples } from './examples.ts'
import { address } from './words.ts'

export const endpointsExamples: RefusedExamples = {
  kind: 'Endpoints',
  valid: {
    metadata: { name: 'a' },
    subsets: [{ addresses: [{ ip: '10.1.0.1' }], ports: [{ port: 80 }] }],
  },
  create: [[{ 'subsets.0.addresses.0.ip': 'x' }, `subsets[0].addresses[0].ip: Invalid value: "x": ${address}`]],
  update: [],
}
