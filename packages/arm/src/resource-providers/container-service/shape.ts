// Types of properties as they stand on the wire, checked before anything is read. Names that a shape does not know pass.

import { AksError } from '../../azure-errors.ts'
import { isObject } from '../body.ts'
import type { Json } from '../../records.ts'

export type Shape =
  | 'string'
  | 'int'
  | 'number'
  | 'bool'
  | 'any'
  | { readonly list: Shape }
  | { readonly map: Shape }
  | { readonly fields: Readonly<Record<string, Shape>> }

const goTypes: Readonly<Record<string, string>> = { string: 'string', int: 'int32', number: 'float64', bool: 'bool' }

/** The value without nulls; throws UnmarshalError where a known property has another type. */
export function readShape(value: unknown, shape: Shape, path: string): unknown {
  if (value === null || value === undefined) return undefined
  if (shape === 'any') return withoutNulls(value)
  if (typeof shape === 'string') return readScalar(value, shape, path)
  if ('list' in shape) {
    if (!Array.isArray(value)) throw mismatch(value, 'slice', path)
    return value.map((item, index) => readShape(item, shape.list, `${path}[${index}]`))
  }
  if (!isObject(value)) throw mismatch(value, 'struct', path)
  if ('map' in shape) return mapped(value, (item, name) => readShape(item, shape.map, `${path}.${name}`))
  return mapped(value, (item, name) => readShape(item, shape.fields[name] ?? 'any', `${path}.${name}`))
}

function readScalar(value: unknown, shape: 'string' | 'int' | 'number' | 'bool', path: string): unknown {
  const fits =
    shape === 'string'
      ? typeof value === 'string'
      : shape === 'bool'
        ? typeof value === 'boolean'
        : typeof value === 'number' && (shape === 'number' || Number.isInteger(value))
  if (!fits) throw mismatch(value, goTypes[shape]!, path)
  return value
}

function mapped(value: Json, read: (item: unknown, name: string) => unknown): Json {
  const entries = Object.entries(value).map(([name, item]) => [name, read(item, name)] as const)
  return Object.fromEntries(entries.filter(([, item]) => item !== undefined))
}

function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls)
  if (!isObject(value)) return value ?? undefined
  return mapped(value, withoutNulls)
}

function mismatch(value: unknown, wanted: string, path: string): AksError {
  const given = Array.isArray(value) ? 'array' : typeof value === 'boolean' ? 'bool' : typeof value
  const shown = typeof value === 'number' && wanted === 'int32' ? `number ${value}` : given
  return new AksError(
    400,
    'UnmarshalError',
    `UnmarshalEntity encountered error: json: cannot unmarshal ${shown} into Go struct field ${path} of type ${wanted}.`,
    { target: path },
  )
}
