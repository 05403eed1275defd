// What a ResourceQuota may not say or change, each by an example with upstream's words.

import type { RefusedExamples } from './examples.ts'
import { nonNegative } from './words.ts'

export const resourceQuotaExamples: RefusedExamples = {
  kind: 'ResourceQuota',
  valid: { metadata: { name: 'a' }, spec: { hard: { pods: '5' } } },
  create: [
    [{ 'spec.hard.pods': '-1' }, `spec.hard[pods]: Invalid value: "-1": ${nonNegative}`],
    [
      { 'spec.scopes': ['BestEffort', 'NotBestEffort'] },
      'spec.scopes: Invalid value: ["BestEffort","NotBestEffort"]: conflicting scopes',
    ],
    [
      { 'spec.hard': { apples: '1' } },
      'spec.hard[apples]: Invalid value: "apples": must be a standard resource for quota',
    ],
    [{ 'spec.hard': { pods: '500m' } }, 'spec.hard[pods]: Invalid value: "500m": must be an integer'],
    [{ 'spec.scopes': ['Everything'] }, 'spec.scopes: Invalid value: ["Everything"]: unsupported scope'],
    [
      { 'spec.hard': { services: '1' }, 'spec.scopes': ['Terminating'] },
      'spec: Invalid value: ["Terminating"]: unsupported scope applied to resource',
    ],
    [
      {
        'spec.scopeSelector': { matchExpressions: [{ scopeName: 'PriorityClass', operator: 'In' }] },
      },
      "spec.scopeSelector.matchExpressions[0].values: Required value: must be at least one value when `operator` is 'In' or 'NotIn' for scope selector",
    ],
    [
      {
        'spec.scopeSelector': { matchExpressions: [{ scopeName: 'Mine', operator: 'Near' }] },
      },
      [
        'spec.scopeSelector.matchExpressions[0].scopeName: Invalid value: "Mine": unsupported scope',
        'spec.scopeSelector.matchExpressions[0].operator: Unsupported value: "Near": supported values: "DoesNotExist", "Exists", "In", "NotIn"',
      ],
    ],
  ],
  update: [[{ 'spec.scopes': ['BestEffort'] }, 'spec.scopes: Invalid value: ["BestEffort"]: field is immutable']],
  status: [
    [{ 'status.used': { pods: '-1' } }, `status.used[pods]: Invalid value: "-1": ${nonNegative}`],
    [
      { 'status.hard': { apples: '1' } },
      'status.hard[apples]: Invalid value: "apples": must be a standard resource for quota',
    ],
  ],
}
