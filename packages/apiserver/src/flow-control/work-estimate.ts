// How many seats a request takes: one, and for lists one for every hundred objects that are gone through; and what a write takes
// after it is over, while those who watch are told of it.

import type { FinalWork } from './flow-request.ts'
import type { RequestInfo } from '../request-info.ts'

/** Upstream's: objects that one seat of all its seats stands for, seats of one list at most, and its share of its level at most. */
const OBJECTS_PER_SEAT = 100
const SEATS_MAX = 100
const UPSTREAM_SEATS = 600
const LEVEL_SHARE_MAX = 0.15

/** Objects of a resource that are stored, in a namespace or in all; undefined where nobody knows at once. */
export type CountObjects = (info: RequestInfo) => number | undefined

export interface SeatsOf {
  /** Of the level, by its shares. */
  readonly level: number
  /** Of all levels together: where there are more than upstream's, a list takes more, so that its share is the same. */
  readonly total: number
}

export function seatsOf(info: RequestInfo, seats: SeatsOf, count: CountObjects): number {
  if (!info.isResource || info.subresource !== '' || !gathers(info)) return 1
  // A list or a watch of one object by its name.
  if (info.authorizedName !== '') return 1
  const stored = count(info)
  if (stored === undefined) return 1
  const scale = Math.max(1, seats.total / UPSTREAM_SEATS)
  const max = Math.max(1, Math.min(SEATS_MAX * scale, Math.ceil(seats.level * LEVEL_SHARE_MAX)))
  const objects = visited(info, stored)
  // A list of a few costs what any request does.
  const wanted = objects <= OBJECTS_PER_SEAT ? 1 : Math.ceil((objects * scale) / OBJECTS_PER_SEAT)
  return Math.min(max, wanted)
}

function gathers({ verb, query }: RequestInfo): boolean {
  if (verb === 'list' || verb === 'deletecollection') return true
  return verb === 'watch' && query.get('sendInitialEvents') === 'true'
}

/** A page without selectors reads no more than it shows; else all are looked at. */
function visited({ verb, query }: RequestInfo, stored: number): number {
  const limit = Number(query.get('limit') ?? 0)
  const isSelected = (query.get('labelSelector') ?? '') !== '' || (query.get('fieldSelector') ?? '') !== ''
  return verb === 'list' && limit > 0 && !isSelected ? Math.min(limit, stored) : stored
}

/** Upstream's: watchers that one seat stands for, for how long, and seats of one write at most. */
const WATCHERS_PER_SEAT = 10
const FINAL_MS = 5
const FINAL_SEATS_MAX = 10

const writes: ReadonlySet<string> = new Set(['create', 'update', 'patch', 'delete'])

/** Of a write that watchers may be told of; a token that is made is no event. */
export function tellsWatchers({ isResource, verb, resource, subresource }: RequestInfo): boolean {
  return isResource && writes.has(verb) && !(resource === 'serviceaccounts' && subresource === 'token')
}

/** `levelSeats`: by its shares. Those beyond the most that one write may take make it longer in place of wider. */
export function finalWorkOf(watchers: number, levelSeats: number): FinalWork | undefined {
  if (watchers === 0) return undefined
  const max = Math.max(1, Math.min(FINAL_SEATS_MAX, Math.ceil(levelSeats * LEVEL_SHARE_MAX)))
  const wanted = Math.ceil(watchers / WATCHERS_PER_SEAT)
  const seats = Math.min(max, wanted)
  return { seats, ms: (FINAL_MS * wanted) / seats }
}
