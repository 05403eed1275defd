// Reading request bodies: the first step from unknown JSON to typed values.

import { contentInvalid } from '../azure-errors.ts'
import type { Json } from '../records.ts'

/** The body as an object; throws InvalidRequestContent. */
export function readObject(value: unknown, what = 'request content'): Json {
  if (isObject(value)) return value
  if (value === undefined) throw contentInvalid(`The ${what} is empty where a JSON object is expected`)
  throw contentInvalid(`The ${what} is not a JSON object`)
}

export function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The object at this name, or an empty one. */
export function objectAt(from: Json, name: string): Json {
  const value = from[name]
  return isObject(value) ? value : {}
}

/** The text at this name; undefined where there is none. */
export function textAt(from: Json, name: string): string | undefined {
  const value = from[name]
  return typeof value === 'string' ? value : undefined
}
