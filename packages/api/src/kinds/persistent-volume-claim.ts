// PersistentVolumeClaim: a wish for a disk, and the disk it got.

import type { Draft } from '@aksel/base/draft'
import { tryParseQuantity, compareQuantities } from '@aksel/base/quantity'
import { deepEqual } from '../deep-equal.ts'
import { forbidden, invalid, required, type FieldError } from '../field-errors.ts'
import type { KindRules } from '../kind-row.ts'
import { ageOf } from '../times.ts'
import type { PersistentVolumeClaim, PersistentVolumeClaimSpec } from '../types/core-v1.ts'
import { oneOf } from '../validation/values.ts'
import { validateSelector } from '../validation/selectors.ts'
import { ageColumn, column, nameColumn, wide } from './columns.ts'

export const accessModes = ['ReadOnlyMany', 'ReadWriteMany', 'ReadWriteOnce', 'ReadWriteOncePod']

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

export function validateClaimSpec(spec: PersistentVolumeClaimSpec, at = 'spec'): readonly FieldError[] {
  const errors: FieldError[] = []
  const modes = spec.accessModes ?? []
  if (modes.length === 0) errors.push(required(`${at}.accessModes`, 'at least 1 access mode is required'))
  modes.forEach((mode) => errors.push(...oneOf(mode, accessModes, `${at}.accessModes`)))
  if (modes.includes('ReadWriteOncePod') && modes.length > 1) {
    errors.push(forbidden(`${at}.accessModes`, 'may not use ReadWriteOncePod with other access modes'))
  }
  errors.push(...validateSelector(spec.selector, `${at}.selector`))
  const storage = spec.resources?.requests?.['storage']
  if (storage === undefined) errors.push(required(`${at}.resources[storage]`))
  else {
    const size = tryParseQuantity(storage)
    if (size === undefined || size.nano <= 0n)
      errors.push(invalid(`${at}.resources[storage]`, String(storage), 'must be greater than zero'))
  }
  return [...errors, ...oneOf(spec.volumeMode, ['Block', 'Filesystem'], `${at}.volumeMode`)]
}

/** Once made, a claim may be bound and may grow, and that is all. */
function validateUpdate(next: PersistentVolumeClaim, old: PersistentVolumeClaim): readonly FieldError[] {
  const errors: FieldError[] = [...validateClaimSpec(next.spec)]
  const frozen = ({ spec }: PersistentVolumeClaim): object => ({
    ...spec,
    resources: undefined,
    volumeAttributesClassName: undefined,
    volumeName: (old.spec.volumeName ?? '') === '' ? undefined : spec.volumeName,
    storageClassName: old.spec.storageClassName === undefined ? undefined : spec.storageClassName,
  })
  if (!deepEqual(frozen(next), frozen(old))) {
    errors.push(
      forbidden(
        'spec',
        'spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims',
      ),
    )
    return errors
  }
  const [before, after] = [old.spec.resources?.requests?.['storage'], next.spec.resources?.requests?.['storage']]
  if (before === undefined || after === undefined || before === after) return errors
  const [small, large] = [tryParseQuantity(before), tryParseQuantity(after)]
  if (small !== undefined && large !== undefined && compareQuantities(large, small) < 0) {
    errors.push(forbidden('spec.resources.requests.storage', 'field can not be less than status.capacity'))
  } else if (old.status?.phase !== 'Bound') {
    errors.push(
      forbidden(
        'spec',
        'spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims',
      ),
    )
  }
  return errors
}

export const persistentVolumeClaimRules: KindRules<PersistentVolumeClaim> = {
  group: '',
  version: 'v1',
  kind: 'PersistentVolumeClaim',
  default: setClaimDefaults,
  prepareForCreate: (claim) => void (claim.status = { phase: 'Pending' }),
  validateCreate: ({ spec }) => validateClaimSpec(spec),
  validateUpdate,
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
