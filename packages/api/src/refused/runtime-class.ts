// What a RuntimeClass may not say or change, each by an example with upstream's words.

import type { RefusedExamples } from './examples.ts'
import { label, labelValue, nonNegative } from './words.ts'

export const runtimeClassExamples: RefusedExamples = {
  kind: 'RuntimeClass',
  valid: { metadata: { name: 'a' }, handler: 'runc' },
  create: [
    [{ handler: '' }, 'handler: Required value'],
    [{ handler: 'A' }, `handler: Invalid value: "A": ${label}`],
    [{ 'overhead.podFixed': { cpu: '-1' } }, `overhead.podFixed[cpu]: Invalid value: "-1": ${nonNegative}`],
    [{ 'scheduling.nodeSelector': { a: 'b c' } }, `scheduling.nodeSelector: Invalid value: "b c": ${labelValue}`],
  ],
  update: [[{ handler: 'runsc' }, 'handler: Invalid value: "runsc": field is immutable']],
}
