// Asks a service whether a request may be: upstream's authorization webhook, with its cache, its retries and what it does
// when the service does not answer.

import type { WebhookAuthorizerConfiguration } from '@aksel/api/authorization-configuration'
import { sleep, type Clock } from '@aksel/base/clock'
import { durationMs } from '../configuration-file.ts'
import { labelText, type Counter, type MetricsRegistry } from '../metrics.ts'
import { noOpinion, type Attributes, type Authorizer, type Decision } from './attributes.ts'
import { meetsAll, reviewProgram } from './match-conditions.ts'
import { reviewSpecOf, type ReviewSpec } from './review.ts'

/** Sends a SubjectAccessReview and gives what came back. Rejects where nobody answered. */
export type AskReview = (
  review: Readonly<Record<string, unknown>>,
  signal: AbortSignal,
) => Promise<{ readonly code: number; readonly body: unknown }>

export interface WebhookAuthorizerParts {
  readonly name: string
  readonly clock: Clock
  readonly settings: WebhookAuthorizerConfiguration
  readonly ask: AskReview
  readonly metrics: WebhookAuthorizerMetrics
}

export class WebhookAuthorizerMetrics {
  readonly evaluations: Counter
  readonly exclusions: Counter
  readonly conditionErrors: Counter

  constructor(registry: MetricsRegistry) {
    this.evaluations = registry.counter(
      'apiserver_authorization_webhook_evaluations_total',
      'Round-trips to authorization webhooks.',
    )
    this.exclusions = registry.counter(
      'apiserver_authorization_match_condition_exclusions_total',
      'Total number of exclusions when an authorization webhook is skipped because match conditions exclude it.',
    )
    this.conditionErrors = registry.counter(
      'apiserver_authorization_match_condition_evaluation_errors_total',
      'Total number of errors when an authorization webhook encounters a match condition error.',
    )
  }
}

interface Status {
  readonly allowed?: boolean
  readonly denied?: boolean
  readonly reason?: string
  readonly evaluationError?: string
}

const AUTHORIZED_TTL_MS = 300_000
const UNAUTHORIZED_TTL_MS = 30_000
/** Upstream's: answers kept, and the length of what is asked beyond which none is. */
const CACHE_MAX = 1024
const CACHED_ATTRIBUTES_MAX = 10_000
const RETRY = { tries: 5, firstMs: 500, factor: 1.5 }

export class WebhookAuthorizer implements Authorizer {
  readonly #parts: WebhookAuthorizerParts
  readonly #conditions
  readonly #known = new Map<string, { readonly status: Status; readonly untilMs: number }>()
  readonly #labels: string

  constructor(parts: WebhookAuthorizerParts) {
    this.#parts = parts
    this.#conditions = (parts.settings.matchConditions ?? []).map(({ expression }) => reviewProgram(expression))
    this.#labels = labelText({ name: parts.name, type: 'Webhook' })
  }

