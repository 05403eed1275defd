// A heap of waiting pods: highest priority first, then who came first; any member can be taken out.

export interface Ranked {
  readonly priority: number
  readonly sequence: number
}

export class PriorityHeap<T extends Ranked> {
  readonly #items: T[] = []
  readonly #positions = new Map<T, number>()

  get size(): number {
    return this.#items.length
  }

  push(item: T): void {
    this.#rise(this.#items.length, item)
  }

  pop(): T | undefined {
    const first = this.#items[0]
    if (first !== undefined) this.remove(first)
    return first
  }

  /** Does nothing for what is not there. */
  remove(item: T): void {
    const index = this.#positions.get(item)
    if (index === undefined) return
    this.#positions.delete(item)
    const last = this.#items.pop()!
    if (last === item) return
    if (index > 0 && isBefore(last, this.#items[(index - 1) >> 1]!)) this.#rise(index, last)
    else this.#sink(index, last)
  }

  #rise(from: number, item: T): void {
    let index = from
    while (index > 0) {
      const parent = (index - 1) >> 1
      if (!isBefore(item, this.#items[parent]!)) break
      this.#place(index, this.#items[parent]!)
      index = parent
    }
    this.#place(index, item)
  }

  #sink(from: number, item: T): void {
    let index = from
    for (;;) {
      let child = index * 2 + 1
      if (child >= this.#items.length) break
      if (child + 1 < this.#items.length && isBefore(this.#items[child + 1]!, this.#items[child]!)) child += 1
      if (!isBefore(this.#items[child]!, item)) break
      this.#place(index, this.#items[child]!)
      index = child
    }
    this.#place(index, item)
  }

  #place(index: number, item: T): void {
    this.#items[index] = item
    this.#positions.set(item, index)
  }
}

function isBefore(left: Ranked, right: Ranked): boolean {
  return left.priority === right.priority ? left.sequence < right.sequence : left.priority > right.priority
}
