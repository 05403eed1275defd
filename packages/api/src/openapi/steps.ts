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

/** Gives way after each `stepsPerTurn` steps. */
export async function finishInTurns<T>(steps: Steps<T>, giveWay: () => Promise<void>, stepsPerTurn = 4): Promise<T> {
  for (let count = 1; ; count += 1) {
    const { done, value } = steps.next()
    if (done === true) return value
    if (count % stepsPerTurn === 0) await giveWay()
  }
}
