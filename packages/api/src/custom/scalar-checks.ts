// The checks of a schema on strings, numbers and types.

import { invalid, tooLong, typeInvalid } from '../field-errors.ts'
import type { JSONSchemaProps } from '../types/apiextensions-v1.ts'
import type { Check, Findings } from './findings.ts'
import { effectiveFormat, formatJudge } from './formats.ts'
import { compilePattern } from './patterns.ts'
import { stringifyJson } from '@aksel/base/json'

/** JSON's name of a value's type, whole numbers apart. */
export function typeOf(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'array'
  if (typeof value === 'bigint') return 'integer'
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'number'
  return typeof value
}

export function typeCheck(schema: JSONSchemaProps): Check | undefined {
  const { type = '', nullable = false } = schema
  const types = schema['x-kubernetes-int-or-string'] === true ? ['integer', 'string'] : type === '' ? [] : [type]
  const format = effectiveFormat(schema)
  if (types.length === 0 && format === '') return undefined
  const isNumeric = types.includes('number') || types.includes('integer')
  return (value, name, _from, found) => {
    const actual = typeOf(value)
    if (actual === 'null') {
      if (types.length > 0 && !nullable) mistyped(found, name, types.join(','), actual)
      return
    }
    const fits = types.includes(actual) || (actual === 'integer' && types.includes('number'))
    if (fits) return
    if (format !== '') {
      const isText = actual === 'string' || actual === 'array'
      // A format stands for the type where there is none that is a number.
      if (isText && !isNumeric) return
      if (!isText) return mistyped(found, name, format, goFormatOf(actual))
    }
    if (types.length > 0) mistyped(found, name, types.join(','), actual)
  }
}

function goFormatOf(type: string): string {
  return type === 'integer' ? 'int64' : type === 'number' ? 'float64' : ''
}

function mistyped(found: Findings, name: string, type: string, actual: string): void {
  found.add(name, (field) =>
    typeInvalid(field, actual, `${name} in body must be of type ${type}: ${stringifyJson(actual)}`),
  )
}

export function stringChecks(schema: JSONSchemaProps): Check | undefined {
  const { minLength, maxLength, pattern = '' } = schema
  const format = effectiveFormat(schema)
  const judge = format === '' ? undefined : formatJudge(format)
  if (minLength === undefined && maxLength === undefined && pattern === '' && judge === undefined) return undefined
  const shape = pattern === '' ? undefined : compilePattern(pattern)
  const length = (text: string): number => (isPlain(text) ? text.length : Array.from(text).length)
  const bounds = (value: string, name: string, found: Findings): void => {
    if (maxLength !== undefined && value.length > maxLength && length(value) > maxLength)
      return found.add(name, (field) => tooLong(field, maxLength))
    if (minLength !== undefined && length(value) < minLength)
      return found.add(name, (field) =>
        invalid(field, value, `${name} in body should be at least ${minLength} chars long`),
      )
    if (shape !== undefined && !shape.test(value))
      found.add(name, (field) => invalid(field, value, `${name} in body should match '${pattern}'`))
  }
  return (value, name, _from, found) => {
    if (typeof value !== 'string') return
    bounds(value, name, found)
    if (judge !== undefined && !judge(value))
      found.add(name, (field) =>
        typeInvalid(field, value, `${name} in body must be of type ${format}: ${stringifyJson(value)}`),
      )
  }
}

function isPlain(text: string): boolean {
  return !/[\ud800-\udfff]/.test(text)
}

export function numberChecks(schema: JSONSchemaProps): Check | undefined {
  const { minimum, maximum, multipleOf, exclusiveMinimum = false, exclusiveMaximum = false } = schema
  if (minimum === undefined && maximum === undefined && multipleOf === undefined) return undefined
  return (value, name, _from, found) => {
    if (typeof value !== 'number' && typeof value !== 'bigint') return
    const complain = (words: string): void =>
      found.add(name, (field) => invalid(field, value, `${name} in body should be ${words}`))
    if (multipleOf !== undefined && multipleOf > 0 && !isMultiple(value, multipleOf))
      complain(`a multiple of ${multipleOf}`)
    if (minimum !== undefined && (exclusiveMinimum ? value <= minimum : value < minimum))
      complain(`greater than ${exclusiveMinimum ? '' : 'or equal to '}${minimum}`)
    if (maximum !== undefined && (exclusiveMaximum ? value >= maximum : value > maximum))
      complain(`less than ${exclusiveMaximum ? '' : 'or equal to '}${maximum}`)
  }
}

function isMultiple(value: number | bigint, of: number): boolean {
  return typeof value === 'bigint' ? Number.isInteger(of) && value % BigInt(of) === 0n : Number.isInteger(value / of)
}
