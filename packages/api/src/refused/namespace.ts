// What a Namespace may not say or change, each by an example with upstream's words.

import type { RefusedExamples } from './examples.ts'
import { label } from './words.ts'

export const namespaceExamples: RefusedExamples = {
  kind: 'Namespace',
  valid: { metadata: { name: 'a' } },
  create: [
    [{ 'metadata.name': 'a.b' }, `metadata.name: Invalid value: "a.b": ${label}`],
    [
      { 'metadata.labels': { 'kubernetes.io/metadata.name': 'x' } },
      'metadata.labels[kubernetes.io/metadata.name]: Invalid value: "x": field is immutable',
    ],
  ],
  update: [],
}
