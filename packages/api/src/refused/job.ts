// What a Job may not say or change, each by an example with upstream's words.

import type { RefusedExamples } from './examples.ts'
import { nonNegative } from './words.ts'

export const jobExamples: RefusedExamples = {
  kind: 'Job',
  valid: {
    metadata: { name: 'web' },
    spec: {
      template: {
        metadata: { labels: { app: 'web' } },
        spec: { containers: [{ name: 'main', image: 'web:1' }], restartPolicy: 'Never' },
      },
    },
  },
  create: [
    [
      { 'spec.template.spec.restartPolicy': 'Always' },
      'spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"',
    ],
    [
      { 'spec.completionMode': 'Indexed', 'spec.parallelism': 2 },
      'spec.completions: Required value: when completion mode is Indexed',
    ],
    [{ 'spec.backoffLimit': -1 }, `spec.backoffLimit: Invalid value: -1: ${nonNegative}`],
    [
      { 'spec.backoffLimitPerIndex': 1 },
      'spec.backoffLimitPerIndex: Invalid value: 1: requires indexed completion mode',
    ],
    [{ 'spec.parallelism': -1 }, `spec.parallelism: Invalid value: -1: ${nonNegative}`],
    [{ 'spec.completions': -1 }, `spec.completions: Invalid value: -1: ${nonNegative}`],
    [{ 'spec.ttlSecondsAfterFinished': -1 }, `spec.ttlSecondsAfterFinished: Invalid value: -1: ${nonNegative}`],
    [
      { 'spec.completionMode': 'Any' },
      'spec.completionMode: Unsupported value: "Any": supported values: "Indexed", "NonIndexed"',
    ],
    [
      { 'spec.managedBy': 'me' },
      'spec.managedBy: Invalid value: "me": must be a domain-prefixed path (such as "acme.io/foo")',
    ],
    [
      { 'spec.maxFailedIndexes': 1, 'spec.completionMode': 'Indexed', 'spec.completions': 2 },
      'spec.backoffLimitPerIndex: Required value: when maxFailedIndexes is specified',
    ],
    [
      { 'spec.podReplacementPolicy': 'Never' },
      'spec.podReplacementPolicy: Unsupported value: "Never": supported values: "Failed", "TerminatingOrFailed"',
    ],
    [
      { 'spec.successPolicy': { rules: [] } },
      'spec.successPolicy: Invalid value: {"rules":[]}: requires indexed completion mode',
    ],
    [
      { 'spec.completionMode': 'Indexed', 'spec.completions': 3, 'spec.successPolicy': { rules: [] } },
      'spec.successPolicy.rules: Required value: at least one rules must be specified when the successPolicy is specified',
    ],
    [
      { 'spec.completionMode': 'Indexed', 'spec.completions': 3, 'spec.successPolicy': { rules: [{}] } },
      'spec.successPolicy.rules[0]: Required value: at least one of succeededCount or succeededIndexes must be specified',
    ],
    [
      {
        'spec.completionMode': 'Indexed',
        'spec.completions': 3,
        'spec.successPolicy': { rules: [{ succeededIndexes: '0-5' }] },
      },
      'spec.successPolicy.rules[0].succeededIndexes: Invalid value: "0-5": error parsing succeededIndexes: too large index: "5"',
    ],
    [
      {
        'spec.completionMode': 'Indexed',
        'spec.completions': 3,
        'spec.successPolicy': { rules: [{ succeededCount: 4 }] },
      },
      'spec.successPolicy.rules[0].succeededCount: Invalid value: 4: must be less than or equal to 3 (the number of specified completions)',
    ],
    [
      {
        'spec.podFailurePolicy': {
          rules: [{ action: 'Wait', onExitCodes: { operator: 'In', values: [1] } }],
        },
      },
      'spec.podFailurePolicy.rules[0].action: Unsupported value: "Wait": supported values: "Count", "FailIndex", "FailJob", "Ignore"',
    ],
    [
      {
        'spec.podFailurePolicy': { rules: [{ action: 'Ignore' }] },
      },
      'spec.podFailurePolicy.rules[0]: Invalid value: {"action":"Ignore"}: specifying one of OnExitCodes and OnPodConditions is required',
    ],
    [
      {
        'spec.podFailurePolicy': {
          rules: [{ action: 'Ignore', onExitCodes: { operator: 'In', values: [0, 1] } }],
        },
      },
      'spec.podFailurePolicy.rules[0].onExitCodes.values[0]: Invalid value: 0: must not be 0 for the In operator',
    ],
    [
      {
        'spec.podFailurePolicy': {
          rules: [{ action: 'FailIndex', onExitCodes: { operator: 'In', values: [1] } }],
        },
      },
      'spec.podFailurePolicy.rules[0].action: Invalid value: "FailIndex": requires the backoffLimitPerIndex to be set',
    ],
    [
      {
        'spec.podFailurePolicy': {
          rules: [{ action: 'Ignore', onExitCodes: { operator: 'In', values: [2, 1] } }],
        },
      },
      'spec.podFailurePolicy.rules[0].onExitCodes.values: Invalid value: [2,1]: must be ordered',
    ],
  ],
  update: [
    [{ 'spec.completions': 7 }, 'spec.completions: Invalid value: 7: field is immutable'],
    [
      { 'spec.selector': { matchLabels: { a: 'b' } } },
      [
        'spec.template.metadata.labels: Invalid value: {"app":"web","batch.kubernetes.io/controller-uid":"11111111-2222-4333-8444-555555555555","controller-uid":"11111111-2222-4333-8444-555555555555","batch.kubernetes.io/job-name":"web","job-name":"web"}: `selector` does not match template `labels`',
        'spec.selector: Invalid value: {"matchLabels":{"a":"b"}}: field is immutable',
      ],
    ],
    [{ 'spec.completionMode': 'Indexed' }, 'spec.completionMode: Invalid value: "Indexed": field is immutable'],
  ],
  status: [
    [{ 'status.active': -1 }, `status.active: Invalid value: -1: ${nonNegative}`],
    [
      {
        'status.conditions': [
          { type: 'Complete', status: 'True' },
          { type: 'Failed', status: 'True' },
        ],
      },
      'status.conditions: Invalid value: [{"type":"Complete","status":"True"},{"type":"Failed","status":"True"}]: cannot set Complete=True and Failed=true conditions',
    ],
    [
      { 'status.completionTime': '2026-01-01T00:00:00Z' },
      'status.completionTime: Invalid value: "2026-01-01T00:00:00Z": cannot set completionTime when there is no Complete=True condition',
    ],
  ],
}
