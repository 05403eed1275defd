// What a ReplicaSet may not say or change, each by an example with upstream's words.

import type { RefusedExamples } from './examples.ts'
import { nonNegative } from './words.ts'

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
    [{ 'spec.replicas': -1 }, `spec.replicas: Invalid value: -1: ${nonNegative}`],
    [{ 'spec.minReadySeconds': -1 }, `spec.minReadySeconds: Invalid value: -1: ${nonNegative}`],
    [{ 'spec.selector': {} }, 'spec.selector: Invalid value: {}: empty selector is invalid for deployment'],
    [
      { 'spec.template.spec.restartPolicy': 'Never' },
      'spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"',
    ],
  ],
  update: [
    [
      { 'spec.selector.matchExpressions': [{ key: 'app', operator: 'Exists' }] },
      'spec.selector: Invalid value: {"matchLabels":{"app":"web"},"matchExpressions":[{"key":"app","operator":"Exists"}]}: field is immutable',
    ],
  ],
  status: [
    [
      { 'status.fullyLabeledReplicas': 1 },
      'status.fullyLabeledReplicas: Invalid value: 1: cannot be greater than status.replicas',
    ],
    [{ 'status.readyReplicas': 1 }, 'status.readyReplicas: Invalid value: 1: cannot be greater than status.replicas'],
    [{ 'status.observedGeneration': -1 }, `status.observedGeneration: Invalid value: -1: ${nonNegative}`],
  ],
}
