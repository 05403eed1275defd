// The seam between API servers and the directory of Azure's identities: who a token is, and what Azure's role assignments
// permit inside a cluster. The part that AKS's guard plays.

/** How a cluster uses the directory. */
export interface EntraProfile {
  /** Tokens of its identities are believed. */
  readonly signIn: boolean
  /** Pods that ask for it get what they need to be identities of it. */
  readonly workloadIdentity: boolean
  /** Absent: the tenant of this server. */
  readonly tenantId?: string
  /** Role assignments of Azure permit what is asked of the API server, besides the cluster's own roles. */
  readonly azureRbac: boolean
}

export interface EntraUser {
  /** What the API server calls the user: of a service principal its object id. */
  readonly name: string
  readonly objectId: string
  /** Object ids. */
  readonly groups: readonly string[]
}

/** A request of the Kubernetes API, as authorizers see it. */
export interface KubernetesRequest {
  readonly verb: string
  /** False for plain paths: then only `path` and `verb` mean anything. */
  readonly isResource: boolean
  readonly group: string
  readonly resource: string
  readonly subresource: string
  /** '' for the whole cluster. */
  readonly namespace: string
  readonly path: string
}

export interface EntraVerdict {
  readonly allowed: boolean
  /** For the caller where it is refused, for the audit log where it is allowed. */
  readonly reason: string
}

export interface EntraDirectory {
  readonly tenantId: string
  /** Undefined for a token that is none of the tenant's for AKS's API servers, or no longer is. */
  userOf(token: string, tenantId: string | undefined): Promise<EntraUser | undefined>
  /** What the role assignments at the cluster, above it and at its namespaces say. `clusterId` is the resource id. */
  authorize(ask: {
    readonly clusterId: string
    readonly objectId: string
    readonly request: KubernetesRequest
  }): Promise<EntraVerdict>
}
