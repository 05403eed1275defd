// Priority and fairness: every request belongs to a flow, every flow to a level, and a level has seats. Where they are taken,
// requests wait in queues that keep one flow from standing in another's way.

import type { FlowSchema, PriorityLevelConfiguration } from '@aksel/api/types/flowcontrol-v1'
import type { Clock } from '@aksel/base/clock'
import { ApiError } from '@aksel/base/errors'
import type { UserInfo } from '../authentication/user-info.ts'
import { tooManyRequests } from '../refusals.ts'
import type { RequestInfo } from '../request-info.ts'
import { allot, boundsOf } from './borrowing.ts'
import { flowHash } from './dealer.ts'
import type { FlowMetrics } from './flow-metrics.ts'
import type { GuardLoop } from './guard-loop.ts'
import { Level } from './level.ts'
import { byPrecedence, distinguisherOf, schemaMatches } from './matching.ts'
import type { FinalWork, FlowRequest } from './flow-request.ts'
import { ReadWriteTimings } from './read-write-timings.ts'
import { WatchTracker } from './watch-tracker.ts'
import { finalWorkOf, seatsOf, tellsWatchers, type CountObjects } from './work-estimate.ts'

export interface FlowControlParts {
  readonly clock: Clock
  /** Seats of all levels together. */
  readonly totalSeats: number
  readonly count: CountObjects
  readonly metrics: FlowMetrics
  /** Told of every request: what it costs its client. */
  readonly guard: Pick<GuardLoop, 'wake' | 'finished' | 'rejected'>
}

/** A request that was let in: dispose when it is over. */
export interface Seat extends Disposable {
  readonly schemaUid: string
  readonly levelUid: string
}

/** A request that has a seat or waits for one. */
export interface Admitted extends FlowRequest {
  readonly schema: string
  readonly level: string
  readonly distinguisher: string
  readonly arrivedMs: number
  readonly user: UserInfo
  readonly info: RequestInfo
  startedMs: number | undefined
}

/** Upstream's: a quarter of the time that a request has. */
const WAIT_MAX_MS = 15_000
/** Upstream's period of borrowing. */
const BORROW_EVERY_MS = 10_000
/** Flows that are known by heart. */
const KNOWN_MAX = 4096

interface Flow {
  readonly schema: FlowSchema
  readonly level: Level
  readonly distinguisher: string
  readonly hash: bigint
}

export class FlowControl {
  readonly #parts: FlowControlParts
  readonly levels = new Map<string, Level>()
  readonly requests = new Set<Admitted>()
  readonly watches = new WatchTracker()
  readonly readsAndWrites: ReadWriteTimings
  /** Of what each level wants, what it got when seats were shared last. */
  fairFraction = 1
  #schemas: readonly FlowSchema[] = []
  readonly #flows = new Map<string, Flow>()
  #borrowedAtMs: number
  #settling: Disposable | undefined

  constructor(parts: FlowControlParts) {
    this.#parts = parts
    this.readsAndWrites = new ReadWriteTimings(parts.clock.monotonicMs())
    this.#borrowedAtMs = parts.clock.monotonicMs()
  }

  get nowMs(): number {
    return this.#parts.clock.monotonicMs()
  }

  /** Those that wait, run, or keep final seats. */
  *alive(): Iterable<Admitted> {
    yield* this.requests
    for (const { queues } of this.levels.values()) for (const request of queues.ending()) yield request as Admitted
  }

  /** That it holds now. */
  seatsOf(request: Admitted): number {
    return this.requests.has(request) ? request.seats : (request.final?.seats ?? 0)
  }

