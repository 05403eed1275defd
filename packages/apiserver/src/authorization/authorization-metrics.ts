// What is counted of decisions, under upstream's names.

import type { Clock } from '@aksel/base/clock'
import { labelText, type Counter, type Histogram, type MetricsRegistry } from '../metrics.ts'
import type { Authorizer, Decision } from './attributes.ts'

/** From a millisecond to 16 s. */
const secondsBounds = Array.from({ length: 15 }, (_, power) => 0.001 * 2 ** power)

const results = { allow: 'allowed', deny: 'denied', 'no opinion': 'no-opinion' } as const

export class AuthorizationMetrics {
  readonly #clock: Clock
  readonly #attempts: Counter
  readonly #durations: Histogram
  readonly #decisions: Counter

  constructor(clock: Clock, metrics: MetricsRegistry) {
    this.#clock = clock
    this.#attempts = metrics.counter(
      'authorization_attempts_total',
      "Counter of authorization attempts broken down by result. It can be either 'allowed', 'denied', 'no-opinion' or 'error'.",
    )
    this.#durations = metrics.histogram(
      'authorization_duration_seconds',
      'Authorization duration in seconds broken out by result.',
      secondsBounds,
    )
    this.#decisions = metrics.counter(
      'apiserver_authorization_decisions_total',
      'Total number of terminal decisions made by an authorizer split by authorizer type, name, and decision.',
    )
  }

  /** The decision about a request, counted and timed. */
  async attempt(decide: () => Promise<Decision>): Promise<Decision> {
    const startMs = this.#clock.monotonicMs()
    const decision = await decide()
    const { verdict, error } = decision
    const result = `result="${verdict !== 'allow' && error !== undefined ? 'error' : results[verdict]}"`
    this.#attempts.add(result)
    this.#durations.observe(result, (this.#clock.monotonicMs() - startMs) / 1000)
    return decision
  }

  /** One of several that are asked in turn: counted where it has the last word. */
  counted(authorizer: Authorizer, { type, name }: { readonly type: string; readonly name: string }): Authorizer {
    const labels = {
      allow: labelText({ decision: 'allowed', name, type }),
      deny: labelText({ decision: 'denied', name, type }),
    }
    return {
      authorize: async (attributes) => {
        const decision = await authorizer.authorize(attributes)
        if (decision.verdict !== 'no opinion') this.#decisions.add(labels[decision.verdict])
        return decision
      },
    }
  }
}
