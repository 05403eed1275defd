// PriorityClass: which pods go before others.

import { forbidden, type FieldError } from '../field-errors.ts'
import type { KindRules } from '../kind-row.ts'
import { ageOf } from '../times.ts'
import type { PriorityClass } from '../types/scheduling-v1.ts'
import { oneOf, unchanged } from '../validation/values.ts'
import { ageColumn, column, nameColumn } from './columns.ts'

const userMax = 1_000_000_000
/** The classes that upstream itself makes, and their values. */
const systemClasses: Readonly<Record<string, number>> = {
  'system-cluster-critical': 2_000_000_000,
  'system-node-critical': 2_000_001_000,
}

function validate({ metadata, value, globalDefault, preemptionPolicy }: PriorityClass): readonly FieldError[] {
  const errors: FieldError[] = []
  if (metadata.name?.startsWith('system-')) {
    const expected = systemClasses[metadata.name]
    if (expected === undefined || expected !== value || globalDefault === true) {
      errors.push(
        forbidden(
          'metadata.name',
          "priority class names with 'system-' prefix are reserved for system use only. error: only system-node-critical, system-cluster-critical are allowed",
        ),
      )
    }
  } else if (value > userMax)
    errors.push(forbidden('value', `maximum allowed value of a user defined priority is ${userMax}`))
  return [...errors, ...oneOf(preemptionPolicy, ['Never', 'PreemptLowerPriority'], 'preemptionPolicy')]
}

export const priorityClassRules: KindRules<PriorityClass> = {
  group: 'scheduling.k8s.io',
  version: 'v1',
  kind: 'PriorityClass',
  generationFields: ['value', 'globalDefault', 'description', 'preemptionPolicy'],
  default(priorityClass) {
    priorityClass.preemptionPolicy ??= 'PreemptLowerPriority'
  },
  validateCreate: validate,
  validateUpdate(next, old) {
    const errors: FieldError[] = []
    if (next.value !== old.value) errors.push(forbidden('value', 'may not be changed in an update.'))
    return [...errors, ...unchanged(next.preemptionPolicy, old.preemptionPolicy, 'preemptionPolicy')]
  },
  columns: [
    nameColumn,
    column('Value', 'Higher goes first.', 'integer'),
    column('Global-Default', 'Whether pods without a class get this one.', 'boolean'),
    ageColumn,
    column('PreemptionPolicy', 'Whether others are made to leave.'),
  ],
  cells: ({ metadata, value, globalDefault, preemptionPolicy }, nowMs) => [
    metadata.name,
    value,
    globalDefault === true,
    ageOf(metadata.creationTimestamp, nowMs),
    preemptionPolicy ?? '',
  ],
}
