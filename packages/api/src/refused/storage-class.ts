// What a StorageClass may not say or change, each by an example with upstream's words.

import type { RefusedExamples } from './examples.ts'

export const storageClassExamples: RefusedExamples = {
  kind: 'StorageClass',
  valid: { metadata: { name: 'a' }, provisioner: 'disk.aksel.dev', parameters: { a: 'b' } },
  create: [
    [{ provisioner: '' }, 'provisioner: Required value'],
    [
      { volumeBindingMode: 'Later' },
      'volumeBindingMode: Unsupported value: "Later": supported values: "Immediate", "WaitForFirstConsumer"',
    ],
  ],
  update: [
    [{ provisioner: 'other' }, 'provisioner: Forbidden: updates to provisioner are forbidden.'],
    [{ 'parameters.a': 'c' }, 'parameters: Forbidden: updates to parameters are forbidden.'],
    [{ reclaimPolicy: 'Retain' }, 'reclaimPolicy: Forbidden: updates to reclaimPolicy are forbidden.'],
    [
      { volumeBindingMode: 'WaitForFirstConsumer' },
      'volumeBindingMode: Invalid value: "WaitForFirstConsumer": field is immutable',
    ],
  ],
}
