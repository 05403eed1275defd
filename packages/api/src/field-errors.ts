// Validation errors as upstream words them: each names a field, and together they become one `Invalid` status.

import { ApiError, type Cause } from '@aksel/base/errors'
import { stringifyJson } from '@aksel/base/json'

export type FieldErrorReason =
  | 'FieldValueNotFound'
  | 'FieldValueRequired'
  | 'FieldValueDuplicate'
  | 'FieldValueInvalid'
  | 'FieldValueNotSupported'
  | 'FieldValueForbidden'
  | 'FieldValueTooLong'
  | 'FieldValueTooMany'
  | 'FieldValueTypeInvalid'
  | 'InternalError'

/** Where upstream names an empty path: the object as a whole. */
export const wholeObject = '[]'

export interface FieldError {
  readonly reason: FieldErrorReason
  /** `spec.containers[0].image` */
  readonly field: string
  /** Everything after the field: `Required value`, `Invalid value: "x": must be …`. */
  readonly message: string
}

export function required(field: string, detail = ''): FieldError {
  return { reason: 'FieldValueRequired', field, message: withDetail('Required value', detail) }
}

export function invalid(field: string, value: unknown, detail: string): FieldError {
  return { reason: 'FieldValueInvalid', field, message: withDetail(`Invalid value: ${showValue(value)}`, detail) }
}

export function typeInvalid(field: string, value: unknown, detail: string): FieldError {
  return { reason: 'FieldValueTypeInvalid', field, message: withDetail(`Invalid value: ${showValue(value)}`, detail) }
}

/** `supported` is listed in the order given, as upstream sorts its sets beforehand. */
export function notSupported(field: string, value: unknown, supported: readonly string[]): FieldError {
  const detail = `supported values: ${supported.map((one) => JSON.stringify(one)).join(', ')}`
  return { reason: 'FieldValueNotSupported', field, message: `Unsupported value: ${showValue(value)}: ${detail}` }
}

export function duplicate(field: string, value: unknown): FieldError {
  return { reason: 'FieldValueDuplicate', field, message: `Duplicate value: ${showValue(value)}` }
}

export function forbidden(field: string, detail: string): FieldError {
  return { reason: 'FieldValueForbidden', field, message: withDetail('Forbidden', detail) }
}

export function notFound(field: string, value: unknown): FieldError {
  return { reason: 'FieldValueNotFound', field, message: `Not found: ${showValue(value)}` }
}

/** `max` in bytes. */
export function tooLong(field: string, max: number): FieldError {
  const detail = max >= 0 ? `may not be more than ${max} bytes` : 'value is too long'
  return { reason: 'FieldValueTooLong', field, message: `Too long: ${detail}` }
}

export function tooMany(field: string, actual: number, max: number): FieldError {
  const plural = max === 1 ? 'item' : 'items'
  return { reason: 'FieldValueTooMany', field, message: `Too many: ${actual}: must have at most ${max} ${plural}` }
}

export interface InvalidSubject {
  /** '' for the core group. */
  readonly group: string
  readonly kind: string
  readonly name: string
}

/** A body of one MiB can hold a hundred thousand faults, whose list would be fifty times as long: nobody reads on after this many. */
const CAUSES_MAX = 1_000

/** There are as many as anybody is told, and one more: whoever looks for faults need not look further. */
export function isFull(errors: readonly FieldError[]): boolean {
  return errors.length > CAUSES_MAX
}

/** The faults of all entries, or of the first ones that have as many as anybody is told. */
export function faultsOfEach<T>(
  items: readonly T[],
  faultsOf: (item: T, index: number) => readonly FieldError[],
): FieldError[] {
  const errors: FieldError[] = []
  for (let index = 0; index < items.length && !isFull(errors); index += 1)
    errors.push(...faultsOf(items[index]!, index))
  return errors
}

/** `Deployment.apps "web" is invalid: spec.replicas: Invalid value: -1: …`; several errors stand in brackets. */
export function invalidError(subject: InvalidSubject, errors: readonly FieldError[]): ApiError {
  const kind = subject.group === '' ? subject.kind : `${subject.kind}.${subject.group}`
  const seen = new Set<string>()
  const causes: Cause[] = []
  for (const error of errors) {
    const line = `${error.field}: ${error.message}`
    if (seen.has(line)) continue
    if (causes.length === CAUSES_MAX) break
    seen.add(line)
    causes.push({ reason: error.reason, message: error.message, field: error.field })
  }
  const lines = [...seen, ...(isFull(errors) ? ['and more'] : [])]
  const text = lines.length === 1 ? lines[0]! : `[${lines.join(', ')}]`
  return new ApiError('Invalid', `${kind} "${subject.name}" is invalid: ${text}`, {
    details: {
      ...(subject.name === '' ? {} : { name: subject.name }),
      ...(subject.group === '' ? {} : { group: subject.group }),
      kind: subject.kind,
      causes,
    },
  })
}

function withDetail(head: string, detail: string): string {
  return detail === '' ? head : `${head}: ${detail}`
}

/** A bad value as upstream shows it: strings quoted, and `"null"` for nothing; objects as JSON. */
function showValue(value: unknown): string {
  if (value === undefined || value === null) return '"null"'
  if (typeof value === 'number' || typeof value === 'boolean' || typeof value === 'bigint') return String(value)
  return stringifyJson(value)
}
