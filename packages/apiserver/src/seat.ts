// A seat for every short request: beyond a bound, callers are told to come again rather than let all suffer.

import { tooManyRequests } from './refusals.ts'

export interface SeatLimits {
  /** Requests at once that change something. */
  readonly mutatingMax: number
  readonly readingMax: number
}

export const defaultSeatLimits: SeatLimits = { mutatingMax: 4000, readingMax: 8000 }

export class Seats {
  readonly #limits: SeatLimits
  #mutating = 0
  #reading = 0

  constructor(limits: SeatLimits) {
    this.#limits = limits
  }

  /** Seats that are taken now. */
  get mutating(): number {
    return this.#mutating
  }

  get reading(): number {
    return this.#reading
  }

  /** Dispose to give the seat back. Throws TooManyRequests. */
  take(mutates: boolean): Disposable {
    if (mutates ? this.#mutating >= this.#limits.mutatingMax : this.#reading >= this.#limits.readingMax)
      throw tooManyRequests()
    if (mutates) this.#mutating += 1
    else this.#reading += 1
    return {
      [Symbol.dispose]: () => {
        if (mutates) this.#mutating -= 1
        else this.#reading -= 1
      },
    }
  }
}
