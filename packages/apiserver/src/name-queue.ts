// Names that wait to be looked at, one at a time, in the order in which they were asked for; a failure comes again later.

import type { Scope } from '@aksel/base/scope'
import type { QueueMeasure } from './queue-metrics.ts'

const RETRY_MS = 1000

export class NameQueue {
  readonly #scope: Scope
  readonly #look: (name: string) => Promise<void>
  readonly #failed: (name: string, error: unknown) => 'again' | 'done'
  readonly #measure: QueueMeasure
  readonly #waiting = new Set<string>()
  #running = false

  /** `failed` is told of every error but the end of the scope, and says whether the name comes again. */
  constructor(
    scope: Scope,
    parts: {
      readonly look: (name: string) => Promise<void>
      readonly failed: (name: string, error: unknown) => 'again' | 'done'
      readonly measure: QueueMeasure
    },
  ) {
    this.#scope = scope
    this.#look = parts.look
    this.#failed = parts.failed
    this.#measure = parts.measure
  }

  /** A name that waits already waits once. */
  add(name: string): void {
    if (!this.#waiting.has(name)) this.#measure.added(name)
    this.#waiting.add(name)
    if (this.#running) return
    this.#running = true
    void this.#drain()
  }

  #again(name: string): void {
    this.#measure.retried()
    this.add(name)
  }

  async #drain(): Promise<void> {
    const { signal, clock } = this.#scope
    while (this.#waiting.size > 0 && !signal.aborted) {
      const [name] = this.#waiting as Iterable<string> as unknown as [string]
      this.#waiting.delete(name)
      this.#measure.taken(name)
      try {
        await this.#look(name)
      } catch (error) {
        if (signal.aborted) break
        if (this.#failed(name, error) === 'again') clock.after(RETRY_MS, () => this.#again(name))
      } finally {
        this.#measure.done()
      }
    }
    this.#running = false
  }
}
