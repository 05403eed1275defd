// What a StatefulSet may not say or change, each by an example with upstream's words.

import type { RefusedExamples } from './examples.ts'
import { label, nonNegative } from './words.ts'

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
    [{ 'spec.ordinals.start': -1 }, `spec.ordinals.start: Invalid value: -1: ${nonNegative}`],
    [{ 'spec.replicas': -1 }, `spec.replicas: Invalid value: -1: ${nonNegative}`],
    [
      { 'spec.updateStrategy': { type: 'Sometimes' } },
      'spec.updateStrategy.type: Unsupported value: "Sometimes": supported values: "OnDelete", "RollingUpdate"',
    ],
    [
      { 'spec.updateStrategy': { rollingUpdate: { partition: -1 } } },
      `spec.updateStrategy.rollingUpdate.partition: Invalid value: -1: ${nonNegative}`,
    ],
    [
      { 'spec.persistentVolumeClaimRetentionPolicy': { whenDeleted: 'Keep' } },
      'spec.persistentVolumeClaimRetentionPolicy.whenDeleted: Unsupported value: "Keep": supported values: "Delete", "Retain"',
    ],
    [
      { 'spec.template.spec.activeDeadlineSeconds': 5 },
      'spec.template.spec.activeDeadlineSeconds: Forbidden: activeDeadlineSeconds in StatefulSet is not Supported',
    ],
    [{ 'metadata.name': 'a.b' }, `metadata.name: Invalid value: "a.b": ${label}`],
  ],
  update: [
    [
      { 'spec.serviceName': 'other' },
      "spec: Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden",
    ],
    [
      { 'spec.podManagementPolicy': 'Parallel' },
      "spec: Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden",
    ],
    [
      {
        'spec.volumeClaimTemplates': [{ metadata: { name: 'd' }, spec: {} }],
      },
      "spec: Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden",
    ],
  ],
  status: [
    [{ 'status.readyReplicas': 1 }, 'status.readyReplicas: Invalid value: 1: cannot be greater than status.replicas'],
    [
      { 'status.replicas': -1 },
      [
        `status.replicas: Invalid value: -1: ${nonNegative}`,
        'status.readyReplicas: Invalid value: 0: cannot be greater than status.replicas',
        'status.currentReplicas: Invalid value: 0: cannot be greater than status.replicas',
        'status.updatedReplicas: Invalid value: 0: cannot be greater than status.replicas',
        'status.availableReplicas: Invalid value: 0: cannot be greater than status.replicas',
      ],
    ],
    [
      { 'status.replicas': 1, 'status.availableReplicas': 1 },
      'status.availableReplicas: Invalid value: 1: cannot be greater than status.readyReplicas',
    ],
    [
      { 'status.collisionCount': 1 },
      'status.collisionCount: Invalid value: 1: cannot be less than 2',
      { 'status.collisionCount': 2 },
    ],
  ],
}
