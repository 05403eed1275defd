// The API server of one cluster: wires the stages together. No state outside this object; an idle one holds little.

import { featureGatesOf } from '@aksel/api/feature-gates'
import { catalogOf, type Catalog } from '@aksel/api/catalog'
import { formatIp, parseRange } from '@aksel/base/ip-range'
import { childScope, type Scope } from '@aksel/base/scope'
import type { Transport } from '@aksel/client/transport'
import { createClient } from '@aksel/client/typed-client'
import type { Fence } from '@aksel/runtime/fenced-client'
import { AdmissionChain, type AdmissionPlugin } from './admission/admission.ts'
import { authorities, rowOf, type Authorities } from './authorities.ts'
import { AdmissionMetrics } from './admission/admission-metrics.ts'
import { aggregationOf } from './aggregation/aggregation.ts'
import { newFrontProxy } from './aggregation/front-proxy.ts'
import { PolicyStatusLoop } from './admission/dynamic/policy-status-loop.ts'
import { dynamicPlugins } from './admission/dynamic/plugins.ts'
import { admissionPlugins } from './admission/plugins.ts'
import { workloadIdentity } from './admission/workload-identity.ts'
import { resourceQuota } from './admission/quota.ts'
import { rbacEscalation } from './admission/rbac-escalation.ts'
import type { AuthenticationConfiguration } from '@aksel/api/authentication-configuration'
import type { AuthorizationConfiguration } from '@aksel/api/authorization-configuration'
import type { ReviewServices } from './authorization/configured-authorizer.ts'
import { startFlowControl } from './flow-control/start.ts'
import { defaultSeatLimits } from './in-flight.ts'
import type { Encryption } from './encryption/encryption.ts'
import { SealedStore } from './encryption/sealed-store.ts'
import { masters, type UserInfo } from './authentication/user-info.ts'
import { bootstrap, keepBootstrapObjects } from './bootstrap/bootstrap.ts'
import { customKinds } from './custom-resources/custom-kinds-of.ts'
import { DefinitionLoop } from './custom-resources/definition-loop.ts'
import { createConnectHandler } from './connect/handler.ts'
import { minorOf } from './catalogs.ts'
import type { ConnectHandler } from './connect-handler.ts'
import { expireEvents } from './event-expiry.ts'
import { inProcessTransport } from './http/in-process-transport.ts'
import { LiveCalls } from './http/live-calls.ts'
import { listenTls, type ListenOptions, type Listener } from './http/tls-listener.ts'
import { Entrance, type Entry } from './http/entrance.ts'
import { MetricsRegistry } from './metrics.ts'
import type { Pipeline } from './pipeline.ts'
import { pooledRandom } from './pooled-random.ts'
import { ProtobufDecoder } from './protobuf/decode.ts'
import { ProtobufEncoder } from './protobuf/encode.ts'
import { AllocationPools } from './registry/allocation-pools.ts'
import { ManagedKinds } from './registry/managed-kinds.ts'
import { enterEpoch, writeEpoch, type Epoch } from './registry/epoch.ts'
import { RecordStore } from './registry/record-store.ts'
import type { Kinds, Registry } from './registry/registry.ts'
import { StoreMetrics } from './registry/store-metrics.ts'
import { WatchMetrics } from './registry/watch-metrics.ts'
import { QueueMetrics } from './queue-metrics.ts'
import { identityOf, keepIdentity } from './identity/identity-lease.ts'
import { serverHooks } from './server-checks.ts'
import { ClientMetrics, measured } from './client-metrics.ts'
import { OwnClient } from './own-client.ts'
import { createNoWebhookClient, createWebhookClient } from './webhook/client.ts'
import { createServiceDialer } from './webhook/service-dialer.ts'
import type { ApiServerOptions } from './server-options.ts'
import { pipelineOf } from './server-pipeline.ts'

export interface ApiServer extends AsyncDisposable {
  /** HTTP/1.1 and HTTP/2 over TLS; may be called for several addresses. Rejects with the socket's error. */
  listen(options: ListenOptions): Promise<Listener>
  /** Calls as this user, through the whole pipeline but TLS and framing; what they write is bound to the term of a `fence`. */
  transportFor(user: UserInfo, fence?: Fence): Transport
  /** Which issuers are believed from the next request on. Throws Invalid and changes nothing for a configuration with faults. */
  configureAuthentication(configuration: AuthenticationConfiguration): void
  /** Who is asked whether a request may be, from the next request on. The configuration was judged when it was read. */
  configureAuthorization(configuration: AuthorizationConfiguration, services: ReviewServices): void
  /** With which keys kinds are sealed, from the next write on. Throws where the server was started without encryption. */
  configureEncryption(encryption: Encryption): void
  /** Ends connections that their listener would no longer take. */
  recheckPeers(): void
  /** Ends all watches, closes all listeners, then resolves. */
  close(): Promise<void>
}

