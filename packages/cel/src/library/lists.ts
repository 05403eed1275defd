// Lists: Kubernetes' own functions (order, sum, search) and CEL's list extension (slice, flatten, sort, distinct).

import { declare, type CostOf, type EstimateOf, type FunctionDeclaration } from '../functions.ts'
import { compareValues, containsValue, equal } from '../equality.ts'
import { CelEvaluationError } from '../problems.ts'
import { checkedInt, checkedUint } from '../standard.ts'
import { exactly, plus, scaled, times, traversalFactor, type CostRange } from '../cost-ranges.ts'
import { ArrayList, Duration, ListValue, MapValue, ObjectValue, sizeOf, Uint, type Value } from '../values.ts'

const comparable = ['int', 'uint', 'double', 'bool', 'duration', 'timestamp', 'string', 'bytes']

function isSorted(list: ListValue): boolean {
  let previous: Value | undefined
  for (const item of list) {
    if (previous !== undefined && compareValues(previous, item) > 0) return false
    previous = item
  }
  return true
}

function extreme(list: ListValue, name: 'min' | 'max'): Value {
  let best: Value | undefined
  for (const item of list) {
    const order = best === undefined ? 0 : compareValues(item, best)
    if (best === undefined || (name === 'min' ? order < 0 : order > 0)) best = item
  }
  if (best === undefined) throw new CelEvaluationError(`${name} called on empty list`)
  return best
}

function sumOf<T extends Value>(list: ListValue, zero: T, add: (left: T, right: T) => T): T {
  let sum = zero
  for (const item of list) sum = add(sum, item as T)
  return sum
}

function find(list: ListValue, wanted: Value, isLast: boolean): bigint {
  for (let index = 0; index < list.size; index += 1) {
    const at = isLast ? list.size - 1 - index : index
    if (equal(list.at(at), wanted)) return BigInt(at)
  }
  return -1n
}

/** One walk over all that is in it; texts by their length. */
export function walkCost(value: Value): number {
  if (typeof value === 'string' || value instanceof Uint8Array) return Math.floor(sizeOf(value) * traversalFactor)
  if (value instanceof ListValue) return sumOfCosts(value)
  if (value instanceof MapValue) {
    let cost = 0
    for (const key of value.keys()) cost += walkCost(key) + walkCost(value.get(key)!)
    return cost
  }
  if (value instanceof ObjectValue) {
    return value.fieldNames().reduce((cost, field) => cost + walkCost(field) + walkCost(value.get(field)!), 0)
  }
  return 1
}

function sumOfCosts(list: ListValue): number {
  let cost = 0
  for (const item of list) cost += walkCost(item)
  return cost
}

const cost: CostOf = ([list]) => walkCost(list!)

const estimate: EstimateOf = ({ target }) => {
  const { type, size, elementSize } = target!
  const element = type.kind === 'list' ? type.element.kind : 'dyn'
  const each =
    element === 'string' || element === 'bytes' ? plus(exactly(1), scaled(elementSize, traversalFactor)) : exactly(1)
  return times(size, each)
}

function forComparable(
  result: string | undefined,
  implementation: (list: ListValue) => Value,
): Record<string, (list: ListValue) => Value> {
  return Object.fromEntries(comparable.map((type) => [`list<${type}>.() -> ${result ?? type}`, implementation]))
}

/** 0 to n-1, not written out: a large one costs before it is walked. */
class RangeList extends ListValue {
  readonly size: number

  constructor(size: number) {
    super()
    this.size = size
  }

  at(index: number): bigint {
    return BigInt(index)
  }
}

function slice(list: ListValue, start: bigint, end: bigint): ListValue {
  const shown = `cannot slice(${start}, ${end})`
  if (start < 0n || end < 0n) throw new CelEvaluationError(`${shown}, negative indexes not supported`)
  if (start > end) throw new CelEvaluationError(`${shown}, start index must be less than or equal to end index`)
  if (end > BigInt(list.size)) throw new CelEvaluationError(`${shown}, list is length ${list.size}`)
  return new ArrayList(Array.from({ length: Number(end - start) }, (_, index) => list.at(Number(start) + index)))
}

const flattenedMax = 1_000_000

function flatten(list: ListValue, depth = 1n): ListValue {
  if (depth < 0n) throw new CelEvaluationError('level must be non-negative')
  const items: Value[] = []
  flattenInto(items, list, depth)
  return new ArrayList(items)
}

function flattenInto(items: Value[], list: ListValue, depth: bigint): void {
  for (const item of list) {
    if (item instanceof ListValue && depth > 0n) flattenInto(items, item, depth - 1n)
    else if (items.push(item) > flattenedMax) throw new CelEvaluationError('list is too long')
  }
}

function sortByKeys(list: ListValue, keys: ListValue): ListValue {
  const pairs = Array.from({ length: list.size }, (_, index) => ({ item: list.at(index), key: keys.at(index) }))
  pairs.sort((left, right) => compareValues(left.key, right.key))
  return new ArrayList(pairs.map(({ item }) => item))
}

