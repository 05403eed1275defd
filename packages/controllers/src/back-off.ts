// How long to wait before trying something again that keeps failing: doubling from a base to a limit, forgotten after a quiet time.

import type { Clock } from '@aksel/base/clock'

interface Try {
  readonly delayMs: number
  readonly atMs: number
}

export class BackOff {
  readonly #baseMs: number
  readonly #maxMs: number
  readonly #tries = new Map<string, Try>()

  constructor({ baseMs, maxMs }: { readonly baseMs: number; readonly maxMs: number }) {
    this.#baseMs = baseMs
    this.#maxMs = maxMs
  }

  /** 0 when it may be tried now, and counts as tried; else how long to wait, in milliseconds. */
  waitMs(clock: Clock, key: string): number {
    const nowMs = clock.monotonicMs()
    const last = this.#tries.get(key)
    const sinceMs = nowMs - (last?.atMs ?? 0)
    if (last !== undefined && sinceMs < last.delayMs) return last.delayMs - sinceMs
    // Twice the limit without a try: whatever was wrong is over.
    const isFresh = last === undefined || sinceMs > 2 * this.#maxMs
    this.#tries.set(key, {
      delayMs: isFresh ? this.#baseMs : Math.min(last.delayMs * 2, this.#maxMs),
      atMs: nowMs,
    })
    for (const [old, { atMs }] of this.#tries) {
      if (nowMs - atMs <= 2 * this.#maxMs) break
      this.#tries.delete(old)
    }
    return 0
  }
}
