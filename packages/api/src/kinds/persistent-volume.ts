// PersistentVolume: a disk as the cluster knows it.

import type { Draft } from '@aksel/base/draft'
import { tryParseQuantity } from '@aksel/base/quantity'
import { deepEqual } from '../deep-equal.ts'
import { forbidden, invalid, notSupported, required, type FieldError } from '../field-errors.ts'
import type { KindRules, WriteContext } from '../kind-row.ts'
import { ageOf } from '../times.ts'
import type { PersistentVolume } from '../types/core-v1.ts'
import { validateDriverName } from '../validation/device-names.ts'
import { sourceOrder, validatePlainSource } from '../validation/volume-sources.ts'
import { validateAccessModes } from '../validation/claim-spec.ts'
import { validateNodeSelector } from '../validation/pod-scheduling.ts'
import { oneOf, unchanged } from '../validation/values.ts'
import { ageColumn, column, nameColumn, wide } from './columns.ts'
import { accessModesText } from './persistent-volume-claim.ts'
import { volumeWarnings } from '../warnings/claims.ts'

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
  errors.push(...validateAccessModes(spec.accessModes ?? [], 'spec.accessModes'))
  const capacity = spec.capacity ?? {}
  if (Object.keys(capacity).length === 0) errors.push(required('spec.capacity'))
  else if (capacity['storage'] === undefined || Object.keys(capacity).length > 1) {
    errors.push(notSupported('spec.capacity', capacity, ['storage']))
  }
  for (const [name, quantity] of Object.entries(capacity)) {
    const isPositive = (tryParseQuantity(quantity)?.nano ?? 0n) > 0n
    if (!isPositive) errors.push(invalid(`spec.capacity[${name}]`, String(quantity), 'must be greater than zero'))
  }
  return [
    ...errors,
    ...oneOf(spec.persistentVolumeReclaimPolicy, ['Delete', 'Recycle', 'Retain'], 'spec.persistentVolumeReclaimPolicy'),
    ...validateSource(volume),
    ...validateAffinity(spec.nodeAffinity),
    ...oneOf(spec.volumeMode, ['Block', 'Filesystem'], 'spec.volumeMode'),
  ]
}

function validateSource(volume: PersistentVolume): readonly FieldError[] {
  const { spec } = volume
  const given = Object.keys(sourcesOf(volume))
  const [first, ...others] = sourceOrder.filter((name) => given.includes(name))
  if (first === undefined) return [required('spec', 'must specify a volume type')]
  const errors: FieldError[] = [...validateFirst(first, spec)]
  for (const extra of others) errors.push(forbidden(`spec.${extra}`, 'may not specify more than 1 volume type'))
  if (spec.hostPath?.path === '/' && spec.persistentVolumeReclaimPolicy === 'Recycle')
    errors.push(forbidden('spec.persistentVolumeReclaimPolicy', "may not be 'recycle' for a hostPath mount of '/'"))
  return errors
}

function validateFirst(name: string, spec: PersistentVolume['spec']): readonly FieldError[] {
  if (name === 'csi') return validateCsi(spec.csi!)
  const errors = validatePlainSource(name, spec as Parameters<typeof validatePlainSource>[1], `spec.${name}`)
  if (name !== 'local' || spec.nodeAffinity !== undefined) return errors
  return [...errors, required('spec.nodeAffinity', 'Local volume requires node affinity')]
}

const secretRefs = [
  'controllerPublishSecretRef',
  'controllerExpandSecretRef',
  'nodePublishSecretRef',
  'nodeExpandSecretRef',
] as const

function validateCsi(csi: NonNullable<PersistentVolume['spec']['csi']>): readonly FieldError[] {
  const errors: FieldError[] = [...validateDriverName(csi.driver, 'spec.csi.driver')]
  if (csi.volumeHandle === '') errors.push(required('spec.csi.volumeHandle'))
  for (const field of secretRefs) {
    const ref = csi[field]
    if (ref === undefined) continue
    for (const part of ['name', 'namespace'] as const)
      if ((ref[part] ?? '') === '') errors.push(required(`spec.csi.${field}.${part}`))
  }
  return errors
}

function validateAffinity(affinity: PersistentVolume['spec']['nodeAffinity']): readonly FieldError[] {
  if (affinity === undefined) return []
  if (affinity.required === undefined) {
    return [required('spec.nodeAffinity.required', 'must specify required node constraints')]
  }
  return validateNodeSelector(affinity.required, 'spec.nodeAffinity.required')
}

function validateUpdate(
  next: PersistentVolume,
  old: PersistentVolume,
  { release }: WriteContext,
): readonly FieldError[] {
  const errors: FieldError[] = [...validate(next)]
  if (!deepEqual(sourcesOf(next), sourcesOf(old))) {
    errors.push(forbidden('spec.persistentvolumesource', 'spec.persistentvolumesource is immutable after creation'))
  }
  errors.push(...unchanged(next.spec.volumeMode, old.spec.volumeMode, 'spec.volumeMode'))
  if (old.spec.nodeAffinity === undefined || release.gates('MutablePVNodeAffinity')) return errors
  return [...errors, ...unchanged(next.spec.nodeAffinity, old.spec.nodeAffinity, 'spec.nodeAffinity')]
}

export const persistentVolumeRules: KindRules<PersistentVolume> = {
  group: '',
  version: 'v1',
  kind: 'PersistentVolume',
  default: setDefaults,
  prepareForCreate: (volume) => void (volume.status = { phase: 'Pending' }),
  validateCreate: validate,
  warnings: volumeWarnings,
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
