// Says how far a long run is, so that whoever waits knows whether to.

import type { Scope } from '@aksel/base/scope'

const EVERY_MS = 10_000

export class Progress implements Disposable {
  readonly #scope: Scope
  readonly #say: (line: string) => void
  #timer: Disposable | undefined
  #what = ''
  #total = 0
  #done = 0
  #before = 0

  constructor(scope: Scope, say: (line: string) => void) {
    this.#scope = scope
    this.#say = say
    this.#later()
  }

  /** A new thing to count; call the answer for each that is done. */
  of(what: string, total: number): () => void {
    this.#what = what
    this.#total = total
    this.#done = 0
    this.#before = 0
    return () => {
      this.#done += 1
    }
  }

  [Symbol.dispose](): void {
    this.#timer?.[Symbol.dispose]()
  }

  #later(): void {
    this.#timer = this.#scope.clock.after(EVERY_MS, () => {
      if (this.#total > 0) this.#say(this.#line())
      this.#before = this.#done
      this.#later()
    })
  }

  #line(): string {
    const rate = Math.round(((this.#done - this.#before) * 1000) / EVERY_MS)
    const share = Math.floor((this.#done * 100) / this.#total)
    return `simulated: ${this.#done} of ${this.#total} ${this.#what} (${share} %), ${rate}/s`
  }
}
