// Timestamps and durations as CEL reads and writes them: RFC 3339 and Go's durations, to the nanosecond.

import { CelEvaluationError } from './problems.ts'
import { Duration, Timestamp } from './values.ts'

const timestampShape = /^(\d{4})-(\d{2})-(\d{2})(?:[Tt](\d{2}):(\d{2}):(\d{2})(?:\.(\d+))?([Zz]|[+-]\d{2}:\d{2}))?$/

/** RFC 3339, or a date alone. Throws CelEvaluationError. */
export function parseTimestamp(text: string): Timestamp {
  const match = timestampShape.exec(text)
  const millis = match === null ? Number.NaN : millisOf(match)
  if (Number.isNaN(millis)) throw new CelEvaluationError(`parsing time "${text}" as "2006-01-02T15:04:05Z07:00"`)
  const fraction = (match![7] ?? '').padEnd(9, '0').slice(0, 9)
  return new Timestamp(BigInt(millis) * 1_000_000n + BigInt(fraction))
}

function millisOf(match: RegExpExecArray): number {
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map((part) => Number(part ?? 0)) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ]
  if (hour > 23 || minute > 59 || second > 59) return Number.NaN
  const date = new Date(0)
  date.setUTCFullYear(year, month - 1, day)
  date.setUTCHours(hour, minute, second)
  if (date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day) return Number.NaN
  const zone = match[8]
  if (zone === undefined || /z/i.test(zone)) return date.getTime()
  const minutes = Number(zone.slice(1, 3)) * 60 + Number(zone.slice(4))
  return date.getTime() - (zone.startsWith('-') ? -minutes : minutes) * 60_000
}

export function formatTimestamp({ nanos }: Timestamp): string {
  const seconds = floorDivide(nanos, 1_000_000_000n)
  const fraction = nanos - seconds * 1_000_000_000n
  const head = new Date(Number(seconds) * 1000).toISOString().slice(0, 19)
  return `${head}${fraction === 0n ? '' : `.${fraction.toString().padStart(9, '0').replace(/0+$/, '')}`}Z`
}

export function floorDivide(value: bigint, divisor: bigint): bigint {
  const quotient = value / divisor
  return value % divisor < 0n ? quotient - 1n : quotient
}

const unitNanos: Readonly<Record<string, bigint>> = {
  ns: 1n,
  us: 1_000n,
  µs: 1_000n,
  μs: 1_000n,
  ms: 1_000_000n,
  s: 1_000_000_000n,
  m: 60_000_000_000n,
  h: 3_600_000_000_000n,
}

const durationShape = /^[+-]?(?:0|(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+)$/
const durationPart = /(\d*)\.?(\d*)(ns|us|µs|μs|ms|s|m|h)/g

/** `1h30m`, `1.5s`. Throws CelEvaluationError. */
export function parseDuration(text: string): Duration {
  if (!durationShape.test(text)) throw new CelEvaluationError(`time: invalid duration "${text}"`)
  let nanos = 0n
  for (const [, whole, fraction, unit] of text.matchAll(durationPart)) {
    const scale = unitNanos[unit!]!
    nanos += BigInt(whole === '' ? 0 : whole!) * scale
    if (fraction !== '') nanos += (BigInt(fraction!) * scale) / 10n ** BigInt(fraction!.length)
  }
  if (nanos >= 2n ** 63n) throw new CelEvaluationError(`time: invalid duration "${text}"`)
  return new Duration(text.startsWith('-') ? -nanos : nanos)
}

/** Seconds with a fraction, as CEL writes a duration: `5400s`, `0.5s`. */
export function formatDuration({ nanos }: Duration): string {
  const magnitude = nanos < 0n ? -nanos : nanos
  const fraction = (magnitude % 1_000_000_000n).toString().padStart(9, '0').replace(/0+$/, '')
  return `${nanos < 0n ? '-' : ''}${magnitude / 1_000_000_000n}${fraction === '' ? '' : `.${fraction}`}s`
}
