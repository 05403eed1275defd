// A step of the tour: what is said, the command that is shown and run, and what must be seen.

export interface Step {
  readonly say: string
  /** After `./aksel`, as it would be typed; words may be held together by single quotes. */
  readonly run: string
  /** Standard input, shown as well. */
  readonly input?: string
  /** What the output must hold: the tour fails where it does not. */
  readonly shows: RegExp
  /** What takes a while is asked again for so many seconds. */
  readonly withinSeconds?: number
  /** Only where containers really run. */
  readonly needsContainers?: boolean
  /** It is to fail: what an operator sees when something is wrong. */
  readonly fails?: boolean
}

export interface Chapter {
  readonly name: string
  readonly title: string
  readonly say: string
  readonly steps: readonly Step[]
}

/** The command as the words of a program; single quotes hold words together. */
export function wordsOfStep({ run }: Pick<Step, 'run'>): readonly string[] {
  const words = run.match(/(?:'[^']*'|[^\s'])+/g) ?? []
  return words.map((word) => word.replaceAll("'", ''))
}
