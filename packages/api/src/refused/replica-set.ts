// What a ReplicaSet may not say or change, each by an example with upstream's words.

import type { RefusedExamples } from './examples.ts'

export const replicaSetExamples: RefusedExamples = {
  kind: 'ReplicaSet',
  valid: {
    metadata: { name: 'web' },
    spec: {
      selector: { matchLabels: { app: 'web' } },
      template: {
        metadata: { labels: { app: 'web' } },
        spec: { containers: [{ name: 'main', image: 'web:1' }] },
      },
    },
  },
  create: [
    [
      { 'spec.selector.matchLabels.app': 'other' },
      'spec.template.metadata.labels: Invalid value: {"app":"web"}: `selector` does not match template `labels`',
    ],
  ],
  update: [
    [
      { 'spec.selector.matchExpressions': [{ key: 'app', operator: 'Exists' }] },
      'spec.selector: Invalid value: {"matchLabels":{"app":"web"},"matchExpressions":[{"key":"app","operator":"Exists"}]}: field is immutable',
    ],
  ],
}
