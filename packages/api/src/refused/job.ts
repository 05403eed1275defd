// What a Job may not say or change, each by an example with upstream's words.

import type { RefusedExamples } from './examples.ts'

export const jobExamples: RefusedExamples = {
  kind: 'Job',
  valid: {
    metadata: { name: 'web' },
    spec: {
      template: {
        metadata: { labels: { app: 'web' } },
        spec: { containers: [{ name: 'main', image: 'web:1' }], restartPolicy: 'Never' },
      },
    },
  },
  create: [
    [
      { 'spec.template.spec.restartPolicy': 'Always' },
      'spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"',
    ],
    [
      { 'spec.completionMode': 'Indexed', 'spec.parallelism': 2 },
      'spec.completions: Required value: when completion mode is Indexed',
    ],
    [{ 'spec.backoffLimit': -1 }, 'spec.backoffLimit: Invalid value: -1: must be greater than or equal to 0'],
    [
      { 'spec.backoffLimitPerIndex': 1 },
      'spec.backoffLimitPerIndex: Invalid value: 1: requires indexed completion mode',
    ],
  ],
  update: [[{ 'spec.completions': 7 }, 'spec.completions: Invalid value: 7: field is immutable']],
}
