// Pods that wait for a node: those to be tried now, those that wait a little after a failure, and those that wait for
// a change which may help them.

import type { Clock, Timer } from '@aksel/base/clock'
import type { Pod } from '@aksel/api/types/core-v1'
import { keyOf } from '@aksel/api/resource'
import type { WakeUp } from './plugin.ts'

const BACKOFF_FIRST_MS = 1000
const BACKOFF_LAST_MS = 10_000
/** A pod is tried again after this time even when nothing that would help it was seen. */
const FORGOTTEN_AFTER_MS = 5 * 60_000

interface Waiting {
  readonly key: string
  readonly priority: number
  /** Order of arrival among equals. */
  readonly sequence: number
  attempts: number
  /** `backoff` after a change that may help, `error` after a failure such as a lost binding. */
  place: 'active' | 'backoff' | 'error' | 'unschedulable' | 'taken'
  /** What would help; every change when it was turned away by nothing in particular. */
  wokenBy: ReadonlySet<WakeUp>
  /** A change that might help came while it was being tried. */
  wokenWhileTaken: boolean
  timer?: Timer
}

export class SchedulingQueue {
  readonly #clock: Clock
  readonly #waiting = new Map<string, Waiting>()
  readonly #onActive: () => void
  #sequence = 0

  /** `onActive` is called whenever a pod becomes ready to be tried. */
  constructor(clock: Clock, onActive: () => void) {
    this.#clock = clock
    this.#onActive = onActive
  }

  get length(): number {
    return this.#waiting.size
  }

  has(key: string): boolean {
    return this.#waiting.has(key)
  }

  /** A new pod, or a changed one: its change may be what helps it. */
  put(pod: Pod): void {
    const key = keyOf(pod)
    const known = this.#waiting.get(key)
    if (known !== undefined) return this.#wake(known, 'pod-changed')
    this.#sequence += 1
    const waiting: Waiting = {
      key,
      priority: pod.spec.priority ?? 0,
      sequence: this.#sequence,
      attempts: 0,
      place: 'active',
      wokenBy: new Set(),
      wokenWhileTaken: false,
    }
    this.#waiting.set(key, waiting)
    this.#onActive()
  }

  /** Bound, deleted or finished. */
  drop(key: string): void {
    this.#waiting.get(key)?.timer?.[Symbol.dispose]()
    this.#waiting.delete(key)
  }

  /**
   * The next pod to try: highest priority first, then in order of arrival. When none is due, one that only waits out
   * its back-off is tried early, as upstream does: an idle scheduler has nothing to protect. Failures wait to the end.
   */
  take(): string | undefined {
    const next = this.#first('active') ?? this.#first('backoff')
    if (next === undefined) return undefined
    next.timer?.[Symbol.dispose]()
    next.place = 'taken'
    next.attempts += 1
    next.wokenWhileTaken = false
    return next.key
  }

  #first(place: Waiting['place']): Waiting | undefined {
    let first: Waiting | undefined
    for (const waiting of this.#waiting.values()) {
      if (waiting.place !== place) continue
      if (
        first === undefined ||
        waiting.priority > first.priority ||
        (waiting.priority === first.priority && waiting.sequence < first.sequence)
      ) {
        first = waiting
      }
    }
    return first
  }

  /** No node took it: it sleeps until one of these changes. */
  turnAway(key: string, wokenBy: ReadonlySet<WakeUp>): void {
    const waiting = this.#waiting.get(key)
    if (waiting === undefined) return
    waiting.wokenBy = wokenBy
    if (waiting.wokenWhileTaken) return this.#backOff(waiting, 'backoff')
    waiting.place = 'unschedulable'
    waiting.timer?.[Symbol.dispose]()
    waiting.timer = this.#clock.after(FORGOTTEN_AFTER_MS, () => this.#activate(waiting))
  }

  /** Something else failed, such as the binding: it is tried again after its back-off. */
  retry(key: string): void {
    const waiting = this.#waiting.get(key)
    if (waiting !== undefined) this.#backOff(waiting, 'error')
  }

  /** Something changed that may help pods which were turned away. */
  wake(change: WakeUp): void {
    for (const waiting of this.#waiting.values()) this.#wake(waiting, change)
  }

  close(): void {
    for (const key of this.#waiting.keys()) this.drop(key)
  }

  #wake(waiting: Waiting, change: WakeUp): void {
    if (waiting.place === 'taken') waiting.wokenWhileTaken = true
    if (waiting.place !== 'unschedulable') return
    if (waiting.wokenBy.size === 0 || waiting.wokenBy.has(change)) this.#backOff(waiting, 'backoff')
  }

  #backOff(waiting: Waiting, place: 'backoff' | 'error'): void {
    waiting.place = place
    waiting.timer?.[Symbol.dispose]()
    const delayMs = Math.min(BACKOFF_LAST_MS, BACKOFF_FIRST_MS * 2 ** Math.max(0, waiting.attempts - 1))
    waiting.timer = this.#clock.after(delayMs, () => this.#activate(waiting))
    if (place === 'backoff') this.#onActive()
  }

  #activate(waiting: Waiting): void {
    if (this.#waiting.get(waiting.key) !== waiting || waiting.place === 'taken') return
    waiting.place = 'active'
    this.#onActive()
  }
}
