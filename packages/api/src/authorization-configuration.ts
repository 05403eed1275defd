// Upstream's AuthorizationConfiguration (apiserver.config.k8s.io/v1): who is asked whether a request may be, and in which
// order. It is no object of the API: whoever runs the server hands it over.

export const authorizerTypes = ['AlwaysAllow', 'AlwaysDeny', 'Node', 'RBAC', 'Webhook'] as const
export type AuthorizerType = (typeof authorizerTypes)[number]

export interface AuthorizationConfiguration {
  readonly authorizers: readonly AuthorizerConfiguration[]
}

export interface AuthorizerConfiguration {
  readonly type: AuthorizerType
  readonly name: string
  readonly webhook?: WebhookAuthorizerConfiguration
}

/** Durations as Go writes them. */
export interface WebhookAuthorizerConfiguration {
  readonly authorizedTTL?: string
  readonly cacheAuthorizedRequests?: boolean
  readonly unauthorizedTTL?: string
  readonly cacheUnauthorizedRequests?: boolean
  readonly timeout: string
  readonly subjectAccessReviewVersion: 'v1' | 'v1beta1'
  readonly matchConditionSubjectAccessReviewVersion?: 'v1'
  readonly failurePolicy: 'NoOpinion' | 'Deny'
  readonly connectionInfo: { readonly type: 'KubeConfigFile' | 'InClusterConfig'; readonly kubeConfigFile?: string }
  readonly matchConditions?: readonly { readonly expression: string }[]
}
