// CEL's own operators and functions, apart from conversions and times.

import { compareValues, containsValue, equal, listTypeOf, mapKeyOf } from './equality.ts'
import { declare, noSuchOverload, type CostOf, type EstimateOf, type FunctionDeclaration } from './functions.ts'
import { CelEvaluationError } from './problems.ts'
import { compilePattern } from './patterns.ts'
import {
  exactly,
  matching,
  plus,
  regexFactor,
  scaled,
  times,
  traversal,
  traversalFactor,
  type CostRange,
} from './cost-ranges.ts'
import type { LiteralMap } from './values.ts'
import {
  ArrayList,
  Duration,
  GrowingList,
  JoinedList,
  ListValue,
  MapValue,
  ObjectValue,
  OpaqueValue,
  plainKey,
  sizeOf,
  Timestamp,
  TypeValue,
  typeNameOf,
  Uint,
  type Value,
} from './values.ts'

const intMin = -(2n ** 63n)
const intMax = 2n ** 63n - 1n

export function checkedInt(value: bigint): bigint {
  if (value < intMin || value > intMax) throw new CelEvaluationError('integer overflow')
  return value
}

export function checkedUint(value: bigint): Uint {
  if (value < 0n || value >= 2n ** 64n) throw new CelEvaluationError('unsigned integer overflow')
  return new Uint(value)
}

const timestampMin = -62_135_596_800n * 1_000_000_000n
const timestampMax = 253_402_300_799_999_999_999n

function checkedTimestamp(nanos: bigint): Timestamp {
  if (nanos < timestampMin || nanos > timestampMax) throw new CelEvaluationError('timestamp overflow')
  return new Timestamp(nanos)
}

function checkedDuration(nanos: bigint): Duration {
  if (nanos < intMin || nanos > intMax) throw new CelEvaluationError('integer overflow')
  return new Duration(nanos)
}

/** Equality of 2 texts costs a walk over the shorter; of two numbers, 1. */
const comparisonCost: CostOf = ([left, right]) => {
  if (left instanceof OpaqueValue && left.size === 1) return 1
  return traversal(Math.min(sizeOf(left!), sizeOf(right!)))
}

const equalityEstimate: EstimateOf = ({ args }) => {
  const [left, right] = args
  const [one, other] = [left!.type, right!.type]
  const isOpaque = one.kind === 'opaque' && one.name !== 'optional_type'
  if (isOpaque && other.kind === 'opaque' && one.name === other.name) return exactly(1)
  const max = Math.min(left!.size.max, right!.size.max)
  return scaled({ min: max > 0 ? 1 : 0, max }, traversalFactor)
}

const orderEstimate: EstimateOf = (call) =>
  call.params[0]!.kind === 'string' || call.params[0]!.kind === 'bytes' ? equalityEstimate(call) : exactly(1)

function order(name: string, holds: (comparison: number) => boolean): FunctionDeclaration {
  const judge = (left: Value, right: Value): boolean => holds(compareValues(left, right))
  const plain = ['bool', 'int', 'uint', 'double', 'string', 'bytes', 'timestamp', 'duration']
  const mixed = ['int,double', 'int,uint', 'uint,double', 'uint,int', 'double,int', 'double,uint']
  const signatures = [...plain.map((type) => `${type},${type}`), ...mixed]
  return declare(name, Object.fromEntries(signatures.map((pair) => [`(${pair}) -> bool`, judge])), {
    cost: comparisonCost,
    estimate: orderEstimate,
  })
}

const addCost: CostOf = ([left, right]) =>
  typeof left === 'string' || left instanceof Uint8Array ? traversal(sizeOf(left) + sizeOf(right!)) : 1

const addEstimate: EstimateOf = ({ args, params }) => {
  const size = plus(args[0]!.size, args[1]!.size)
  switch (params[0]!.kind) {
    case 'string':
    case 'bytes':
      return { cost: scaled(size, traversalFactor), resultSize: size }
    case 'list':
      return { cost: exactly(1), resultSize: size }
    default:
      return exactly(1)
  }
}

function joinBytes(left: Uint8Array, right: Uint8Array): Uint8Array {
  const joined = new Uint8Array(left.length + right.length)
  joined.set(left)
  joined.set(right, left.length)
  return joined
}

function joinText(left: string, right: string): string {
  if (left.length + right.length > 2 ** 28) throw new CelEvaluationError('string is too long')
  return left + right
}

