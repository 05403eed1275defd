// What a PriorityLevelConfiguration may not say or change, each by an example with upstream's words.

import type { RefusedExamples } from './examples.ts'

const queuing = { queues: 64, handSize: 6, queueLengthLimit: 50 }
const response = 'spec.limited.limitResponse'

export const priorityLevelConfigurationExamples: RefusedExamples = {
  kind: 'PriorityLevelConfiguration',
  valid: { metadata: { name: 'a' }, spec: { type: 'Limited', limited: { limitResponse: { type: 'Queue', queuing } } } },
  create: [
    [
      { 'spec.type': 'Exempt', 'spec.limited': undefined },
      "spec.type: Invalid value: \"Exempt\": type must be 'Exempt' if and only if `name` is 'exempt'",
    ],
    [{ 'spec.type': 'Free' }, 'spec.type: Unsupported value: "Free": supported values: "Exempt", "Limited"'],
    [{ 'spec.limited': undefined }, 'spec.limited: Required value: must not be empty when type is Limited'],
    [{ 'spec.exempt': {} }, 'spec.exempt: Forbidden: must be nil if the type is Limited'],
    [
      { 'spec.limited.nominalConcurrencyShares': -1 },
      'spec.limited.nominalConcurrencyShares: Invalid value: -1: must be a non-negative integer',
    ],
    [
      { 'spec.limited.lendablePercent': 101 },
      'spec.limited.lendablePercent: Invalid value: 101: must be between 0 and 100, inclusive',
    ],
    [
      { 'spec.limited.borrowingLimitPercent': -1 },
      'spec.limited.borrowingLimitPercent: Invalid value: -1: if specified, must be a non-negative integer',
    ],
    [
      { [response]: { type: 'Reject', queuing } },
      'spec.limited.limitResponse.queuing: Forbidden: must be nil if limited.limitResponse.type is not Limited',
    ],
    [
      { [response]: { type: 'Queue' } },
      'spec.limited.limitResponse.queuing: Required value: must not be empty if limited.limitResponse.type is Limited',
    ],
    [
      { [response]: { type: 'Wait' } },
      'spec.limited.limitResponse.type: Unsupported value: "Wait": supported values: "Queue", "Reject"',
    ],
    [
      { [`${response}.queuing.queueLengthLimit`]: -1 },
      'spec.limited.limitResponse.queuing.queueLengthLimit: Invalid value: -1: must be positive',
    ],
    [
      { [`${response}.queuing.handSize`]: 65 },
      'spec.limited.limitResponse.queuing.handSize: Invalid value: 65: should not be greater than queues (64)',
    ],
    [
      { [`${response}.queuing.handSize`]: 11 },
      'spec.limited.limitResponse.queuing.handSize: Invalid value: 11: required entropy bits of deckSize 64 and handSize 11 should not be greater than 60',
    ],
    [
      { [`${response}.queuing.queues`]: 10_000_001, [`${response}.queuing.handSize`]: 2 },
      'spec.limited.limitResponse.queuing.queues: Invalid value: 10000001: must not be greater than 10000000',
    ],
    [
      {
        metadata: { name: 'catch-all' },
        'spec.limited': { limitResponse: { type: 'Reject' }, nominalConcurrencyShares: 9 },
      },
      'spec: Invalid value: {"type":"Limited","limited":{"nominalConcurrencyShares":9,"limitResponse":{"type":"Reject"},"lendablePercent":0}}: spec of \'catch-all\' must equal the fixed value',
    ],
  ],
  update: [
    [
      { 'spec.limited.lendablePercent': 200 },
      'spec.limited.lendablePercent: Invalid value: 200: must be between 0 and 100, inclusive',
    ],
  ],
  status: [
    [{ 'status.conditions': [{ status: 'True' }] }, 'status.conditions[0].type: Required value: must not be empty'],
  ],
}
