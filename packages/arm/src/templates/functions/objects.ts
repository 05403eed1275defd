// Objects: made, taken apart, merged.

import { array, object, text, textual } from '../arguments.ts'
import { BadArgument } from '../errors.ts'
import { isArrayValue, isObjectValue, propertyOf, type ObjectValue, type Value } from '../values.ts'
import { fn, type TemplateFunction } from './function.ts'

function createObject(args: readonly Value[]): ObjectValue {
  if (args.length % 2 === 1) throw new BadArgument('expects names and values by turns')
  const made: Record<string, Value> = {}
  for (let at = 0; at < args.length; at += 2) made[text(args, at)] = args[at + 1]!
  return made
}

/** Name and value of each property, in the order of names. */
function items(args: readonly Value[]): Value {
  const entries = Object.entries(object(args, 0))
  return entries.toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([key, value]) => ({ key, value }))
}

/** Follows names and indices; null where one leads nowhere. */
function tryGet(args: readonly Value[]): Value {
  let value: Value = args[0]!
  for (const [at, key] of args.slice(1).entries()) {
    if (isArrayValue(value) && typeof key === 'number') value = value[key] ?? null
    else if (isObjectValue(value)) value = propertyOf(value, textual(args, at + 1)) ?? null
    else return null
  }
  return value
}

function shallowMerge(args: readonly Value[]): ObjectValue {
  const parts = array(args, 0)
  return Object.assign({}, ...parts.map((_, at) => object(parts, at))) as ObjectValue
}

export const objects: Readonly<Record<string, TemplateFunction>> = {
  createObject: fn(0, Infinity, createObject),
  items: fn(1, 1, items),
  objectKeys: fn(1, 1, (args) => Object.keys(object(args, 0)).toSorted()),
  tryGet: fn(2, Infinity, tryGet),
  shallowMerge: fn(1, 1, shallowMerge),
}
