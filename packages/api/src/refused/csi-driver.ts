// What a CSIDriver may not say or change, each by an example with upstream's words.

import type { RefusedExamples } from './examples.ts'

export const csiDriverExamples: RefusedExamples = {
  kind: 'CSIDriver',
  valid: { metadata: { name: 'disk.aksel.dev' }, spec: {} },
  create: [],
  update: [[{ 'spec.attachRequired': false }, 'spec.attachedRequired: Invalid value: false: field is immutable']],
}
