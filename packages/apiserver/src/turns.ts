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

/** Requests that may begin in one round: some milliseconds of them. */
const ENTRIES_MAX = 16

/** Who speaks more than others enters in turn with them, connection by connection. */
export class Entrance {
  readonly #waiting = new Map<object, (() => void)[]>()
  #entered = 0
  #isDue = false
  readonly #round: () => void

  constructor() {
    this.#round = () => {
      this.#isDue = false
      this.#entered = 0
      while (this.#waiting.size > 0 && this.#entered < ENTRIES_MAX) this.#letInNext()
      if (this.#entered > 0) this.#arm()
    }
  }

  /** Undefined: at once. `who` is compared by identity. */
  enter(who: object): Promise<void> | undefined {
    this.#arm()
    if (this.#waiting.size === 0 && this.#entered < ENTRIES_MAX) {
      this.#entered += 1
      return undefined
    }
    return new Promise((resolve) => {
      const line = this.#waiting.get(who)
      if (line === undefined) this.#waiting.set(who, [resolve])
      else line.push(resolve)
    })
  }

  /** The first of whoever has waited longest since his last turn; then he is behind all others. */
  #letInNext(): void {
    const [who, line] = this.#waiting.entries().next().value!
    this.#waiting.delete(who)
    const first = line.shift()!
    if (line.length > 0) this.#waiting.set(who, line)
    this.#entered += 1
    first()
  }

  #arm(): void {
    if (this.#isDue) return
    this.#isDue = true
    setImmediate(this.#round)
  }
}
