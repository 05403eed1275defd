// Points in time, written in UTC; `utcNow` is one point for a whole deployment.

import { integer, text } from '../arguments.ts'
import { BadArgument, ExpressionError } from '../errors.ts'
import type { Value } from '../values.ts'
import { fn, type TemplateFunction } from './function.ts'

const days = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday']
const months = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
]

/** .NET's standard formats of one letter, as custom ones. */
const standard: Readonly<Record<string, string>> = {
  d: 'MM/dd/yyyy',
  D: 'dddd, dd MMMM yyyy',
  t: 'HH:mm',
  T: 'HH:mm:ss',
  s: 'yyyy-MM-ddTHH:mm:ss',
  u: 'yyyy-MM-dd HH:mm:ssZ',
  o: 'yyyy-MM-ddTHH:mm:ss.fff0000Z',
  O: 'yyyy-MM-ddTHH:mm:ss.fff0000Z',
  R: 'ddd, dd MMM yyyy HH:mm:ss GMT',
  r: 'ddd, dd MMM yyyy HH:mm:ss GMT',
  g: 'MM/dd/yyyy HH:mm',
  G: 'MM/dd/yyyy HH:mm:ss',
}

function written(ms: number, format: string): string {
  const date = new Date(ms)
  const pad = (value: number, digits = 2): string => String(value).padStart(digits, '0')
  const hour12 = date.getUTCHours() % 12 === 0 ? 12 : date.getUTCHours() % 12
  const parts: Readonly<Record<string, () => string>> = {
    yyyy: () => pad(date.getUTCFullYear(), 4),
    yy: () => pad(date.getUTCFullYear() % 100),
    MMMM: () => months[date.getUTCMonth()]!,
    MMM: () => months[date.getUTCMonth()]!.slice(0, 3),
    MM: () => pad(date.getUTCMonth() + 1),
    M: () => String(date.getUTCMonth() + 1),
    dddd: () => days[date.getUTCDay()]!,
    ddd: () => days[date.getUTCDay()]!.slice(0, 3),
    dd: () => pad(date.getUTCDate()),
    d: () => String(date.getUTCDate()),
    HH: () => pad(date.getUTCHours()),
    H: () => String(date.getUTCHours()),
    hh: () => pad(hour12),
    h: () => String(hour12),
    mm: () => pad(date.getUTCMinutes()),
    m: () => String(date.getUTCMinutes()),
    ss: () => pad(date.getUTCSeconds()),
    s: () => String(date.getUTCSeconds()),
    fff: () => pad(date.getUTCMilliseconds(), 3),
    tt: () => (date.getUTCHours() < 12 ? 'AM' : 'PM'),
  }
  const custom = standard[format] ?? format
  return custom.replaceAll(
    /'([^']*)'|GMT|yyyy|yy|MMMM|MMM|MM|M|dddd|ddd|dd|d|HH|H|hh|h|mm|m|ss|s|fff|tt/g,
    (whole, quoted) => (typeof quoted === 'string' ? quoted : (parts[whole]?.() ?? whole)),
  )
}

function readTime(args: readonly Value[], at: number): number {
  const given = text(args, at)
  const compact = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(given)
  const read = Date.parse(compact === null ? given : given.replace(compact[0], expanded(compact)))
  if (Number.isNaN(read)) throw new BadArgument(`was given '${given}', which is no time`)
  return read
}

function expanded([, year, month, day, hour, minute, second]: readonly string[]): string {
  return `${year}-${month}-${day}T${hour}:${minute}:${second}Z`
}

/** ISO 8601 durations with years and months, such as `-P1Y2M3DT4H5M6S`. */
function shifted(ms: number, duration: string): number {
  const match =
    /^(-)?P(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?$/i.exec(
      duration,
    )
  if (match === null || /[PT]$/i.test(duration)) {
    throw new BadArgument(`was given '${duration}', which is no ISO 8601 duration`)
  }
  const sign = match[1] === undefined ? 1 : -1
  const amount = (group: number): number => sign * Number(match[group] ?? 0)
  const date = new Date(ms)
  const month = date.getUTCMonth() + amount(3) + 12 * amount(2)
  // The last day of a shorter month, not the first days of the next.
  const dayMax = new Date(Date.UTC(date.getUTCFullYear(), month + 1, 0)).getUTCDate()
  date.setUTCFullYear(date.getUTCFullYear(), month, Math.min(date.getUTCDate(), dayMax))
  const seconds = (amount(4) * 7 + amount(5)) * 86_400 + amount(6) * 3_600 + amount(7) * 60 + amount(8)
  return date.getTime() + seconds * 1_000
}

export const dates: Readonly<Record<string, TemplateFunction>> = {
  utcNow: fn(0, 1, (args, frame) => {
    if (frame.newGuid === undefined)
      throw new ExpressionError("The function 'utcNow' is not expected here: it may only be used in default values")
    return written(frame.facts.nowMs, args.length > 0 ? text(args, 0) : 'yyyyMMddTHHmmssZ')
  }),
  newGuid: fn(0, 0, (_, frame) => {
    if (frame.newGuid === undefined)
      throw new ExpressionError("The function 'newGuid' is not expected here: it may only be used in default values")
    return frame.newGuid()
  }),
  dateTimeAdd: fn(2, 3, (args) =>
    written(shifted(readTime(args, 0), text(args, 1)), args.length > 2 ? text(args, 2) : 'yyyy-MM-ddTHH:mm:ssZ'),
  ),
  dateTimeFromEpoch: fn(1, 1, (args) => written(integer(args, 0) * 1_000, 'yyyy-MM-ddTHH:mm:ssZ')),
  dateTimeToEpoch: fn(1, 1, (args) => Math.floor(readTime(args, 0) / 1_000)),
}
