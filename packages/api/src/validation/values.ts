// Small rules that many kinds share: numbers in bounds, one of several words, percentages, immutability.

import { deepEqual } from '../deep-equal.ts'
import { invalid, notSupported, required, type FieldError } from '../field-errors.ts'
import { percentText } from './names.ts'

export const immutableComplaint = 'field is immutable'

export function nonNegative(value: number | undefined, path: string): readonly FieldError[] {
  if (value === undefined || value >= 0) return []
  return [invalid(path, value, 'must be greater than or equal to 0')]
}

export function positive(value: number | undefined, path: string): readonly FieldError[] {
  return value === undefined || value > 0 ? [] : [invalid(path, value, 'must be greater than 0')]
}

export interface Bounds {
  readonly min: number
  readonly max: number
}

export function inRange(value: number | undefined, { min, max }: Bounds, path: string): readonly FieldError[] {
  if (value === undefined || (value >= min && value <= max)) return []
  return [invalid(path, value, `must be between ${min} and ${max}, inclusive`)]
}

/** An absent value is fine; `supported` is shown sorted, as upstream shows its sets. */
export function oneOf(value: string | undefined, supported: readonly string[], path: string): readonly FieldError[] {
  if (value === undefined || supported.includes(value)) return []
  return [notSupported(path, value, supported.toSorted())]
}

/** An absent or empty value is refused. */
export function requiredOneOf(
  value: string | undefined,
  supported: readonly string[],
  path: string,
): readonly FieldError[] {
  return value === undefined || value === '' ? [required(path)] : oneOf(value, supported, path)
}

/** As `oneOf`, shown in the order given: upstream sorts its sets, but not its lists. */
export function within(value: string | undefined, supported: readonly string[], path: string): readonly FieldError[] {
  return value === undefined || supported.includes(value) ? [] : [notSupported(path, value, supported)]
}

/** As `within`; an absent or empty value is refused. */
export function requiredWithin(
  value: string | undefined,
  supported: readonly string[],
  path: string,
): readonly FieldError[] {
  return value === undefined || value === '' ? [required(path)] : within(value, supported, path)
}

export function unchanged(next: unknown, old: unknown, path: string): readonly FieldError[] {
  return deepEqual(next, old) ? [] : [invalid(path, next, immutableComplaint)]
}

/** A whole number from 0, or `N%`. */
export function intOrPercent(value: number | string | undefined, path: string): readonly FieldError[] {
  if (value === undefined) return []
  if (typeof value === 'number') return nonNegative(value, path)
  if (percentText(value).length === 0) return []
  return [
    invalid(
      path,
      value,
      `a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')`,
    ),
  ]
}

export function notOver100Percent(value: number | string | undefined, path: string): readonly FieldError[] {
  const percent = percentOf(value)
  return percent !== undefined && percent > 100 ? [invalid(path, value, 'must not be greater than 100%')] : []
}

export function percentOf(value: number | string | undefined): number | undefined {
  return typeof value === 'string' && /^\d+%$/.test(value) ? Number(value.slice(0, -1)) : undefined
}

/** The number in it: percentages count as their number. */
export function plainNumber(value: number | string | undefined): number {
  return typeof value === 'number' ? value : (percentOf(value) ?? 0)
}

/** Each complaint as an error on this value. */
export function complain(path: string, value: unknown, complaints: readonly string[]): readonly FieldError[] {
  return complaints.map((complaint) => invalid(path, value, complaint))
}
