// What a PodDisruptionBudget may not say or change, each by an example with upstream's words.

import type { RefusedExamples } from './examples.ts'
import { labelValue, nonNegative, percent } from './words.ts'

export const podDisruptionBudgetExamples: RefusedExamples = {
  kind: 'PodDisruptionBudget',
  valid: { metadata: { name: 'a' }, spec: { minAvailable: 1, selector: {} } },
  create: [
    [
      { 'spec.maxUnavailable': 1 },
      'spec: Invalid value: {"minAvailable":1,"selector":{},"maxUnavailable":1}: minAvailable and maxUnavailable cannot be both set',
    ],
    [{ 'spec.minAvailable': -1 }, `spec.minAvailable: Invalid value: -1: ${nonNegative}`],
    [{ 'spec.minAvailable': '101%' }, 'spec.minAvailable: Invalid value: "101%": must not be greater than 100%'],
    [{ 'spec.minAvailable': 'many' }, `spec.minAvailable: Invalid value: "many": ${percent}`],
    [
      { 'spec.unhealthyPodEvictionPolicy': 'Never' },
      'spec.unhealthyPodEvictionPolicy: Unsupported value: "Never": supported values: "AlwaysAllow", "IfHealthyBudget"',
    ],
    [
      { 'spec.selector': { matchLabels: { a: 'b c' } } },
      `spec.selector.matchLabels: Invalid value: "b c": ${labelValue}`,
    ],
  ],
  update: [[{ 'spec.minAvailable': -1 }, `spec.minAvailable: Invalid value: -1: ${nonNegative}`]],
  status: [
    [{ 'status.disruptionsAllowed': -1 }, `status.disruptionsAllowed: Invalid value: -1: ${nonNegative}`],
    [{ 'status.currentHealthy': -1 }, `status.currentHealthy: Invalid value: -1: ${nonNegative}`],
  ],
}
