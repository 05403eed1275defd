// CEL's conversions between its types.

import { declare, type CostOf, type EstimateOf, type FunctionDeclaration } from './functions.ts'
import { CelEvaluationError } from './problems.ts'
import { scaled, traversal, traversalFactor } from './cost-ranges.ts'
import { checkedInt, checkedUint } from './standard.ts'
import { floorDivide, formatDuration, formatTimestamp, parseDuration, parseTimestamp } from './times.ts'
import type { Uint } from './values.ts'
import { Duration, sizeOf, Timestamp, type Value } from './values.ts'

const same = (value: Value): Value => value

function integerOf(text: string): bigint {
  if (!/^[+-]?\d+$/.test(text)) {
    throw new CelEvaluationError(`strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`)
  }
  const value = BigInt(text.replace('+', ''))
  if (value < -(2n ** 63n) || value >= 2n ** 63n) {
    throw new CelEvaluationError(`strconv.ParseInt: parsing ${JSON.stringify(text)}: value out of range`)
  }
  return value
}

function doubleToInt(value: number): bigint {
  if (!Number.isFinite(value) || Math.abs(value) >= 2 ** 63) throw new CelEvaluationError('integer overflow')
  return BigInt(Math.trunc(value))
}

function doubleOf(text: string): number {
  const special: Readonly<Record<string, number>> = {
    nan: Number.NaN,
    inf: Infinity,
    '+inf': Infinity,
    '-inf': -Infinity,
  }
  const known = special[text.toLowerCase()]
  if (known !== undefined) return known
  if (!/^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(text)) {
    throw new CelEvaluationError(`strconv.ParseFloat: parsing ${JSON.stringify(text)}: invalid syntax`)
  }
  return Number(text)
}

function boolOf(text: string): boolean {
  if (['1', 't', 'true', 'TRUE', 'True'].includes(text)) return true
  if (['0', 'f', 'false', 'FALSE', 'False'].includes(text)) return false
  throw new CelEvaluationError(`strconv.ParseBool: parsing ${JSON.stringify(text)}: invalid syntax`)
}

export function doubleText(value: number): string {
  if (Number.isNaN(value)) return 'NaN'
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf'
  const text = String(value)
  const exponent = /^(.*)e([+-])(\d+)$/.exec(text)
  return exponent === null ? text : `${exponent[1]!}e${exponent[2]!}${exponent[3]!.padStart(2, '0')}`
}

function bytesText(value: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(value)
  } catch {
    throw new CelEvaluationError('invalid UTF-8 in bytes, cannot convert to string')
  }
}

const walk: CostOf = ([value]) =>
  typeof value === 'string' || value instanceof Uint8Array ? traversal(sizeOf(value)) : 1

const bytesEstimate: EstimateOf = ({ args, params }) => {
  const { size } = args[0]!
  if (params[0]!.kind !== 'string') return { min: 1, max: 1 }
  return { cost: scaled(size, traversalFactor), resultSize: { min: size.min, max: size.max * 4 } }
}

const stringEstimate: EstimateOf = ({ args, params }) => {
  const { size } = args[0]!
  if (params[0]!.kind !== 'bytes') return { min: 1, max: 1 }
  return { cost: scaled(size, traversalFactor), resultSize: { min: Math.floor(size.min / 4), max: size.max } }
}

export const conversionFunctions: readonly FunctionDeclaration[] = [
  declare('bool', { '(bool) -> bool': same, '(string) -> bool': boolOf }),
  declare(
    'bytes',
    { '(bytes) -> bytes': same, '(string) -> bytes': (text: string) => new TextEncoder().encode(text) },
    { cost: walk, estimate: bytesEstimate },
  ),
  declare('double', {
    '(double) -> double': same,
    '(int) -> double': (value: bigint) => Number(value),
    '(uint) -> double': (value: Uint) => Number(value.value),
    '(string) -> double': doubleOf,
  }),
  declare('int', {
    '(int) -> int': same,
    '(uint) -> int': (value: Uint) => checkedInt(value.value),
    '(double) -> int': doubleToInt,
    '(string) -> int': integerOf,
    '(timestamp) -> int': (value: Timestamp) => floorDivide(value.nanos, 1_000_000_000n),
    '(duration) -> int': (value: Duration) => value.nanos,
  }),
  declare('uint', {
    '(uint) -> uint': same,
    '(int) -> uint': (value: bigint) => checkedUint(value),
    '(double) -> uint': (value: number) => checkedUint(doubleToInt(value)),
    '(string) -> uint': (text: string) => {
      if (!/^\d+$/.test(text)) {
        throw new CelEvaluationError(`strconv.ParseUint: parsing ${JSON.stringify(text)}: invalid syntax`)
      }
      return checkedUint(BigInt(text))
    },
  }),
  declare(
    'string',
    {
      '(string) -> string': same,
      '(bool) -> string': String,
      '(int) -> string': String,
      '(uint) -> string': (value: Uint) => value.value.toString(),
      '(double) -> string': doubleText,
      '(bytes) -> string': bytesText,
      '(timestamp) -> string': formatTimestamp,
      '(duration) -> string': formatDuration,
    },
    { cost: ([value]) => (value instanceof Uint8Array ? traversal(value.length) : 1), estimate: stringEstimate },
  ),
  declare('timestamp', {
    '(timestamp) -> timestamp': same,
    '(string) -> timestamp': parseTimestamp,
    '(int) -> timestamp': (seconds: bigint) => new Timestamp(seconds * 1_000_000_000n),
  }),
  declare('duration', {
    '(duration) -> duration': same,
    '(string) -> duration': parseDuration,
    '(int) -> duration': (nanos: bigint) => new Duration(nanos),
  }),
]
