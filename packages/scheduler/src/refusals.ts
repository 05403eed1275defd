// The words by which nodes are turned away, as small numbers: a decision writes one for each node.

export interface Refusal {
  readonly plugin: string
  /** Several where several things lack. */
  readonly words: readonly string[]
  /** Whether a node that lost some pods could fit. */
  readonly preemptionMayHelp: boolean
}

export class Refusals {
  readonly #codes = new Map<string, number>()
  /** Code 0 is no refusal. */
  readonly #refusals: Refusal[] = [{ plugin: '', words: [], preemptionMayHelp: false }]

  code(plugin: string, words: string | readonly string[], preemptionMayHelp: boolean): number {
    const list = typeof words === 'string' ? [words] : words
    const key = `${plugin}|${preemptionMayHelp}|${list.join('|')}`
    const known = this.#codes.get(key)
    if (known !== undefined) return known
    const code = this.#refusals.push({ plugin, words: list, preemptionMayHelp }) - 1
    if (code >= 0xffff) throw new Error('More than 65,534 different refusals')
    this.#codes.set(key, code)
    return code
  }

  of(code: number): Refusal {
    return this.#refusals[code]!
  }
}
