// The stages of a request, put together from the parts of one server.

import type { Catalog } from '@aksel/api/catalog'
import { featureGatesOf } from '@aksel/api/feature-gates'
import type { Scope } from '@aksel/base/scope'
import type { Authorities } from './authorities.ts'
import type { Aggregation } from './aggregation/aggregation.ts'
import type { FlowControl } from './flow-control/flow-control.ts'
import { dumpOf } from './flow-control/dumps.ts'
import { clientName, type FrontProxy } from './aggregation/front-proxy.ts'
import { ImpersonationMetrics } from './authorization/impersonation-metrics.ts'
import { Auditor } from './audit/auditor.ts'
import { defaultAuditPolicy } from './audit/policy.ts'
import { AuthenticationMetrics } from './authentication/authentication-metrics.ts'
import { certificateAuthenticator } from './authentication/client-certificate.ts'
import { requestHeaderAuthenticator } from './authentication/request-header.ts'
import { customSource } from './custom-resources/custom-discovery.ts'
import type { CustomKinds } from './custom-resources/custom-kinds.ts'
import type { ConnectHandler } from './connect-handler.ts'
import type { SealedStore } from './encryption/sealed-store.ts'
import { Documents } from './discovery/documents.ts'
import { HealthMetrics, healthPaths } from './health.ts'
import type { MetricsRegistry } from './metrics.ts'
import { Pipeline } from './pipeline.ts'
import type { Registry } from './registry/registry.ts'
import { EventEncoders } from './registry/event-encoders.ts'
import { componentStatuses } from './reviews/component-statuses.ts'
import { declareServerMetrics, RequestMetrics } from './request-metrics.ts'
import { metricsHandlers } from './resource-metrics/handlers.ts'
import { usageOf } from './resource-metrics/usage-of.ts'
import { declareReloads } from './reload-metrics.ts'
import { reviewHandlers } from './reviews/reviews.ts'
import { serverChecks } from './server-checks.ts'
import type { Hooks } from './hooks.ts'
import { routeOf } from './route.ts'
import { identityOf } from './identity/identity-lease.ts'
import { InFlight } from './in-flight.ts'
import { evictionSubresource } from './subresources/eviction.ts'
import { bindingsCollection } from './subresources/subresources.ts'
import { tokenSubresource } from './subresources/token.ts'
import type { ApiServerOptions } from './server-options.ts'

export interface PipelineParts {
  readonly scope: Scope
  readonly catalog: Catalog
  readonly registry: Registry
  readonly auth: Authorities
  readonly late: { readonly connect: ConnectHandler | undefined }
  readonly kinds: CustomKinds
  readonly aggregation: Aggregation
  readonly metrics: MetricsRegistry
  readonly hooks: Hooks
  readonly frontProxy: FrontProxy
  readonly flow: FlowControl
  readonly sealed: SealedStore | undefined
}

export function pipelineOf(options: ApiServerOptions, parts: PipelineParts): Pipeline {
  const { scope, catalog, registry, auth, late, kinds, aggregation, metrics, hooks, flow } = parts
  const { records } = registry
  const requests = new RequestMetrics(metrics)
  const inFlight = new InFlight()
  const gitVersion = `v${options.kubernetesVersion}`
  const storeId = options.keyPrefix.split('/').findLast((part) => part !== '') ?? ''
  declareServerMetrics(metrics, { catalog, gitVersion, inFlight, records, storeId, signal: scope.signal })
  const serverId = options.hostName === undefined ? '' : identityOf(options.hostName)
  declareReloads(metrics, serverId, options.reloads ?? {})
  const { unregistered } = aggregation
  const { storage, liveness, readiness } = serverChecks({ scope, records, hooks, unregistered, sealed: parts.sealed })
  const documents = new Documents({
    catalog,
    otherPaths: healthPaths({ liveness, readiness }),
    ...(options.openApi === undefined ? {} : { openApi: options.openApi }),
    sources: [customSource(kinds, { catalog, gitVersion }), aggregation.source],
    gitVersion,
    serverAddress: `${options.advertiseAddress}:${options.advertisePort}`,
    issuer: options.serviceAccounts.issuer,
    jwks: () => auth.tokens.jwks(),
  })
  const route = routeOf({
    scope,
    tools: { registry, encoder: new EventEncoders(registry.protobufEncoder) },
    documents,
    elsewhere: (context) => aggregation.route(context),
    metrics,
    requests,
    liveness,
    readiness,
    health: new HealthMetrics(metrics),
    subresources: {
      '/pods/eviction': evictionSubresource,
      '/serviceaccounts/token': tokenSubresource(auth.tokens, auth.audiences),
    },
    reviews: {
      ...reviewHandlers({
        rbac: auth.rbac,
        unlistable: () => auth.authorizer.unlistable,
        tokens: auth.tokenUsers,
        audiences: auth.audiences,
      }),
      ...metricsHandlers(usageOf(registry, options)),
      '/bindings': bindingsCollection,
      '/componentstatuses': componentStatuses([{ name: 'etcd-0', check: storage }, ...(options.components ?? [])]),
    },
    debug: options.debug,
    dump: (path, query) => dumpOf(flow, path, query, scope.clock.now() - scope.clock.monotonicMs()),
    onDeprecatedUse: options.onDeprecatedUse,
    connect: options.nodeConnector === undefined ? undefined : (own, call) => late.connect!(own, call),
  })
  return new Pipeline({
    scope,
    authenticators: {
      certificates: certificateAuthenticator(scope.clock, options.clientAuthority),
      frontProxy: requestHeaderAuthenticator(scope.clock, {
        authorityPem: parts.frontProxy.authorityPem,
        allowedNames: [clientName],
      }),
      tokens: auth.tokenUsers,
      mayBeAnonymous: (path) => auth.external.mayBeAnonymous(path),
    },
    authentication: new AuthenticationMetrics(scope.clock, metrics),
    authorizer: auth.authorizer,
    decisions: auth.decisions,
    impersonation: featureGatesOf(catalog.minor, options.featureGates)('ConstrainedImpersonation')
      ? new ImpersonationMetrics(scope.clock, metrics)
      : undefined,
    flow,
    inFlight,
    metrics: requests,
    audit:
      options.audit === undefined
        ? undefined
        : new Auditor({
            clock: scope.clock,
            policy: options.auditPolicy ?? defaultAuditPolicy,
            sink: options.audit,
            errors: options.auditErrors,
            forms: { decoder: registry.protobuf, encoder: registry.protobufEncoder },
            metrics,
          }),
    protobuf: registry.protobufEncoder,
    route,
    requestMaxMs: options.requestMaxMs,
  })
}
