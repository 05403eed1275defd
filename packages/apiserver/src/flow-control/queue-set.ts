// The queues of one priority level and the seats behind them: fair queuing among flows by virtual time. Pure: time is handed in,
// and whoever waits is called back.
//
// A queue's next request starts when it would have finished first had every queue been served seat by seat in turn. Virtual time
// (in seat-seconds) passes for all queues alike, at the rate at which an active queue would then get seats.
//
// Apart from upstream's: where the next request is a wide one that finds no room, everybody would wait until a list is over, for
// seconds where lists are long. So wide requests leave a tenth of the seats, and narrow ones pass by there.

import { deal } from './dealer.ts'
import {
  ownSeats,
  SERVICE_SECONDS,
  workOf,
  type Arrival,
  type FinalWork,
  type FlowRequest,
  type QueueConfiguration,
  type QueueShown,
} from './flow-request.ts'

/** Of a level's seats: what wide requests leave to narrow ones, and what a narrow one takes at most. */
const [RESERVED, NARROW] = [0.1, 0.01]
/** Virtual time begins anew beyond this, in seat-seconds: its differences stay exact. */
const EPOCH_SEAT_SECONDS = 2 ** 30
/** Flows whose queues are known by heart. */
const HANDS_MAX = 4096

interface Queue {
  readonly waiting: Entry[]
  executing: number
  seatsInUse: number
  /** Virtual time at which its next request would start, were it alone. */
  nextDispatchR: number
}

interface Entry {
  readonly request: FlowRequest
  readonly arrivedMs: number
  queue: Queue | undefined
  startedMs: number | undefined
  /** It started before a wide one whose turn it was. */
  isPassing?: boolean
  /** It is over, and keeps its final seats until then. */
  endsAtMs?: number
}

export class QueueSet {
  #configuration: QueueConfiguration
  #limit: number
  #queues: Queue[]
  readonly #entries = new Map<FlowRequest, Entry>()
  readonly #hands = new Map<bigint, readonly number[]>()
  #seatsInUse = 0
  /** Of those in use. */
  #seatsPassing = 0
  #seatsWaiting = 0
  #waiting = 0
  #executing = 0
  #active = 0
  #virtual = 0
  #dispatchedAtR = 0
  #latestStartR = 0
  readonly #epochs = { true: 0, false: 0 }
  #atMs: number
  /** Those that keep final seats, and when the first of them gives them back. */
  readonly #ending = new Set<Entry>()
  #firstEndMs = Infinity
  readonly #noRoom: (request: FlowRequest) => void
  /** Where the search for the next queue begins, so that equals take turns. */
  #turn = 0

  /** `noRoom` is told of each request whose turn it is and that finds no room. */
  constructor(
    configuration: QueueConfiguration,
    limit: number,
    nowMs: number,
    noRoom: (request: FlowRequest) => void = () => {},
  ) {
    this.#noRoom = noRoom
    this.#configuration = configuration
    this.#limit = limit
    this.#atMs = nowMs
    this.#queues = newQueues(configuration.queues)
  }

  get limit(): number {
    return this.#limit
  }

  get seatsInUse(): number {
    return this.#seatsInUse
  }

  get seatsWaiting(): number {
    return this.#seatsWaiting
  }

  get waiting(): number {
    return this.#waiting
  }

  get executing(): number {
    return this.#executing
  }