  async authorize(attributes: Attributes): Promise<Decision> {
    const { metrics } = this.#parts
    const spec = reviewSpecOf(attributes)
    try {
      if (!meetsAll(this.#conditions, spec)) {
        metrics.exclusions.add(this.#labels)
        return noOpinion
      }
    } catch (error) {
      metrics.conditionErrors.add(this.#labels)
      return this.#failed((error as Error).message)
    }
    const key = JSON.stringify(spec)
    const known = this.#known.get(key)
    if (known !== undefined && this.#parts.clock.monotonicMs() < known.untilMs) return decisionOf(known.status)
    try {
      const status = await this.#review(spec)
      if (isShort(attributes)) this.#keep(key, status)
      return decisionOf(status)
    } catch (error) {
      return this.#failed((error as Error).message)
    }
  }

  /** Whoever configured the webhook chose what holds without it. */
  #failed(error: string): Decision {
    return { verdict: this.#parts.settings.failurePolicy === 'Deny' ? 'deny' : 'no opinion', reason: '', error }
  }

  async #review(spec: ReviewSpec): Promise<Status> {
    const { settings, clock, ask, metrics, name } = this.#parts
    const version = settings.subjectAccessReviewVersion
    const shown = version === 'v1' ? spec : olderSpec(spec)
    const review = {
      kind: 'SubjectAccessReview',
      apiVersion: `authorization.k8s.io/${version}`,
      spec: shown,
      status: {},
    }
    let waitMs = RETRY.firstMs
    for (let attempt = 1; ; attempt++) {
      const outcome = await this.#once(ask, review)
      metrics.evaluations.add(labelText({ name, result: outcome.kind === 'answered' ? 'success' : outcome.result }))
      if (outcome.kind === 'answered') return outcome.status
      if (!outcome.mayRepeat || attempt === RETRY.tries) throw new Error(outcome.why)
      await sleep(clock, waitMs)
      waitMs *= RETRY.factor
    }
  }

  async #once(ask: AskReview, review: Readonly<Record<string, unknown>>): Promise<Outcome> {
    const { settings, clock } = this.#parts
    const stop = new AbortController()
    const timeoutMs = durationMs(settings.timeout)!
    using _late = clock.after(timeoutMs, () => stop.abort(new Error(`no answer within ${settings.timeout}`)))
    try {
      const { code, body } = await ask(review, stop.signal)
      const status = (body as { readonly status?: Status } | undefined)?.status
      if (code >= 200 && code < 300 && typeof status === 'object' && status !== null)
        return { kind: 'answered', status }
      const why = `the authorization webhook answered ${code}`
      return { kind: 'failed', why, mayRepeat: code === 429 || code >= 500, result: 'error' }
    } catch (error) {
      if (stop.signal.aborted)
        return {
          kind: 'failed',
          why: `context deadline exceeded: ${(error as Error).message}`,
          mayRepeat: false,
          result: 'timeout',
        }
      return { kind: 'failed', why: (error as Error).message, mayRepeat: true, result: 'error' }
    }
  }

  #keep(key: string, status: Status): void {
    const { settings, clock } = this.#parts
    const isAllowed = status.allowed === true
    if ((isAllowed ? settings.cacheAuthorizedRequests : settings.cacheUnauthorizedRequests) === false) return
    const ttlMs = isAllowed
      ? (durationMs(settings.authorizedTTL ?? '') ?? AUTHORIZED_TTL_MS)
      : (durationMs(settings.unauthorizedTTL ?? '') ?? UNAUTHORIZED_TTL_MS)
    this.#known.delete(key)
    if (this.#known.size >= CACHE_MAX) this.#known.delete(this.#known.keys().next().value!)
    this.#known.set(key, { status, untilMs: clock.monotonicMs() + ttlMs })
  }
}

type Outcome =
  | { readonly kind: 'answered'; readonly status: Status }
  | { readonly kind: 'failed'; readonly why: string; readonly mayRepeat: boolean; readonly result: 'error' | 'timeout' }

function decisionOf({ allowed, denied, reason = '', evaluationError = '' }: Status): Decision {
  const told = evaluationError === '' ? {} : { error: evaluationError }
  if (denied === true && allowed === true)
    return { verdict: 'deny', reason, error: 'webhook subject access review returned both allow and deny response' }
  if (denied === true) return { verdict: 'deny', reason, ...told }
  return { verdict: allowed === true ? 'allow' : 'no opinion', reason, ...told }
}

/** v1beta1 calls the groups `group`. */
function olderSpec({ groups, ...rest }: ReviewSpec): unknown {
  return groups === undefined ? rest : { ...rest, group: groups }
}

function isShort({ namespace, verb, group, version, resource, subresource, name, path }: Attributes): boolean {
  const texts = [namespace, verb, group, version, resource, subresource, name, path]
  return texts.reduce((sum, text) => sum + text.length, 0) < CACHED_ATTRIBUTES_MAX
}