/** Lists add up by their declared type: sets without doubles, maps with the right item in the left one's place. */
function joinLists(left: ListValue, right: ListValue): ListValue {
  if (left instanceof GrowingList) {
    left.items.push(...right)
    return left
  }
  const type = listTypeOf(left.type)
  if (type?.listType === 'set') {
    return new ArrayList([...left, ...[...right].filter((item) => !containsValue(left, item))])
  }
  if (type?.listType === 'map') {
    const items = new Map<string, Value>()
    for (const list of [left, right]) for (const item of list) items.set(mapKeyOf(item, type.mapKeys ?? []), item)
    return new ArrayList([...items.values()])
  }
  return new JoinedList(left, right)
}

function divide(left: bigint, right: bigint): bigint {
  if (right === 0n) throw new CelEvaluationError('division by zero')
  return checkedInt(left / right)
}

function modulus(left: bigint, right: bigint): bigint {
  if (right === 0n) throw new CelEvaluationError('modulus by zero')
  return left % right
}

export function indexList(list: ListValue, index: Value): Value | undefined {
  const at = index instanceof Uint ? Number(index.value) : Number(index)
  if (typeof index !== 'bigint' && !(index instanceof Uint) && !(typeof index === 'number' && Number.isInteger(at))) {
    throw new CelEvaluationError(`unsupported index type '${typeNameOf(index)}' in list`)
  }
  return at >= 0 && at < list.size ? list.at(at) : undefined
}

export function lookUp(container: Value, index: Value): Value | undefined {
  if (container instanceof ListValue) return indexList(container, index)
  if (container instanceof MapValue) return container.get(index)
  if (container instanceof ObjectValue && typeof index === 'string') return container.get(index)
  throw noSuchOverload()
}

export function showKey(key: Value): string {
  return String(plainKey(key) ?? typeNameOf(key))
}

function has(container: MapValue | ObjectValue, key: Value): boolean {
  if (container instanceof ObjectValue) return typeof key === 'string' && container.has(key)
  return container.has(key)
}

const sizeImplementation = (value: Value): bigint => BigInt(sizeOf(value))

const textWalk: CostOf = ([text]) => traversal(sizeOf(text!))

const matchCost: CostOf = ([text, pattern]) => matching(sizeOf(text!), sizeOf(pattern!))

function matchEstimate(text: CostRange, pattern: CostRange): CostRange {
  return times(scaled(plus(text, exactly(1)), traversalFactor), scaled(pattern, regexFactor))
}

const matches = (text: string, pattern: string): boolean => compilePattern(pattern).found(text)

