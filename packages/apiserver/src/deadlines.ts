// When requests are over that have the same time: one timer for all that are under way, in place of one for each.

import type { Clock, Timer } from '@aksel/base/clock'

export interface Deadline {
  /** In time: forgotten. */
  met(): void
}

interface Waiting extends Deadline {
  readonly dueMs: number
  readonly missed: () => void
}

export class Deadlines implements Disposable {
  readonly #clock: Clock
  readonly #limitMs: number
  /** In the order of their time, since it is as long for each. */
  readonly #waiting = new Set<Waiting>()
  #timer: Timer | undefined

  constructor(clock: Clock, limitMs: number) {
    this.#clock = clock
    this.#limitMs = limitMs
  }

  /** `missed` is called once after the time, unless it was met before. */
  begin(missed: () => void): Deadline {
    const waiting: Waiting = {
      dueMs: this.#clock.monotonicMs() + this.#limitMs,
      missed,
      met: () => void this.#waiting.delete(waiting),
    }
    this.#waiting.add(waiting)
    // It goes on when the last was met: the next request need not begin it again.
    this.#timer ??= this.#clock.after(this.#limitMs, () => this.#look())
    return waiting
  }

  #look(): void {
    this.#timer = undefined
    const nowMs = this.#clock.monotonicMs()
    for (const waiting of this.#waiting) {
      // A timer may fire a moment early.
      if (waiting.dueMs > nowMs + 1) {
        this.#timer = this.#clock.after(waiting.dueMs - nowMs, () => this.#look())
        return
      }
      this.#waiting.delete(waiting)
      waiting.missed()
    }
  }

  /** Nothing is called any more. */
  [Symbol.dispose](): void {
    this.#timer?.[Symbol.dispose]()
    this.#waiting.clear()
  }
}
