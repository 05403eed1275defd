// The queues of one priority level and the seats behind them: fair queuing among flows by virtual time. Pure: time is handed in,
// and whoever waits is called back.
//
// A queue's next request starts when it would have finished first had every queue been served seat by seat in turn. Virtual time
// (in seat-seconds) passes for all queues alike, at the rate at which an active queue would then get seats.
//
// Apart from upstream's: where the next request is a wide one that finds no room, everybody would wait until a list is over, for
// seconds where lists are long. So wide requests leave a tenth of the seats, and narrow ones pass by there.

import { deal } from './dealer.ts'

export interface QueueConfiguration {
  /** 0: nobody waits; beyond the seats requests are refused. */
  readonly queues: number
  readonly handSize: number
  readonly queueLengthLimit: number
}

export interface FlowRequest {
  readonly hash: bigint
  /** Seats that it takes while it runs. */
  readonly seats: number
  /** Told once, when it gets them; not for a request that gets them as it comes. */
  readonly start: () => void
}

export type Arrival = 'executing' | 'queued' | 'queue-full' | 'concurrency-limit'

/** What a request is taken to last until it is over, in seconds: upstream's guess. */
const SERVICE_SECONDS = 0.003
/** Of a level's seats: what wide requests leave to narrow ones, and what a narrow one takes at most. */
const [RESERVED, NARROW] = [0.1, 0.01]
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
  #atMs: number
  /** Where the search for the next queue begins, so that equals take turns. */
  #turn = 0

  constructor(configuration: QueueConfiguration, limit: number, nowMs: number) {
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

  arrive(request: FlowRequest, nowMs: number): Arrival {
    this.#advance(nowMs)
    const { queues, queueLengthLimit } = this.#configuration
    if (queues === 0) {
      if (!this.#hasRoom(request.seats)) return 'concurrency-limit'
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

  /** It is over, or nobody waits for it any more. What may start now is told so. */
  leave(request: FlowRequest, nowMs: number): void {
    const entry = this.#entries.get(request)
    if (entry === undefined) return
    this.#advance(nowMs)
    this.#entries.delete(request)
    const { queue, startedMs } = entry
    if (startedMs === undefined) this.#withdraw(entry, queue!)
    else {
      if (entry.isPassing === true) this.#seatsPassing -= request.seats
      this.#finish(request, queue, (nowMs - startedMs) / 1000)
    }
    this.#dispatch(nowMs, undefined)
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
  shown(): readonly {
    readonly waiting: readonly FlowRequest[]
    readonly executing: number
    readonly seatsInUse: number
    readonly nextDispatchR: number
  }[] {
    return this.#queues.map(({ waiting, ...rest }) => ({ ...rest, waiting: waiting.map(({ request }) => request) }))
  }

  #advance(nowMs: number): void {
    const seconds = Math.max(0, nowMs - this.#atMs) / 1000
    this.#atMs = Math.max(nowMs, this.#atMs)
    if (this.#active === 0) return
    const wanted = this.#seatsInUse + this.#seatsWaiting
    this.#virtual += (seconds * Math.min(wanted, this.#limit)) / this.#active
  }

  #hasRoom(seats: number): boolean {
    if (this.#isNarrow(seats)) return this.#seatsInUse + seats <= this.#limit
    // Wider than all seats together: alone it may run.
    if (seats > this.#limit) return this.#seatsInUse === 0
    const most = this.#limit - this.#reserved
    if (seats > most) return this.#seatsInUse + seats <= this.#limit
    // Those that pass keep to what is left free for them: they hold no wide one up.
    return this.#seatsInUse - this.#seatsPassing + seats <= most
  }

  get #reserved(): number {
    return Math.floor(this.#limit * RESERVED)
  }

  #isNarrow(seats: number): boolean {
    return seats <= Math.max(1, this.#limit * NARROW)
  }

  #mayPass(seats: number): boolean {
    return this.#isNarrow(seats) && this.#hasRoom(seats) && this.#seatsPassing + seats <= this.#reserved
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

  #finish({ seats }: FlowRequest, queue: Queue | undefined, seconds: number): void {
    this.#seatsInUse -= seats
    this.#executing -= 1
    if (queue === undefined) return
    queue.executing -= 1
    queue.seatsInUse -= seats
    // What it was charged when it started was a guess.
    queue.nextDispatchR += seats * (seconds - SERVICE_SECONDS)
    this.#rest(queue)
  }

  #rest(queue: Queue): void {
    if (queue.waiting.length > 0 || queue.executing > 0) return
    this.#active -= 1
  }

  #dispatch(nowMs: number, arriving: FlowRequest | undefined): void {
    while (this.#waiting > 0) {
      let queue = this.#next(() => true)!
      const first = queue.waiting[0]!.request.seats
      const isPassing = !this.#hasRoom(first)
      if (isPassing) {
        if (first > this.#limit - this.#reserved) return
        const passing = this.#next(({ seats }) => this.#mayPass(seats))
        if (passing === undefined) return
        queue = passing
      }
      const entry = queue.waiting.shift()!
      const { seats } = entry.request
      this.#waiting -= 1
      this.#seatsWaiting -= seats
      queue.executing += 1
      queue.seatsInUse += seats
      queue.nextDispatchR += seats * SERVICE_SECONDS
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
      const finish = queue.nextDispatchR + first.request.seats * SERVICE_SECONDS
      if (finish < bestFinish && mayStart(first.request)) [best, bestFinish, bestAt] = [queue, finish, at]
    }
    this.#turn = bestAt
    return best
  }
}

function newQueues(count: number): Queue[] {
  return Array.from({ length: count }, () => ({ waiting: [], executing: 0, seatsInUse: 0, nextDispatchR: 0 }))
}