/** Resolves when the bootstrap objects are there and requests can be answered. */
export async function createApiServer(options: ApiServerOptions): Promise<ApiServer> {
  const stopping = new AbortController()
  const scope: Scope = {
    ...childScope(options.scope, { component: 'apiserver' }, stopping.signal),
    random: pooledRandom(options.scope.random),
  }
  const catalog = options.catalog ?? (await catalogOf(minorOf(options.kubernetesVersion), options))
  const metrics = new MetricsRegistry()
  const hooks = serverHooks()
  const { records, epoch, sealed } = await openRecords(options, scope, catalog, metrics)
  const own = new OwnClient()
  const auth = authorities(options, scope, records, catalog, own, metrics)
  const { authorization } = options
  if (authorization !== undefined) auth.authorizer.configure(authorization.configuration, authorization.services)
  const services = createServiceDialer({ objects: own.reader, nodes: options.nodeConnector, random: scope.random })
  const clientMetrics = new ClientMetrics(scope.clock, metrics)
  const webhooks =
    options.egress === 'off'
      ? createNoWebhookClient('this cluster calls nothing outside itself: it is a fork')
      : createWebhookClient(scope, services, clientMetrics)
  scope.signal.addEventListener('abort', () => webhooks[Symbol.dispose](), { once: true })
  const kinds = customKinds(scope, records, catalog, webhooks)
  await hooks.run('crd-informer-synced', () => kinds.start())
  const dynamic = dynamicPlugins({ records, kinds, client: webhooks, log: scope.log, signal: scope.signal })
  const registry = registryOf(options, scope, records, catalog, auth, kinds, dynamic, metrics)
  const serviceIp = firstAddress(options.serviceCidr)
  const { advertiseAddress, advertisePort } = options
  const gates = featureGatesOf(catalog.minor, options.featureGates)
  const addresses = { serviceCidrs: serviceCidrsOf(options), serviceIp, advertiseAddress, advertisePort, gates }
  await bootstrap(registry, addresses, hooks)
  await new DefinitionLoop(registry, kinds, hooks).start()
  await new PolicyStatusLoop(registry, kinds).start()
  keepBootstrapObjects(scope, registry, addresses, hooks)
  await expireEvents(scope, { records, row: rowOf(catalog, '', 'events') })
  const late: { connect: ConnectHandler | undefined } = { connect: undefined }
  const frontProxy = options.frontProxy ?? (await newFrontProxy(scope))
  const aggregation = await aggregationOf({
    registry,
    catalog,
    kinds,
    services,
    objects: own.reader,
    frontProxy,
    local: [],
    hooks,
  })
  const { mutatingMax, readingMax } = options.seats ?? defaultSeatLimits
  const totalSeats = mutatingMax + readingMax
  const flow = await startFlowControl({
    scope,
    registry,
    metrics,
    totalSeats,
    client: () => own.opened,
    ...(options.guard === undefined ? {} : { guard: options.guard }),
  })
  const pipeline = pipelineOf(options, {
    scope,
    catalog,
    registry,
    auth,
    late,
    kinds,
    aggregation,
    metrics,
    hooks,
    frontProxy,
    flow,
    sealed,
  })
  const run = (call: Parameters<Pipeline['run']>[0]): ReturnType<Pipeline['run']> => pipeline.run(call)
  const calls = new LiveCalls()
  const transportFor: ApiServer['transportFor'] = (user, fence) => inProcessTransport(run, user, calls, fence)
  const transport = transportFor({ name: 'system:apiserver', groups: [masters] })
  const objects = createClient(measured(transport, clientMetrics, `${advertiseAddress}:${advertisePort}`), {
    userAgent: 'kube-apiserver',
  })
  own.open(objects)
  keepIdentity(scope, objects, hooks, options.hostName)
  await aggregation.start(objects, options.clientAuthority)
  if (options.nodeConnector !== undefined)
    late.connect = createConnectHandler({ nodes: options.nodeConnector, objects })
  void writeEpoch(scope, { records, rows: catalog.rows, epoch }).catch((error: unknown) => {
    if (!scope.signal.aborted) scope.log.warn('objects of an older schema could not be written anew', { error })
  })
  if (options.authentication !== undefined) auth.external.configure(options.authentication)
  const entrance = options.entrance ?? new Entrance({ monotonicMs: () => scope.clock.monotonicMs() })
  const entry = entrance.join()
  return serverOf({ scope, run, entry, calls, stopping, transportFor, configures: configuresOf(auth, sealed) })
}

type Run = (call: Parameters<Pipeline['run']>[0]) => ReturnType<Pipeline['run']>

interface ServerParts {
  readonly scope: Scope
  readonly run: Run
  /** What comes over the network waits here for its turn. */
  readonly entry: Entry
  readonly calls: LiveCalls
  readonly stopping: AbortController
  readonly transportFor: ApiServer['transportFor']
  readonly configures: Configures
}

