// What anything that may wait is handed first: the time, chance, a way to be told to stop, and a log.

import { anySignal } from './any-signal.ts'
import type { Clock } from './clock.ts'
import type { Log, LogFields } from './log.ts'
import type { Random } from './ids.ts'

export interface Scope {
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  /** Aborts when the work should end. */
  readonly signal: AbortSignal
}

/** The same scope with more fields on its log lines, and optionally a second reason to stop. */
export function childScope(scope: Scope, fields: LogFields, signal?: AbortSignal): Scope {
  return {
    ...scope,
    log: scope.log.child(fields),
    signal: signal === undefined ? scope.signal : anySignal([scope.signal, signal]),
  }
}
