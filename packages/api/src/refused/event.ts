// What a Event.events may not say or change, each by an example with upstream's words.

import type { RefusedExamples } from './examples.ts'

export const eventExamples: RefusedExamples = {
  kind: 'Event.events',
  valid: {
    metadata: { name: 'a' },
    eventTime: '2026-01-01T00:00:00.000000Z',
    regarding: { namespace: 'default' },
    reason: 'R',
    action: 'A',
    reportingController: 'c',
    reportingInstance: 'i',
    type: 'Normal',
  },
  create: [[{ reason: undefined }, 'reason: Required value']],
  update: [],
}
