// The whole of Resource Manager in one object: listen, answer, reconcile, take up again.

import type { FastifyInstance } from 'fastify'
import { isDeepStrictEqual } from 'node:util'
import type { Scope } from '@aksel/base/scope'
import type { ClusterArchives } from '@aksel/provider/cluster-archives'
import type { ClusterEngine } from '@aksel/provider/cluster-engine'
import type { Fabric } from '@aksel/provider/fabric'
import type { MachineProvider } from '@aksel/provider/machine-provider'
import type { Store } from '@aksel/store/store'
import type { Mount } from './front-door/mount.ts'
import { BodyBytes } from './front-door/body-bytes.ts'
import { Dispatcher } from './front-door/dispatcher.ts'
import { createHttpServer, type ServerTls } from './front-door/server.ts'
import { signInRoutes } from './front-door/sign-in.ts'
import { openTokens, type Identity } from './front-door/tokens.ts'
import type { Hub, Suppliers, InstallApplicationRouting, PrepareCluster, Subscription } from './hub.ts'
import { Reconciler } from './reconciler.ts'
import { mayRepair } from './resource-providers/container-service/auto-repair.ts'
import { AutoUpgrades } from './resource-providers/container-service/auto-upgrades.ts'
import { clusterActionRoutes } from './resource-providers/container-service/cluster-actions.ts'
import { ClusterBodies } from './resource-providers/container-service/cluster-bodies.ts'
import { clusterPath, clusterRoutes } from './resource-providers/container-service/cluster-routes.ts'
import { copyRoutes } from './resource-providers/container-service/copies.ts'
import { locationRoutes } from './resource-providers/container-service/location-routes.ts'
import type { ReconcileLimits } from './resource-providers/container-service/pass.ts'
import { jwtAuthenticatorRoutes } from './resource-providers/container-service/jwt-authenticator-routes.ts'
import { managedNamespaceRoutes } from './resource-providers/container-service/managed-namespaces.ts'
import { maintenanceRoutes } from './resource-providers/container-service/maintenance.ts'
import { withAccess } from './resource-providers/authorization/enforcement.ts'
import { ensureOwner } from './resource-providers/authorization/role-assignments.ts'
import { roleAssignmentRoutes } from './resource-providers/authorization/role-assignment-routes.ts'
import { roleDefinitionRoutes } from './resource-providers/authorization/role-definition-routes.ts'
import { graphGroupRoutes } from './resource-providers/directory/graph-group-routes.ts'
import { graphRoutes } from './resource-providers/directory/graph-routes.ts'
import { objectIdOf } from './front-door/client-identity.ts'
import { withActivityLog } from './resource-providers/insights/activity-log.ts'
import { activityLogRoutes } from './resource-providers/insights/activity-log-routes.ts'
import { Throttle, type Throttling } from './front-door/throttle.ts'
import { lockRoutes } from './resource-providers/authorization/lock-routes.ts'
import { withLocks } from './resource-providers/authorization/locks.ts'
import { withLockDown } from './resource-providers/container-service/lock-down.ts'
import { trustedAccessRoutes } from './resource-providers/container-service/trusted-access.ts'
import { usageRoutes } from './resource-providers/container-service/usages.ts'
import { spotRoutes } from './resource-providers/container-service/spot-routes.ts'
import { issuerKeys } from './resource-providers/container-service/token-issuers.ts'
import { snapshotRoutes } from './resource-providers/container-service/snapshots.ts'
import { runCommandRoutes } from './resource-providers/container-service/run-command.ts'
import { machineRoutes } from './resource-providers/container-service/machine-routes.ts'
import { resourceHealthRoutes } from './resource-providers/container-service/resource-health-routes.ts'
import { upgradeInsightRoutes } from './resource-providers/container-service/upgrade-insight-routes.ts'
import { outboundDependencyRoutes } from './resource-providers/container-service/outbound-dependencies.ts'
import { identityBindingRoutes } from './resource-providers/container-service/identity-bindings.ts'
import { meshProfileRoutes } from './resource-providers/container-service/mesh-profiles.ts'
import { privateLinkRoutes } from './resource-providers/container-service/private-links.ts'
import { profileResetRoutes } from './resource-providers/container-service/profile-resets.ts'
import { poolActionRoutes } from './resource-providers/container-service/pool-actions.ts'
import { poolRoutes } from './resource-providers/container-service/pool-routes.ts'
import { deploymentRoutes } from './resource-providers/deployments/deployment-routes.ts'
import { DeploymentRunner } from './resource-providers/deployments/deployment-runner.ts'
import { computeRoutes } from './resource-providers/compute/compute-routes.ts'
import { machineIdentityRoutes } from './resource-providers/compute/machine-identities.ts'
import { federatedCredentialRoutes } from './resource-providers/neighbours/federated-credentials.ts'
import { vaultSecretRoutes } from './resource-providers/neighbours/vault-secrets.ts'
import { templateSpecRoutes } from './resource-providers/resources/template-spec-routes.ts'
import { neighbourRoutes } from './resource-providers/neighbours/neighbour-routes.ts'
import { loadBalancerRoutes } from './resource-providers/network/load-balancer-routes.ts'
import { networkRoutes } from './resource-providers/network/network-routes.ts'
import { networkWatcherRoutes } from './resource-providers/network/network-watcher-routes.ts'
import { virtualNetworkRoutes } from './resource-providers/network/virtual-network-routes.ts'
import { groupRoutes } from './resource-providers/resources/group-routes.ts'
import { moveRoutes } from './resource-providers/resources/move-routes.ts'
import { ruleAssociationRoutes } from './resource-providers/neighbours/rule-associations.ts'
import { exportRoutes } from './resource-providers/resources/export-routes.ts'
import { tagNameRoutes } from './resource-providers/resources/tag-name-routes.ts'
import { tagRoutes } from './resource-providers/resources/tag-routes.ts'
import { subscriptionRoutes } from './resource-providers/resources/subscription-routes.ts'
import { Duty, type Sharing } from './sharing/duty.ts'
import { hearOthers, releaseMachines } from './sharing/sharers.ts'
import { Steps } from './steps.ts'
import { ResourceStore } from './store-keyspace.ts'

