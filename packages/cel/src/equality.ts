// When two values are equal, and which is smaller: numbers across types, lists by the list type their schema declares.

import type { CelType, ListType } from './types.ts'
import { CelEvaluationError } from './problems.ts'
import {
  Duration,
  ListValue,
  MapValue,
  ObjectValue,
  OpaqueValue,
  Optional,
  Timestamp,
  TypeValue,
  Uint,
  type Value,
} from './values.ts'

export function equal(left: Value, right: Value): boolean {
  if (left === right) return true
  if (left === null || right === null) return false
  if (typeof left === 'string' || typeof left === 'boolean') return false
  if (isNumeric(left) && isNumeric(right)) return compareNumbers(left, right) === 0
  if (typeof left !== 'object' || typeof right !== 'object') return false
  if (left instanceof ListValue) return right instanceof ListValue && equalLists(left, right)
  if (left instanceof MapValue) return right instanceof MapValue && equalMaps(left, right)
  if (left instanceof ObjectValue) return right instanceof ObjectValue && equalObjects(left, right)
  if (left instanceof OpaqueValue) {
    return right instanceof OpaqueValue && left.typeName === right.typeName && left.equals(right)
  }
  if (left instanceof Uint8Array) return right instanceof Uint8Array && compareBytes(left, right) === 0
  if (left instanceof Timestamp) return right instanceof Timestamp && left.nanos === right.nanos
  if (left instanceof Duration) return right instanceof Duration && left.nanos === right.nanos
  if (left instanceof TypeValue) return right instanceof TypeValue && left.name === right.name
  if (left instanceof Optional && right instanceof Optional) {
    if (left.value === undefined || right.value === undefined) return left.value === right.value
    return equal(left.value, right.value)
  }
  return false
}

export type Numeric = bigint | number | Uint

export function isNumeric(value: Value): value is Numeric {
  return typeof value === 'bigint' || typeof value === 'number' || value instanceof Uint
}

/** NaN where one is NaN. */
export function compareNumbers(left: Numeric, right: Numeric): number {
  const one = left instanceof Uint ? left.value : left
  const other = right instanceof Uint ? right.value : right
  if (one < other) return -1
  if (one > other) return 1
  // Neither smaller nor larger: equal, or one is no number.
  return isNan(one) || isNan(other) ? Number.NaN : 0
}

function isNan(value: bigint | number): boolean {
  return typeof value === 'number' && Number.isNaN(value)
}

function equalLists(left: ListValue, right: ListValue): boolean {
  if (left.size !== right.size) return false
  const type = listTypeOf(left.type) ?? listTypeOf(right.type)
  if (type?.listType === 'set') return every(left, (item) => containsValue(right, item))
  if (type?.listType === 'map') {
    const keys = type.mapKeys ?? []
    const byKey = new Map<string, Value>()
    for (const item of right) byKey.set(mapKeyOf(item, keys), item)
    return every(left, (item) => {
      const other = byKey.get(mapKeyOf(item, keys))
      return other !== undefined && equal(item, other)
    })
  }
  for (let index = 0; index < left.size; index += 1) if (!equal(left.at(index), right.at(index))) return false
  return true
}

export function listTypeOf(type: CelType | undefined): ListType | undefined {
  return type?.kind === 'list' && type.listType !== undefined ? type : undefined
}

function every(list: ListValue, holds: (item: Value) => boolean): boolean {
  for (const item of list) if (!holds(item)) return false
  return true
}

export function containsValue(list: ListValue, wanted: Value): boolean {
  for (let index = 0; index < list.size; index += 1) if (equal(list.at(index), wanted)) return true
  return false
}

/** The identity of an item in a list of type map. */
export function mapKeyOf(item: Value, keys: readonly string[]): string {
  if (!(item instanceof ObjectValue)) return ''
  return keys
    .map((key) => {
      const value = item.get(key)
      return value === undefined ? '' : `${typeof value}:${keyText(value)}`
    })
    .join('\0')
}

function keyText(value: Value): string {
  return typeof value === 'string' || typeof value === 'bigint' || typeof value === 'boolean' ? value.toString() : ''
}

function equalMaps(left: MapValue, right: MapValue): boolean {
  if (left.size !== right.size) return false
  for (const key of left.keys()) {
    const other = right.get(key)
    if (other === undefined || !equal(left.get(key)!, other)) return false
  }
  return true
}

function equalObjects(left: ObjectValue, right: ObjectValue): boolean {
  const fields = left.fieldNames()
  if (fields.length !== right.fieldNames().length) return false
  return fields.every((field) => {
    const other = right.get(field)
    return other !== undefined && equal(left.get(field)!, other)
  })
}

export function compareBytes(left: Uint8Array, right: Uint8Array): number {
  const size = Math.min(left.length, right.length)
  for (let at = 0; at < size; at += 1) if (left[at] !== right[at]) return left[at]! - right[at]!
  return left.length - right.length
}

/** Negative, 0, positive; NaN is in no order. Throws CelEvaluationError where the two have none. */
export function compareValues(left: Value, right: Value): number {
  if (isNumeric(left) && isNumeric(right)) return compareNumbers(left, right)
  if (typeof left === 'string' && typeof right === 'string') return compareText(left, right)
  if (typeof left === 'boolean' && typeof right === 'boolean') return Number(left) - Number(right)
  if (left instanceof Timestamp && right instanceof Timestamp) return compareNumbers(left.nanos, right.nanos)
  if (left instanceof Duration && right instanceof Duration) return compareNumbers(left.nanos, right.nanos)
  if (left instanceof Uint8Array && right instanceof Uint8Array) return compareBytes(left, right)
  throw new CelEvaluationError('no such overload')
}

const surrogate = /[\ud800-\udfff]/

/** By code points, as bytes of UTF-8 are ordered. */
function compareText(left: string, right: string): number {
  if (surrogate.test(left) || surrogate.test(right)) {
    const encoder = new TextEncoder()
    return compareBytes(encoder.encode(left), encoder.encode(right))
  }
  return left < right ? -1 : left > right ? 1 : 0
}