  /** The objects in force from now on; what waits goes on waiting. */
  configure(schemas: readonly FlowSchema[], levels: readonly PriorityLevelConfiguration[]): void {
    const nowMs = this.#parts.clock.monotonicMs()
    const named = new Set(levels.map(({ metadata }) => metadata.name))
    for (const configuration of levels) {
      const known = this.levels.get(configuration.metadata.name)
      if (known === undefined) this.levels.set(configuration.metadata.name, this.#newLevel(configuration, nowMs))
      else known.configure(configuration, nowMs)
    }
    // A level that is gone stays until its last request is over.
    for (const [name, level] of this.levels) {
      level.isQuiescing = !named.has(name)
      this.#drop(level)
    }
    this.#schemas = byPrecedence(schemas.filter(({ spec }) => named.has(spec?.priorityLevelConfiguration.name ?? '')))
    this.#flows.clear()
    this.#share(nowMs)
  }

  /** Resolves with a seat. Throws TooManyRequests where there is none, and none soon enough; and what the signal says. */
  admit(user: UserInfo, info: RequestInfo, signal: AbortSignal): Seat | Promise<Seat> {
    const nowMs = this.#parts.clock.monotonicMs()
    if (nowMs - this.#borrowedAtMs >= BORROW_EVERY_MS) this.#borrow(nowMs)
    const flow = this.#flowOf(user, info)
    // Nobody configured anything yet: the server is about to start.
    if (flow === undefined) return unlimited
    const { schema, level, distinguisher, hash } = flow
    const ownSeats = level.isExempt ? 1 : this.#seatsFor(info, level)
    const final = this.#finalFor(info, flow)
    let begin = (): void => {}
    const request: Admitted = {
      hash,
      seats: final === undefined ? ownSeats : Math.max(ownSeats, final.seats),
      initialSeats: ownSeats,
      ...(final === undefined ? {} : { final }),
      start: () => begin(),
      schema: schema.metadata.name,
      level: level.name,
      distinguisher,
      arrivedMs: nowMs,
      user,
      info,
      startedMs: undefined,
    }
    const arrival = level.queues.arrive(request, nowMs)
    this.#changed(level, nowMs)
    if (arrival === 'queue-full' || arrival === 'concurrency-limit') {
      level.counts.rejected += 1
      this.#parts.metrics.rejected(request, arrival, 0)
      this.#parts.guard.rejected(user)
      throw tooManyRequests()
    }
    this.#parts.guard.wake()
    this.#parts.metrics.enqueued(request, level.queues.waitingBeside(request))
    this.requests.add(request)
    this.readsAndWrites.enter(info, 'waiting', nowMs)
    const seat = this.#seatOf(request, flow)
    if (arrival === 'executing') {
      this.#started(request, level, nowMs)
      return seat
    }
    const { promise, resolve, reject } = Promise.withResolvers<Seat>()
    const give = (error: unknown, reason: 'time-out' | 'cancelled'): void => {
      over()
      level.counts[reason === 'time-out' ? 'timedOut' : 'cancelled'] += 1
      this.#parts.metrics.rejected(request, reason, (this.#parts.clock.monotonicMs() - nowMs) / 1000)
      seat[Symbol.dispose]()
      reject(error as Error)
    }
    const aborted = (): void => give(new ApiError('Timeout', 'the client went away'), 'cancelled')
    const timer = this.#parts.clock.after(WAIT_MAX_MS, () => give(tooManyRequests(), 'time-out'))
    const over = (): void => {
      timer[Symbol.dispose]()
      signal.removeEventListener('abort', aborted)
    }
    if (signal.aborted) aborted()
    else signal.addEventListener('abort', aborted, { once: true })
    begin = () => {
      over()
      this.#started(request, level, this.#parts.clock.monotonicMs())
      resolve(seat)
    }
    return promise
  }

  /** Once nobody names it and nobody is in it. */
  #drop({ name, isQuiescing, queues }: Level): void {
    if (isQuiescing && queues.executing + queues.waiting === 0) this.levels.delete(name)
  }

  #seatsFor(info: RequestInfo, { bounds }: Level): number {
    return seatsOf(info, { level: bounds.nominal, total: this.#parts.totalSeats }, this.#parts.count)
  }

  /** For the watchers that a write is told to. */
  #finalFor(info: RequestInfo, { schema, level }: Flow): FinalWork | undefined {
    if (!tellsWatchers(info)) return undefined
    const watchers = this.watches.interestedIn(info)
    this.#parts.metrics.watchers(schema.metadata.name, level.name, watchers)
    return level.isExempt ? undefined : finalWorkOf(watchers, level.bounds.nominal)
  }

  #newLevel(configuration: PriorityLevelConfiguration, nowMs: number): Level {
    return new Level(configuration, nowMs, (request) => this.#parts.metrics.noRoom(request as Admitted))
  }

  #changed(level: Level, nowMs: number): void {
    level.noteChange(nowMs, this.#parts.totalSeats)
  }

  /** Final seats are given back by whoever comes next, or by one timer for all of them. */
  #settleLater({ queues }: Level, nowMs: number): void {
    const { nextEndMs } = queues
    if (nextEndMs === undefined || this.#settling !== undefined) return
    this.#settling = this.#parts.clock.after(Math.max(0, nextEndMs - nowMs), () => this.#settle())
  }

  #settle(): void {
    this.#settling = undefined
    const nowMs = this.#parts.clock.monotonicMs()
    for (const level of this.levels.values()) {
      if (level.queues.nextEndMs === undefined) continue
      level.queues.settle(nowMs)
      this.#changed(level, nowMs)
      this.#drop(level)
      this.#settleLater(level, nowMs)
    }
  }

