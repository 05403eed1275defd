// PersistentVolume: a disk as the cluster knows it.

import type { Draft } from '@aksel/base/draft'
import { tryParseQuantity } from '@aksel/base/quantity'
import { deepEqual } from '../deep-equal.ts'
import { forbidden, invalid, required, type FieldError } from '../field-errors.ts'
import type { KindRules } from '../kind-row.ts'
import { ageOf } from '../times.ts'
import type { PersistentVolume } from '../types/core-v1.ts'
import { oneOf } from '../validation/values.ts'
import { ageColumn, column, nameColumn, wide } from './columns.ts'
import { accessModes, accessModesText } from './persistent-volume-claim.ts'

function setDefaults({ spec }: Draft<PersistentVolume>): void {
  spec.persistentVolumeReclaimPolicy ??= 'Retain'
  spec.volumeMode ??= 'Filesystem'
  if (spec.hostPath !== undefined) spec.hostPath.type ??= ''
}

const ordinaryFields = new Set([
  'accessModes',
  'capacity',
  'claimRef',
  'mountOptions',
  'nodeAffinity',
  'persistentVolumeReclaimPolicy',
  'storageClassName',
  'volumeAttributesClassName',
  'volumeMode',
])

function sourcesOf({ spec }: PersistentVolume): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(spec).filter(([field]) => !ordinaryFields.has(field)))
}

function validate(volume: PersistentVolume): readonly FieldError[] {
  const { spec } = volume
  const errors: FieldError[] = []
  if ((spec.accessModes ?? []).length === 0) errors.push(required('spec.accessModes'))
  for (const mode of spec.accessModes ?? []) errors.push(...oneOf(mode, accessModes, 'spec.accessModes'))
  const storage = spec.capacity?.['storage']
  if (storage === undefined) errors.push(required('spec.capacity'))
  else if ((tryParseQuantity(storage)?.nano ?? 0n) <= 0n)
    errors.push(invalid('spec.capacity[storage]', String(storage), 'must be greater than zero'))
  const sources = Object.keys(sourcesOf(volume))
  if (sources.length === 0) errors.push(required('spec', 'must specify a volume type'))
  for (const extra of sources.slice(1))
    errors.push(forbidden(`spec.${extra}`, 'may not specify more than 1 volume type'))
  return [
    ...errors,
    ...oneOf(spec.persistentVolumeReclaimPolicy, ['Delete', 'Recycle', 'Retain'], 'spec.persistentVolumeReclaimPolicy'),
    ...oneOf(spec.volumeMode, ['Block', 'Filesystem'], 'spec.volumeMode'),
  ]
}

function validateUpdate(next: PersistentVolume, old: PersistentVolume): readonly FieldError[] {
  const same = deepEqual(sourcesOf(next), sourcesOf(old))
  return same
    ? validate(next)
    : [
        ...validate(next),
        forbidden('spec.persistentvolumesource', 'spec.persistentvolumesource is immutable after creation'),
      ]
}

export const persistentVolumeRules: KindRules<PersistentVolume> = {
  group: '',
  version: 'v1',
  kind: 'PersistentVolume',
  default: setDefaults,
  prepareForCreate: (volume) => void (volume.status = { phase: 'Pending' }),
  validateCreate: validate,
  validateUpdate,
  columns: [
    nameColumn,
    column('Capacity', 'Size'),
    column('Access Modes', 'How it may be mounted'),
    column('Reclaim Policy', 'What happens to it when its claim goes'),
    column('Status', 'Phase'),
    column('Claim', 'The claim it is bound to'),
    column('StorageClass', 'Class'),
    column('VolumeAttributesClass', 'Attributes class'),
    column('Reason', 'Why it is in this phase'),
    ageColumn,
    wide('VolumeMode', 'Block or Filesystem'),
  ],
  cells: ({ metadata, spec, status = {} }, nowMs) => [
    metadata.name,
    String(spec.capacity?.['storage'] ?? ''),
    accessModesText(spec.accessModes),
    spec.persistentVolumeReclaimPolicy ?? '',
    metadata.deletionTimestamp === undefined ? (status.phase ?? '') : 'Terminating',
    spec.claimRef === undefined ? '' : `${spec.claimRef.namespace ?? ''}/${spec.claimRef.name ?? ''}`,
    spec.storageClassName ?? '',
    spec.volumeAttributesClassName ?? '<unset>',
    status.reason ?? '',
    ageOf(metadata.creationTimestamp, nowMs),
    spec.volumeMode ?? '<unset>',
  ],
}
