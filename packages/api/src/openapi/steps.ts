// Work in small steps: documents are large, and who shares a thread with others gives way between steps.

/** Yields after each step of a millisecond or less; returns what was made. */
export type Steps<T> = Generator<undefined, T, undefined>

/** Goes through all steps at once. */
export function finish<T>(steps: Steps<T>): T {
  for (;;) {
    const { done, value } = steps.next()
    if (done === true) return value
  }
}

/** How long one may go on before others have their turn. */
export interface Turns {
  /** Asked after each step. */
  isOver(): boolean
  /** Resolves when the next turn begins. */
  next(): Promise<void>
}

/** Gives way whenever a turn is over. */
export async function finishInTurns<T>(steps: Steps<T>, turns: Turns): Promise<T> {
  for (;;) {
    const { done, value } = steps.next()
    if (done === true) return value
    if (turns.isOver()) await turns.next()
  }
}
