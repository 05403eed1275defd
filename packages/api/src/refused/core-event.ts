// What a Event. may not say or change, each by an example with upstream's words.

import type { RefusedExamples } from './examples.ts'

export const coreEventExamples: RefusedExamples = {
  kind: 'Event.',
  valid: {
    metadata: { name: 'a' },
    involvedObject: { kind: 'Pod', namespace: 'default', name: 'p' },
    reason: 'R',
    message: 'm',
  },
  create: [
    [
      { 'involvedObject.namespace': 'other' },
      'involvedObject.namespace: Invalid value: "other": does not match event.namespace',
    ],
  ],
  update: [
    [
      { 'involvedObject.namespace': 'other' },
      'involvedObject.namespace: Invalid value: "other": does not match event.namespace',
    ],
  ],
}
