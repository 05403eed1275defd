// What a StatefulSet may not say or change, each by an example with upstream's words.

import type { RefusedExamples } from './examples.ts'

export const statefulSetExamples: RefusedExamples = {
  kind: 'StatefulSet',
  valid: {
    metadata: { name: 'web' },
    spec: {
      selector: { matchLabels: { app: 'web' } },
      template: {
        metadata: { labels: { app: 'web' } },
        spec: { containers: [{ name: 'main', image: 'web:1' }] },
      },
      serviceName: 'web',
    },
  },
  create: [
    [{ 'spec.selector': {} }, 'spec.selector: Invalid value: {}: empty selector is invalid for statefulset'],
    [
      { 'spec.podManagementPolicy': 'Any' },
      'spec.podManagementPolicy: Unsupported value: "Any": supported values: "OrderedReady", "Parallel"',
    ],
    [
      { 'spec.updateStrategy': { type: 'OnDelete', rollingUpdate: {} } },
      "spec.updateStrategy.rollingUpdate: Invalid value: {}: only allowed for updateStrategy 'RollingUpdate'",
    ],
    [{ 'spec.ordinals.start': -1 }, 'spec.ordinals.start: Invalid value: -1: must be greater than or equal to 0'],
  ],
  update: [
    [
      { 'spec.serviceName': 'other' },
      "spec: Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden",
    ],
  ],
}
