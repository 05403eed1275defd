// The options of a write, from its query: dry run, field manager, field validation, force. Checked as upstream checks them.

import {
  forbidden,
  invalid,
  invalidError,
  notSupported,
  required,
  tooLong,
  type FieldError,
} from '@aksel/api/field-errors'
import { isTrue } from '../request-info.ts'

export const fieldValidations = ['Ignore', 'Warn', 'Strict'] as const
export type FieldValidation = (typeof fieldValidations)[number]

export interface WriteOptions {
  readonly dryRun: boolean
  /** '' where the caller names none. */
  readonly fieldManager: string
  readonly fieldValidation: FieldValidation
  /** Of an apply: take over what others own. */
  readonly force: boolean
}

export type WriteOptionsKind = 'CreateOptions' | 'UpdateOptions' | 'PatchOptions' | 'DeleteOptions'

const FIELD_MANAGER_MAX_BYTES = 128

/** Throws Invalid `PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch`. */
export function writeOptionsOf(kind: WriteOptionsKind, query: URLSearchParams, isApply = false): WriteOptions {
  const fieldManager = query.get('fieldManager') ?? ''
  const validation = query.get('fieldValidation') ?? ''
  const dryRun = query.getAll('dryRun')
  const force = query.get('force')
  const errors: FieldError[] = []
  if (kind === 'PatchOptions') errors.push(...patchErrors(isApply, fieldManager, force))
  errors.push(...fieldManagerErrors(fieldManager), ...dryRunErrors(dryRun))
  if (validation !== '' && !(fieldValidations as readonly string[]).includes(validation))
    errors.push(notSupported('fieldValidation', validation, ['', 'Ignore', 'Strict', 'Warn']))
  if (errors.length > 0) throw optionsError(kind, errors)
  return {
    dryRun: dryRun.length > 0,
    fieldManager,
    fieldValidation: validation === '' ? 'Warn' : (validation as FieldValidation),
    force: isTrue(force),
  }
}

export function optionsError(kind: WriteOptionsKind, errors: readonly FieldError[]): Error {
  return invalidError({ group: 'meta.k8s.io', kind, name: '' }, errors)
}

function patchErrors(isApply: boolean, fieldManager: string, force: string | null): readonly FieldError[] {
  if (isApply) return fieldManager === '' ? [required('fieldManager', 'is required for apply patch')] : []
  return force === null ? [] : [forbidden('force', 'may not be specified for non-apply patch')]
}

export function dryRunErrors(dryRun: readonly unknown[]): readonly FieldError[] {
  return dryRun.every((one) => one === 'All') ? [] : [notSupported('dryRun', dryRun, ['All'])]
}

function fieldManagerErrors(name: string): readonly FieldError[] {
  const errors: FieldError[] = []
  if (Buffer.byteLength(name) > FIELD_MANAGER_MAX_BYTES) errors.push(tooLong('fieldManager', FIELD_MANAGER_MAX_BYTES))
  let position = 0
  for (const sign of name) {
    if (!isPrintable(sign)) {
      const code = sign.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0')
      errors.push(invalid('fieldManager', name, `invalid character U+${code} (at position ${position})`))
    }
    position += Buffer.byteLength(sign)
  }
  return errors
}

/** Go's IsPrint: letters, marks, numbers, punctuation, symbols, and the plain space. */
function isPrintable(sign: string): boolean {
  return sign === ' ' || /^[\p{L}\p{M}\p{N}\p{P}\p{S}]$/u.test(sign)
}

/** Who a write is by: the manager that the caller names, or the first part of its user agent. */
export function fieldManagerOf(named: string, userAgent: string | undefined): string {
  if (named !== '') return named
  let manager = ''
  let bytes = 0
  for (const sign of (userAgent ?? '').split('/')[0]!) {
    if (!isPrintable(sign)) continue
    bytes += Buffer.byteLength(sign)
    if (bytes > FIELD_MANAGER_MAX_BYTES) break
    manager += sign
  }
  return manager
}