export interface FrontDoorOptions {
  /** Resources are kept below `hub/`. */
  readonly store: Store
  readonly engine: ClusterEngine
  /** Absent where the engine cannot copy clusters. */
  readonly archives?: ClusterArchives
  readonly machines: (simulated: boolean) => MachineProvider
  /** Absent where the host allows none. */
  readonly fabric?: Fabric
  /** Pools are simulated although nobody asked for it: the host offers no real machines. */
  readonly simulatedByDefault?: boolean
  readonly identity: Identity
  readonly subscriptions: readonly Subscription[]
  readonly prepareCluster: PrepareCluster
  /** Absent where nobody installs it. */
  readonly applicationRouting?: InstallApplicationRouting
  /** Runs the cluster autoscaler; absent: pools are scaled by hand alone. */
  readonly autoscale?: Suppliers['autoscale']
  /** Absent where no machine is real. */
  readonly commandRuntime?: Suppliers['commandRuntime']
  /** Name of an Azure region, `eastus` when absent: the one that the list of locations begins with. */
  readonly region?: string
  readonly limits?: Partial<ReconcileLimits>
  /** Properties without effect are refused rather than recorded. */
  readonly strict?: boolean
  /** How what lies elsewhere is asked for, OIDC issuers and linked templates; the system's own when absent. */
  readonly fetch?: typeof fetch
  /** How many requests a caller has; absent: as many as it likes. */
  readonly throttling?: Throttling
  /** Set where other servers use the same store: then each resource is worked on by one of them. */
  readonly sharing?: Sharing
  /** Served on the same addresses, beside Resource Manager. */
  readonly mounts?: readonly Mount[]
}

export interface ListenOptions {
  readonly host: string
  /** 0 picks a free port. */
  readonly port: number
  readonly tls: ServerTls
  /** What else is mounted is not served there. */
  readonly alone?: boolean
}

