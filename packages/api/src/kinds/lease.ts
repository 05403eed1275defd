// Lease: who leads or lives, and until when.

import { required, type FieldError } from '../field-errors.ts'
import type { KindRules } from '../kind-row.ts'
import { ageOf } from '../times.ts'
import type { Lease } from '../types/coordination-v1.ts'
import { nonNegative, positive } from '../validation/values.ts'
import { ageColumn, column, nameColumn } from './columns.ts'

function validateSpec({ spec }: Lease): readonly FieldError[] {
  const errors: FieldError[] = [
    ...positive(spec.leaseDurationSeconds, 'spec.leaseDurationSeconds'),
    ...nonNegative(spec.leaseTransitions, 'spec.leaseTransitions'),
  ]
  return spec.holderIdentity === '' ? [...errors, required('spec.holderIdentity', 'must not be empty')] : errors
}

export const leaseRules: KindRules<Lease> = {
  group: 'coordination.k8s.io',
  version: 'v1',
  kind: 'Lease',
  allowCreateOnUpdate: true,
  allowUnconditionalUpdate: false,
  validateCreate: validateSpec,
  columns: [nameColumn, column('Holder', 'Identity of the holder.'), ageColumn],
  cells: (lease, nowMs) => [
    lease.metadata.name,
    lease.spec?.holderIdentity ?? '',
    ageOf(lease.metadata.creationTimestamp, nowMs),
  ],
}
