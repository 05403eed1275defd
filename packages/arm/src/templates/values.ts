// What expressions are made of and give: JSON values, with the names, comparisons and spellings of the template language.

import { ExpressionError } from './errors.ts'

export type Value = null | boolean | number | string | readonly Value[] | { readonly [name: string]: Value }
export type ObjectValue = { readonly [name: string]: Value }

export function isObjectValue(value: unknown): value is ObjectValue {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

export function isArrayValue(value: unknown): value is readonly Value[] {
  return Array.isArray(value)
}

/** The name of a value's type in messages: `String`, `Integer`, `Float`, `Boolean`, `Array`, `Object`, `Null`. */
export function typeName(value: Value): string {
  if (value === null) return 'Null'
  if (Array.isArray(value)) return 'Array'
  switch (typeof value) {
    case 'string':
      return 'String'
    case 'boolean':
      return 'Boolean'
    case 'number':
      return Number.isInteger(value) ? 'Integer' : 'Float'
    default:
      return 'Object'
  }
}

/** Equal all the way down; texts with regard to case, names of properties without order. */
export function sameValue(left: Value, right: Value): boolean {
  if (left === right) return true
  if (isArrayValue(left) && isArrayValue(right))
    return left.length === right.length && left.every((item, at) => sameValue(item, right[at]!))
  if (!isObjectValue(left) || !isObjectValue(right)) return false
  const names = Object.keys(left)
  return (
    names.length === Object.keys(right).length &&
    names.every((name) => Object.hasOwn(right, name) && sameValue(left[name]!, right[name]!))
  )
}

/** A property without regard to case, as Resource Manager reads them; undefined where there is none. */
export function propertyOf(object: ObjectValue, name: string): Value | undefined {
  if (Object.hasOwn(object, name)) return object[name]
  const wanted = name.toLowerCase()
  const found = Object.keys(object).find((known) => known.toLowerCase() === wanted)
  return found === undefined ? undefined : object[found]
}

/** As `concat`, `join` and `format` write a value: `True`, `12`, JSON for what is composed. */
export function textOf(value: Value): string {
  if (value === null) return ''
  if (typeof value === 'boolean') return value ? 'True' : 'False'
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}

/** `of.key`; throws ExpressionError where there is nothing, undefined where `safe`. */
export function memberOf(of: Value, key: Value, safe: boolean): Value {
  if (safe && of === null) return null
  if (isObjectValue(of) && typeof key === 'string') {
    const found = propertyOf(of, key)
    if (found !== undefined) return found
    if (safe) return null
    throw new ExpressionError(
      `The language expression property '${key}' doesn't exist, available properties are '${Object.keys(of).join(', ')}'`,
    )
  }
  if (isArrayValue(of) && typeof key === 'number') {
    const found = of[key]
    if (found !== undefined) return found
    if (safe) return null
    throw new ExpressionError(`The language expression property array index '${key}' is out of bounds`)
  }
  throw new ExpressionError(
    `The language expression property '${textOf(key)}' can't be evaluated, property name must be a string for objects and an integer for arrays, and the value is of type '${typeName(of)}'`,
  )
}
