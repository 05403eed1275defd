// Work by the time it falls due, on one timer: thousands of nodes would otherwise hold a timer each for lease and pods.

import type { Clock, Timer } from '@aksel/base/clock'

interface Due {
  readonly dueMs: number
  readonly order: number
  run: (() => void) | undefined
}

export class DueQueue implements Disposable {
  readonly #clock: Clock
  /** A binary heap, the earliest first. */
  readonly #heap: Due[] = []
  #timer: Timer | undefined
  #timerDueMs = Infinity
  #order = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Calls `run` once after the delay; disposing the answer cancels it. Throws RangeError for a delay that is no number. */
  after(delayMs: number, run: () => void): Disposable {
    if (Number.isNaN(delayMs)) throw new RangeError('Cannot wait for a time that is no number')
    const due: Due = { dueMs: this.#clock.monotonicMs() + Math.max(0, delayMs), order: (this.#order += 1), run }
    this.#push(due)
    this.#arm()
    return {
      [Symbol.dispose]: () => {
        due.run = undefined
      },
    }
  }

  [Symbol.dispose](): void {
    this.#timer?.[Symbol.dispose]()
    this.#heap.length = 0
  }

  #arm(): void {
    const first = this.#heap[0]
    if (first === undefined || (this.#timer?.pending === true && this.#timerDueMs <= first.dueMs)) return
    this.#timer?.[Symbol.dispose]()
    this.#timerDueMs = first.dueMs
    this.#timer = this.#clock.after(Math.ceil(first.dueMs - this.#clock.monotonicMs()), () => this.#fire())
  }

  #fire(): void {
    const nowMs = this.#clock.monotonicMs()
    this.#timer = undefined
    while (this.#heap.length > 0 && this.#heap[0]!.dueMs <= nowMs) this.#pop().run?.()
    this.#arm()
  }

  #push(due: Due): void {
    const heap = this.#heap
    let index = heap.push(due) - 1
    while (index > 0) {
      const parent = (index - 1) >> 1
      if (!isBefore(due, heap[parent]!)) break
      heap[index] = heap[parent]!
      index = parent
    }
    heap[index] = due
  }

  #pop(): Due {
    const heap = this.#heap
    const first = heap[0]!
    const last = heap.pop()!
    if (heap.length === 0) return first
    let index = 0
    for (;;) {
      let child = index * 2 + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child += 1
      if (!isBefore(heap[child]!, last)) break
      heap[index] = heap[child]!
      index = child
    }
    heap[index] = last
    return first
  }
}

function isBefore(left: Due, right: Due): boolean {
  return left.dueMs < right.dueMs || (left.dueMs === right.dueMs && left.order < right.order)
}
