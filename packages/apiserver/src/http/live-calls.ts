// The calls that are under way, so that a server that stops can end them. Signals are aborted one by one: joining each to
// one long-lived signal would cost every request more than its answer.

export interface LiveCall {
  readonly signal: AbortSignal
  /** The caller is gone. */
  abort(): void
  /** The call is over; its signal aborts no more with the server. */
  done(): void
}

const callOver = new Error('the call is over')

export class LiveCalls {
  readonly #controllers = new Set<AbortController>()
  #reason: Error | undefined

  begin(): LiveCall {
    const controller = new AbortController()
    if (this.#reason === undefined) this.#controllers.add(controller)
    else controller.abort(this.#reason)
    const done = (): void => void this.#controllers.delete(controller)
    return {
      signal: controller.signal,
      abort() {
        done()
        // A reason that is there already: making one costs more than the rest.
        controller.abort(callOver)
      },
      done,
    }
  }

  /** Aborts all calls, and every later one from its start. */
  end(reason: Error): void {
    this.#reason = reason
    for (const controller of this.#controllers) controller.abort(reason)
    this.#controllers.clear()
  }
}
