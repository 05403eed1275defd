// Remembers the latest of many things, and forgets the oldest.

export class RecentSet {
  readonly #max: number
  readonly #items = new Set<string>()

  constructor(max: number) {
    this.#max = max
  }

  add(item: string): void {
    this.#items.delete(item)
    this.#items.add(item)
    if (this.#items.size <= this.#max) return
    for (const oldest of this.#items) {
      this.#items.delete(oldest)
      break
    }
  }

  has(item: string): boolean {
    return this.#items.has(item)
  }
}
