// What a ResourceQuota may not say or change, each by an example with upstream's words.

import type { RefusedExamples } from './examples.ts'

export const resourceQuotaExamples: RefusedExamples = {
  kind: 'ResourceQuota',
  valid: { metadata: { name: 'a' }, spec: { hard: { pods: '5' } } },
  create: [
    [{ 'spec.hard.pods': '-1' }, 'spec.hard[pods]: Invalid value: "-1": must be greater than or equal to 0'],
    [
      { 'spec.scopes': ['BestEffort', 'NotBestEffort'] },
      'spec.scopes: Invalid value: ["BestEffort","NotBestEffort"]: conflicting scopes',
    ],
  ],
  update: [],
}
