// Texts: cut, padded, compared, and composed by `format`.

import { integer, text, textual } from '../arguments.ts'
import { BadArgument } from '../errors.ts'
import { isArrayValue, textOf, type Value } from '../values.ts'
import { fn, type TemplateFunction } from './function.ts'

/** Without regard to case, as the template language compares the ends of texts. */
const lower = (args: readonly Value[], at: number): string => text(args, at).toLowerCase()

function split(args: readonly Value[]): Value {
  const by = args[1]!
  const separators = isArrayValue(by) ? by.map((_, at) => text(by, at)) : [text(args, 1)]
  let parts: readonly string[] = [text(args, 0)]
  for (const separator of separators) if (separator !== '') parts = parts.flatMap((part) => part.split(separator))
  return parts
}

function substring(args: readonly Value[]): string {
  const whole = text(args, 0)
  const start = integer(args, 1)
  const count = args.length > 2 ? integer(args, 2) : whole.length - start
  if (start < 0 || count < 0 || start + count > whole.length) {
    throw new BadArgument(
      `expects index and length to lie within the text: the index is '${start}', the length '${count}', and the text has ${whole.length} characters`,
    )
  }
  return whole.slice(start, start + count)
}

function padLeft(args: readonly Value[]): string {
  return textual(args, 0).padStart(integer(args, 1), args.length > 2 ? text(args, 2) : ' ')
}

/** `{0}`, `{0,8}`, `{0:D3}`; `{{` and `}}` are braces. */
function format(args: readonly Value[]): string {
  return text(args, 0).replaceAll(/\{\{|\}\}|\{(\d+)(?:,(-?\d+))?(?::([^}]*))?\}/g, (whole, index, width, spelling) => {
    if (whole === '{{') return '{'
    if (whole === '}}') return '}'
    const at = Number(index) + 1
    if (at >= args.length) throw new BadArgument(`has no argument for '${whole}'`)
    const written = spelled(args[at]!, (spelling as string | undefined) ?? '')
    const columns = Number(width ?? 0)
    return columns < 0 ? written.padEnd(-columns) : written.padStart(columns)
  })
}

/** .NET's spellings of numbers that templates use: D, N, F, X and a row of zeros. */
function spelled(value: Value, spelling: string): string {
  if (spelling === '' || typeof value !== 'number') return textOf(value)
  const digits = Number(/\d+$/.exec(spelling)?.[0] ?? NaN)
  const sign = value < 0 ? '-' : ''
  const size = Math.abs(value)
  switch (spelling[0]!.toUpperCase()) {
    case 'D':
      return sign + String(Math.trunc(size)).padStart(Number.isNaN(digits) ? 0 : digits, '0')
    case 'X': {
      const hex = size.toString(16).padStart(Number.isNaN(digits) ? 0 : digits, '0')
      return spelling.startsWith('X') ? hex.toUpperCase() : hex
    }
    case 'N':
      return sign + grouped(size.toFixed(Number.isNaN(digits) ? 2 : digits))
    case 'F':
      return sign + size.toFixed(Number.isNaN(digits) ? 2 : digits)
    case '0':
      if (/^0+$/.test(spelling)) return sign + String(Math.round(size)).padStart(spelling.length, '0')
      break
    default:
      break
  }
  throw new BadArgument(`does not know the format '${spelling}'`)
}

function grouped(digits: string): string {
  return digits.replaceAll(/\B(?=(\d{3})+(?!\d))(?<!\.\d*)/g, ',')
}

export const texts: Readonly<Record<string, TemplateFunction>> = {
  format: fn(1, Infinity, format),
  padLeft: fn(2, 3, padLeft),
  replace: fn(3, 3, (args) => text(args, 0).replaceAll(text(args, 1), () => text(args, 2))),
  split: fn(2, 2, split),
  startsWith: fn(2, 2, (args) => lower(args, 0).startsWith(lower(args, 1))),
  endsWith: fn(2, 2, (args) => lower(args, 0).endsWith(lower(args, 1))),
  substring: fn(2, 3, substring),
  toLower: fn(1, 1, (args) => text(args, 0).toLowerCase()),
  toUpper: fn(1, 1, (args) => text(args, 0).toUpperCase()),
  trim: fn(1, 1, (args) => text(args, 0).trim()),
}
