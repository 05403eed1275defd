// Values as JSON: what an expression gave, for objects, patches and messages.

import { formatDuration, formatTimestamp } from './times.ts'
import { CelEvaluationError } from './problems.ts'
import { JsonList, JsonMap, JsonObject } from './json-values.ts'
import {
  Duration,
  ListValue,
  MapValue,
  ObjectValue,
  Optional,
  Timestamp,
  typeNameOf,
  Uint,
  type Value,
} from './values.ts'

/** JSON as our codec has it: integers beyond 2^53 are bigint. Throws CelEvaluationError for what JSON cannot hold. */
export function toJson(value: Value): unknown {
  if (value === null || typeof value === 'string' || typeof value === 'boolean' || typeof value === 'number')
    return value
  if (typeof value === 'bigint') return integer(value)
  if (value instanceof JsonList || value instanceof JsonMap || value instanceof JsonObject) return value.raw
  if (value instanceof ListValue) return [...value].map(toJson)
  if (value instanceof MapValue) return mapToJson(value)
  if (value instanceof ObjectValue) {
    return Object.fromEntries(value.fieldNames().map((field) => [field, toJson(value.get(field)!)]))
  }
  if (value instanceof Uint) return integer(value.value)
  if (value instanceof Uint8Array) return btoa(String.fromCharCode(...value))
  if (value instanceof Timestamp) return formatTimestamp(value)
  if (value instanceof Duration) return formatDuration(value)
  if (value instanceof Optional) return value.value === undefined ? null : toJson(value.value)
  throw new CelEvaluationError(`unsupported conversion of ${typeNameOf(value)} to JSON`)
}

function integer(value: bigint): number | bigint {
  return value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value
}

function mapToJson(map: MapValue): unknown {
  return Object.fromEntries(
    [...map.keys()].map((key) => {
      if (typeof key !== 'string') throw new CelEvaluationError(`unsupported key type ${typeNameOf(key)} in JSON`)
      return [key, toJson(map.get(key)!)]
    }),
  )
}
