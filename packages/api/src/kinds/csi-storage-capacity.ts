// CSIStorageCapacity: how much a driver could still provision for one storage class in one part of the cluster.

import { parseQuantity } from '@aksel/base/quantity'
import { invalid, required, type FieldError } from '../field-errors.ts'
import type { KindRules } from '../kind-row.ts'
import type { CSIStorageCapacity } from '../types/storage-v1.ts'
import { dnsSubdomain } from '../validation/names.ts'
import { validateSelector } from '../validation/selectors.ts'
import { complain, unchanged } from '../validation/values.ts'
import { column, nameColumn } from './columns.ts'
import { nodeLabelWarning } from '../warnings/node-labels.ts'

function validate(capacity: CSIStorageCapacity): readonly FieldError[] {
  const { nodeTopology, storageClassName: name } = capacity
  const errors: FieldError[] = [...validateSelector(nodeTopology, 'nodeTopology')]
  if (name === '') errors.push(required('storageClassName'))
  else errors.push(...complain('storageClassName', name, dnsSubdomain(name)))
  for (const field of ['capacity', 'maximumVolumeSize'] as const) {
    const value = capacity[field]
    if (value !== undefined && parseQuantity(value).nano < 0n)
      errors.push(invalid(field, String(value), 'must be greater than or equal to 0'))
  }
  return errors
}

export const csiStorageCapacityRules: KindRules<CSIStorageCapacity> = {
  group: 'storage.k8s.io',
  version: 'v1',
  kind: 'CSIStorageCapacity',
  validateCreate: validate,
  warnings: ({ nodeTopology }) => [
    ...(nodeTopology?.matchExpressions ?? []).flatMap(({ key }, index) => {
      const old = nodeLabelWarning(key)
      return old === undefined ? [] : [`nodeTopology.matchExpressions[${index}].key: ${key} is ${old}`]
    }),
    ...Object.keys(nodeTopology?.matchLabels ?? {}).flatMap((key) => {
      const old = nodeLabelWarning(key)
      return old === undefined ? [] : [`nodeTopology.matchLabels.${key}: ${old}`]
    }),
  ],
  validateUpdate: (next, old) => [
    ...validate(next),
    ...unchanged(next.nodeTopology, old.nodeTopology, 'nodeTopology'),
    ...unchanged(next.storageClassName, old.storageClassName, 'storageClassName'),
  ],
  columns: [
    nameColumn,
    column('StorageClassName', 'The class that it counts for.'),
    column('Capacity', 'What is left.'),
  ],
  cells: ({ metadata, storageClassName, capacity }) => [metadata.name, storageClassName, String(capacity ?? '')],
}
