// CEL's string extension: positions count code points.

import { declare, type CostOf, type EstimateOf, type FunctionDeclaration } from '../functions.ts'
import { CelEvaluationError } from '../problems.ts'
import { plus, scaled, times, traversal, traversalFactor, unbounded, type CostRange } from '../cost-ranges.ts'
import { ArrayList, sizeOf, type ListValue, type Value } from '../values.ts'

const surrogate = /[\ud800-\udfff]/

/** Code points; the text itself where each is one unit, so that plain text is not copied. */
function points(text: string): readonly string[] | string {
  return surrogate.test(text) ? Array.from(text) : text
}

function joinPoints(part: readonly string[] | string): string {
  return typeof part === 'string' ? part : part.join('')
}

const textMax = 2 ** 26

/** Keeps one call from making a text that no budget would allow. */
function bounded(size: number): void {
  if (size > textMax) throw new CelEvaluationError('string is too long')
}

function outOfRange(index: bigint): CelEvaluationError {
  return new CelEvaluationError(`index out of range: ${index}`)
}

function charAt(text: string, index: bigint): string {
  const all = points(text)
  if (index < 0n || index > BigInt(all.length)) throw outOfRange(index)
  return all[Number(index)] ?? ''
}

function unitsBefore(all: readonly string[] | string, count: number): number {
  return typeof all === 'string' ? count : all.slice(0, count).join('').length
}

function pointsBefore(text: string, units: number): number {
  return surrogate.test(text) ? Array.from(text.slice(0, units)).length : units
}

function indexOf(text: string, part: string, offset = 0n): bigint {
  if (offset < 0n) throw outOfRange(offset)
  const all = points(text)
  if (part === '') return offset > BigInt(all.length) ? BigInt(all.length) : offset
  if (offset >= BigInt(all.length)) return -1n
  const found = text.indexOf(part, unitsBefore(all, Number(offset)))
  return BigInt(found < 0 ? -1 : pointsBefore(text, found))
}

function lastIndexOf(text: string, part: string, offset?: bigint): bigint {
  const all = points(text)
  const from = offset ?? BigInt(Math.max(all.length - 1, 0))
  if (from < 0n) throw outOfRange(from)
  if (part === '') return offset === undefined || from > BigInt(all.length) ? BigInt(all.length) : from
  if (from >= BigInt(all.length)) return -1n
  const found = text.lastIndexOf(part, unitsBefore(all, Number(from)))
  return BigInt(found < 0 ? -1 : pointsBefore(text, found))
}

function substring(text: string, start: bigint, end?: bigint): string {
  const all = points(text)
  const size = BigInt(all.length)
  if (end !== undefined && start > end) {
    throw new CelEvaluationError(`invalid substring range. start: ${start}, end: ${end}`)
  }
  if (start < 0n || start > size) throw outOfRange(start)
  if (end !== undefined && (end < 0n || end > size)) throw outOfRange(end)
  return joinPoints(all.slice(Number(start), end === undefined ? undefined : Number(end)))
}

function replace(text: string, old: string, next: string, limit = -1n): string {
  if (limit === 0n) return text
  const parts = old === '' ? ['', ...Array.from(text), ''] : text.split(old)
  const count = limit < 0n ? parts.length - 1 : Math.min(parts.length - 1, Number(limit))
  bounded(text.length + count * next.length)
  if (count === parts.length - 1) return parts.join(next)
  return parts.slice(0, count + 1).join(next) + (count < parts.length - 1 ? old : '') + parts.slice(count + 1).join(old)
}

function split(text: string, separator: string, limit = -1n): ListValue {
  if (limit === 0n) return new ArrayList([])
  const parts = separator === '' ? Array.from(text) : text.split(separator)
  if (limit < 0n || BigInt(parts.length) <= limit) return new ArrayList(parts)
  const kept = parts.slice(0, Number(limit) - 1)
  return new ArrayList([...kept, parts.slice(Number(limit) - 1).join(separator)])
}

function join(list: ListValue, separator = ''): string {
  const parts: string[] = []
  let size = 0
  for (const item of list) {
    if (typeof item !== 'string') throw new CelEvaluationError('join: invalid input')
    size += item.length + separator.length
    bounded(size)
    parts.push(item)
  }
  return parts.join(separator)
}

const quoted: Readonly<Record<string, string>> = {
  '\x07': '\\a',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\v': '\\v',
  '\\': '\\\\',
  '"': '\\"',
}

function quote(text: string): string {
  return `"${Array.from(text, (char) => quoted[char] ?? char).join('')}"`
}

/** Go's white space, which is Unicode's. */
function trim(text: string): string {
  let start = 0
  let end = text.length
  while (start < end && isSpace(text[start]!)) start += 1
  while (end > start && isSpace(text[end - 1]!)) end -= 1
  return text.slice(start, end)
}