/** What may change while the server runs. */
type Configures = Pick<ApiServer, 'configureAuthentication' | 'configureAuthorization' | 'configureEncryption'>

function configuresOf(auth: Authorities, sealed: SealedStore | undefined): Configures {
  return {
    configureAuthentication: (configuration) => auth.external.configure(configuration),
    configureAuthorization: (configuration, services) => auth.authorizer.configure(configuration, services),
    configureEncryption(encryption) {
      if (sealed === undefined)
        throw new Error('Cannot seal kinds in the store: the server was started without encryption')
      sealed.configure(encryption)
    },
  }
}

function serverOf({ scope, run, entry, calls, stopping, transportFor, configures }: ServerParts): ApiServer {
  const listeners = new Set<Listener>()
  const close = async (): Promise<void> => {
    const reason = new Error('the API server is shutting down')
    stopping.abort(reason)
    calls.end(reason)
    await Promise.all([...listeners].map((listener) => listener[Symbol.asyncDispose]()))
    listeners.clear()
    entry[Symbol.dispose]()
  }
  return {
    async listen(where) {
      const listener = await listenTls({ clock: scope.clock, run, calls, entry }, where)
      listeners.add(listener)
      return listener
    },
    transportFor,
    ...configures,
    recheckPeers: () => listeners.forEach((listener) => listener.recheck()),
    close,
    [Symbol.asyncDispose]: close,
  }
}

/** Bumped when what is written to the store changes its form. */
const STORED_FORM = 1

interface OpenRecords {
  readonly records: RecordStore
  readonly epoch: Epoch
  /** The store as the records see it, where some kinds are sealed. */
  readonly sealed: SealedStore | undefined
}

async function openRecords(
  options: ApiServerOptions,
  { signal, clock, random }: Scope,
  catalog: Catalog,
  metrics: MetricsRegistry,
): Promise<OpenRecords> {
  const { keyPrefix, encryption } = options
  const { rows } = catalog
  const sealed =
    encryption === undefined
      ? undefined
      : new SealedStore(
          { store: options.store, keyPrefix, rows, random, clock, metrics, ...serverIdOf(options) },
          encryption,
        )
  const store = sealed ?? options.store
  const epoch = await enterEpoch(store, keyPrefix, `${catalog.minor}/${STORED_FORM}`)
  return {
    epoch,
    sealed,
    records: new RecordStore({
      store,
      keyPrefix,
      schemas: catalog.schemas,
      protobuf: new ProtobufDecoder(catalog.tables),
      epochRevision: epoch.revision,
      metrics: new StoreMetrics(clock, metrics),
      leaseRow: rowOf(catalog, 'coordination.k8s.io', 'leases'),
      ...(sealed === undefined ? {} : { isStale: (item) => sealed.isStale(item) }),
      signal,
    }),
  }
}

function serverIdOf({ hostName }: ApiServerOptions): { readonly serverId?: string } {
  return hostName === undefined ? {} : { serverId: identityOf(hostName) }
}

function registryOf(
  options: ApiServerOptions,
  scope: Scope,
  records: RecordStore,
  catalog: Catalog,
  auth: Authorities,
  kinds: Kinds,
  dynamic: readonly AdmissionPlugin[],
  metrics: MetricsRegistry,
): Registry {
  const plugins = [
    ...admissionPlugins,
    ...(options.workloadIdentity === undefined ? [] : [workloadIdentity(options.workloadIdentity)]),
    rbacEscalation(auth.rbac, auth.authorizer),
    ...dynamic,
    resourceQuota(),
  ]
  const { authorizer } = auth
  const { schemas } = catalog
  const { nodePorts = { from: 30_000, to: 32_767 } } = options
  const serviceCidrs = serviceCidrsOf(options)
  return {
    scope,
    kinds,
    schemas: catalog.schemas,
    protobuf: new ProtobufDecoder(catalog.tables),
    protobufEncoder: new ProtobufEncoder(catalog.tables),
    records,
    managed: new ManagedKinds(kinds, schemas.types.texts),
    admission: new AdmissionChain(plugins, {
      records,
      kinds,
      schemas,
      authorizer,
      clock: scope.clock,
      random: scope.random,
      metrics: new AdmissionMetrics(metrics),
    }),
    allocations: new AllocationPools({ scope, serviceCidrs, nodePorts, records, rows: catalog.rows }),
    metrics: { watches: new WatchMetrics(metrics), queues: new QueueMetrics(scope.clock, metrics) },
  }
}

/** 10.0.0.1 of 10.0.0.0/16. */
export function firstAddress(cidr: string): string {
  const { family, first } = parseRange(cidr)!
  return formatIp({ family, value: first + 1n })
}

/** The default family first. */
function serviceCidrsOf({ serviceCidr, secondaryServiceCidr }: ApiServerOptions): readonly string[] {
  return secondaryServiceCidr === undefined ? [serviceCidr] : [serviceCidr, secondaryServiceCidr]
}
