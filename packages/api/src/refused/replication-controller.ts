// What a ReplicationController may not say or change, each by an example with upstream's words.

import type { RefusedExamples } from './examples.ts'
import { nonNegative } from './words.ts'

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
    [{ 'spec.replicas': -1 }, `spec.replicas: Invalid value: -1: ${nonNegative}`],
    [{ 'spec.minReadySeconds': -1 }, `spec.minReadySeconds: Invalid value: -1: ${nonNegative}`],
    [{ 'spec.template': undefined }, ['spec.selector: Required value', 'spec.template: Required value']],
    [
      { 'spec.template.spec.restartPolicy': 'Never' },
      'spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"',
    ],
    [
      { 'spec.template.spec.activeDeadlineSeconds': 5 },
      'spec.template.spec.activeDeadlineSeconds: Forbidden: activeDeadlineSeconds in ReplicationController is not Supported',
    ],
  ],
  update: [[{ 'spec.replicas': -2 }, `spec.replicas: Invalid value: -2: ${nonNegative}`]],
  status: [
    [{ 'status.readyReplicas': 1 }, 'status.readyReplicas: Invalid value: 1: cannot be greater than status.replicas'],
    [
      { 'status.replicas': -1 },
      [
        `status.replicas: Invalid value: -1: ${nonNegative}`,
        'status.fullyLabeledReplicas: Invalid value: 0: cannot be greater than status.replicas',
        'status.readyReplicas: Invalid value: 0: cannot be greater than status.replicas',
        'status.availableReplicas: Invalid value: 0: cannot be greater than status.replicas',
      ],
    ],
  ],
}
