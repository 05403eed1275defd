// A queue between one producer and one consumer: pushed values come out of `for await` in order.

export class AsyncQueue<T> implements AsyncIterable<T> {
  readonly #values: T[] = []
  #wake: (() => void) | undefined
  #ended = false
  #failure: unknown

  /** Values pushed and not yet taken. */
  get length(): number {
    return this.#values.length
  }

  push(value: T): void {
    if (this.#ended) return
    this.#values.push(value)
    this.#wake?.()
  }

  /** No more values; what was pushed before is still delivered. */
  end(): void {
    this.#ended = true
    this.#wake?.()
  }

  /** Ends the queue with an error, delivered after what was pushed before. */
  fail(error: unknown): void {
    if (this.#ended) return
    this.#failure = error
    this.end()
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T> {
    try {
      while (true) {
        while (this.#values.length > 0) yield this.#values.shift()!
        if (this.#failure !== undefined) throw this.#failure as Error
        if (this.#ended) return
        await new Promise<void>((resolve) => (this.#wake = resolve))
        this.#wake = undefined
      }
    } finally {
      this.#ended = true
      this.#values.length = 0
    }
  }
}
