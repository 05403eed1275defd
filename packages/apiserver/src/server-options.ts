// What an API server is handed when it is made.

import type { Catalog } from '@aksel/api/catalog'
import type { Scope } from '@aksel/base/scope'
import type { Store } from '@aksel/store/store'
import type { FrontProxy } from './aggregation/front-proxy.ts'
import type { ObservedDeprecation } from './deprecation.ts'
import type { IdentityDirectory } from './authorities.ts'
import type { AuditPolicy } from '@aksel/api/audit-policy'
import type { AuditSink } from './audit/event.ts'
import type { Counter } from './metrics.ts'
import type { AuthenticationConfiguration } from '@aksel/api/authentication-configuration'
import type { AuthorizationConfiguration } from '@aksel/api/authorization-configuration'
import type { WorkloadIdentity } from './admission/workload-identity.ts'
import type { Encryption } from './encryption/encryption.ts'
import type { ReviewServices } from './authorization/configured-authorizer.ts'
import type { TokenKeys } from './authentication/tokens.ts'
import type { NodeConnector } from './connect-handler.ts'
import type { OpenApiLibrary } from './discovery/open-api-library.ts'
import type { HealthCheck } from './health.ts'
import type { DebugAnswers } from './route.ts'
import type { GuardOptions } from './flow-control/start.ts'
import type { Entrance } from './http/entrance.ts'
import type { SeatLimits } from './in-flight.ts'
import type { ReloadSources } from './reload-metrics.ts'

export interface ApiServerOptions {
  readonly scope: Scope
  readonly store: Store
  /** `clusters/KEY/`: everything of this cluster lies below. */
  readonly keyPrefix: string
  /** `1.35.7` */
  readonly kubernetesVersion: string
  /** The kinds of that version, where several clusters share them; loaded when absent. */
  readonly catalog?: Catalog
  /** Where several control planes share the thread: its one door for requests; one of its own when absent. */
  readonly entrance?: Entrance
  /** OpenAPI of those kinds, where several clusters share it; one of its own when absent. */
  readonly openApi?: OpenApiLibrary
  /** IPv4; the `kubernetes` service has its first address. */
  readonly serviceCidr: string
  /** Of the other family: services may have addresses of both. */
  readonly secondaryServiceCidr?: string
  /** Where nodes and pods reach this server: the endpoint of the `kubernetes` service. */
  readonly advertiseAddress: string
  readonly advertisePort: number
  /** Tells this server from others of the same store: its Lease in kube-system is named after it. Absent: it has none. */
  readonly hostName?: string
  /** PEM; client certificates that it signed are believed. */
  readonly clientAuthority: string
  /** Who this server is to API servers behind an APIService; one of its own for this run when absent. */
  readonly frontProxy?: FrontProxy
  readonly serviceAccounts: TokenKeys & { readonly issuer: string }
  /** Issuers that are believed from the start. */
  readonly authentication?: AuthenticationConfiguration
  /** Who is asked whether a request may be; the node authorizer and RBAC when absent. */
  readonly authorization?: {
    readonly configuration: AuthorizationConfiguration
    readonly services: ReviewServices
  }
  /** Of the files that these come from, where they are read again. */
  readonly reloads?: ReloadSources
  /** Identities that are kept outside the cluster; absent: there are none. */
  readonly directory?: IdentityDirectory
  /** What pods that ask for an identity of Azure are given, as it is at the moment; absent: nothing ever. */
  readonly workloadIdentity?: () => WorkloadIdentity | undefined
  /** Kinds that are sealed in the store. */
  readonly encryption?: Encryption
  /** Absent: log, exec, attach, port-forward and proxy answer 503. */
  readonly nodeConnector?: NodeConnector
  /** No container runs on its nodes: pods say themselves what they would use. */
  readonly simulated?: boolean
  /** `off`: no webhook is called, wherever it is; what asks for one fails and says why. */
  readonly egress?: 'off'
  /** What GET of a path below /debug/ answers. */
  readonly debug?: DebugAnswers
  readonly audit?: AuditSink
  /** Told of every write through an API version that a later minor no longer serves. */
  readonly onDeprecatedUse?: (use: ObservedDeprecation) => void
  /** Events that whoever keeps them has lost, by `plugin`: of all servers that share it. */
  readonly auditErrors?: Counter
  /** What of it is recorded; upstream's Metadata for every request when absent. */
  readonly auditPolicy?: AuditPolicy
  /** Other parts of the control plane, for componentstatuses. */
  readonly components?: readonly HealthCheck[]
  readonly nodePorts?: { readonly from: number; readonly to: number }
  readonly seats?: SeatLimits
  /** Upstream's `--request-timeout`: of a request that is no watch and no stream; without a bound when absent. */
  readonly requestMaxMs?: number
  /** How the managed API server guard judges; AKS's name for it is in its objects. */
  readonly guard?: GuardOptions
  /** API versions beside the stable ones, by the names of upstream's `--runtime-config`: `api/beta=true`, `resource.k8s.io/v1beta1=true`. */
  readonly runtimeConfig?: Readonly<Record<string, boolean>>
  /** Feature gates that differ from the minor's defaults, by upstream's names. */
  readonly featureGates?: Readonly<Record<string, boolean>>
}
