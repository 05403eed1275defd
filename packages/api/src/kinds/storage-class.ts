// StorageClass: a sort of disk that claims can ask for.

import type { Draft } from '@aksel/base/draft'
import { deepEqual } from '../deep-equal.ts'
import { forbidden, invalid, required, tooLong, type FieldError } from '../field-errors.ts'
import type { KindRules } from '../kind-row.ts'
import { ageOf } from '../times.ts'
import type { StorageClass } from '../types/storage-v1.ts'
import { byteLength } from '../validation/metadata.ts'
import { qualifiedName } from '../validation/names.ts'
import { complain, oneOf, unchanged } from '../validation/values.ts'
import { ageColumn, column, nameColumn } from './columns.ts'

const DEFAULT_ANNOTATIONS = [
  'storageclass.kubernetes.io/is-default-class',
  'storageclass.beta.kubernetes.io/is-default-class',
]

export function isDefaultClass({ metadata }: StorageClass): boolean {
  return DEFAULT_ANNOTATIONS.some((name) => metadata.annotations?.[name] === 'true')
}

function setDefaults(storageClass: Draft<StorageClass>): void {
  storageClass.reclaimPolicy ??= 'Delete'
  storageClass.volumeBindingMode ??= 'Immediate'
}

const PARAMETERS_MAX = 512
const PARAMETERS_BYTES_MAX = 256 * 1024

function validate(storageClass: StorageClass): readonly FieldError[] {
  const { provisioner, parameters = {} } = storageClass
  const errors: FieldError[] = []
  if (provisioner === '') errors.push(required('provisioner'))
  else errors.push(...complain('provisioner', provisioner, qualifiedName(provisioner.toLowerCase())))
  const entries = Object.entries(parameters)
  if (entries.length > PARAMETERS_MAX) errors.push(tooLong('parameters', PARAMETERS_MAX))
  if (entries.some(([key]) => key === '')) errors.push(invalid('parameters', '', 'field can not be empty.'))
  const bytes = entries.reduce((sum, [key, value]) => sum + byteLength(key) + byteLength(value), 0)
  if (bytes > PARAMETERS_BYTES_MAX) errors.push(tooLong('parameters', PARAMETERS_BYTES_MAX))
  return [
    ...errors,
    ...oneOf(storageClass.reclaimPolicy, ['Delete', 'Retain'], 'reclaimPolicy'),
    ...oneOf(storageClass.volumeBindingMode, ['Immediate', 'WaitForFirstConsumer'], 'volumeBindingMode'),
  ]
}

function validateUpdate(next: StorageClass, old: StorageClass): readonly FieldError[] {
  const errors: FieldError[] = [...validate(next)]
  for (const field of ['parameters', 'provisioner', 'reclaimPolicy'] as const) {
    if (!deepEqual(next[field], old[field])) errors.push(forbidden(field, `updates to ${field} are forbidden.`))
  }
  return [...errors, ...unchanged(next.volumeBindingMode, old.volumeBindingMode, 'volumeBindingMode')]
}

export const storageClassRules: KindRules<StorageClass> = {
  group: 'storage.k8s.io',
  version: 'v1',
  kind: 'StorageClass',
  default: setDefaults,
  validateCreate: validate,
  validateUpdate,
  columns: [
    nameColumn,
    column('Provisioner', 'Who makes its volumes'),
    column('ReclaimPolicy', 'What happens to a volume whose claim goes'),
    column('VolumeBindingMode', 'When volumes are made'),
    column('AllowVolumeExpansion', 'Whether claims may grow', 'boolean'),
    ageColumn,
  ],
  cells: (storageClass, nowMs) => [
    isDefaultClass(storageClass) ? `${storageClass.metadata.name} (default)` : storageClass.metadata.name,
    storageClass.provisioner,
    storageClass.reclaimPolicy ?? 'Delete',
    storageClass.volumeBindingMode ?? 'Immediate',
    storageClass.allowVolumeExpansion ?? false,
    ageOf(storageClass.metadata.creationTimestamp, nowMs),
  ],
}
