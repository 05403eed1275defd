// Turns on the one thread that answers everybody. What takes milliseconds, a slice of a long list most of all, waits for a round of
// the event loop of its own, so that a round is short however many of them are under way.

export class Turns {
  #waiting: (() => void)[] = []
  #isDue = false
  readonly #round: () => void

  constructor() {
    this.#round = () => {
      this.#isDue = false
      this.#waiting.shift()?.()
      this.#arm()
    }
  }

  /** Those who wait, for metrics. */
  get waiting(): number {
    return this.#waiting.length
  }

  /** Resolves in a round in which nobody else's turn is; in the order of asking. */
  take(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve)
      this.#arm()
    })
  }

  #arm(): void {
    if (this.#isDue || this.#waiting.length === 0) return
    this.#isDue = true
    setImmediate(this.#round)
  }
}
