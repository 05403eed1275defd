// One priority level: its queues, the seats that it may use now, and what was counted of its requests.

import type { PriorityLevelConfiguration } from '@aksel/api/types/flowcontrol-v1'
import { SeatDemand, type LevelBounds, type LevelShares } from './borrowing.ts'
import type { FlowRequest, QueueConfiguration } from './flow-request.ts'
import { LevelTimings } from './level-timings.ts'
import { QueueSet } from './queue-set.ts'

export interface LevelCounts {
  dispatched: number
  rejected: number
  timedOut: number
  cancelled: number
}

const EXEMPT_SEATS = Number.MAX_SAFE_INTEGER
const nobodyWaits: QueueConfiguration = { queues: 0, handSize: 0, queueLengthLimit: 0 }

export class Level {
  readonly name: string
  readonly queues: QueueSet
  readonly demand: SeatDemand
  readonly timings: LevelTimings
  readonly counts: LevelCounts = { dispatched: 0, rejected: 0, timedOut: 0, cancelled: 0 }
  configuration: PriorityLevelConfiguration
  /** Requests that its queues hold together. */
  #waitingMax: number
  bounds: LevelBounds = { nominal: 0, min: 0, max: 0 }
  /** Its object is gone, its last requests are not. */
  isQuiescing = false
  /** Seats that it may use now, unless it is exempt. */
  currentSeats = 0

  /** `noRoom` is told of each request whose turn it is and that finds no room. */
  constructor(
    configuration: PriorityLevelConfiguration,
    nowMs: number,
    noRoom: (request: FlowRequest) => void = () => {},
  ) {
    this.name = configuration.metadata.name
    this.configuration = configuration
    this.queues = new QueueSet(queuesOf(configuration), 0, nowMs, noRoom)
    this.#waitingMax = roomOf(queuesOf(configuration))
    this.timings = new LevelTimings(nowMs)
    this.demand = new SeatDemand(nowMs)
    if (this.isExempt) this.queues.resize(EXEMPT_SEATS, nowMs)
  }

  get isExempt(): boolean {
    return this.configuration.spec?.type === 'Exempt'
  }

  get uid(): string {
    return this.configuration.metadata.uid ?? ''
  }

  get shares(): LevelShares {
    const { limited, exempt } = this.configuration.spec ?? {}
    const given = limited ?? exempt
    const limit = limited?.borrowingLimitPercent
    return {
      shares: given?.nominalConcurrencyShares ?? (this.isExempt ? 0 : 30),
      lendablePercent: given?.lendablePercent ?? 0,
      borrowingLimitPercent: limit,
    }
  }

  configure(configuration: PriorityLevelConfiguration, nowMs: number): void {
    const [before, after] = [queuesOf(this.configuration), queuesOf(configuration)]
    const wasExempt = this.isExempt
    this.configuration = configuration
    this.#waitingMax = roomOf(after)
    const isSame =
      before.queues === after.queues &&
      before.handSize === after.handSize &&
      before.queueLengthLimit === after.queueLengthLimit
    if (!isSame) this.queues.configure(after, nowMs)
    if (this.isExempt !== wasExempt) this.use(this.currentSeats, nowMs)
  }

  /** Seats from now on. */
  use(seats: number, nowMs: number): void {
    this.currentSeats = seats
    this.queues.resize(this.isExempt ? EXEMPT_SEATS : Math.max(1, seats), nowMs)
  }

  /** Who runs and who waits has changed. `totalSeats`: of the server, for a level that has none. */
  noteChange(nowMs: number, totalSeats: number): void {
    const { queues } = this
    this.demand.want(queues.seatsInUse + queues.seatsWaiting, nowMs)
    const limit =
      this.isExempt || this.currentSeats === 0 ? Math.max(1, Math.round(totalSeats / 10)) : this.currentSeats
    this.timings.set(
      {
        seatsInUse: queues.seatsInUse / limit,
        executing: queues.executing / limit,
        waiting: queues.waiting / this.#waitingMax,
        demand: (queues.seatsInUse + queues.seatsWaiting) / limit,
      },
      nowMs,
    )
  }
}

function roomOf({ queues, queueLengthLimit }: QueueConfiguration): number {
  return Math.max(1, queues) * Math.max(1, queueLengthLimit)
}

function queuesOf({ spec }: PriorityLevelConfiguration): QueueConfiguration {
  if (spec?.type === 'Exempt' || spec?.limited?.limitResponse?.type !== 'Queue') return nobodyWaits
  const { queues = 64, handSize = 8, queueLengthLimit = 50 } = spec.limited.limitResponse.queuing ?? {}
  return { queues, handSize, queueLengthLimit }
}
