// The scope of the store's tests: a clock that moves when told, seeded chance, no log.

import type { Clock } from '@aksel/base/clock'
import { seededRandom } from '@aksel/base/ids'
import { silentLog } from '@aksel/base/log'
import type { Scope } from '@aksel/base/scope'

export interface TestScope extends Scope {
  /** Moves the clock and fires what is due. */
  advance(ms: number): void
}

export function testScope(seed = 1): TestScope {
  let nowMs = Date.UTC(2026, 0, 1)
  const timers = new Set<{ readonly atMs: number; readonly fire: () => void }>()
  const clock: Clock = {
    now: () => nowMs,
    monotonicMs: () => nowMs,
    after(delayMs, fire) {
      const timer = { atMs: nowMs + delayMs, fire }
      timers.add(timer)
      return {
        get pending() {
          return timers.has(timer)
        },
        [Symbol.dispose]: () => void timers.delete(timer),
      }
    },
  }
  return {
    clock,
    random: seededRandom(seed),
    log: silentLog(),
    signal: new AbortController().signal,
    advance(ms) {
      nowMs += ms
      for (const timer of timers) {
        if (timer.atMs > nowMs) continue
        timers.delete(timer)
        timer.fire()
      }
    },
  }
}
