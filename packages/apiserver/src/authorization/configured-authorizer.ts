// The authorizers in the order in which they are asked; which ones, and in which order, may change while the server runs.

import type { AuthorizationConfiguration, AuthorizerConfiguration } from '@aksel/api/authorization-configuration'
import type { Clock } from '@aksel/base/clock'
import type { MetricsRegistry } from '../metrics.ts'
import type { AuthorizationMetrics } from './authorization-metrics.ts'
import type { Attributes, Authorizer, Decision } from './attributes.ts'
import { chainOf, mastersAuthorizer } from './authorize.ts'
import { WebhookAuthorizer, WebhookAuthorizerMetrics, type AskReview } from './webhook-authorizer.ts'

/** How the service of a webhook is reached, by the authorizer's name. */
export type ReviewServices = (name: string) => AskReview

export const defaultAuthorization: AuthorizationConfiguration = {
  authorizers: [
    { type: 'Node', name: 'node' },
    { type: 'RBAC', name: 'rbac' },
  ],
}

const always: Authorizer = { authorize: async () => ({ verdict: 'allow', reason: '' }) }
const never: Authorizer = { authorize: async () => ({ verdict: 'no opinion', reason: 'Everything is forbidden.' }) }

export interface ConfiguredAuthorizerParts {
  readonly clock: Clock
  readonly metrics: MetricsRegistry
  readonly decisions: AuthorizationMetrics
  readonly node: Authorizer
  readonly rbac: Authorizer
  /** Asked last, whatever the configuration says: a directory outside the cluster. */
  readonly directory?: DirectoryAuthorizer
}

/** An authorizer that may be switched off and on. */
export interface DirectoryAuthorizer extends Authorizer {
  readonly isActive: () => boolean
}

export class ConfiguredAuthorizer implements Authorizer {
  readonly #parts: ConfiguredAuthorizerParts
  readonly #metrics: WebhookAuthorizerMetrics
  #chain: Authorizer
  #hasWebhook = false

  constructor(parts: ConfiguredAuthorizerParts) {
    this.#parts = parts
    this.#metrics = new WebhookAuthorizerMetrics(parts.metrics)
    const { decisions, node, rbac } = parts
    this.#chain = this.#chainOf([
      decisions.counted(node, { type: 'Node', name: 'node' }),
      decisions.counted(rbac, { type: 'RBAC', name: 'rbac' }),
    ])
  }

  /** From the next request on. Members of system:masters may do everything, whatever it says. */
  configure({ authorizers }: AuthorizationConfiguration, services: ReviewServices): void {
    this.#chain = this.#chainOf(
      authorizers.map((one) => this.#parts.decisions.counted(this.#authorizerOf(one, services), one)),
    )
    this.#hasWebhook = authorizers.some(({ type }) => type === 'Webhook')
  }

  authorize(attributes: Attributes): Promise<Decision> {
    return this.#chain.authorize(attributes)
  }

  /** Why the rules that can be listed are not all that there is. */
  get unlistable(): string | undefined {
    const isUnknown = this.#hasWebhook || this.#parts.directory?.isActive() === true
    return isUnknown ? 'webhook authorizer does not support user rules resolution' : undefined
  }

  #chainOf(configured: readonly Authorizer[]): Authorizer {
    const { directory, decisions } = this.#parts
    // The name that AKS gives its webhook.
    const last = directory === undefined ? [] : [decisions.counted(directory, { type: 'Webhook', name: 'guard' })]
    return chainOf([mastersAuthorizer, ...configured, ...last])
  }

  #authorizerOf({ type, name, webhook }: AuthorizerConfiguration, services: ReviewServices): Authorizer {
    const { node, rbac, clock } = this.#parts
    switch (type) {
      case 'Node':
        return node
      case 'RBAC':
        return rbac
      case 'AlwaysAllow':
        return always
      case 'AlwaysDeny':
        return never
      case 'Webhook':
        return new WebhookAuthorizer({ name, clock, settings: webhook!, ask: services(name), metrics: this.#metrics })
      default:
        return type satisfies never
    }
  }
}
