// Reads the arguments of functions: what is not of the wanted type is told with its position.

import { BadArgument } from './errors.ts'
import { isArrayValue, isObjectValue, typeName, type ObjectValue, type Value } from './values.ts'

export type Arguments = readonly Value[]

export function text(args: Arguments, at: number): string {
  const value = args[at]
  return typeof value === 'string' ? value : wrong(args, at, 'String')
}

/** What counts as a text where a name or a key is wanted: numbers too. */
export function textual(args: Arguments, at: number): string {
  const value = args[at]
  return typeof value === 'number' ? String(value) : text(args, at)
}

export function integer(args: Arguments, at: number): number {
  const value = args[at]
  return typeof value === 'number' && Number.isInteger(value) ? value : wrong(args, at, 'Integer')
}

export function number(args: Arguments, at: number): number {
  const value = args[at]
  return typeof value === 'number' ? value : wrong(args, at, 'Number')
}

export function array(args: Arguments, at: number): readonly Value[] {
  const value = args[at]
  return value !== undefined && isArrayValue(value) ? value : wrong(args, at, 'Array')
}

export function object(args: Arguments, at: number): ObjectValue {
  const value = args[at]
  return isObjectValue(value) ? value : wrong(args, at, 'Object')
}

export function boolean(args: Arguments, at: number): boolean {
  const value = args[at]
  return typeof value === 'boolean' ? value : wrong(args, at, 'Boolean')
}

export function wrong(args: Arguments, at: number, wanted: string): never {
  throw new BadArgument(
    `expects parameter ${at + 1} to be of type '${wanted}'. The provided value is of type '${typeName(args[at] ?? null)}'`,
  )
}
