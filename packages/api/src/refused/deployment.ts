// What a Deployment may not say or change, each by an example with upstream's words.

import type { RefusedExamples } from './examples.ts'
import { labelValue, nonNegative, percent } from './words.ts'

export const deploymentExamples: RefusedExamples = {
  kind: 'Deployment',
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
    [{ 'spec.selector': undefined }, 'spec.selector: Required value'],
    [{ 'spec.selector': {} }, 'spec.selector: Invalid value: {}: empty selector is invalid for deployment'],
    [
      { 'spec.selector.matchLabels.app': 'other' },
      'spec.template.metadata.labels: Invalid value: {"app":"web"}: `selector` does not match template `labels`',
    ],
    [{ 'spec.replicas': -1 }, `spec.replicas: Invalid value: -1: ${nonNegative}`],
    [
      { 'spec.template.spec.restartPolicy': 'Never' },
      'spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"',
    ],
    [{ 'spec.template.spec.containers.0.image': '' }, 'spec.template.spec.containers[0].image: Required value'],
    [
      { 'spec.strategy': { type: 'Sometimes' } },
      'spec.strategy.type: Unsupported value: "Sometimes": supported values: "Recreate", "RollingUpdate"',
    ],
    [
      { 'spec.strategy': { type: 'Recreate', rollingUpdate: {} } },
      "spec.strategy.rollingUpdate: Forbidden: may not be specified when strategy `type` is 'Recreate'",
    ],
    [
      { 'spec.strategy': { rollingUpdate: { maxSurge: 0, maxUnavailable: 0 } } },
      'spec.strategy.rollingUpdate.maxUnavailable: Invalid value: 0: may not be 0 when `maxSurge` is 0',
    ],
    [
      { 'spec.strategy': { rollingUpdate: { maxUnavailable: '101%' } } },
      'spec.strategy.rollingUpdate.maxUnavailable: Invalid value: "101%": must not be greater than 100%',
    ],
    [
      { 'spec.strategy': { rollingUpdate: { maxSurge: 'many' } } },
      `spec.strategy.rollingUpdate.maxSurge: Invalid value: "many": ${percent}`,
    ],
    [
      { 'spec.minReadySeconds': 700 },
      'spec.progressDeadlineSeconds: Invalid value: 600: must be greater than minReadySeconds',
    ],
    [{ 'spec.minReadySeconds': -1 }, `spec.minReadySeconds: Invalid value: -1: ${nonNegative}`],
    [{ 'spec.revisionHistoryLimit': -1 }, `spec.revisionHistoryLimit: Invalid value: -1: ${nonNegative}`],
    [
      { 'spec.progressDeadlineSeconds': -1 },
      [
        `spec.progressDeadlineSeconds: Invalid value: -1: ${nonNegative}`,
        'spec.progressDeadlineSeconds: Invalid value: -1: must be greater than minReadySeconds',
      ],
    ],
    [
      { 'spec.template.spec.activeDeadlineSeconds': 5 },
      'spec.template.spec.activeDeadlineSeconds: Forbidden: activeDeadlineSeconds in ReplicaSet is not Supported',
    ],
    [
      { 'spec.template.metadata.labels': { app: 'b c' } },
      [
        'spec.template.metadata.labels: Invalid value: {"app":"b c"}: `selector` does not match template `labels`',
        `spec.template.labels: Invalid value: "b c": ${labelValue}`,
      ],
    ],
    [
      { 'spec.template.spec.ephemeralContainers': [{ name: 'e', image: 'x' }] },
      'spec.template.spec.ephemeralContainers: Forbidden: ephemeral containers not allowed in pod template',
    ],
  ],
  update: [
    [
      { 'spec.selector.matchLabels': { app: 'web', tier: 'x' } },
      [
        'spec.template.metadata.labels: Invalid value: {"app":"web"}: `selector` does not match template `labels`',
        'spec.selector: Invalid value: {"matchLabels":{"app":"web","tier":"x"}}: field is immutable',
      ],
    ],
  ],
  status: [
    [{ 'status.readyReplicas': 2 }, 'status.readyReplicas: Invalid value: 2: cannot be greater than status.replicas'],
    [
      { 'status.availableReplicas': 1, 'status.replicas': 1 },
      'status.availableReplicas: Invalid value: 1: cannot be greater than readyReplicas',
    ],
    [
      { 'status.replicas': -1 },
      [
        `status.replicas: Invalid value: -1: ${nonNegative}`,
        'status.updatedReplicas: Invalid value: 0: cannot be greater than status.replicas',
        'status.readyReplicas: Invalid value: 0: cannot be greater than status.replicas',
        'status.availableReplicas: Invalid value: 0: cannot be greater than status.replicas',
      ],
    ],
    [
      { 'status.collisionCount': 1 },
      'status.collisionCount: Invalid value: 1: cannot be less than 2',
      { 'status.collisionCount': 2 },
    ],
  ],
}
