// StorageClass: a sort of disk that claims can ask for.

import type { Draft } from '@aksel/base/draft'
import { required, type FieldError } from '../field-errors.ts'
import type { KindRules } from '../kind-row.ts'
import { ageOf } from '../times.ts'
import type { StorageClass } from '../types/storage-v1.ts'
import { oneOf, unchanged } from '../validation/values.ts'
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

function validate(storageClass: StorageClass): readonly FieldError[] {
  return [
    ...(storageClass.provisioner === '' ? [required('provisioner')] : []),
    ...oneOf(storageClass.reclaimPolicy, ['Delete', 'Retain'], 'reclaimPolicy'),
    ...oneOf(storageClass.volumeBindingMode, ['Immediate', 'WaitForFirstConsumer'], 'volumeBindingMode'),
  ]
}

export const storageClassRules: KindRules<StorageClass> = {
  group: 'storage.k8s.io',
  version: 'v1',
  kind: 'StorageClass',
  default: setDefaults,
  validateCreate: validate,
  validateUpdate: (next, old) => [
    ...validate(next),
    ...unchanged(next.provisioner, old.provisioner, 'provisioner'),
    ...unchanged(next.reclaimPolicy, old.reclaimPolicy, 'reclaimPolicy'),
    ...unchanged(next.volumeBindingMode, old.volumeBindingMode, 'volumeBindingMode'),
    ...unchanged(next.parameters, old.parameters, 'parameters'),
  ],
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
