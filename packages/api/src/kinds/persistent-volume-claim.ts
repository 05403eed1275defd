// PersistentVolumeClaim: a wish for a disk, and the disk it got.

import { draftOf, type Draft } from '@aksel/base/draft'
import { tryParseQuantity, compareQuantities } from '@aksel/base/quantity'
import { deepEqual } from '../deep-equal.ts'
import { forbidden, invalid, notSupported, type FieldError } from '../field-errors.ts'
import type { KindRules } from '../kind-row.ts'
import { ageOf } from '../times.ts'
import type { PersistentVolumeClaim, PersistentVolumeClaimSpec } from '../types/core-v1.ts'
import { validateClaimSpec } from '../validation/claim-spec.ts'
import { unchanged } from '../validation/values.ts'
import { ageColumn, column, nameColumn, wide } from './columns.ts'
import { claimWarnings } from '../warnings/claims.ts'

/** `RWO,ROX` */
export function accessModesText(modes: readonly string[] | undefined): string {
  const short: Readonly<Record<string, string>> = {
    ReadWriteOnce: 'RWO',
    ReadOnlyMany: 'ROX',
    ReadWriteMany: 'RWX',
    ReadWriteOncePod: 'RWOP',
  }
  return [...new Set(modes ?? [])].map((mode) => short[mode] ?? mode).join(',')
}

export function setClaimDefaults(claim: { spec?: Draft<PersistentVolumeClaimSpec> | undefined }): void {
  if (claim.spec !== undefined) claim.spec.volumeMode ??= 'Filesystem'
}

const frozenSpec =
  'spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims'

/** Once made, a claim may be bound, may grow and may change its attributes, and that is all. */
function validateUpdate(next: PersistentVolumeClaim, old: PersistentVolumeClaim): readonly FieldError[] {
  const errors: FieldError[] = [...validateClaimSpec(next.spec)]
  if (!deepEqual(frozenPart(next.spec, old), frozenPart(old.spec, old))) errors.push(forbidden('spec', frozenSpec))
  errors.push(...validateSize(next, old), ...unchanged(next.spec.volumeMode, old.spec.volumeMode, 'spec.volumeMode'))
  const [now, before] = [next.spec.volumeAttributesClassName, old.spec.volumeAttributesClassName]
  if (before !== undefined && now === undefined) {
    errors.push(forbidden('spec.volumeAttributesClassName', 'update from non-nil value to nil is forbidden'))
  }
  return errors
}

function frozenPart(spec: PersistentVolumeClaimSpec, old: PersistentVolumeClaim): unknown {
  const { resources, volumeAttributesClassName, volumeName, storageClassName, ...others } = spec
  const { requests, ...otherResources } = resources ?? {}
  const isBound = old.status?.phase === 'Bound'
  return {
    ...others,
    otherResources,
    requests: isBound ? { ...requests, storage: undefined } : requests,
    volumeAttributesClassName: isBound ? undefined : volumeAttributesClassName,
    volumeName: (old.spec.volumeName ?? '') === '' ? undefined : volumeName,
    storageClassName: old.spec.storageClassName === undefined ? undefined : storageClassName,
  }
}

/** A bound claim whose growth failed may ask for less again, but for more than it has. */
function validateSize(next: PersistentVolumeClaim, old: PersistentVolumeClaim): readonly FieldError[] {
  const size = (claim: PersistentVolumeClaim) => tryParseQuantity(claim.spec.resources?.requests?.['storage'] ?? '')
  const [now, before] = [size(next), size(old)]
  if (old.status?.phase !== 'Bound' || now === undefined || before === undefined || compareQuantities(now, before) >= 0)
    return []
  const has = tryParseQuantity(old.status.capacity?.['storage'] ?? '')
  if (has !== undefined && compareQuantities(now, has) > 0) return []
  return [forbidden('spec.resources.requests.storage', 'field can not be less than status.capacity')]
}

const resizeStates = [
  'ControllerResizeInProgress',
  'ControllerResizeInfeasible',
  'NodeResizeInProgress',
  'NodeResizeInfeasible',
  'NodeResizePending',
]

function validateStatus({ status = {} }: PersistentVolumeClaim): readonly FieldError[] {
  const errors: FieldError[] = []
  for (const field of ['capacity', 'allocatedResources'] as const) {
    for (const [name, quantity] of Object.entries(status[field] ?? {})) {
      const amount = tryParseQuantity(quantity)
      if (amount === undefined || amount.nano < 0n)
        errors.push(invalid(`status.${field}[${name}]`, quantity, 'must be a valid resource quantity'))
    }
  }
  for (const [name, state] of Object.entries(status.allocatedResourceStatuses ?? {})) {
    const at = `status.allocatedResourceStatus[${name}]`
    if (name !== 'storage' && !name.includes('/')) errors.push(notSupported(at, name, ['storage']))
    if (!resizeStates.includes(state)) errors.push(notSupported(at, state, resizeStates))
  }
  return errors
}

/** The older field and the newer one say the same. */
function alignDataSources(spec: Draft<PersistentVolumeClaimSpec>): void {
  const { dataSource, dataSourceRef } = spec
  if (dataSource !== undefined && dataSourceRef === undefined) spec.dataSourceRef = { ...dataSource }
  else if (dataSource === undefined && dataSourceRef !== undefined && dataSourceRef.namespace === undefined) {
    const { namespace: _namespace, ...source } = dataSourceRef
    spec.dataSource = source
  }
}

export const persistentVolumeClaimRules: KindRules<PersistentVolumeClaim> = {
  group: '',
  version: 'v1',
  kind: 'PersistentVolumeClaim',
  default: setClaimDefaults,
  prepareForCreate(claim) {
    claim.status = { phase: 'Pending' }
    alignDataSources(claim.spec)
  },
  prepareForUpdate: (next) => alignDataSources(next.spec),
  warnings: claimWarnings,
  validateCreate: ({ spec }) => validateClaimSpec(spec),
  validateUpdate,
  subresourceUpdates: {
    status: {
      prepareForUpdate(next, old) {
        next.spec = draftOf(old.spec) as Draft<PersistentVolumeClaim>['spec']
      },
      validateUpdate: validateStatus,
    },
  },
  columns: [
    nameColumn,
    column('Status', 'Phase of the claim'),
    column('Volume', 'The volume it is bound to'),
    column('Capacity', 'Size of the volume'),
    column('Access Modes', 'How the volume may be mounted'),
    column('StorageClass', 'Class of the volume'),
    column('VolumeAttributesClass', 'Attributes class of the volume'),
    ageColumn,
    wide('VolumeMode', 'Block or Filesystem'),
  ],
  cells: ({ metadata, spec, status = {} }, nowMs) => [
    metadata.name,
    metadata.deletionTimestamp === undefined ? (status.phase ?? '') : 'Terminating',
    spec.volumeName ?? '',
    (spec.volumeName ?? '') === '' ? '' : String(status.capacity?.['storage'] ?? ''),
    (spec.volumeName ?? '') === '' ? '' : accessModesText(status.accessModes),
    spec.storageClassName ?? '',
    spec.volumeAttributesClassName ?? '<unset>',
    ageOf(metadata.creationTimestamp, nowMs),
    spec.volumeMode ?? '<unset>',
  ],
}
