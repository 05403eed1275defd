// What is counted of acting as someone else within bounds, under upstream's names (since 1.36).

import type { Clock } from '@aksel/base/clock'
import { labelText, type Counter, type Histogram, type MetricsRegistry } from '../metrics.ts'
import type { Authorizer } from './attributes.ts'

/** From a millisecond to 16 s. */
const secondsBounds = Array.from({ length: 15 }, (_, power) => 0.001 * 2 ** power)

type Decision = 'allowed' | 'denied'

export class ImpersonationMetrics {
  readonly #clock: Clock
  readonly #attempts: Family
  readonly #checks: Family

  constructor(clock: Clock, metrics: MetricsRegistry) {
    this.#clock = clock
    this.#attempts = family(metrics, 'attempts', 'impersonation attempts')
    this.#checks = family(metrics, 'authorization_attempts', 'authorization checks made by the impersonation handler')
  }

  /** `modeOf` tells by which mode it was allowed; who is refused was so by all of them. Rejects as the work does. */
  async attempt<T>(work: () => Promise<T>, modeOf: (result: T) => string): Promise<T> {
    const startMs = this.#clock.monotonicMs()
    try {
      const result = await work()
      this.#note(this.#attempts, { decision: 'allowed', mode: modeOf(result), startMs })
      return result
    } catch (error) {
      this.#note(this.#attempts, { decision: 'denied', mode: '', startMs })
      throw error
    }
  }

  /** The same authorizer, asked for a mode. */
  within(authorizer: Authorizer, mode: string): Authorizer {
    return {
      authorize: async (attributes) => {
        const startMs = this.#clock.monotonicMs()
        const decision = await authorizer.authorize(attributes)
        this.#note(this.#checks, { decision: decision.verdict === 'allow' ? 'allowed' : 'denied', mode, startMs })
        return decision
      },
    }
  }

  #note(
    { total, seconds }: Family,
    { decision, mode, startMs }: { readonly decision: Decision; readonly mode: string; readonly startMs: number },
  ): void {
    const labels = labelText({ decision, mode })
    total.add(labels)
    seconds.observe(labels, (this.#clock.monotonicMs() - startMs) / 1000)
  }
}

interface Family {
  readonly total: Counter
  readonly seconds: Histogram
}

function family(metrics: MetricsRegistry, name: string, what: string): Family {
  const full = `apiserver_impersonation_${name}`
  return {
    total: metrics.counter(`${full}_total`, `Total number of ${what} split by mode and decision.`),
    seconds: metrics.histogram(
      `${full}_duration_seconds`,
      `Latency of ${what} in seconds split by mode and decision.`,
      secondsBounds,
    ),
  }
}
