// What a claim of a disk may ask for: claims themselves, templates of stateful sets, and volumes that come with a pod.

import { tryParseQuantity } from '@aksel/base/quantity'
import { deepEqual } from '../deep-equal.ts'
import { forbidden, invalid, required, type FieldError } from '../field-errors.ts'
import type { PersistentVolumeClaimSpec } from '../types/core-v1.ts'
import { dnsSubdomain } from './names.ts'
import { validateSelector } from './selectors.ts'
import { complain, oneOf } from './values.ts'

export const accessModes = ['ReadOnlyMany', 'ReadWriteMany', 'ReadWriteOnce', 'ReadWriteOncePod']

export function validateAccessModes(modes: readonly string[], path: string): readonly FieldError[] {
  const errors: FieldError[] = modes.flatMap((mode) => oneOf(mode, accessModes, path))
  return modes.includes('ReadWriteOncePod') && modes.length > 1
    ? [...errors, forbidden(path, 'may not use ReadWriteOncePod with other access modes')]
    : errors
}

export function validateClaimSpec(spec: PersistentVolumeClaimSpec, at = 'spec'): readonly FieldError[] {
  const errors: FieldError[] = []
  const modes = spec.accessModes ?? []
  if (modes.length === 0) errors.push(required(`${at}.accessModes`, 'at least 1 access mode is required'))
  errors.push(...validateSelector(spec.selector, `${at}.selector`), ...validateAccessModes(modes, `${at}.accessModes`))
  const storage = spec.resources?.requests?.['storage']
  if (storage === undefined) errors.push(required(`${at}.resources[storage]`))
  else {
    const size = tryParseQuantity(storage)
    if (size === undefined || size.nano <= 0n)
      errors.push(invalid(`${at}.resources[storage]`, String(storage), 'must be greater than zero'))
  }
  const className = spec.storageClassName ?? ''
  if (className !== '') errors.push(...complain(`${at}.storageClassName`, className, dnsSubdomain(className)))
  errors.push(...oneOf(spec.volumeMode, ['Block', 'Filesystem'], `${at}.volumeMode`), ...validateSources(spec, at))
  const attributes = spec.volumeAttributesClassName ?? ''
  if (attributes !== '')
    errors.push(...complain(`${at}.volumeAttributesClassName`, attributes, dnsSubdomain(attributes)))
  return errors
}

function validateSources({ dataSource, dataSourceRef }: PersistentVolumeClaimSpec, at: string): readonly FieldError[] {
  const errors: FieldError[] = []
  for (const [field, source] of [
    ['dataSource', dataSource],
    ['dataSourceRef', dataSourceRef],
  ] as const) {
    if (source === undefined) continue
    const path = `${at}.${field}`
    if (source.name === '') errors.push(required(`${path}.name`))
    if (source.kind === '') errors.push(required(`${path}.kind`))
    const group = source.apiGroup ?? ''
    if (group === '' && source.kind !== 'PersistentVolumeClaim')
      errors.push(invalid(path, source.kind, "must be 'PersistentVolumeClaim' when referencing the default apiGroup"))
    if (group !== '') errors.push(...complain(`${path}.apiGroup`, group, dnsSubdomain(group)))
  }
  if (dataSource === undefined || dataSourceRef === undefined) return errors
  const { namespace: _other, ...plain } = dataSourceRef
  return dataSourceRef.namespace === undefined && !deepEqual(dataSource, plain)
    ? [...errors, invalid(at, 'dataSource', 'must match dataSourceRef')]
    : errors
}
