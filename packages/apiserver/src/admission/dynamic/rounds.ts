// What one of the plug-ins that ask others remembers between the rounds of one request: who is to be asked again.

import { deepEqual } from '@aksel/api/deep-equal'
import type { Reinvocation } from '../admission.ts'

export class Rounds {
  /** Asked before, and willing to be asked again. */
  readonly #willing = new Set<string>()
  readonly #due = new Set<string>()
  #output: unknown
  readonly #rounds: Reinvocation

  constructor(rounds: Reinvocation) {
    this.#rounds = rounds
  }

  static of(rounds: Reinvocation, plugin: string): Rounds {
    let own = rounds.memory.get(plugin) as Rounds | undefined
    if (own === undefined) rounds.memory.set(plugin, (own = new Rounds(rounds)))
    return own
  }

  /** In a later round, what others changed meanwhile makes everyone willing due. */
  begin(object: unknown): void {
    if (this.#rounds.round > 0 && !deepEqual(object, this.#output)) this.requireOthers()
  }

  /** The object as it is when everyone was asked. */
  end(object: unknown): void {
    this.#output = structuredClone(object)
  }

  isDue(id: string): boolean {
    return this.#due.has(id)
  }

  /** Whoever was asked so far is due again. */
  requireOthers(): void {
    for (const id of this.#willing) this.#due.add(id)
    this.#willing.clear()
  }

  invoked(id: string): void {
    this.#willing.add(id)
  }
}
