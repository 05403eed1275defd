// Answers that are given again for as long as they last, in the words of CoreDNS' `cache`. What has run out may still be
// served, for a while, when nobody else answers.

import { fraction } from '@aksel/base/ids'
import type { Scope } from '@aksel/base/scope'
import { liesIn, rcodeOf, reply, type Answering, type Query } from '../query.ts'
import { eachRecord, rcodes, readEdns } from '../wire.ts'

export const staleModes = ['immediate', 'verify', 'none'] as const

export interface CacheOptions {
  readonly zones: readonly string[]
  /** Entries; a full cache loses one by chance. */
  readonly capacity: number
  /** The most that an answer is kept, whatever it says itself. */
  readonly successTtlSeconds: number
  readonly denialTtlSeconds: number
  /** `immediate` gives what has run out at once and asks anew behind it; `verify` gives it only when asking failed. */
  readonly stale: (typeof staleModes)[number]
  readonly staleSeconds: number
}

interface Entry {
  readonly message: Buffer
  /** Where its times to live stand. */
  readonly ttlPlaces: readonly number[]
  readonly ttlSeconds: number
  readonly storedMs: number
  isRefreshing: boolean
}

export interface CacheCounts {
  hits: number
  misses: number
  stale: number
}

export interface DnsCache {
  readonly answer: Answering
  readonly counts: Readonly<CacheCounts>
  readonly size: () => number
}

/** What the client of a stale answer is told to remember it for (RFC 8767 has 30 s; CoreDNS 0). */
const STALE_TTL_SECONDS = 0

export function cache(options: CacheOptions, next: Answering): DnsCache {
  const entries = new Map<string, Entry>()
  const counts: CacheCounts = { hits: 0, misses: 0, stale: 0 }
  /** Queries for the same at the same time wait for one answer. */
  const pending = new Map<string, Promise<Buffer>>()

  const put = (scope: Scope, key: string, query: Query, answer: Buffer): void => {
    const entry = entryOf(options, query, answer, scope.clock.monotonicMs())
    if (entry === undefined) return
    if (!entries.has(key) && entries.size >= options.capacity) evict(scope, entries)
    entries.set(key, entry)
  }
  const fetch = (scope: Scope, key: string, query: Query): Promise<Buffer> => {
    const known = pending.get(key)
    if (known !== undefined) return known
    const asked = Promise.try(() => next(scope, query))
      .then((answer) => {
        put(scope, key, query, answer)
        return answer
      })
      .finally(() => pending.delete(key))
    pending.set(key, asked)
    return asked
  }
  const serve = async (scope: Scope, query: Query): Promise<Buffer> => {
    const key = keyOf(query)
    const entry = entries.get(key)
    if (entry === undefined) {
      counts.misses += 1
      return fetch(scope, key, query)
    }
    const ageSeconds = (scope.clock.monotonicMs() - entry.storedMs) / 1000
    if (ageSeconds < entry.ttlSeconds) {
      counts.hits += 1
      return aged(entry, query, Math.floor(entry.ttlSeconds - ageSeconds))
    }
    const isServable = ageSeconds < entry.ttlSeconds + options.staleSeconds
    if (options.stale === 'immediate' && isServable) {
      counts.stale += 1
      refresh(scope, entry, () => fetch(scope, key, query))
      return aged(entry, query, STALE_TTL_SECONDS)
    }
    counts.misses += 1
    if (options.stale !== 'verify' || !isServable) return fetch(scope, key, query)
    const answer = await fetch(scope, key, query).catch(() => undefined)
    if (answer !== undefined && rcodeOf(answer) !== rcodes.serverFailure) return answer
    counts.stale += 1
    return aged(entry, query, STALE_TTL_SECONDS)
  }
  return {
    answer: (scope, query) =>
      options.zones.some((zone) => liesIn(query.question.name, zone)) ? serve(scope, query) : next(scope, query),
    counts,
    size: () => entries.size,
  }
}

function refresh(scope: Scope, entry: Entry, fetch: () => Promise<Buffer>): void {
  if (entry.isRefreshing) return
  entry.isRefreshing = true
  fetch().then(
    () => (entry.isRefreshing = false),
    (error: unknown) => {
      entry.isRefreshing = false
      scope.log.debug('a stale answer could not be asked for anew', { error })
    },
  )
}

function evict(scope: Scope, entries: Map<string, Entry>): void {
  // One of the oldest few: a draw over all would have to walk the map.
  const skip = Math.floor(fraction(scope.random) * Math.min(8, entries.size))
  let at = 0
  for (const key of entries.keys()) {
    if (at++ < skip) continue
    entries.delete(key)
    return
  }
}

/** Answers with signatures differ from those without, and what came over UDP may have been cut. */
function keyOf({ question, message }: Query): string {
  const edns = readEdns(message, question.end)
  return `${question.name} ${question.type} ${question.qclass} ${edns?.isDo === true ? 'do' : ''} ${(message[3]! & 0x10) === 0 ? '' : 'cd'}`
}

function entryOf(options: CacheOptions, query: Query, message: Buffer, nowMs: number): Entry | undefined {
  const rcode = rcodeOf(message)
  const isCut = (message[2]! & 0x02) !== 0
  if (isCut || (rcode !== rcodes.noError && rcode !== rcodes.noSuchName)) return undefined
  const ttlPlaces: number[] = []
  let least = Number.POSITIVE_INFINITY
  eachRecord(message, query.question.end, ({ type, at, section }) => {
    if (type === 41) return
    ttlPlaces.push(at + 4)
    if (section !== 'additional') least = Math.min(least, message.readUInt32BE(at + 4), negativeTtl(message, type, at))
  })
  const isDenial = rcode === rcodes.noSuchName || message.readUInt16BE(6) === 0
  // Nothing tells how long there is nothing.
  if (least === Number.POSITIVE_INFINITY) return undefined
  const ttlSeconds = Math.min(least, isDenial ? options.denialTtlSeconds : options.successTtlSeconds)
  if (ttlSeconds === 0) return undefined
  return { message, ttlPlaces, ttlSeconds, storedMs: nowMs, isRefreshing: false }
}

/** The last field of a SOA record says how long "there is nothing" lasts (RFC 2308, 4). */
function negativeTtl(message: Buffer, type: number, at: number): number {
  const length = message.readUInt16BE(at + 8)
  return type === 6 && length >= 22 ? message.readUInt32BE(at + 10 + length - 4) : Number.POSITIVE_INFINITY
}

function aged(entry: Entry, query: Query, ttlSeconds: number): Buffer {
  const message = Buffer.from(entry.message)
  for (const place of entry.ttlPlaces) {
    message.writeUInt32BE(Math.min(message.readUInt32BE(place), ttlSeconds), place)
  }
  // Its question has the length of the one that was asked first: the same name.
  return query.question.end <= message.length ? message : reply(query, { rcode: rcodes.serverFailure })
}
