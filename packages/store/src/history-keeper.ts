// Lets history go in time: after five minutes or 100,000 revisions, whichever comes first, a little at a time.

import type { Clock, Timer } from '@aksel/base/clock'
import type { Mvcc } from './mvcc.ts'
import { StoreError } from './store.ts'
import type { WatchHub } from './watch-hub.ts'

export interface HistoryLimits {
  readonly historyMs: number
  readonly historyRevisions: number
}

export const defaultHistoryLimits: HistoryLimits = { historyMs: 5 * 60_000, historyRevisions: 100_000 }

/** Revisions let go in one slice: about two milliseconds of work. */
const SLICE_REVISIONS = 2_000

export class HistoryKeeper {
  readonly #clock: Clock
  readonly #core: Mvcc
  readonly #hub: WatchHub
  readonly #limits: HistoryLimits
  /** Floors that a running compaction still reads at. */
  readonly #pins = new Set<number>()
  /** Where `compact` wants the floor. */
  #wanted = 0
  #sweep: Timer | undefined
  #slicing: Promise<void> | undefined
  #closed = false

  constructor(clock: Clock, core: Mvcc, hub: WatchHub, limits: HistoryLimits) {
    this.#clock = clock
    this.#core = core
    this.#hub = hub
    this.#limits = limits
  }

  /** Called after commits. Cheap: forgets no more than twice what can have been added. */
  afterCommit(revisions: number): void {
    if (this.#core.applied - this.#core.floor > this.#limits.historyRevisions) this.#forget(revisions * 2 + 16)
    this.#arm()
  }

  /** Keeps the floor where it is until disposed. */
  pin(): Disposable & { readonly revision: number } {
    const revision = this.#core.floor
    this.#pins.add(revision)
    return { revision, [Symbol.dispose]: () => void this.#pins.delete(revision) }
  }

  /** Forgets what lies below the revision; resolves when that is done, or left to the end of a pin. */
  async compact(revision: number): Promise<void> {
    if (revision > this.#core.visible) {
      throw new StoreError('FutureRevision', `Cannot compact at ${revision}: the newest is ${this.#core.visible}`)
    }
    this.#wanted = Math.max(this.#wanted, revision)
    await this.#forgetInSlices()
  }

  close(): void {
    this.#closed = true
    this.#sweep?.[Symbol.dispose]()
  }

  #target(): number {
    const expired = this.#expired()
    const byCount = this.#core.visible - this.#limits.historyRevisions
    return Math.min(Math.max(this.#wanted, expired, byCount), ...this.#pins)
  }

  /** The newest revision in the next slice that is older than history is kept. */
  #expired(): number {
    const limitMs = this.#clock.now() - this.#limits.historyMs
    let expired = 0
    let seen = 0
    this.#core.changesAfter(this.#core.floor, (change) => {
      if (change.timeMs > limitMs || seen === SLICE_REVISIONS) return false
      expired = change.revision
      seen += 1
      return true
    })
    return expired
  }

  #forget(revisionsMax: number): void {
    this.#core.forget(this.#target(), revisionsMax)
  }

  #forgetInSlices(): Promise<void> {
    this.#slicing ??= this.#slices().finally(() => (this.#slicing = undefined))
    return this.#slicing
  }

  async #slices(): Promise<void> {
    while (!this.#closed && this.#core.floor < Math.min(this.#target(), this.#core.visible)) {
      this.#forget(SLICE_REVISIONS)
      await new Promise((resolve) => setImmediate(resolve))
    }
  }

  /** A sweep is due only while there is history: an idle store wakes nobody. */
  #arm(): void {
    if (this.#closed || this.#sweep?.pending === true || this.#core.oldestChange() === undefined) return
    this.#sweep = this.#clock.after(this.#limits.historyMs / 5, () => {
      this.#hub.bookmark()
      void this.#forgetInSlices().then(() => this.#arm())
    })
  }
}
