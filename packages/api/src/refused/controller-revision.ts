// What a ControllerRevision may not say or change, each by an example with upstream's words.

import type { RefusedExamples } from './examples.ts'
import { nonNegative } from './words.ts'

export const controllerRevisionExamples: RefusedExamples = {
  kind: 'ControllerRevision',
  valid: { metadata: { name: 'a' }, revision: 1, data: {} },
  create: [
    [{ data: undefined }, 'data: Required value: data is mandatory'],
    [{ revision: -1 }, `revision: Invalid value: -1: ${nonNegative}`],
  ],
  update: [[{ data: { a: 1 } }, 'data: Invalid value: {"a":1}: field is immutable']],
}
