// Bounds how many writes of simulated nodes are on their way at once, so that a thousand pods do not crowd out people.

export class WriteLanes {
  readonly #lanes: number
  readonly #waiting: (() => void)[] = []
  #head = 0
  #busy = 0

  constructor(lanes: number) {
    this.#lanes = lanes
  }

  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#busy >= this.#lanes) await new Promise<void>((resolve) => this.#waiting.push(resolve))
    else this.#busy += 1
    try {
      return await work()
    } finally {
      this.#leave()
    }
  }

  /** The lane goes to whoever waits longest. */
  #leave(): void {
    const next = this.#waiting[this.#head]
    if (next === undefined) {
      this.#waiting.length = 0
      this.#head = 0
      this.#busy -= 1
      return
    }
    this.#head += 1
    next()
  }
}