  #started(request: Admitted, level: Level, nowMs: number): void {
    request.startedMs = nowMs
    this.readsAndWrites.move(request.info, nowMs)
    level.counts.dispatched += 1
    this.#parts.metrics.dispatched(request, (nowMs - request.arrivedMs) / 1000)
  }

  #seatOf(request: Admitted, { schema, level }: Flow): Seat {
    return {
      schemaUid: schema.metadata.uid ?? '',
      levelUid: level.uid,
      [Symbol.dispose]: () => {
        if (!this.requests.delete(request)) return
        const nowMs = this.#parts.clock.monotonicMs()
        this.readsAndWrites.leave(request.info, request.startedMs === undefined ? 'waiting' : 'executing', nowMs)
        level.queues.leave(request, nowMs)
        this.#changed(level, nowMs)
        this.#drop(level)
        this.#settleLater(level, nowMs)
        this.#parts.metrics.finished(request, nowMs)
        this.#parts.guard.finished(request, nowMs)
      },
    }
  }

  #flowOf(user: UserInfo, info: RequestInfo): Flow | undefined {
    const { verb, group, resource, subresource, namespace, path, isResource } = info
    const what = isResource ? `${group}/${resource}/${subresource}/${namespace}` : path
    const key = `${user.name}\n${user.groups.join('\n')}\n${verb} ${what}`
    const known = this.#flows.get(key)
    if (known !== undefined) return known
    const schema = this.#schemas.find((one) => schemaMatches(one, user, info))
    const level = schema && this.levels.get(schema.spec?.priorityLevelConfiguration.name ?? '')
    if (schema === undefined || level === undefined) return undefined
    const distinguisher = distinguisherOf(schema, user, info)
    const flow: Flow = { schema, level, distinguisher, hash: flowHash(schema.metadata.name, distinguisher) }
    if (this.#flows.size >= KNOWN_MAX) this.#flows.clear()
    this.#flows.set(key, flow)
    return flow
  }

  /** Seats by shares, for a new set of levels. */
  #share(nowMs: number): void {
    const bounds = boundsOf(
      new Map([...this.levels].map(([name, level]) => [name, level.shares])),
      this.#parts.totalSeats,
    )
    for (const [name, level] of this.levels) level.bounds = bounds.get(name)!
    this.#borrow(nowMs)
  }

  #borrow(nowMs: number): void {
    this.#borrowedAtMs = nowMs
    const limited = [...this.levels].filter(([, level]) => !level.isExempt)
    const wanted = new Map(
      limited.map(([name, level]) => [name, { bounds: level.bounds, demand: level.demand.close(nowMs) }] as const),
    )
    const nominal = limited.reduce((sum, [, { bounds }]) => sum + bounds.nominal, 0)
    const { seats, fairFraction } = allot(wanted, nominal)
    this.fairFraction = fairFraction
    for (const [name, count] of seats) this.levels.get(name)!.use(count, nowMs)
  }
}

const unlimited: Seat = { schemaUid: '', levelUid: '', [Symbol.dispose]() {} }