  /** Virtual time: now, when a request was dispatched last, and at which that one would have started alone. */
  get progress(): { readonly currentR: number; readonly dispatchR: number; readonly latestS: number } {
    return { currentR: this.#virtual, dispatchR: this.#dispatchedAtR, latestS: this.#latestStartR }
  }

  /** How often virtual time began anew, by whether every queue could follow. */
  get epochs(): { readonly true: number; readonly false: number } {
    return this.#epochs
  }

  /** When somebody gives final seats back; undefined while nobody has any. */
  get nextEndMs(): number | undefined {
    return this.#ending.size === 0 ? undefined : this.#firstEndMs
  }

  /** Over, with their final seats. */
  ending(): readonly FlowRequest[] {
    return [...this.#ending].map(({ request }) => request)
  }

  /** Final seats that are due are given back, and what may start now is told so. */
  settle(nowMs: number): void {
    this.#advance(nowMs)
    this.#dispatch(nowMs, undefined)
  }

  arrive(request: FlowRequest, nowMs: number): Arrival {
    this.#advance(nowMs)
    const { queues, queueLengthLimit } = this.#configuration
    if (queues === 0) {
      if (!this.#hasRoom(request)) return 'concurrency-limit'
      this.#begin({ request, arrivedMs: nowMs, queue: undefined, startedMs: nowMs })
      return 'executing'
    }
    const queue = this.#leastLoaded(request.hash)
    if (queue.waiting.length >= queueLengthLimit) return 'queue-full'
    const entry: Entry = { request, arrivedMs: nowMs, queue, startedMs: undefined }
    this.#enqueue(entry, queue)
    this.#dispatch(nowMs, request)
    return entry.startedMs === undefined ? 'queued' : 'executing'
  }

  /** It is over but for its final seats, or nobody waits for it any more. What may start now is told so. */
  leave(request: FlowRequest, nowMs: number): void {
    const entry = this.#entries.get(request)
    if (entry === undefined || entry.endsAtMs !== undefined) return
    this.#advance(nowMs)
    const { queue, startedMs } = entry
    if (startedMs === undefined) {
      this.#entries.delete(request)
      this.#withdraw(entry, queue!)
    } else {
      // What its own work was charged when it started was a guess.
      if (queue !== undefined) queue.nextDispatchR += ownSeats(request) * ((nowMs - startedMs) / 1000 - SERVICE_SECONDS)
      if (request.final === undefined) this.#finish(entry, request.seats)
      else this.#keepFinal(entry, request.final, nowMs)
    }
    this.#dispatch(nowMs, undefined)
  }

  #keepFinal(entry: Entry, { seats, ms }: FinalWork, nowMs: number): void {
    this.#giveBack(entry, entry.request.seats - seats)
    entry.endsAtMs = nowMs + ms
    this.#ending.add(entry)
    this.#firstEndMs = Math.min(this.#firstEndMs, entry.endsAtMs)
  }

  #giveBack({ queue, isPassing }: Entry, seats: number): void {
    if (isPassing === true) this.#seatsPassing -= seats
    this.#seatsInUse -= seats
    if (queue !== undefined) queue.seatsInUse -= seats
  }

  #finish(entry: Entry, seats: number): void {
    this.#giveBack(entry, seats)
    this.#entries.delete(entry.request)
    this.#executing -= 1
    if (entry.queue === undefined) return
    entry.queue.executing -= 1
    this.#rest(entry.queue)
  }