function isSpace(char: string): boolean {
  return char === '\u0085' || (char !== '\ufeff' && char.trim() === '')
}

const walk: CostOf = ([text]) => traversal(sizeOf(text!))
const walkTwice: CostOf = ([text]) => traversal(sizeOf(text!), 2)

const walkEstimate: EstimateOf = ({ target }) => ({
  cost: scaled(target!.size, traversalFactor),
  resultSize: target!.size,
})

const replaceEstimate: EstimateOf = ({ target, args }) => {
  const { size } = target!
  const [old, next] = args.map((arg) => arg.size) as [CostRange, CostRange]
  let count: CostRange = { min: 0, max: 0 }
  let kept: CostRange = { min: 0, max: 0 }
  if (old.min === 0) {
    count = { ...count, max: Math.min(size.max + 1, unbounded) }
    kept = { ...kept, max: size.max }
  } else if (next.max <= old.min) kept = { ...kept, max: size.max }
  else count = { ...count, max: Math.ceil(size.max / old.min) }
  if (old.max === 0) {
    count = { ...count, min: size.min + 1 }
    kept = { ...kept, min: size.min }
  } else if (old.max <= next.min) kept = { ...kept, min: size.min }
  else count = { ...count, min: Math.ceil(size.min / old.max) }
  return { cost: scaled(size, 2 * traversalFactor), resultSize: plus(times(count, next), kept) }
}

const splitEstimate: EstimateOf = ({ target, args }) => {
  const limit = args[1]?.literalInt
  const max = limit === undefined ? target!.size.max : limit < 0n ? unbounded : Number(limit)
  return { cost: scaled(target!.size, 2 * traversalFactor), resultSize: { min: 0, max } }
}

const joinEstimate: EstimateOf = ({ target, args }) => {
  const list = target!.size
  let size = times(list, target!.elementSize)
  if (args[0] !== undefined) {
    const separators = { min: Math.max(list.min - 1, 0), max: Math.max(list.max - 1, 0) }
    size = plus(size, times(args[0].size, separators))
  }
  return { cost: scaled(size, traversalFactor), resultSize: size }
}

/** `indexOf` and `lastIndexOf` cost as their like on lists do. */
const searchCost: CostOf = ([text]) => Math.floor(sizeOf(text!) * traversalFactor)
const searchEstimate: EstimateOf = ({ target }) => scaled(target!.size, traversalFactor)

export const stringFunctions: readonly FunctionDeclaration[] = [
  declare('charAt', { 'string.(int) -> string': charAt }),
  declare(
    'indexOf',
    { 'string.(string) -> int': indexOf, 'string.(string, int) -> int': indexOf },
    { cost: searchCost, estimate: searchEstimate },
  ),
  declare(
    'lastIndexOf',
    { 'string.(string) -> int': lastIndexOf, 'string.(string, int) -> int': lastIndexOf },
    { cost: searchCost, estimate: searchEstimate },
  ),
  declare(
    'lowerAscii',
    { 'string.() -> string': (text: string) => text.replace(/[A-Z]+/g, (part) => part.toLowerCase()) },
    { cost: walk, estimate: walkEstimate },
  ),
  declare(
    'upperAscii',
    { 'string.() -> string': (text: string) => text.replace(/[a-z]+/g, (part) => part.toUpperCase()) },
    { cost: walk, estimate: walkEstimate },
  ),
  declare('trim', { 'string.() -> string': trim }, { cost: walk, estimate: walkEstimate }),
  declare(
    'substring',
    { 'string.(int) -> string': substring, 'string.(int, int) -> string': substring },
    { cost: walk, estimate: walkEstimate },
  ),
  declare(
    'replace',
    { 'string.(string, string) -> string': replace, 'string.(string, string, int) -> string': replace },
    { cost: walkTwice, estimate: replaceEstimate },
  ),
  declare(
    'split',
    { 'string.(string) -> list<string>': split, 'string.(string, int) -> list<string>': split },
    { cost: walkTwice, estimate: splitEstimate },
  ),
  declare(
    'join',
    { 'list<string>.() -> string': join, 'list<string>.(string) -> string': join },
    { cost: (_args: readonly Value[], result) => traversal(sizeOf(result), 2), estimate: joinEstimate },
  ),
  declare(
    'strings.quote',
    { '(string) -> string': quote },
    {
      cost: walk,
      estimate: ({ args }) => ({
        cost: scaled(args[0]!.size, traversalFactor),
        resultSize: { min: args[0]!.size.min + 2, max: Math.min(args[0]!.size.max * 2 + 2, unbounded) },
      }),
    },
  ),
]
