// What a ReplicationController may not say or change, each by an example with upstream's words.

import type { RefusedExamples } from './examples.ts'

export const replicationControllerExamples: RefusedExamples = {
  kind: 'ReplicationController',
  valid: {
    metadata: { name: 'web' },
    spec: {
      template: {
        metadata: { labels: { app: 'web' } },
        spec: { containers: [{ name: 'main', image: 'web:1' }] },
      },
    },
  },
  create: [
    [
      { 'spec.selector': { app: 'other' } },
      'spec.template.metadata.labels: Invalid value: {"app":"web"}: `selector` does not match template `labels`',
    ],
  ],
  update: [],
}
