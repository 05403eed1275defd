// A cron schedule and the next time it names. An instant is meant when its wall time in the zone matches every field: a time
// that the clocks skip in spring never comes, and one that they repeat in autumn comes twice, as with upstream's parser.

export interface Schedule {
  /** The first time after `ms`, milliseconds; undefined when none comes within five years. */
  next(ms: number): number | undefined
}

const minuteMs = 60_000
const hourMs = 60 * minuteMs
const dayMs = 24 * hourMs
const horizonMs = 5 * 366 * dayMs

const months = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec']
const weekdays = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat']
const macros: Readonly<Record<string, string>> = {
  '@yearly': '0 0 1 1 *',
  '@annually': '0 0 1 1 *',
  '@monthly': '0 0 1 * *',
  '@weekly': '0 0 * * 0',
  '@daily': '0 0 * * *',
  '@midnight': '0 0 * * *',
  '@hourly': '0 * * * *',
}

/** Throws an Error in words for the event where the text is no schedule or the zone is unknown. */
export function parseSchedule(text: string, timeZone = 'UTC'): Schedule {
  if (text.startsWith('@every ')) return everySchedule(text)
  const macro = macros[text]
  if (text.startsWith('@') && macro === undefined) throw new Error(`unrecognized descriptor: ${text}`)
  const parts = (macro ?? text).split(/\s+/).filter((part) => part !== '')
  if (parts.length !== 5) throw new Error(`expected exactly 5 fields, found ${parts.length}: [${parts.join(' ')}]`)
  const [minutes, hours, days, monthsOf, weekdaysOf] = parts as [string, string, string, string, string]
  const fields: Fields = {
    minutes: numbersOf(minutes, 0, 59),
    hours: numbersOf(hours, 0, 23),
    days: numbersOf(days, 1, 31),
    months: numbersOf(monthsOf, 1, 12, months),
    weekdays: numbersOf(weekdaysOf, 0, 6, weekdays),
    isAnyDay: isStarred(days),
    isAnyWeekday: isStarred(weekdaysOf),
  }
  const offsetOf = offsetsIn(timeZone)
  return { next: (ms) => nextOf(fields, offsetOf, ms) }
}

const durationUnits: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1000,
  m: minuteMs,
  h: hourMs,
}

/** From the time asked about, in whole seconds. */
function everySchedule(text: string): Schedule {
  const duration = text.slice('@every '.length)
  let totalMs = 0
  for (const [, number, unit] of duration.matchAll(/([\d.]+)(ns|us|µs|ms|s|m|h)/g))
    totalMs += Number(number) * durationUnits[unit!]!
  if (!(totalMs > 0)) throw new Error(`failed to parse duration ${text}: time: invalid duration "${duration}"`)
  const delayMs = Math.max(1000, Math.floor(totalMs / 1000) * 1000)
  return { next: (ms) => Math.floor(ms / 1000) * 1000 + delayMs }
}

interface Fields {
  readonly minutes: ReadonlySet<number>
  readonly hours: ReadonlySet<number>
  readonly days: ReadonlySet<number>
  readonly months: ReadonlySet<number>
  readonly weekdays: ReadonlySet<number>
  readonly isAnyDay: boolean
  readonly isAnyWeekday: boolean
}

function isStarred(text: string): boolean {
  return text.split(',').some((part) => /^[*?](\/1)?$/.test(part) || /^[*?]\//.test(part))
}

function numbersOf(text: string, min: number, max: number, words: readonly string[] = []): ReadonlySet<number> {
  const found = new Set<number>()
  const numberOf = (word: string): number => {
    const named = words.indexOf(word.toLowerCase())
    const value = named >= 0 ? named + min : /^\d+$/.test(word) ? Number(word) : NaN
    if (!(value >= min && value <= max)) throw new Error(`failed to parse "${word}" in "${text}"`)
    return value
  }
  for (const part of text.split(',')) {
    const [range = '', step] = part.split('/')
    const isAny = range === '*' || range === '?'
    const [from, to] = isAny ? [min, max] : (range.split('-').map(numberOf) as [number, number?])
    // `5/15` runs on to the end of the field.
    const last = to ?? (step === undefined ? from : max)
    const by = step === undefined ? 1 : Number(step)
    if (!(by > 0)) throw new Error(`step of range should be a positive number: ${part}`)
    for (let value = from; value <= last; value += by) found.add(value)
  }
  return found
}

/** Milliseconds that the zone's wall clock is ahead of UTC at an instant. */
type OffsetOf = (ms: number) => number

function offsetsIn(timeZone: string): OffsetOf {
  if (timeZone === 'UTC' || timeZone === 'Etc/UTC') return () => 0
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  })
  return (ms) => {
    const parts: Record<string, number> = {}
    for (const { type, value } of format.formatToParts(ms)) parts[type] = Number(value)
    const { year, month, day, hour, minute, second } = parts as Record<string, number>
    const wallMs = Date.UTC(year!, month! - 1, day, hour, minute, second)
    return wallMs - Math.floor(ms / 1000) * 1000
  }
}

function nextOf(fields: Fields, offsetOf: OffsetOf, afterMs: number): number | undefined {
  let ms = Math.floor(afterMs / minuteMs) * minuteMs + minuteMs
  const endMs = afterMs + horizonMs
  while (ms <= endMs) {
    const wallMs = ms + offsetOf(ms)
    const skipMs = toSkip(fields, new Date(wallMs), wallMs)
    if (skipMs === 0) return ms
    ms += skipMs
  }
  return undefined
}

/** How far the next time is away at least; a long leap ends two hours early, in case the clocks change on the way. */
function toSkip(fields: Fields, wall: Date, wallMs: number): number {
  const toNextHourMs = hourMs - (wallMs % hourMs)
  const leap = (aheadMs: number): number => (aheadMs > 3 * hourMs ? aheadMs - 2 * hourMs : toNextHourMs)
  if (!fields.months.has(wall.getUTCMonth() + 1))
    return leap(Date.UTC(wall.getUTCFullYear(), wall.getUTCMonth() + 1) - wallMs)
  if (!isMeantDay(fields, wall)) return leap(dayMs - (wallMs % dayMs))
  if (!fields.hours.has(wall.getUTCHours())) return toNextHourMs
  return fields.minutes.has(wall.getUTCMinutes()) ? 0 : minuteMs
}

/** With both days named either will do; a star on one leaves it to the other. */
function isMeantDay({ days, weekdays: meant, isAnyDay, isAnyWeekday }: Fields, wall: Date): boolean {
  const isDay = days.has(wall.getUTCDate())
  const isWeekday = meant.has(wall.getUTCDay())
  return isAnyDay || isAnyWeekday ? isDay && isWeekday : isDay || isWeekday
}
