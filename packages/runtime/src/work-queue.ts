// The queue between changes and a control loop: a key waits in it once, never runs twice at a time, and comes again later
// when asked.

import type { Clock, Timer } from '@aksel/base/clock'

export interface WorkQueueOptions {
  readonly clock: Clock
  /** Wait after the first failure; doubles with each further one. Default 5 ms. */
  readonly backOffBaseMs?: number
  /** Default 1,000 s. */
  readonly backOffMaxMs?: number
}

/**
 * Keys go in with `add`, come out of `take`, and must be given back with `finish`. A key added while it is in use runs once
 * more after `finish`. Taking a key drops its delayed add: the pass that begins decides anew when to come back.
 */
export class WorkQueue implements Disposable {
  readonly #clock: Clock
  readonly #backOffBaseMs: number
  readonly #backOffMaxMs: number
  readonly #waiting = new Set<string>()
  readonly #inUse = new Set<string>()
  readonly #again = new Set<string>()
  readonly #delayed = new Map<string, { readonly dueMs: number; readonly timer: Timer }>()
  readonly #failures = new Map<string, number>()
  readonly #takers: ((key: string | undefined) => void)[] = []
  #closed = false

  constructor({ clock, backOffBaseMs = 5, backOffMaxMs = 1_000_000 }: WorkQueueOptions) {
    this.#clock = clock
    this.#backOffBaseMs = backOffBaseMs
    this.#backOffMaxMs = backOffMaxMs
  }

  /** Keys that wait for a taker. */
  get length(): number {
    return this.#waiting.size
  }

  /** Keys that come back by themselves later. */
  get delayedLength(): number {
    return this.#delayed.size
  }

  add(key: string): void {
    if (this.#closed) return
    if (this.#inUse.has(key)) {
      this.#again.add(key)
      return
    }
    const taker = this.#waiting.has(key) ? undefined : this.#takers.shift()
    if (taker === undefined) this.#waiting.add(key)
    else taker(this.#use(key))
  }

  /** Adds the key after `delayMs`; where it is due earlier already, nothing changes. */
  addAfter(key: string, delayMs: number): void {
    if (this.#closed) return
    if (delayMs <= 0) return this.add(key)
    const dueMs = this.#clock.monotonicMs() + delayMs
    const planned = this.#delayed.get(key)
    if (planned !== undefined && planned.dueMs <= dueMs) return
    planned?.timer[Symbol.dispose]()
    const timer = this.#clock.after(delayMs, () => {
      this.#delayed.delete(key)
      this.add(key)
    })
    this.#delayed.set(key, { dueMs, timer })
  }

  /** Adds the key after a wait that doubles with every call until `forget`. */
  addRateLimited(key: string): void {
    const failures = this.#failures.get(key) ?? 0
    this.#failures.set(key, failures + 1)
    this.addAfter(key, Math.min(this.#backOffBaseMs * 2 ** failures, this.#backOffMaxMs))
  }

  /** The key succeeded: its next failure waits the shortest time again. */
  forget(key: string): void {
    this.#failures.delete(key)
  }

  failuresOf(key: string): number {
    return this.#failures.get(key) ?? 0
  }

  /** The next key, in the order of adding; waits for one. Undefined once the queue is closed. */
  take(): Promise<string | undefined> {
    if (this.#closed) return Promise.resolve(undefined)
    const [key] = this.#waiting
    if (key === undefined) return new Promise((resolve) => this.#takers.push(resolve))
    this.#waiting.delete(key)
    return Promise.resolve(this.#use(key))
  }

  /** Gives a taken key back. */
  finish(key: string): void {
    this.#inUse.delete(key)
    if (this.#again.delete(key)) this.add(key)
  }

  /** Drops what waits and ends every `take`. Keys in use may still be finished. */
  [Symbol.dispose](): void {
    this.#closed = true
    this.#waiting.clear()
    this.#again.clear()
    for (const { timer } of this.#delayed.values()) timer[Symbol.dispose]()
    this.#delayed.clear()
    for (const taker of this.#takers.splice(0)) taker(undefined)
  }

  #use(key: string): string {
    this.#inUse.add(key)
    const planned = this.#delayed.get(key)
    planned?.timer[Symbol.dispose]()
    this.#delayed.delete(key)
    return key
  }
}
