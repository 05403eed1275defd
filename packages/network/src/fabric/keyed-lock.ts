// One piece of work at a time per key, in the order of arrival; different keys do not wait for each other.

export class KeyedLock {
  readonly #tails = new Map<string, Promise<unknown>>()

  async with<T>(key: string, work: () => Promise<T>): Promise<T> {
    const turn = (this.#tails.get(key) ?? Promise.resolve()).then(work)
    const tail = turn.catch(() => {})
    this.#tails.set(key, tail)
    try {
      return await turn
    } finally {
      if (this.#tails.get(key) === tail) this.#tails.delete(key)
    }
  }
}
