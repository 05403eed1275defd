// How long a container that keeps ending must rest: nothing the first time, then 10 s doubling to 5 min, forgotten
// after 10 min of peace. Kept in memory alone, as upstream.

const FIRST_MS = 10_000
const MAX_MS = 300_000

interface Entry {
  readonly delayMs: number
  readonly sinceMs: number
}

export class RestartDelays {
  readonly #entries = new Map<string, Entry>()

  delayMs(container: string): number {
    return this.#entries.get(container)?.delayMs ?? 0
  }

  /** It starts again now. */
  restarted(container: string, nowMs: number): void {
    const known = this.#entries.get(container)
    const fresh = known === undefined || nowMs - known.sinceMs > known.delayMs + 2 * MAX_MS
    this.#entries.set(container, { delayMs: fresh ? FIRST_MS : Math.min(MAX_MS, known.delayMs * 2), sinceMs: nowMs })
  }
}
