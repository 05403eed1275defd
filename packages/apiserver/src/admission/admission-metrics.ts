// How long admission takes and what it refuses, under upstream's names: the chain's two steps, each plug-in, each webhook.

import { isReason } from '@aksel/base/errors'
import { labelText, type Counter, type Histogram, type MetricsRegistry, type Series } from '../metrics.ts'
import type { Operation } from './admission.ts'

export type Step = 'admit' | 'validate'

const stepBounds = [0.005, 0.025, 0.1, 0.5, 1, 2.5] as const
const webhookBounds = [...stepBounds, 10, 25] as const

export interface WebhookCallOutcome {
  readonly name: string
  readonly kind: 'admit' | 'validating'
  readonly operation: Operation
  readonly seconds: number
  /** `calling_webhook_error`: it could not be asked; `no_error`: it refused; undefined: it let the request through. */
  readonly rejection?: 'calling_webhook_error' | 'no_error' | 'apiserver_internal_error'
  /** The webhook was to blame, and its policy lets the request through all the same. */
  readonly failedOpen?: boolean
  readonly code: number
}

export interface PolicyCheck {
  readonly policy: string
  readonly binding: string
  readonly action: 'allow' | 'deny' | 'audit' | 'warn'
  readonly problem: 'no_error' | 'compile_error' | 'out_of_budget' | 'invalid_error'
  readonly seconds: number
}

/** One round of match conditions. */
export interface ConditionsRound {
  readonly kind: 'webhook' | 'policy'
  readonly type: 'admit' | 'validating' | 'validate' | 'mutate'
  readonly name: string
  readonly operation: Operation
  readonly seconds: number
  /** A condition was false. */
  readonly excluded: boolean
  readonly failed: boolean
}

const conditionBounds = [0.001, 0.005, 0.01, 0.025, 0.1, 0.2, 0.25] as const
const checkBounds = [0.000_000_5, 0.001, 0.01, 0.1, 1] as const

export class AdmissionMetrics {
  readonly #steps: Histogram
  readonly #plugins: Histogram
  readonly #webhooks: Histogram
  readonly #rejections: Counter
  readonly #failedOpen: Counter
  readonly #calls: Counter
  readonly #checks: Counter
  readonly #checkDurations: Histogram
  readonly #conditionErrors: Counter
  readonly #conditionExclusions: Counter
  readonly #conditionDurations: Histogram
  /** By plug-in ('' for the whole step), step, operation and outcome. */
  readonly #series = new Map<string, Map<string, Series>>()

  constructor(registry: MetricsRegistry) {
    const name = (rest: string): string => `apiserver_admission_${rest}`
    this.#steps = registry.histogram(
      name('step_admission_duration_seconds'),
      'Admission sub-step latency histogram in seconds, broken out for each operation and API resource and step type (validate or admit).',
      stepBounds,
    )
    this.#plugins = registry.histogram(
      name('controller_admission_duration_seconds'),
      'Admission controller latency histogram in seconds, identified by name and broken out for each operation and API resource and type (validate or admit).',
      stepBounds,
    )
    this.#webhooks = registry.histogram(
      name('webhook_admission_duration_seconds'),
      'Admission webhook latency histogram in seconds, identified by name and broken out for each operation and API resource and type (validate or admit).',
      webhookBounds,
    )
    this.#rejections = registry.counter(
      name('webhook_rejection_count'),
      'Admission webhook rejection count, by name, type, operation, error type and rejection code.',
    )
    this.#failedOpen = registry.counter(
      name('webhook_fail_open_count'),
      'Admission webhook fail open count, by name and type.',
    )
    this.#calls = registry.counter(
      name('webhook_request_total'),
      'Admission webhook request total, by name, type, operation, code and whether the request was rejected.',
    )
    this.#checks = registry.counter(
      'apiserver_validating_admission_policy_check_total',
      'Validation admission policy check total, labeled by policy and further identified by binding and enforcement action taken.',
    )
    this.#checkDurations = registry.histogram(
      'apiserver_validating_admission_policy_check_duration_seconds',
      'Validation admission latency for individual validation expressions in seconds, labeled by policy and further including binding and enforcement action taken.',
      checkBounds,
    )
    const conditions = (rest: string): string => name(`match_condition_${rest}`)
    this.#conditionErrors = registry.counter(
      conditions('evaluation_errors_total'),
      'Admission match condition evaluation errors count, identified by name of resource containing the match condition and broken out for each kind containing matchConditions (webhook or policy), operation and admission type (validate or admit).',
    )
    this.#conditionExclusions = registry.counter(
      conditions('exclusions_total'),
      'Admission match condition evaluation exclusions count, identified by name of resource containing the match condition and broken out for each kind containing matchConditions (webhook or policy), operation and admission type (validate or admit).',
    )
    this.#conditionDurations = registry.histogram(
      conditions('evaluation_seconds'),
      'Admission match condition evaluation time in seconds, identified by name and broken out for each kind containing matchConditions (webhook or policy), operation and type (validate or admit).',
      conditionBounds,
    )
  }

  observeConditions({ kind, type, name, operation, seconds, excluded, failed }: ConditionsRound): void {
    const labels = labelText({ kind, name, operation, type })
    this.#conditionDurations.observe(labels, seconds)
    if (failed) this.#conditionErrors.add(labels)
    if (excluded) this.#conditionExclusions.add(labels)
  }

  /** One decision of a policy through one of its bindings. */
  observeCheck({ policy, binding, action, problem, seconds }: PolicyCheck): void {
    const labels = labelText({ enforcement_action: action, error_type: problem, policy, policy_binding: binding })
    this.#checks.add(labels)
    this.#checkDurations.observe(labels, seconds)
  }

  /** `plugin` is '' for the whole step. */
  observe(plugin: string, step: Step, operation: Operation, rejected: boolean, seconds: number): void {
    let ofPlugin = this.#series.get(plugin)
    if (ofPlugin === undefined) this.#series.set(plugin, (ofPlugin = new Map<string, Series>()))
    const key = rejected ? `${step}!${operation}` : step === 'admit' ? operation : `${step} ${operation}`
    let series = ofPlugin.get(key)
    if (series === undefined) {
      const labels = { operation, rejected: String(rejected), type: step }
      series =
        plugin === ''
          ? this.#steps.series(labelText(labels))
          : this.#plugins.series(labelText({ name: plugin, ...labels }))
      ofPlugin.set(key, series)
    }
    series.observe(seconds)
  }

  observeWebhook({ name, kind, operation, seconds, rejection, failedOpen = false, code }: WebhookCallOutcome): void {
    const rejected = rejection !== undefined && !failedOpen
    const shownCode = String(Math.min(code, 600))
    const type = kind
    this.#webhooks.observe(labelText({ name, operation, rejected: String(rejected), type }), seconds)
    this.#calls.add(labelText({ code: shownCode, name, operation, rejected: String(rejected), type }))
    if (failedOpen) this.#failedOpen.add(labelText({ name, type }))
    else if (rejection !== undefined)
      this.#rejections.add(labelText({ error_type: rejection, name, operation, rejection_code: shownCode, type }))
  }
}

/** What a webhook's refusal counts as: a status of its own, or that it could not be reached. */
export function codeOf(error: unknown): number {
  const code = (error as { readonly code?: unknown }).code
  return typeof code === 'number' ? code : isReason(error, 'Forbidden') ? 403 : 500
}
