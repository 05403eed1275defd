// The fields of timestamps, in any time zone, and of durations.

import { declare, type FunctionDeclaration } from './functions.ts'
import { CelEvaluationError } from './problems.ts'
import { floorDivide } from './times.ts'
import type { Duration, Timestamp } from './values.ts'

interface Parts {
  readonly date: Date
  readonly nanos: bigint
}

/** The wall clock in a zone, as a date whose UTC fields are that clock's. */
function partsIn(time: Timestamp, zone: string): Parts {
  const millis = Number(floorDivide(time.nanos, 1_000_000n))
  return { date: new Date(millis + offsetMillis(millis, zone)), nanos: time.nanos }
}

function offsetMillis(millis: number, zone: string): number {
  const fixed = /^([+-]?)(\d{2}):(\d{2})$/.exec(zone)
  if (fixed !== null) {
    const minutes = Number(fixed[2]) * 60 + Number(fixed[3])
    return (fixed[1] === '-' ? -minutes : minutes) * 60_000
  }
  if (zone === '' || zone === 'UTC') return 0
  try {
    const shown = new Intl.DateTimeFormat('en-US', { timeZone: zone, timeZoneName: 'longOffset' })
    const name = shown.formatToParts(millis).find((part) => part.type === 'timeZoneName')?.value ?? 'GMT'
    const match = /GMT([+-])(\d{2}):(\d{2})/.exec(name)
    if (match === null) return 0
    const minutes = Number(match[2]) * 60 + Number(match[3])
    return (match[1] === '-' ? -minutes : minutes) * 60_000
  } catch {
    throw new CelEvaluationError(`unknown time zone ${zone}`)
  }
}

function dayOfYear(date: Date): number {
  const start = Date.UTC(date.getUTCFullYear(), 0, 1)
  return Math.floor((date.getTime() - start) / 86_400_000)
}

const fields: Readonly<Record<string, (parts: Parts) => number>> = {
  getFullYear: ({ date }) => date.getUTCFullYear(),
  getMonth: ({ date }) => date.getUTCMonth(),
  getDayOfYear: ({ date }) => dayOfYear(date),
  getDayOfMonth: ({ date }) => date.getUTCDate() - 1,
  getDate: ({ date }) => date.getUTCDate(),
  getDayOfWeek: ({ date }) => date.getUTCDay(),
  getHours: ({ date }) => date.getUTCHours(),
  getMinutes: ({ date }) => date.getUTCMinutes(),
  getSeconds: ({ date }) => date.getUTCSeconds(),
  getMilliseconds: ({ date }) => date.getUTCMilliseconds(),
}

const spans: Readonly<Record<string, bigint>> = {
  getHours: 3_600_000_000_000n,
  getMinutes: 60_000_000_000n,
  getSeconds: 1_000_000_000n,
  getMilliseconds: 1_000_000n,
}

export const timeFunctions: readonly FunctionDeclaration[] = [
  ...Object.entries(fields).map(([name, read]) =>
    declare(name, {
      'timestamp.() -> int': (time: Timestamp) => BigInt(read(partsIn(time, 'UTC'))),
      'timestamp.(string) -> int': (time: Timestamp, zone: string) => BigInt(read(partsIn(time, zone))),
    }),
  ),
  ...Object.entries(spans).map(([name, unit]) =>
    declare(name, {
      'duration.() -> int': (span: Duration) => span.nanos / unit,
    }),
  ),
]
