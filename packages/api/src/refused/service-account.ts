// What a ServiceAccount may not say or change, each by an example with upstream's words.

import type { RefusedExamples } from './examples.ts'
import { labelValue, subdomain } from './words.ts'

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
    [{ 'metadata.name': 'A' }, `metadata.name: Invalid value: "A": ${subdomain}`],
  ],
  update: [
    [{ 'metadata.labels': { a: 'b c' } }, `metadata.labels: Invalid value: "b c": ${labelValue}`],
    [
      {
        'metadata.ownerReferences': [
          { apiVersion: 'v1', kind: 'Pod', name: 'a', uid: 'u', controller: true },
          { apiVersion: 'v1', kind: 'Pod', name: 'b', uid: 'w', controller: true },
        ],
      },
      'metadata.ownerReferences: Invalid value: [{"apiVersion":"v1","kind":"Pod","name":"a","uid":"u","controller":true},{"apiVersion":"v1","kind":"Pod","name":"b","uid":"w","controller":true}]: Only one reference can have Controller set to true. Found "true" in references for a and b',
    ],
  ],
}
