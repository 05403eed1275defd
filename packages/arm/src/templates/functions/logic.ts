// Comparisons and constants. `if`, `and` and `or` look at their arguments one by one and are special forms.

import { boolean, text, textual, wrong } from '../arguments.ts'
import { ExpressionError } from '../errors.ts'
import { sameValue, type Value } from '../values.ts'
import { fn, type TemplateFunction } from './function.ts'

/** Numbers by size, texts by code points. */
function order(args: readonly Value[]): number {
  const [left, right] = args as [Value, Value]
  if (typeof left === 'number' && typeof right === 'number') return left - right
  if (typeof left === 'string' && typeof right === 'string') return left < right ? -1 : left === right ? 0 : 1
  return wrong(args, typeof left === 'number' || typeof left === 'string' ? 1 : 0, 'Integer, String')
}

function readBoolean(args: readonly Value[]): boolean {
  const value = args[0]!
  if (typeof value === 'boolean') return value
  if (typeof value === 'number') return value !== 0
  const lower = text(args, 0).toLowerCase()
  if (lower === 'true' || lower === '1') return true
  return lower === 'false' || lower === '0' ? false : wrong(args, 0, 'Boolean')
}

/** `*` stands for any text, `?` for one character; without regard to case. */
function isLike(value: string, pattern: string): boolean {
  const source = pattern
    .replaceAll(/[\\^$.|+()[\]{}]/g, String.raw`\$&`)
    .replaceAll('*', '.*')
    .replaceAll('?', '.')
  return new RegExp(`^${source}$`, 'is').test(value)
}

export const logic: Readonly<Record<string, TemplateFunction>> = {
  true: fn(0, 0, () => true),
  false: fn(0, 0, () => false),
  null: fn(0, 0, () => null),
  not: fn(1, 1, (args) => !boolean(args, 0)),
  bool: fn(1, 1, readBoolean),
  equals: fn(2, 2, ([left, right]) => sameValue(left!, right!)),
  less: fn(2, 2, (args) => order(args) < 0),
  lessOrEquals: fn(2, 2, (args) => order(args) <= 0),
  greater: fn(2, 2, (args) => order(args) > 0),
  greaterOrEquals: fn(2, 2, (args) => order(args) >= 0),
  coalesce: fn(1, Infinity, (args) => args.find((value) => value !== null) ?? null),
  like: fn(2, 2, (args) => isLike(text(args, 0), text(args, 1))),
  fail: fn(1, 1, (args) => {
    throw new ExpressionError(textual(args, 0))
  }),
}
