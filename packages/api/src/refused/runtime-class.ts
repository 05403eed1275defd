// What a RuntimeClass may not say or change, each by an example with upstream's words.

import type { RefusedExamples } from './examples.ts'

export const runtimeClassExamples: RefusedExamples = {
  kind: 'RuntimeClass',
  valid: { metadata: { name: 'a' }, handler: 'runc' },
  create: [[{ handler: '' }, 'handler: Required value']],
  update: [[{ handler: 'runsc' }, 'handler: Invalid value: "runsc": field is immutable']],
}
