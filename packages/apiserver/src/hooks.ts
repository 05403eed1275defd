// What runs when the server starts or as long as it lives, and how that goes: each is a check of /livez and /readyz by its name.

import type { HealthCheck } from './health.ts'

const waiting = 'not finished'

export class Hooks {
  /** Undefined where all is well. */
  readonly #problems = new Map<string, string | undefined>()

  constructor(names: readonly string[]) {
    for (const name of names) this.#problems.set(name, waiting)
  }

  /** The hook has done its work, or again has. */
  succeeded(name: string): void {
    this.#set(name, undefined)
  }

  /** The hook could not do its work; it may succeed later. */
  failed(name: string, error: unknown): void {
    this.#set(name, error instanceof Error ? error.message : String(error))
  }

  /** Runs the step as this hook. Rejects as the step does. */
  async run<T>(name: string, step: () => Promise<T>): Promise<T> {
    try {
      const result = await step()
      this.succeeded(name)
      return result
    } catch (error) {
      this.failed(name, error)
      throw error
    }
  }

  /** In the order in which they were named. */
  checks(): readonly HealthCheck[] {
    return [...this.#problems.keys()].map((name) => ({
      name: `poststarthook/${name}`,
      check: () => this.#problems.get(name),
    }))
  }

  #set(name: string, problem: string | undefined): void {
    if (!this.#problems.has(name)) throw new Error(`there is no hook of the name ${name}`)
    this.#problems.set(name, problem)
  }
}
