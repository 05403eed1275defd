// For how long a level was how busy: upstream's histograms whose observations are nanoseconds.

import { TimingSeries } from './timing-series.ts'

const seatBounds = [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1] as const
const requestBounds = [0, 0.001, 0.003, 0.01, 0.03, 0.1, 0.25, 0.5, 0.75, 1] as const
const demandBounds = [0.2, 0.4, 0.6, 0.8, 1, 1.2, 1.4, 1.7, 2, 2.8, 4, 6] as const

/** Each as a share of what the level may have. */
export interface LevelUse {
  readonly seatsInUse: number
  readonly executing: number
  readonly waiting: number
  readonly demand: number
}

export class LevelTimings {
  readonly seatsInUse: TimingSeries
  readonly executing: TimingSeries
  readonly waiting: TimingSeries
  readonly demand: TimingSeries

  constructor(nowMs: number) {
    this.seatsInUse = new TimingSeries(seatBounds, nowMs)
    this.executing = new TimingSeries(requestBounds, nowMs)
    this.waiting = new TimingSeries(requestBounds, nowMs)
    this.demand = new TimingSeries(demandBounds, nowMs)
  }

  set(use: LevelUse, nowMs: number): void {
    this.seatsInUse.set(use.seatsInUse, nowMs)
    this.executing.set(use.executing, nowMs)
    this.waiting.set(use.waiting, nowMs)
    this.demand.set(use.demand, nowMs)
  }
}
