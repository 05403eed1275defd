// What a PriorityClass may not say or change, each by an example with upstream's words.

import type { RefusedExamples } from './examples.ts'

export const priorityClassExamples: RefusedExamples = {
  kind: 'PriorityClass',
  valid: { metadata: { name: 'a' }, value: 10 },
  create: [
    [{ value: 2000000000 }, 'value: Forbidden: maximum allowed value of a user defined priority is 1000000000'],
    [
      { 'metadata.name': 'system-mine' },
      "metadata.name: Forbidden: priority class names with 'system-' prefix are reserved for system use only. error: only system-node-critical, system-cluster-critical are allowed",
    ],
    [
      { preemptionPolicy: 'Always' },
      'preemptionPolicy: Unsupported value: "Always": supported values: "Never", "PreemptLowerPriority"',
    ],
  ],
  update: [
    [{ value: 11 }, 'value: Forbidden: may not be changed in an update.'],
    [{ preemptionPolicy: 'Never' }, 'preemptionPolicy: Invalid value: "Never": field is immutable'],
  ],
}
