// What a Lease may not say or change, each by an example with upstream's words.

import type { RefusedExamples } from './examples.ts'
import { nonNegative } from './words.ts'

export const leaseExamples: RefusedExamples = {
  kind: 'Lease',
  valid: { metadata: { name: 'a' }, spec: { holderIdentity: 'me', leaseDurationSeconds: 15 } },
  create: [
    [{ 'spec.leaseDurationSeconds': 0 }, 'spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0'],
    [{ 'spec.leaseTransitions': -1 }, `spec.leaseTransitions: Invalid value: -1: ${nonNegative}`],
    [{ 'spec.holderIdentity': '' }, 'spec.holderIdentity: Required value: must not be empty'],
  ],
  update: [
    [{ 'spec.leaseDurationSeconds': -1 }, 'spec.leaseDurationSeconds: Invalid value: -1: must be greater than 0'],
  ],
}
