// Whether a maintenance window is open at a moment: daily, weekly and monthly schedules, offsets, and days when nothing may be. Pure.

import type { Json } from '../../records.ts'
import { isObject, objectAt, textAt } from '../body.ts'

const dayMs = 86_400_000
const hourMs = 3_600_000
const days = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday']
const indexes = ['First', 'Second', 'Third', 'Fourth', 'Last']

/** `window` as a maintenance configuration holds it. All its times are of its own offset. */
export function isOpen(window: Json, nowMs: number): boolean {
  const localMs = nowMs + offsetMs(textAt(window, 'utcOffset') ?? '+00:00')
  const today = Math.floor(localMs / dayMs)
  const start = startMinutes(textAt(window, 'startTime') ?? '00:00') * 60_000
  const length = Number(window['durationHours'] ?? 4) * hourMs
  // It may have begun yesterday.
  return [today, today - 1].some((day) => {
    const begin = day * dayMs + start
    return begin <= localMs && localMs < begin + length && isScheduled(window, day) && !isForbidden(window, day)
  })
}

function offsetMs(text: string): number {
  const [hours, minutes] = text.slice(1).split(':').map(Number) as [number, number]
  return (text.startsWith('-') ? -1 : 1) * (hours * 60 + minutes) * 60_000
}

function startMinutes(text: string): number {
  const [hours, minutes] = text.split(':').map(Number) as [number, number]
  return hours * 60 + minutes
}

/** Days since 1970, in the window's own offset. */
function dayOf(text: string | undefined): number | undefined {
  const ms = Date.parse(`${text}T00:00:00Z`)
  return Number.isNaN(ms) ? undefined : ms / dayMs
}

function isForbidden(window: Json, day: number): boolean {
  const ranges = Array.isArray(window['notAllowedDates']) ? (window['notAllowedDates'] as readonly unknown[]) : []
  return ranges.filter(isObject).some((range) => {
    const [start, end] = [dayOf(textAt(range, 'start')), dayOf(textAt(range, 'end'))]
    return start !== undefined && end !== undefined && start <= day && day <= end
  })
}

function isScheduled(window: Json, day: number): boolean {
  const first = dayOf(textAt(window, 'startDate'))
  if (first !== undefined && day < first) return false
  const schedule = objectAt(window, 'schedule')
  const date = new Date(day * dayMs)
  const origin = first ?? 0
  const monthsSince = (date.getUTCFullYear() - 1970) * 12 + date.getUTCMonth() - monthOf(origin)
  for (const kind of ['daily', 'weekly', 'absoluteMonthly', 'relativeMonthly'] as const) {
    if (!isObject(schedule[kind])) continue
    const of = schedule[kind]
    switch (kind) {
      case 'daily':
        return (day - origin) % Number(of['intervalDays']) === 0
      case 'weekly':
        return (
          days[date.getUTCDay()] === of['dayOfWeek'] &&
          (weekOf(day) - weekOf(origin)) % Number(of['intervalWeeks']) === 0
        )
      case 'absoluteMonthly':
        return (
          monthsSince % Number(of['intervalMonths']) === 0 &&
          date.getUTCDate() === lastPossible(date, Number(of['dayOfMonth']))
        )
      case 'relativeMonthly':
        return (
          monthsSince % Number(of['intervalMonths']) === 0 &&
          isNth(date, String(of['weekIndex']), String(of['dayOfWeek']))
        )
      default:
        return kind satisfies never
    }
  }
  return false
}

const monthOf = (day: number): number => {
  const date = new Date(day * dayMs)
  return (date.getUTCFullYear() - 1970) * 12 + date.getUTCMonth()
}

/** Weeks begin on Sundays: day 0 of 1970 was a Thursday. */
const weekOf = (day: number): number => Math.floor((day + 4) / 7)

const daysInMonth = (date: Date): number =>
  new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 0)).getUTCDate()

/** The 31st of a shorter month is its last day. */
const lastPossible = (date: Date, wanted: number): number => Math.min(wanted, daysInMonth(date))

function isNth(date: Date, index: string, dayOfWeek: string): boolean {
  if (days[date.getUTCDay()] !== dayOfWeek) return false
  const of = date.getUTCDate()
  if (index === 'Last') return of + 7 > daysInMonth(date)
  return Math.ceil(of / 7) === indexes.indexOf(index) + 1
}
