// What a ServiceAccount may not say or change, each by an example with upstream's words.

import type { RefusedExamples } from './examples.ts'

export const serviceAccountExamples: RefusedExamples = {
  kind: 'ServiceAccount',
  valid: { metadata: { name: 'a' } },
  create: [
    [
      { 'metadata.ownerReferences': [{ apiVersion: 'v1', kind: 'Pod', name: 'p' }] },
      'metadata.ownerReferences[0].uid: Invalid value: "": must not be empty',
    ],
    [
      { 'metadata.finalizers': ['mine'] },
      'metadata.finalizers[0]: Invalid value: "mine": name is neither a standard finalizer name nor is it fully qualified',
    ],
  ],
  update: [],
}
