// Who wants to be told of something, until they have enough.

export class Listeners<News> {
  readonly #listeners = new Set<(news: News) => void>()

  add(listener: (news: News) => void): Disposable {
    this.#listeners.add(listener)
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) }
  }

  tell(news: News): void {
    for (const listener of this.#listeners) listener(news)
  }
}
