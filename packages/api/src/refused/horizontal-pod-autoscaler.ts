// What a HorizontalPodAutoscaler may not say or change, each by an example with upstream's words.

import type { RefusedExamples } from './examples.ts'

export const horizontalPodAutoscalerExamples: RefusedExamples = {
  kind: 'HorizontalPodAutoscaler',
  valid: {
    metadata: { name: 'a' },
    spec: { maxReplicas: 3, scaleTargetRef: { kind: 'Deployment', name: 'web', apiVersion: 'apps/v1' } },
  },
  create: [
    [{ 'spec.minReplicas': 5 }, 'spec.maxReplicas: Invalid value: 3: must be greater than or equal to `minReplicas`'],
    [
      { 'spec.metrics': [{ type: 'Pods' }] },
      'spec.metrics[0].pods: Required value: must populate information for the given metric source',
    ],
  ],
  update: [],
}
