// What is counted of callers and of their tokens, under upstream's names.

import type { Clock } from '@aksel/base/clock'
import { labelText, type Counter, type Histogram, type MetricsRegistry } from '../metrics.ts'

/** From a millisecond to 16 s. */
const secondsBounds = Array.from({ length: 15 }, (_, power) => 0.001 * 2 ** power)

export class AuthenticationMetrics {
  readonly #clock: Clock
  readonly #attempts: Counter
  readonly #durations: Histogram
  readonly #users: Counter

  constructor(clock: Clock, metrics: MetricsRegistry) {
    this.#clock = clock
    this.#attempts = metrics.counter('authentication_attempts', 'Counter of authenticated attempts.')
    this.#durations = metrics.histogram(
      'authentication_duration_seconds',
      'Authentication duration in seconds broken out by result.',
      secondsBounds,
    )
    this.#users = metrics.counter(
      'authenticated_user_requests',
      'Counter of authenticated requests broken out by username.',
    )
  }

  /** Call what comes back with the user's name, or with nothing where the caller was refused. */
  begin(): (userName?: string) => void {
    const startMs = this.#clock.monotonicMs()
    return (userName) => {
      const result = userName === undefined ? 'result="failure"' : 'result="success"'
      this.#attempts.add(result)
      this.#durations.observe(result, (this.#clock.monotonicMs() - startMs) / 1000)
      if (userName !== undefined) this.#users.add(labelText({ username: shortened(userName) }))
    }
  }
}

const known: ReadonlySet<string> = new Set([
  'admin',
  'client',
  'kube_proxy',
  'kubelet',
  'system:serviceaccount:kube-system:default',
])

/** A label for each name would have no end. */
function shortened(userName: string): string {
  if (known.has(userName)) return userName
  return userName.includes('@') ? 'email_id' : 'other'
}

/** Uses of service accounts' tokens, by how they are to be judged. */
export class TokenMetrics {
  readonly valid: Counter
  /** Of pods that should have read their file again. */
  readonly stale: Counter
  /** Out of secrets. */
  readonly legacy: Counter
  readonly legacyAuto: Counter
  readonly legacyManual: Counter
  readonly invalidLegacyAuto: Counter

  constructor(metrics: MetricsRegistry) {
    const counter = (name: string, help: string): Counter => metrics.counter(`serviceaccount_${name}`, help)
    this.valid = counter('valid_tokens_total', 'Cumulative valid projected service account tokens used')
    this.stale = counter('stale_tokens_total', 'Cumulative stale projected service account tokens used')
    this.legacy = counter('legacy_tokens_total', 'Cumulative legacy service account tokens used')
    this.legacyAuto = counter('legacy_auto_token_uses_total', 'Cumulative auto-generated legacy tokens used')
    this.legacyManual = counter('legacy_manual_token_uses_total', 'Cumulative manually created legacy tokens used')
    this.invalidLegacyAuto = counter(
      'invalid_legacy_auto_token_uses_total',
      'Cumulative invalid auto-generated legacy tokens used',
    )
  }
}
