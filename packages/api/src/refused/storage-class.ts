// What a StorageClass may not say or change, each by an example with upstream's words.

import type { RefusedExamples } from './examples.ts'
import { namePart } from './words.ts'

export const storageClassExamples: RefusedExamples = {
  kind: 'StorageClass',
  valid: { metadata: { name: 'a' }, provisioner: 'disk.aksel.dev', parameters: { a: 'b' } },
  create: [
    [{ provisioner: '' }, 'provisioner: Required value'],
    [
      { volumeBindingMode: 'Later' },
      'volumeBindingMode: Unsupported value: "Later": supported values: "Immediate", "WaitForFirstConsumer"',
    ],
    [{ provisioner: 'a b' }, `provisioner: Invalid value: "a b": ${namePart}`],
    [{ reclaimPolicy: 'Keep' }, 'reclaimPolicy: Unsupported value: "Keep": supported values: "Delete", "Retain"'],
    [{ parameters: { '': 'a' } }, 'parameters: Invalid value: "": field can not be empty.'],
    [
      {
        allowedTopologies: [{ matchLabelExpressions: [{ key: 'a b', values: [] }] }],
      },
      [
        'allowedTopologies[0].matchLabelExpressions[0].values: Required value',
        `allowedTopologies[0].matchLabelExpressions[0].key: Invalid value: "a b": ${namePart}`,
      ],
    ],
    [
      {
        allowedTopologies: [
          {
            matchLabelExpressions: [{ key: 'zone', values: ['a', 'a'] }],
          },
        ],
      },
      'allowedTopologies[0].matchLabelExpressions[0].values[1]: Duplicate value: "a"',
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
