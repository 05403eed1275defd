// Arrays, and the functions that take an array or something else: texts are sequences of characters, objects sets of names.

import { array, integer, text, textual, wrong } from '../arguments.ts'
import { BadArgument } from '../errors.ts'
import { isArrayValue, isObjectValue, propertyOf, sameValue, textOf, type ObjectValue, type Value } from '../values.ts'
import { fn, type TemplateFunction } from './function.ts'

/** Resource Manager's own limit for `range`. */
const rangeMax = 10_000

function range(args: readonly Value[]): Value {
  const [start, count] = [integer(args, 0), integer(args, 1)]
  if (count < 0 || count > rangeMax) {
    throw new BadArgument(`expects its second parameter to be between 0 and ${rangeMax}, and it is ${count}`)
  }
  return Array.from({ length: count }, (_, at) => start + at)
}

function concat(args: readonly Value[]): Value {
  if (!isArrayValue(args[0] ?? null)) {
    return args.map((value, at) => (typeof value === 'object' ? wrong(args, at, 'String') : textOf(value))).join('')
  }
  return args.flatMap((_, at) => array(args, at))
}

function contains(args: readonly Value[]): boolean {
  const [container, wanted] = args as [Value, Value]
  if (isArrayValue(container)) return container.some((item) => sameValue(item, wanted))
  if (isObjectValue(container)) return propertyOf(container, textual(args, 1)) !== undefined
  return text(args, 0).includes(textual(args, 1))
}

function lengthOf(args: readonly Value[]): number {
  const [value] = args as [Value]
  if (isArrayValue(value) || typeof value === 'string') return value.length
  return isObjectValue(value) ? Object.keys(value).length : wrong(args, 0, 'Array, String, Object')
}

function isEmpty([value]: readonly Value[]): boolean {
  if (value === null || value === undefined) return true
  if (isArrayValue(value) || typeof value === 'string') return value.length === 0
  return isObjectValue(value) && Object.keys(value).length === 0
}

/** A part of a text or of an array. */
function part(args: readonly Value[], slice: <T extends string | readonly Value[]>(of: T, count: number) => T): Value {
  const [value] = args as [Value]
  const count = Math.max(0, integer(args, 1))
  if (typeof value === 'string') return slice(value, count)
  return slice(array(args, 0), count)
}

function end(args: readonly Value[], at: 0 | -1): Value {
  const [value] = args as [Value]
  if (typeof value === 'string') return value.at(at) ?? ''
  return array(args, 0).at(at) ?? null
}

function indexOf(args: readonly Value[], fromEnd: boolean): number {
  const [value, wanted] = args as [Value, Value]
  if (isArrayValue(value)) {
    const isWanted = (item: Value): boolean => sameValue(item, wanted)
    return fromEnd ? value.findLastIndex(isWanted) : value.findIndex(isWanted)
  }
  const [whole, piece] = [text(args, 0).toLowerCase(), text(args, 1).toLowerCase()]
  return fromEnd ? whole.lastIndexOf(piece) : whole.indexOf(piece)
}

/** Of arrays each item once, of objects the names of all, the later one winning and objects below merged. */
function union(args: readonly Value[]): Value {
  if (isArrayValue(args[0] ?? null)) return distinct(args.flatMap((_, at) => array(args, at)))
  return args.reduce<ObjectValue>((merged, value, at) => {
    return isObjectValue(value) ? mergedDeep(merged, value) : wrong(args, at, 'Object')
  }, {})
}

function mergedDeep(left: ObjectValue, right: ObjectValue): ObjectValue {
  const merged: Record<string, Value> = { ...left }
  for (const [name, value] of Object.entries(right)) {
    const before = merged[name]
    merged[name] = isObjectValue(before) && isObjectValue(value) ? mergedDeep(before, value) : value
  }
  return merged
}

function intersection(args: readonly Value[]): Value {
  if (isArrayValue(args[0] ?? null)) {
    const [first, ...rest] = args.map((_, at) => array(args, at))
    return distinct(first!.filter((item) => rest.every((other) => other.some((one) => sameValue(one, item)))))
  }
  const [first, ...rest] = args.map((value, at) => (isObjectValue(value) ? value : wrong(args, at, 'Object')))
  const shared = Object.entries(first!).filter(([name, value]) =>
    rest.every((other) => Object.hasOwn(other, name) && sameValue(other[name]!, value)),
  )
  return Object.fromEntries(shared)
}

function distinct(items: readonly Value[]): readonly Value[] {
  const kept: Value[] = []
  for (const item of items) if (!kept.some((known) => sameValue(known, item))) kept.push(item)
  return kept
}

/** Negative numbers count from the end: 1 is the last one. */
function fromEnd(args: readonly Value[]): Value | undefined {
  return array(args, 0).at(-integer(args, 1))
}

function join(args: readonly Value[]): string {
  return array(args, 0).map(textOf).join(text(args, 1))
}

export const arrays: Readonly<Record<string, TemplateFunction>> = {
  array: fn(1, 1, ([value]) => (isArrayValue(value!) ? value! : [value!])),
  createArray: fn(0, Infinity, (args) => args),
  range: fn(2, 2, range),
  concat: fn(1, Infinity, concat),
  contains: fn(2, 2, contains),
  length: fn(1, 1, lengthOf),
  empty: fn(1, 1, isEmpty),
  skip: fn(2, 2, (args) => part(args, (of, count) => of.slice(count) as typeof of)),
  take: fn(2, 2, (args) => part(args, (of, count) => of.slice(0, count) as typeof of)),
  first: fn(1, 1, (args) => end(args, 0)),
  last: fn(1, 1, (args) => end(args, -1)),
  indexOf: fn(2, 2, (args) => indexOf(args, false)),
  lastIndexOf: fn(2, 2, (args) => indexOf(args, true)),
  union: fn(1, Infinity, union),
  intersection: fn(2, Infinity, intersection),
  distinct: fn(1, 1, (args) => distinct(array(args, 0))),
  flatten: fn(1, 1, (args) => array(args, 0).flatMap((item) => (isArrayValue(item) ? item : [item]))),
  join: fn(2, 2, join),
  tryIndexFromEnd: fn(2, 2, (args) => fromEnd(args) ?? null),
  indexFromEnd: fn(2, 2, (args) => {
    const found = fromEnd(args)
    if (found === undefined) throw new BadArgument(`has no item ${integer(args, 1)} from the end`)
    return found
  }),
}
