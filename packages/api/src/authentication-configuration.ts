// Upstream's AuthenticationConfiguration (apiserver.config.k8s.io/v1): which issuers are believed, and how their claims
// become a user. It is no object of the API: whoever runs the server hands it over.

export interface AuthenticationConfiguration {
  readonly jwt?: readonly JwtConfiguration[]
  readonly anonymous?: AnonymousConfiguration
}

export interface AnonymousConfiguration {
  readonly enabled: boolean
  /** Any path when absent. */
  readonly conditions?: readonly { readonly path: string }[]
}

export interface JwtConfiguration {
  readonly issuer: {
    readonly url: string
    readonly discoveryURL?: string
    /** PEM; the system's authorities when absent. */
    readonly certificateAuthority?: string
    readonly audiences: readonly string[]
    readonly audienceMatchPolicy?: string
    readonly egressSelectorType?: string
  }
  readonly claimValidationRules?: readonly {
    readonly claim?: string
    readonly requiredValue?: string
    readonly expression?: string
    readonly message?: string
  }[]
  readonly claimMappings: {
    readonly username: PrefixedMapping
    readonly groups?: PrefixedMapping
    readonly uid?: { readonly claim?: string; readonly expression?: string }
    readonly extra?: readonly { readonly key: string; readonly valueExpression: string }[]
  }
  readonly userValidationRules?: readonly { readonly expression: string; readonly message?: string }[]
}

export interface PrefixedMapping {
  readonly claim?: string
  readonly prefix?: string
  readonly expression?: string
}
