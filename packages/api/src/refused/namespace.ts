// What a Namespace may not say or change, each by an example with upstream's words.

import type { RefusedExamples } from './examples.ts'
import { label, namePart } from './words.ts'

export const namespaceExamples: RefusedExamples = {
  kind: 'Namespace',
  valid: { metadata: { name: 'a' } },
  create: [
    [{ 'metadata.name': 'a.b' }, `metadata.name: Invalid value: "a.b": ${label}`],
    [
      { 'metadata.labels': { 'kubernetes.io/metadata.name': 'x' } },
      'metadata.labels[kubernetes.io/metadata.name]: Invalid value: "x": field is immutable',
    ],
    [
      { 'spec.finalizers': ['mine'] },
      'spec.finalizers[0]: Invalid value: "mine": name is neither a standard finalizer name nor is it fully qualified',
    ],
  ],
  update: [
    [
      { 'metadata.labels': { 'kubernetes.io/metadata.name': 'x' } },
      'metadata.labels[kubernetes.io/metadata.name]: Invalid value: "x": field is immutable',
    ],
  ],
  status: [
    [
      { 'status.phase': 'Terminating' },
      'status.Phase: Invalid value: "Terminating": may only be \'Active\' if `deletionTimestamp` is empty',
    ],
  ],
  through: {
    finalize: [
      [
        { 'spec.finalizers': ['mine'] },
        'spec.finalizers[0]: Invalid value: "mine": name is neither a standard finalizer name nor is it fully qualified',
      ],
      [
        { 'spec.finalizers': ['a b'] },
        [
          `spec.finalizers[0]: Invalid value: "a b": ${namePart}`,
          'spec.finalizers[0]: Invalid value: "a b": name is neither a standard finalizer name nor is it fully qualified',
        ],
      ],
    ],
  },
}
