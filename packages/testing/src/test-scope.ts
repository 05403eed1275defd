// A scope for tests: simulated time, repeatable chance, and log lines kept in a list.

import { seededRandom } from '@aksel/base/ids'
import { logTo } from '@aksel/base/log'
import type { LogLine } from '@aksel/base/log'
import type { Scope } from '@aksel/base/scope'
import { SimulatedClock } from './simulated-clock.ts'

export interface TestScope extends Scope, Disposable {
  readonly clock: SimulatedClock
  readonly lines: readonly LogLine[]
  abort(): void
}

export function testScope(options: { readonly seed?: number; readonly clock?: SimulatedClock } = {}): TestScope {
  const stop = new AbortController()
  const lines: LogLine[] = []
  const abort = (): void => stop.abort(new Error('The test ended'))
  return {
    clock: options.clock ?? new SimulatedClock(),
    random: seededRandom(options.seed ?? 1),
    log: logTo((line) => lines.push(line)),
    signal: stop.signal,
    lines,
    abort,
    [Symbol.dispose]: abort,
  }
}
