// What a DaemonSet may not say or change, each by an example with upstream's words.

import type { RefusedExamples } from './examples.ts'
import { nonNegative } from './words.ts'

export const daemonSetExamples: RefusedExamples = {
  kind: 'DaemonSet',
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
    [{ 'spec.selector': {} }, 'spec.selector: Invalid value: {}: empty selector is invalid for daemonset'],
    [
      { 'spec.updateStrategy': { rollingUpdate: { maxUnavailable: 0 } } },
      'spec.updateStrategy.rollingUpdate.maxUnavailable: Required value: cannot be 0 when maxSurge is 0',
    ],
    [
      { 'spec.updateStrategy': { rollingUpdate: { maxUnavailable: 1, maxSurge: 1 } } },
      'spec.updateStrategy.rollingUpdate.maxSurge: Invalid value: 1: may not be set when maxUnavailable is non-zero',
    ],
    [
      { 'spec.updateStrategy': { type: 'Sometimes' } },
      'spec.updateStrategy.type: Unsupported value: "Sometimes": supported values: "RollingUpdate", "OnDelete"',
    ],
    [{ 'spec.minReadySeconds': -1 }, `spec.minReadySeconds: Invalid value: -1: ${nonNegative}`],
    [{ 'spec.revisionHistoryLimit': -1 }, `spec.revisionHistoryLimit: Invalid value: -1: ${nonNegative}`],
    [
      { 'spec.template.spec.activeDeadlineSeconds': 5 },
      'spec.template.spec.activeDeadlineSeconds: Forbidden: activeDeadlineSeconds in DaemonSet is not Supported',
    ],
    [
      { 'spec.template.spec.restartPolicy': 'OnFailure' },
      'spec.template.spec.restartPolicy: Unsupported value: "OnFailure": supported values: "Always"',
    ],
    [
      { 'spec.updateStrategy': { rollingUpdate: { maxUnavailable: '200%' } } },
      'spec.updateStrategy.rollingUpdate.maxUnavailable: Invalid value: "200%": must not be greater than 100%',
    ],
  ],
  update: [
    [
      { 'spec.selector.matchLabels': { app: 'x' }, 'spec.template.metadata.labels': { app: 'x' } },
      'spec.selector: Invalid value: {"matchLabels":{"app":"x"}}: field is immutable',
    ],
  ],
  status: [
    [{ 'status.numberReady': -1 }, `status.numberReady: Invalid value: -1: ${nonNegative}`],
    [{ 'status.desiredNumberScheduled': -1 }, `status.desiredNumberScheduled: Invalid value: -1: ${nonNegative}`],
  ],
}
