// Who is believed and what they may do: the authenticators and authorizers of one server.

import { featureGatesOf } from '@aksel/api/feature-gates'
import type { Catalog } from '@aksel/api/catalog'
import type { KindRow } from '@aksel/api/kind-row'
import type { Scope } from '@aksel/base/scope'
import { firstOf, type TokenUsers } from './authentication/authenticate.ts'
import { bootstrapTokens } from './authentication/bootstrap-token.ts'
import { TokenMetrics } from './authentication/authentication-metrics.ts'
import { noteLegacyUses } from './authentication/legacy-uses.ts'
import { TokenAuthenticator } from './authentication/service-account.ts'
import { JwtAuthenticator } from './authentication/structured/jwt-authenticator.ts'
import { TokenAuthority, type TokenKeys } from './authentication/tokens.ts'
import { AuthorizationMetrics } from './authorization/authorization-metrics.ts'
import { ConfiguredAuthorizer, type DirectoryAuthorizer } from './authorization/configured-authorizer.ts'
import { NodeAuthorizer } from './authorization/node-authorizer.ts'
import { NodeGraph } from './authorization/node-graph.ts'
import { RbacAuthorizer } from './authorization/rbac.ts'
import { nodeRules } from './bootstrap/rbac-objects.ts'
import type { MetricsRegistry } from './metrics.ts'
import type { OwnClient } from './own-client.ts'
import type { RecordStore } from './registry/record-store.ts'

export interface AuthorityOptions {
  readonly serviceAccounts: TokenKeys & { readonly issuer: string }
  readonly directory?: IdentityDirectory
  readonly featureGates?: Readonly<Record<string, boolean>>
}

/** Identities that are kept outside the cluster, and what they may do in it. */
export interface IdentityDirectory {
  readonly tokens: TokenUsers
  readonly authorizer: DirectoryAuthorizer
}

export interface Authorities {
  readonly tokens: TokenAuthority
  readonly tokenUsers: TokenUsers
  /** Issuers other than this cluster. */
  readonly external: JwtAuthenticator
  readonly rbac: RbacAuthorizer
  readonly authorizer: ConfiguredAuthorizer
  readonly decisions: AuthorizationMetrics
  readonly audiences: readonly string[]
}

export function authorities(
  options: AuthorityOptions,
  scope: Scope,
  records: RecordStore,
  catalog: Catalog,
  own: OwnClient,
  metrics: MetricsRegistry,
): Authorities {
  const core = (plural: string): KindRow => rowOf(catalog, '', plural)
  const gates = featureGatesOf(catalog.minor, options.featureGates)
  const rbacRow = (plural: string): KindRow => rowOf(catalog, 'rbac.authorization.k8s.io', plural)
  const { issuer } = options.serviceAccounts
  const tokens = new TokenAuthority({ clock: scope.clock, random: scope.random, ...options.serviceAccounts })
  const rows = {
    serviceAccounts: core('serviceaccounts'),
    pods: core('pods'),
    secrets: core('secrets'),
    nodes: core('nodes'),
  }
  const rbac = new RbacAuthorizer(
    records,
    {
      roles: rbacRow('roles'),
      roleBindings: rbacRow('rolebindings'),
      clusterRoles: rbacRow('clusterroles'),
      clusterRoleBindings: rbacRow('clusterrolebindings'),
    },
    scope.signal,
  )
  const graphRows = {
    pods: core('pods'),
    persistentVolumes: core('persistentvolumes'),
    persistentVolumeClaims: core('persistentvolumeclaims'),
    volumeAttachments: catalog.row('storage.k8s.io', 'v1', 'volumeattachments'),
    resourceSlices: catalog.row('resource.k8s.io', 'v1', 'resourceslices'),
  }
  const nodes = new NodeAuthorizer(new NodeGraph(records, graphRows, scope.signal), nodeRules(gates))
  const decisions = new AuthorizationMetrics(scope.clock, metrics)
  const external = new JwtAuthenticator(scope, { ownIssuer: issuer })
  return {
    tokens,
    tokenUsers: firstOf([
      new TokenAuthenticator({
        authority: tokens,
        clock: scope.clock,
        metrics: new TokenMetrics(metrics),
        records,
        rows,
        audiences: [issuer],
        onLegacyUse: noteLegacyUses(scope, () => own.opened),
      }),
      bootstrapTokens({ clock: scope.clock, records, secrets: rows.secrets, audiences: [issuer] }),
      external,
      ...(options.directory === undefined ? [] : [options.directory.tokens]),
    ]),
    external,
    rbac,
    authorizer: new ConfiguredAuthorizer({
      clock: scope.clock,
      metrics,
      decisions,
      node: nodes,
      rbac,
      ...(options.directory === undefined ? {} : { directory: options.directory.authorizer }),
    }),
    decisions,
    audiences: [issuer],
  }
}

/** Throws for a kind that the minor does not have. */
export function rowOf(catalog: Catalog, group: string, plural: string): KindRow {
  const row = catalog.row(group, 'v1', plural)
  if (row === undefined) throw new Error(`the catalog of ${catalog.minor} lacks ${plural} in group "${group}"`)
  return row
}
