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
  create: [
    [{ reason: undefined }, 'reason: Required value'],
    [{ type: 'Strange' }, 'type: Invalid value: "": has invalid value: Strange'],
    [
      {
        note: 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx',
      },
      'note: Invalid value: "": can have at most 1024 characters',
    ],
    [{ 'regarding.namespace': 'other' }, 'regarding.namespace: Invalid value: "other": does not match event.namespace'],
  ],
  update: [
    [{ reason: 'Other' }, 'reason: Invalid value: "Other": field is immutable'],
    [{ action: 'Other' }, 'action: Invalid value: "Other": field is immutable'],
    [
      { 'regarding.name': 'q' },
      'involvedObject: Invalid value: {"namespace":"default","name":"q"}: field is immutable',
    ],
    [{ reportingController: 'd' }, 'reportingController: Invalid value: "d": field is immutable'],
    [{ type: 'Warning' }, 'type: Invalid value: "Warning": field is immutable'],
  ],
}
