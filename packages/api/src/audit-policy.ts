// Upstream's audit policy (audit.k8s.io/v1 Policy): which requests are recorded, and how much of each. It is no object of the
// API: whoever runs the server hands it over.

export const auditLevels = ['None', 'Metadata', 'Request', 'RequestResponse'] as const
export type AuditLevel = (typeof auditLevels)[number]

export const auditStages = ['RequestReceived', 'ResponseStarted', 'ResponseComplete', 'Panic'] as const
export type AuditStage = (typeof auditStages)[number]

export interface AuditPolicy {
  readonly rules: readonly AuditPolicyRule[]
  readonly omitStages?: readonly AuditStage[]
  readonly omitManagedFields?: boolean
}

/** An empty list matches all. */
export interface AuditPolicyRule {
  readonly level: AuditLevel
  readonly users?: readonly string[]
  readonly userGroups?: readonly string[]
  readonly verbs?: readonly string[]
  readonly resources?: readonly {
    readonly group?: string
    /** `pods`, `pods/log`, `pods/*`, `*`, or `*` with a subresource. */
    readonly resources?: readonly string[]
    readonly resourceNames?: readonly string[]
  }[]
  /** '' for what has no namespace. */
  readonly namespaces?: readonly string[]
  readonly nonResourceURLs?: readonly string[]
  readonly omitStages?: readonly AuditStage[]
  readonly omitManagedFields?: boolean
}
