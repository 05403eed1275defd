// Time that stands still until a test moves it.

import type { Clock, Timer } from '@aksel/base/clock'

interface Planned {
  readonly dueMs: number
  readonly order: number
  readonly fire: () => void
}

export class SimulatedClock implements Clock {
  readonly #startMs: number
  #elapsedMs = 0
  #order = 0
  readonly #planned = new Set<Planned>()

  /** `startMs` is the wall time at the start, since the Unix epoch. */
  constructor(startMs = Date.UTC(2026, 0, 1)) {
    this.#startMs = startMs
  }

  now(): number {
    return this.#startMs + this.#elapsedMs
  }

  monotonicMs(): number {
    return this.#elapsedMs
  }

  /** Timers that have not fired. */
  get timerCount(): number {
    return this.#planned.size
  }

  after(delayMs: number, fire: () => void): Timer {
    const planned: Planned = { dueMs: this.#elapsedMs + Math.max(0, delayMs), order: this.#order++, fire }
    const timers = this.#planned
    timers.add(planned)
    return {
      get pending() {
        return timers.has(planned)
      },
      [Symbol.dispose]() {
        timers.delete(planned)
      },
    }
  }

  /** Moves time on and fires what falls due, in order; what follows in promises has not run when it returns. */
  advance(ms: number): void {
    const endMs = this.#elapsedMs + ms
    for (let next = this.#next(endMs); next !== undefined; next = this.#next(endMs)) this.#fire(next)
    this.#elapsedMs = endMs
  }

  /** Moves time on timer by timer and lets the promises of each settle before the next fires. */
  async run(ms: number): Promise<void> {
    const endMs = this.#elapsedMs + ms
    await settled()
    for (let next = this.#next(endMs); next !== undefined; next = this.#next(endMs)) {
      this.#fire(next)
      await settled()
    }
    this.#elapsedMs = endMs
    await settled()
  }

  #fire(planned: Planned): void {
    this.#planned.delete(planned)
    this.#elapsedMs = Math.max(this.#elapsedMs, planned.dueMs)
    planned.fire()
  }

  #next(endMs: number): Planned | undefined {
    let first: Planned | undefined
    for (const planned of this.#planned) {
      if (planned.dueMs > endMs) continue
      const isEarlier = first === undefined || planned.dueMs < first.dueMs
      if (isEarlier || (planned.dueMs === first!.dueMs && planned.order < first!.order)) first = planned
    }
    return first
  }
}

/** Resolves when every promise that waits on nothing outside the process's memory has run on. */
export function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
