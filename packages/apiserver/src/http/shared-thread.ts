// Control planes that share a thread: of the requests that have arrived together each has a few begun in a turn of the event loop, so
// that one whose clients ask for all they can holds the others up by those few, and not by all of them.

/** Requests of one control plane that begin in one turn while it shares its thread. */
const begunMax = 4

interface Sharer {
  begun: number
  readonly waiting: (() => void)[]
}

/** One control plane's entry. Undefined: begin at once. */
export interface Entry extends Disposable {
  enter(): Promise<void> | undefined
}

export class SharedThread {
  readonly #sharers = new Set<Sharer>()
  readonly #nextTurn: (work: () => void) => void
  #isPlanned = false

  /** `nextTurn` calls back when what has arrived meanwhile was read. */
  constructor(nextTurn: (work: () => void) => void = (work) => void setImmediate(work)) {
    this.#nextTurn = nextTurn
  }

  join(): Entry {
    const sharer: Sharer = { begun: 0, waiting: [] }
    this.#sharers.add(sharer)
    return {
      enter: () => this.#enter(sharer),
      [Symbol.dispose]: () => {
        this.#sharers.delete(sharer)
        for (const begin of sharer.waiting.splice(0)) begin()
      },
    }
  }

  #enter(sharer: Sharer): Promise<void> | undefined {
    // Alone, nobody is held up.
    if (this.#sharers.size < 2) return undefined
    this.#plan()
    if (sharer.begun < begunMax && sharer.waiting.length === 0) {
      sharer.begun += 1
      return undefined
    }
    return new Promise((resolve) => void sharer.waiting.push(resolve))
  }

  #plan(): void {
    if (this.#isPlanned) return
    this.#isPlanned = true
    this.#nextTurn(() => this.#turn())
  }

  #turn(): void {
    this.#isPlanned = false
    for (const sharer of this.#sharers) {
      const begin = sharer.waiting.splice(0, begunMax)
      sharer.begun = begin.length
      for (const one of begin) one()
    }
    if ([...this.#sharers].some(({ begun, waiting }) => begun > 0 || waiting.length > 0)) this.#plan()
  }
}
