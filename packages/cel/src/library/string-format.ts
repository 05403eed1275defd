// `"%s has %d".format([a, b])`: the string extension's formatting.

import { declare, type FunctionDeclaration } from '../functions.ts'
import { CelEvaluationError } from '../problems.ts'
import { doubleText } from '../conversions.ts'
import { isNumeric } from '../equality.ts'
import { formatDuration, formatTimestamp } from '../times.ts'
import { scaled, traversal, traversalFactor } from '../cost-ranges.ts'
import { Duration, ListValue, MapValue, sizeOf, Timestamp, typeNameOf, TypeValue, Uint, type Value } from '../values.ts'

const textMax = 2 ** 24
const clause = /%(?:%|(?:\.(\d+))?([sdfexXob])|)/g

function format(text: string, args: ListValue): string {
  let next = 0
  let size = 0
  return text.replace(clause, (all: string, precision: string | undefined, verb: string | undefined) => {
    if (all === '%%') return '%'
    if (verb === undefined)
      throw new CelEvaluationError('could not parse formatting clause: unrecognized formatting clause')
    if (next >= args.size) throw new CelEvaluationError(`index ${next} out of range`)
    const shown = show(verb, args.at(next++), precision === undefined ? 6 : Math.min(Number(precision), 100))
    size += shown.length
    if (size > textMax) throw new CelEvaluationError('string is too long')
    return shown
  })
}

function show(verb: string, value: Value, precision: number): string {
  switch (verb) {
    case 's':
      return plainText(value)
    case 'd':
      return decimal(value)
    case 'f':
      return fixed(value, precision)
    case 'e':
      return scientific(value, precision)
    default:
      return inBase(verb, value)
  }
}

/** What `%s` shows. Throws CelEvaluationError for what has no text. */
export function plainText(value: Value): string {
  if (typeof value === 'string') return value
  if (value === null) return 'null'
  if (typeof value === 'boolean' || typeof value === 'bigint') return String(value)
  if (typeof value === 'number') return doubleText(value)
  if (value instanceof Uint) return value.value.toString()
  if (value instanceof Uint8Array) return new TextDecoder().decode(value)
  if (value instanceof Timestamp) return formatTimestamp(value)
  if (value instanceof Duration) return formatDuration(value)
  if (value instanceof TypeValue) return value.name
  if (value instanceof ListValue) return `[${[...value].map(plainText).join(', ')}]`
  if (value instanceof MapValue) {
    const entries = [...value.keys()].map((key) => [plainText(key), plainText(value.get(key)!)] as const)
    entries.sort(([left], [right]) => (left < right ? -1 : 1))
    return `{${entries.map(([key, item]) => `${key}: ${item}`).join(', ')}}`
  }
  throw new CelEvaluationError(
    `error during formatting: string clause can only be used on strings, bools, bytes, ints, doubles, maps, lists, types, durations, and timestamps, was given ${typeNameOf(value)}`,
  )
}

function decimal(value: Value): string {
  if (typeof value === 'bigint') return value.toString()
  if (value instanceof Uint) return value.value.toString()
  if (typeof value === 'number' && !Number.isFinite(value)) return doubleText(value)
  throw new CelEvaluationError(
    `error during formatting: decimal clause can only be used on integers, was given ${typeNameOf(value)}`,
  )
}

function numberOf(value: Value, clauseName: string): number {
  if (!isNumeric(value)) {
    throw new CelEvaluationError(
      `error during formatting: ${clauseName} clause can only be used on doubles, was given ${typeNameOf(value)}`,
    )
  }
  return Number(value instanceof Uint ? value.value : value)
}

function fixed(value: Value, precision: number): string {
  const number = numberOf(value, 'fixed-point')
  return Number.isFinite(number) ? number.toFixed(precision) : doubleText(number)
}

function scientific(value: Value, precision: number): string {
  const number = numberOf(value, 'scientific')
  if (!Number.isFinite(number)) return doubleText(number)
  return number.toExponential(precision).replace(/e([+-])(\d)$/, 'e$10$2')
}

const bases: Readonly<Record<string, number>> = { b: 2, o: 8, x: 16, X: 16 }

function inBase(verb: string, value: Value): string {
  const cased = (text: string): string => (verb === 'X' ? text.toUpperCase() : text)
  if (typeof value === 'bigint') return cased(value.toString(bases[verb]))
  if (value instanceof Uint) return cased(value.value.toString(bases[verb]))
  if (verb === 'b' && typeof value === 'boolean') return value ? '1' : '0'
  if (verb === 'x' || verb === 'X') {
    const bytes = typeof value === 'string' ? new TextEncoder().encode(value) : value
    if (bytes instanceof Uint8Array) return cased([...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(''))
  }
  const names: Readonly<Record<string, string>> = { b: 'binary', o: 'octal', x: 'hex', X: 'hex' }
  throw new CelEvaluationError(
    `error during formatting: only integers can be formatted as ${names[verb]!}, was given ${typeNameOf(value)}`,
  )
}

export const formatFunctions: readonly FunctionDeclaration[] = [
  declare(
    'format',
    { 'string.(list<dyn>) -> string': format },
    {
      cost: ([text]) => traversal(sizeOf(text!)),
      estimate: ({ target }) => scaled(target!.size, traversalFactor),
    },
  ),
]
