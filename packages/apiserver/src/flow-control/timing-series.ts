// A histogram over time: each nanosecond observes the value that a variable has then.

import { Series } from '../metrics.ts'

const NANOSECONDS_PER_MS = 1e6

export class TimingSeries {
  readonly #series: Series
  #value = 0
  #sinceMs: number

  constructor(bounds: readonly number[], nowMs: number) {
    this.#series = new Series(bounds)
    this.#sinceMs = nowMs
  }

  get value(): number {
    return this.#value
  }

  /** From now on. */
  set(value: number, nowMs: number): void {
    this.#observe(nowMs)
    this.#value = value
  }

  /** With all that was until now. */
  read(nowMs: number): Series {
    this.#observe(nowMs)
    return this.#series
  }

  #observe(nowMs: number): void {
    const nanoseconds = Math.round((nowMs - this.#sinceMs) * NANOSECONDS_PER_MS)
    if (nanoseconds <= 0) return
    this.#series.observe(this.#value, nanoseconds)
    this.#sinceMs = nowMs
  }
}
