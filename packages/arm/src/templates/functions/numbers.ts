// Whole numbers, as the template language has them; `float` is for parameters of applications.

import { integer, text, wrong } from '../arguments.ts'
import { BadArgument } from '../errors.ts'
import { isArrayValue, type Value } from '../values.ts'
import { fn, type TemplateFunction } from './function.ts'

function divisor(args: readonly Value[]): number {
  const value = integer(args, 1)
  if (value === 0) throw new BadArgument('attempted to divide by zero')
  return value
}

function numbersOf(args: readonly Value[]): readonly number[] {
  const values = args.length === 1 && isArrayValue(args[0]!) ? args[0]! : args
  if (values.length === 0) throw new BadArgument('expects at least one number')
  return values.map((_, at) => integer(values, at))
}

function readInteger(args: readonly Value[]): number {
  const [value] = args
  if (typeof value === 'number') return Math.trunc(value)
  const written = text(args, 0)
  return /^\s*[-+]?\d+\s*$/.test(written) ? Number(written) : wrong(args, 0, 'Integer')
}

function readFloat(args: readonly Value[]): number {
  const [value] = args
  if (typeof value === 'number') return value
  const read = Number(text(args, 0))
  return Number.isFinite(read) ? read : wrong(args, 0, 'Float')
}

export const numbers: Readonly<Record<string, TemplateFunction>> = {
  add: fn(2, 2, (args) => integer(args, 0) + integer(args, 1)),
  sub: fn(2, 2, (args) => integer(args, 0) - integer(args, 1)),
  mul: fn(2, 2, (args) => integer(args, 0) * integer(args, 1)),
  div: fn(2, 2, (args) => Math.trunc(integer(args, 0) / divisor(args))),
  mod: fn(2, 2, (args) => integer(args, 0) % divisor(args)),
  int: fn(1, 1, readInteger),
  float: fn(1, 1, readFloat),
  min: fn(1, Infinity, (args) => Math.min(...numbersOf(args))),
  max: fn(1, Infinity, (args) => Math.max(...numbersOf(args))),
}