export interface FrontDoor extends AsyncDisposable {
  /** Answers on one more address; returns its URL, `https://127.0.0.1:8443`. On one where it does already the certificate is replaced. */
  listen(options: ListenOptions): Promise<string>
  /** Takes up unfinished operations and running clusters; call it once, when the suppliers are ready. */
  resume(): Promise<void>
  /** Begins the upgrades that channels want and windows allow, now; once resumed, this is done every ten minutes. */
  maintain(): Promise<void>
  /** Resolves when nothing is being reconciled. */
  idle(): Promise<void>
  /** False for a machine that is off by order, goes, or is being worked on. Ids in lower case. */
  mayRepair(clusterId: string, machine: string): Promise<boolean>
  /** Does the work while this server works on what lies under the id; at once and once where it shares its store with nobody. */
  whileOnDuty(scope: Scope, id: string, work: (scope: Scope) => Promise<void>): Promise<void>
}

/** Ends with the scope's signal for reconciling, with disposal for listening. */
export async function createFrontDoor(scope: Scope, options: FrontDoorOptions): Promise<FrontDoor> {
  const store = new ResourceStore(options.store)
  const suppliers = {
    engine: options.engine,
    ...(options.archives === undefined ? {} : { archives: options.archives }),
    machines: options.machines,
    ...(options.fabric === undefined ? {} : { fabric: options.fabric }),
    prepareCluster: options.prepareCluster,
    ...(options.applicationRouting === undefined ? {} : { applicationRouting: options.applicationRouting }),
    ...(options.autoscale === undefined ? {} : { autoscale: options.autoscale }),
    ...(options.commandRuntime === undefined ? {} : { commandRuntime: options.commandRuntime }),
    simulatedByDefault: options.simulatedByDefault === true,
  }
  const { sharing } = options
  const duty = sharing === undefined ? undefined : new Duty(scope, { store, suppliers, sharing })
  const steps = new Steps()
  const reconciler = new Reconciler(scope, {
    store,
    suppliers,
    steps,
    subscriptionIds: options.subscriptions.map(({ subscriptionId }) => subscriptionId),
    ...(duty === undefined ? {} : { duty }),
    ...(options.limits === undefined ? {} : { limits: options.limits }),
  })
  const at = new Date(scope.clock.now()).toISOString()
  for (const { subscriptionId } of options.subscriptions)
    for (const { clientId } of options.identity.clients)
      await ensureOwner(store, { subscriptionId, principalId: objectIdOf(clientId), at })
  const tokens = await openTokens(store, options.identity)
  const bytes = new BodyBytes()
  const hub: Hub = {
    store,
    suppliers,
    clusterBodies: new ClusterBodies(bytes),
    subscriptions: options.subscriptions,
    tenantId: options.identity.tenantId,
    region: options.region ?? 'eastus',
    fetch: options.fetch ?? globalThis.fetch,
    strict: options.strict === true,
    ...(sharing === undefined ? {} : { sharing }),
    stepOf: (id) => steps.of(id),
    wake: (id) => reconciler.wake(id),
  }
  const dispatcher = new Dispatcher(scope)
  const runner = new DeploymentRunner(scope, { hub, dispatcher, ...(duty === undefined ? {} : { duty }) })
  const rows = [
    ...signInRoutes(options.identity, tokens, {
      store,
      clusterKeys: (issuer) => issuerKeys({ store, engine: options.engine }, issuer),
      fetch: hub.fetch,
    }),
    ...subscriptionRoutes(hub),
    ...groupRoutes(hub),
    ...clusterRoutes(hub),
    ...copyRoutes(hub, clusterPath),
    ...clusterActionRoutes(hub),
    ...profileResetRoutes(hub),
    ...outboundDependencyRoutes(hub),
    ...upgradeInsightRoutes(hub),
    ...resourceHealthRoutes(hub),
    ...runCommandRoutes(hub),
    ...maintenanceRoutes(hub),
    ...snapshotRoutes(hub),
    ...poolRoutes(hub),
    ...poolActionRoutes(hub),
    ...spotRoutes(hub),
    ...machineRoutes(hub),
    ...jwtAuthenticatorRoutes(hub),
    ...managedNamespaceRoutes(hub),
    ...trustedAccessRoutes(hub),
    ...identityBindingRoutes(hub),
    ...privateLinkRoutes(hub),
    ...meshProfileRoutes(hub),
    ...locationRoutes(hub),
    ...networkRoutes(hub),
    ...loadBalancerRoutes(hub),
    ...neighbourRoutes(hub),
    ...federatedCredentialRoutes(hub),
    ...vaultSecretRoutes(hub),
    ...templateSpecRoutes(hub),
    ...computeRoutes(hub),
    ...machineIdentityRoutes({ store, tokens, tenantId: options.identity.tenantId }),
    ...networkWatcherRoutes(hub),
    ...virtualNetworkRoutes(hub),
    ...usageRoutes(hub),
    ...lockRoutes(hub),
    ...roleDefinitionRoutes(hub),
    ...roleAssignmentRoutes(hub, options.identity.clients),
    ...activityLogRoutes(hub),
    ...graphRoutes(hub, options.identity.clients),
    ...graphGroupRoutes(hub, options.identity.clients),
    ...tagRoutes(hub, dispatcher.ask),
    ...tagNameRoutes(hub),
    ...exportRoutes(hub, dispatcher.ask),
    ...ruleAssociationRoutes(hub),
    ...moveRoutes(hub),
    ...deploymentRoutes({ hub, dispatcher, runner }),
  ]
  const guarded = withAccess(store, withLockDown(store, withLocks(store, rows)))
  const routes = withActivityLog(store, options.identity.tenantId, guarded)
  dispatcher.add(routes)
  const subscriptionIds = options.subscriptions.map(({ subscriptionId }) => subscriptionId.toLowerCase())
  const throttle = options.throttling === undefined ? {} : { throttle: new Throttle(options.throttling) }
  const autoUpgrades = new AutoUpgrades(scope, { hub, ask: dispatcher.ask })
  const servers = new Map<string, { readonly tls: ServerTls; readonly server: FastifyInstance; readonly url: string }>()
  const resume = async (): Promise<void> => {
    await reconciler.resume()
    await runner.resume()
  }
  let standing: Promise<void> | undefined
  const share = async (name: string, own: Duty): Promise<void> => {
    const provider = options.machines(true)
    // A term that ends, since the store did not answer for a while, may well be followed by another of ours: they are kept until
    // somebody else works.
    const release = async (): Promise<void> => {
      if (!own.isElected && !(await own.wasLast())) await releaseMachines(scope, own, provider, name)
    }
    await release()
    hearOthers(scope, store, own, {
      elected: release,
      told: (id) => (isDeployment(id) ? void runner.told(id) : reconciler.told(id)),
      missed: () => void resume(),
    })
    standing = own.stand({
      begin: resume,
      end: async () => {
        await reconciler.leave()
        await runner.leave()
      },
    })
  }
  return {
    async listen({ host, port, tls, alone = false }) {
      const { identity } = options
      const mounts = alone ? [] : (options.mounts ?? [])
      const known = servers.get(`${host}:${port}`)
      if (known !== undefined && isDeepStrictEqual(known.tls, tls)) return known.url
      await known?.server.close()
      const parts = { routes, tokens, identity, subscriptionIds, mounts, bytes, ...throttle }
      const server = createHttpServer(scope, parts, tls)
      const url = (await server.listen({ host, port })).replace(/^http:/, 'https:')
      servers.set(port === 0 ? url : `${host}:${port}`, { tls, server, url })
      return url
    },
    async resume() {
      if (duty !== undefined) await share(sharing!.name, duty)
      await resume()
    },
    maintain: () => autoUpgrades.look(),
    async idle() {
      await runner.idle()
      await reconciler.idle()
    },
    mayRepair: (clusterId, machine) => mayRepair(store, clusterId, machine),
    whileOnDuty: (own, id, work) => (duty === undefined ? work(own) : duty.whileOnDuty(own, id, work)),
    async [Symbol.asyncDispose]() {
      await standing
      await Promise.all([...servers.values()].map(({ server }) => server.close()))
    },
  }
}

function isDeployment(id: string): boolean {
  return /\/providers\/microsoft\.resources\/deployments\//i.test(id)
}
