// What a PodDisruptionBudget may not say or change, each by an example with upstream's words.

import type { RefusedExamples } from './examples.ts'

export const podDisruptionBudgetExamples: RefusedExamples = {
  kind: 'PodDisruptionBudget',
  valid: { metadata: { name: 'a' }, spec: { minAvailable: 1, selector: {} } },
  create: [
    [
      { 'spec.maxUnavailable': 1 },
      'spec: Invalid value: {"minAvailable":1,"selector":{},"maxUnavailable":1}: minAvailable and maxUnavailable cannot be both set',
    ],
  ],
  update: [],
}