function distinct(list: ListValue): ListValue {
  const items: Value[] = []
  const known = new ArrayList(items)
  for (const item of list) if (!containsValue(known, item)) items.push(item)
  return known
}

/** A call, a list, and so many units for what is in it. */
function allocating(units: number): number {
  return Math.floor(units) + 11
}

function allocatingEstimate(size: CostRange, factor: number): { cost: CostRange; resultSize: CostRange } {
  return { cost: plus(scaled(size, factor), exactly(11)), resultSize: size }
}

/** Comparing everything with everything. */
function quadratic(list: Value): number {
  const size = sizeOf(list)
  const first = list instanceof ListValue && size > 0 ? list.at(0) : undefined
  const factor = typeof first === 'string' || first instanceof Uint8Array ? 2.1 : 2
  return allocating(size * size * factor)
}

const sortEstimate: EstimateOf = ({ target, params, args }) => {
  const keys = args[0] ?? target!
  const type = params.at(-1)!
  const element = type.kind === 'list' ? type.element.kind : 'dyn'
  const factor = element === 'string' || element === 'bytes' ? 2.1 : 2
  return allocatingEstimate(times(keys.size, keys.size), factor)
}

export const listFunctions: readonly FunctionDeclaration[] = [
  declare('isSorted', forComparable('bool', isSorted), { cost, estimate }),
  declare(
    'min',
    forComparable(undefined, (list) => extreme(list, 'min')),
    { cost, estimate },
  ),
  declare(
    'max',
    forComparable(undefined, (list) => extreme(list, 'max')),
    { cost, estimate },
  ),
  declare(
    'sum',
    {
      'list<int>.() -> int': (list: ListValue) => sumOf<bigint>(list, 0n, (left, right) => checkedInt(left + right)),
      'list<uint>.() -> uint': (list: ListValue) =>
        sumOf(list, new Uint(0n), (left, right) => checkedUint(left.value + right.value)),
      'list<double>.() -> double': (list: ListValue) => sumOf<number>(list, 0, (left, right) => left + right),
      'list<duration>.() -> duration': (list: ListValue) =>
        sumOf(list, new Duration(0n), (left, right) => new Duration(left.nanos + right.nanos)),
    },
    { cost, estimate },
  ),
  declare(
    'indexOf',
    { 'list<T>.(T) -> int': (list: ListValue, item: Value) => find(list, item, false) },
    { cost, estimate },
  ),
  declare(
    'lastIndexOf',
    { 'list<T>.(T) -> int': (list: ListValue, item: Value) => find(list, item, true) },
    { cost, estimate },
  ),
  declare(
    'slice',
    { 'list<T>.(int, int) -> list<T>': slice },
    {
      cost: (_args, result) => allocating(sizeOf(result)),
      estimate: ({ target, args }) => {
        const start = Number(args[0]!.literalInt ?? 0n)
        const end = args[1]!.literalInt === undefined ? target!.size.max : Number(args[1]!.literalInt)
        return allocatingEstimate(exactly(Math.max(end - start, 0)), 1)
      },
    },
  ),
  declare(
    'flatten',
    { 'list<dyn>.() -> list<dyn>': flatten, 'list<dyn>.(int) -> list<dyn>': flatten },
    {
      cost: ([list, depth]) => allocating(sizeOf(list!) * Number(typeof depth === 'bigint' ? depth : 1n)),
      estimate: ({ target, args }) =>
        allocatingEstimate(target!.size, Number(args[0] === undefined ? 1n : (args[0].literalInt ?? 2n ** 64n))),
    },
  ),
  declare(
    'sort',
    Object.fromEntries(
      comparable.map((type) => [`list<${type}>.() -> list<${type}>`, (list: ListValue) => sortByKeys(list, list)]),
    ),
    {
      cost: ([list]) => quadratic(list!),
      estimate: sortEstimate,
    },
  ),
  declare(
    '@sortByAssociatedKeys',
    Object.fromEntries(comparable.map((type) => [`list<T>.(list<${type}>) -> list<T>`, sortByKeys])),
    {
      cost: ([, keys]) => quadratic(keys!),
      estimate: sortEstimate,
    },
  ),
  declare(
    'lists.range',
    { '(int) -> list<int>': (count: bigint) => new RangeList(Math.max(0, Number(count))) },
    {
      cost: (_args, result) => allocating(sizeOf(result)),
      estimate: ({ args }) => allocatingEstimate(exactly(Number(args[0]!.literalInt ?? 2n ** 64n)), 1),
    },
  ),
  declare(
    'reverse',
    {
      'list<T>.() -> list<T>': (list: ListValue) =>
        new ArrayList(Array.from({ length: list.size }, (_, index) => list.at(list.size - 1 - index))),
    },
    {
      cost: (_args, result) => allocating(sizeOf(result)),
      estimate: ({ target }) => allocatingEstimate(target!.size, 1),
    },
  ),
  declare(
    'distinct',
    { 'list<T>.() -> list<T>': distinct },
    {
      cost: ([list]) => quadratic(list!),
      estimate: ({ target }) => allocatingEstimate(times(target!.size, target!.size), 2),
    },
  ),
]
