// Kubernetes' time texts: RFC 3339 in UTC, and the short ages that tables show.

import { formatMicroTime, formatTime } from '@aksel/base/clock'

const canonicalSeconds = /^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T([01]\d|2[0-3]):[0-5]\d:[0-5]\dZ$/
const rfc3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d([.,]\d+)?(Z|[+-]\d\d:\d\d)$/
const microseconds = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/

/** Whole seconds, UTC; undefined where the text is no RFC 3339 time. */
export function canonicalTime(text: string): string | undefined {
  if (canonicalSeconds.test(text)) return text
  const ms = rfc3339.test(text) ? Date.parse(text.replace(',', '.')) : Number.NaN
  return Number.isNaN(ms) ? undefined : formatTime(ms)
}

/** Microseconds, UTC; undefined where the text is no RFC 3339 time. */
export function canonicalMicroTime(text: string): string | undefined {
  const ms = rfc3339.test(text) ? Date.parse(text.replace(',', '.')) : Number.NaN
  if (Number.isNaN(ms)) return undefined
  return microseconds.test(text) ? text : formatMicroTime(ms)
}

/** `5s`, `3m12s`, `2d`, as kubectl's AGE column; `<unknown>` for no time. */
export function ageOf(time: string | undefined | null, nowMs: number): string {
  if (time === undefined || time === null || time === '') return '<unknown>'
  return humanDuration(nowMs - Date.parse(time))
}

/** Upstream's duration.HumanDuration of milliseconds. */
export function humanDuration(ms: number): string {
  const seconds = Math.trunc(ms / 1000)
  if (seconds < -1) return '<invalid>'
  if (seconds < 0) return '0s'
  if (seconds < 120) return `${seconds}s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 10) return two(minutes, 'm', seconds % 60, 's')
  if (minutes < 180) return `${minutes}m`
  const hours = Math.floor(seconds / 3600)
  if (hours < 8) return two(hours, 'h', minutes % 60, 'm')
  if (hours < 48) return `${hours}h`
  const days = Math.floor(hours / 24)
  if (hours < 192) return two(days, 'd', hours % 24, 'h')
  if (hours < 24 * 365 * 2) return `${days}d`
  const years = Math.floor(hours / 24 / 365)
  if (hours < 24 * 365 * 8) return two(years, 'y', days % 365, 'd')
  return `${years}y`
}

function two(large: number, largeUnit: string, small: number, smallUnit: string): string {
  return small === 0 ? `${large}${largeUnit}` : `${large}${largeUnit}${small}${smallUnit}`
}
