// VolumeAttributesClass: a sort of service (speed, size of bursts) that a bound volume may be moved to.

import { deepEqual } from '../deep-equal.ts'
import { forbidden, type FieldError } from '../field-errors.ts'
import type { KindRules } from '../kind-row.ts'
import { ageOf } from '../times.ts'
import type { VolumeAttributesClass } from '../types/storage-v1.ts'
import { isDefaultClass, validateParameters, validateProvisioner } from './storage-class.ts'
import { ageColumn, column, nameColumn } from './columns.ts'

function validate({ driverName, parameters }: VolumeAttributesClass): readonly FieldError[] {
  return [...validateProvisioner(driverName, 'driverName'), ...validateParameters(parameters, false)]
}

export const volumeAttributesClassRules: KindRules<VolumeAttributesClass> = {
  group: 'storage.k8s.io',
  version: 'v1',
  kind: 'VolumeAttributesClass',
  validateCreate: validate,
  validateUpdate(next, old) {
    const errors: FieldError[] = []
    if (next.driverName !== old.driverName) errors.push(forbidden('driverName', 'updates to driverName are forbidden.'))
    if (!deepEqual(next.parameters ?? {}, old.parameters ?? {}))
      errors.push(forbidden('parameters', 'updates to parameters are forbidden.'))
    return errors
  },
  columns: [nameColumn, column('DriverName', 'The driver that knows its parameters.'), ageColumn],
  cells: ({ metadata, driverName }, nowMs) => [
    isDefaultClass({ metadata }) ? `${metadata.name} (default)` : metadata.name,
    driverName,
    ageOf(metadata.creationTimestamp, nowMs),
  ],
}