export const standardFunctions: readonly FunctionDeclaration[] = [
  declare('_?_:_', { '(bool, T, T) -> T': never }),
  declare('_&&_', { '(bool, bool) -> bool': never }),
  declare('_||_', { '(bool, bool) -> bool': never }),
  declare('@not_strictly_false', { '(bool) -> bool': never }),
  declare('!_', { '(bool) -> bool': (value: boolean) => !value }),
  declare('_==_', { '(T, T) -> bool': equal }, { cost: comparisonCost, estimate: equalityEstimate }),
  declare(
    '_!=_',
    { '(T, T) -> bool': (left: Value, right: Value) => !equal(left, right) },
    { cost: comparisonCost, estimate: equalityEstimate },
  ),
  order('_<_', (comparison) => comparison < 0),
  order('_<=_', (comparison) => comparison <= 0),
  order('_>_', (comparison) => comparison > 0),
  order('_>=_', (comparison) => comparison >= 0),
  declare(
    '_+_',
    {
      '(int, int) -> int': (left: bigint, right: bigint) => checkedInt(left + right),
      '(uint, uint) -> uint': (left: Uint, right: Uint) => checkedUint(left.value + right.value),
      '(double, double) -> double': (left: number, right: number) => left + right,
      '(string, string) -> string': joinText,
      '(bytes, bytes) -> bytes': joinBytes,
      '(list<T>, list<T>) -> list<T>': joinLists,
      '(duration, duration) -> duration': (left: Duration, right: Duration) =>
        checkedDuration(left.nanos + right.nanos),
      '(timestamp, duration) -> timestamp': (left: Timestamp, right: Duration) =>
        checkedTimestamp(left.nanos + right.nanos),
      '(duration, timestamp) -> timestamp': (left: Duration, right: Timestamp) =>
        checkedTimestamp(left.nanos + right.nanos),
    },
    { cost: addCost, estimate: addEstimate },
  ),
  declare('_-_', {
    '(int, int) -> int': (left: bigint, right: bigint) => checkedInt(left - right),
    '(uint, uint) -> uint': (left: Uint, right: Uint) => checkedUint(left.value - right.value),
    '(double, double) -> double': (left: number, right: number) => left - right,
    '(duration, duration) -> duration': (left: Duration, right: Duration) => checkedDuration(left.nanos - right.nanos),
    '(timestamp, duration) -> timestamp': (left: Timestamp, right: Duration) =>
      checkedTimestamp(left.nanos - right.nanos),
    '(timestamp, timestamp) -> duration': (left: Timestamp, right: Timestamp) =>
      checkedDuration(left.nanos - right.nanos),
  }),
  declare('_*_', {
    '(int, int) -> int': (left: bigint, right: bigint) => checkedInt(left * right),
    '(uint, uint) -> uint': (left: Uint, right: Uint) => checkedUint(left.value * right.value),
    '(double, double) -> double': (left: number, right: number) => left * right,
  }),
  declare('_/_', {
    '(int, int) -> int': divide,
    '(uint, uint) -> uint': (left: Uint, right: Uint) => new Uint(divide(left.value, right.value)),
    '(double, double) -> double': (left: number, right: number) => left / right,
  }),
  declare('_%_', {
    '(int, int) -> int': modulus,
    '(uint, uint) -> uint': (left: Uint, right: Uint) => new Uint(modulus(left.value, right.value)),
  }),
  declare('-_', {
    '(int) -> int': (value: bigint) => checkedInt(-value),
    '(double) -> double': (value: number) => -value,
  }),
  declare('_[_]', {
    '(list<T>, int) -> T': (list: ListValue, index: Value) => {
      const found = indexList(list, index)
      if (found === undefined) throw new CelEvaluationError(`index out of bounds: ${showKey(index)}`)
      return found
    },
    '(map<K, V>, K) -> V': (map: MapValue | ObjectValue, key: Value) => {
      const found = lookUp(map, key)
      if (found === undefined) throw new CelEvaluationError(`no such key: ${showKey(key)}`)
      return found
    },
  }),
  declare(
    '@in',
    { '(T, list<T>) -> bool': (item: Value, list: ListValue) => containsValue(list, item) },
    {
      cost: ([, list]) => sizeOf(list!),
      estimate: ({ args }) => scaled(args[1]!.size, 1),
    },
  ),
  declare('@in', { '(K, map<K, V>) -> bool': (key: Value, map: MapValue | ObjectValue) => has(map, key) }),
  declare(
    'size',
    Object.fromEntries(
      ['string', 'bytes', 'list<T>', 'map<K, V>'].flatMap((type) => [
        [`(${type}) -> int`, sizeImplementation],
        [`${type}.() -> int`, sizeImplementation],
      ]),
    ),
  ),
  declare('type', { '(T) -> typeOf<T>': (value: Value) => new TypeValue(typeNameOf(value)) }),
  declare('dyn', { '(T) -> dyn': (value: Value) => value }),
  declare(
    'contains',
    { 'string.(string) -> bool': (text: string, part: string) => text.includes(part) },
    {
      cost: ([text, part]) => traversal(sizeOf(text!)) * traversal(sizeOf(part!)),
      estimate: ({ target, args }) =>
        times(scaled(target!.size, traversalFactor), scaled(args[0]!.size, traversalFactor)),
    },
  ),
  ...(['startsWith', 'endsWith'] as const).map((name) =>
    declare(
      name,
      { 'string.(string) -> bool': (text: string, part: string) => text[name](part) },
      { cost: textWalk, estimate: ({ args }) => scaled(args[0]!.size, traversalFactor) },
    ),
  ),
  declare(
    'matches',
    { 'string.(string) -> bool': matches },
    { cost: matchCost, estimate: ({ target, args }) => matchEstimate(target!.size, args[0]!.size) },
  ),
  declare('matches', { '(string, string) -> bool': matches }, { cost: matchCost }),
  declare('cel.@mapInsert', {
    '(map<K, V>, K, V) -> map<K, V>': (map: LiteralMap, key: Value, value: Value) => insert(map, key, value),
    '(map<K, V>, map<K, V>) -> map<K, V>': (map: LiteralMap, other: MapValue) => {
      for (const key of other.keys()) insert(map, key, other.get(key)!)
      return map
    },
  }),
]

/** Only a fold's own map is inserted into. */
function insert(map: LiteralMap, key: Value, value: Value): LiteralMap {
  if (map.get(key) !== undefined) throw new CelEvaluationError(`insert failed: key ${showKey(key)} already exists`)
  map.set(key, value)
  return map
}

/** Operators whose operands are not all computed: the interpreter has them built in. */
function never(): Value {
  throw noSuchOverload()
}