  #endFinal(nowMs: number): void {
    this.#firstEndMs = Infinity
    for (const entry of this.#ending) {
      if (entry.endsAtMs! > nowMs) {
        this.#firstEndMs = Math.min(this.#firstEndMs, entry.endsAtMs!)
        continue
      }
      this.#ending.delete(entry)
      this.#finish(entry, entry.request.final!.seats)
    }
  }

  resize(limit: number, nowMs: number): void {
    if (limit === this.#limit) return
    this.#advance(nowMs)
    this.#limit = limit
    this.#dispatch(nowMs, undefined)
  }

  /** Those that wait are dealt to the new queues in their order. */
  configure(configuration: QueueConfiguration, nowMs: number): void {
    this.#advance(nowMs)
    const waiting = [...this.#entries.values()].filter(({ startedMs }) => startedMs === undefined)
    for (const entry of this.#entries.values()) entry.queue = undefined
    this.#configuration = configuration
    this.#hands.clear()
    this.#queues = newQueues(Math.max(configuration.queues, waiting.length > 0 ? 1 : 0))
    this.#active = 0
    this.#waiting = 0
    this.#seatsWaiting = 0
    for (const entry of waiting.sort((a, b) => a.arrivedMs - b.arrivedMs)) {
      const queue = configuration.queues === 0 ? this.#queues[0]! : this.#leastLoaded(entry.request.hash)
      entry.queue = queue
      this.#enqueue(entry, queue)
    }
    this.#dispatch(nowMs, undefined)
  }

  /** Requests that wait in the queue of this one, itself included; 0 for one that runs. */
  waitingBeside(request: FlowRequest): number {
    return this.#entries.get(request)?.queue?.waiting.length ?? 0
  }

  /** By queue, for the debug dumps: numbers of upstream's names. */
  shown(): readonly QueueShown[] {
    return this.#queues.map(({ waiting, ...rest }) => ({ ...rest, waiting: waiting.map(({ request }) => request) }))
  }

  #advance(nowMs: number): void {
    const seconds = Math.max(0, nowMs - this.#atMs) / 1000
    this.#atMs = Math.max(nowMs, this.#atMs)
    if (this.#firstEndMs <= nowMs) this.#endFinal(nowMs)
    if (this.#active === 0) return
    const wanted = this.#seatsInUse + this.#seatsWaiting
    this.#virtual += (seconds * Math.min(wanted, this.#limit)) / this.#active
    if (this.#virtual > EPOCH_SEAT_SECONDS) this.#beginEpoch()
  }

  #beginEpoch(): void {
    this.#virtual -= EPOCH_SEAT_SECONDS
    let isAll = true
    for (const queue of this.#queues) {
      if (queue.waiting.length + queue.executing > 0 && queue.nextDispatchR < EPOCH_SEAT_SECONDS) isAll = false
      queue.nextDispatchR = Math.max(0, queue.nextDispatchR - EPOCH_SEAT_SECONDS)
    }
    this.#epochs[`${isAll}`] += 1
  }

  #hasRoom(request: FlowRequest): boolean {
    const { seats } = request
    // Wider than all seats together: alone it may run.
    if (seats > this.#limit) return this.#seatsInUse === 0
    const most = this.#limit - this.#reserved
    if (this.#isNarrow(request) || seats > most) return this.#seatsInUse + seats <= this.#limit
    // Those that pass keep to what is left free for them: they hold no wide one up.
    return this.#seatsInUse - this.#seatsPassing + seats <= most
  }

  get #reserved(): number {
    return Math.floor(this.#limit * RESERVED)
  }

  /** By its own work: a small write is small however many are told of it. */
  #isNarrow(request: FlowRequest): boolean {
    return ownSeats(request) <= Math.max(1, this.#limit * NARROW)
  }

  #mayPass(request: FlowRequest): boolean {
    return this.#isNarrow(request) && this.#hasRoom(request) && this.#seatsPassing + request.seats <= this.#reserved
  }

  #leastLoaded(hash: bigint): Queue {
    const hand = this.#handOf(hash)
    let best: Queue | undefined
    let bestLoad = Infinity
    for (const card of hand) {
      const queue = this.#queues[card]!
      const load = queue.waiting.reduce((sum, { request }) => sum + request.seats, queue.seatsInUse)
      if (load < bestLoad) [best, bestLoad] = [queue, load]
    }
    return best!
  }

  /** Dealt once for each flow: that is most of what a request without a wait costs here. */
  #handOf(hash: bigint): readonly number[] {
    const known = this.#hands.get(hash)
    if (known !== undefined) return known
    const hand = deal(hash, { deckSize: this.#queues.length, handSize: this.#configuration.handSize })
    if (this.#hands.size >= HANDS_MAX) this.#hands.clear()
    this.#hands.set(hash, hand)
    return hand
  }

  #enqueue(entry: Entry, queue: Queue): void {
    if (queue.waiting.length === 0 && queue.executing === 0) {
      queue.nextDispatchR = this.#virtual
      this.#active += 1
    }
    queue.waiting.push(entry)
    this.#entries.set(entry.request, entry)
    this.#waiting += 1
    this.#seatsWaiting += entry.request.seats
  }

  #withdraw(entry: Entry, queue: Queue): void {
    queue.waiting.splice(queue.waiting.indexOf(entry), 1)
    this.#waiting -= 1
    this.#seatsWaiting -= entry.request.seats
    this.#rest(queue)
  }

  #rest(queue: Queue): void {
    if (queue.waiting.length > 0 || queue.executing > 0) return
    this.#active -= 1
  }

  #dispatch(nowMs: number, arriving: FlowRequest | undefined): void {
    while (this.#waiting > 0) {
      let queue = this.#next(() => true)!
      const first = queue.waiting[0]!.request
      const isPassing = !this.#hasRoom(first)
      if (isPassing) {
        this.#noRoom(first)
        if (first.seats > this.#limit - this.#reserved) return
        const passing = this.#next((request) => this.#mayPass(request))
        if (passing === undefined) return
        queue = passing
      }
      const entry = queue.waiting.shift()!
      const { seats } = entry.request
      this.#waiting -= 1
      this.#seatsWaiting -= seats
      queue.executing += 1
      queue.seatsInUse += seats
      this.#dispatchedAtR = this.#virtual
      this.#latestStartR = queue.nextDispatchR
      queue.nextDispatchR += workOf(entry.request)
      entry.startedMs = nowMs
      if (isPassing) {
        entry.isPassing = true
        this.#seatsPassing += seats
      }
      this.#begin(entry)
      if (entry.request !== arriving) entry.request.start()
    }
  }

  #begin(entry: Entry): void {
    this.#entries.set(entry.request, entry)
    this.#seatsInUse += entry.request.seats
    this.#executing += 1
  }

  /** Of the queues whose first request may start: whose would be over first. */
  #next(mayStart: (first: FlowRequest) => boolean): Queue | undefined {
    let best: Queue | undefined
    let bestFinish = Infinity
    let bestAt = this.#turn
    for (let step = 1; step <= this.#queues.length; step++) {
      const at = (this.#turn + step) % this.#queues.length
      const queue = this.#queues[at]!
      const [first] = queue.waiting
      if (first === undefined) continue
      const finish = queue.nextDispatchR + workOf(first.request)
      if (finish < bestFinish && mayStart(first.request)) [best, bestFinish, bestAt] = [queue, finish, at]
    }
    this.#turn = bestAt
    return best
  }
}

function newQueues(count: number): Queue[] {
  return Array.from({ length: count }, () => ({ waiting: [], executing: 0, seatsInUse: 0, nextDispatchR: 0 }))
}
