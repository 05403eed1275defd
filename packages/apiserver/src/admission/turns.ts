// Lets those who ask for the same thing go one after the other, in the order in which they came.

export class Turns {
  readonly #last = new Map<string, Promise<void>>()

  /** Resolves when it is the caller's turn; disposing it lets the next one go. */
  async take(key: string): Promise<Disposable> {
    const before = this.#last.get(key)
    const turn = Promise.withResolvers<void>()
    this.#last.set(key, turn.promise)
    await before
    return {
      [Symbol.dispose]: () => {
        if (this.#last.get(key) === turn.promise) this.#last.delete(key)
        turn.resolve()
      },
    }
  }
}
