// One control plane: an API server with its addresses, its tunnel, and the loops that keep its promises.

import type { Server } from 'node:net'
import { getHeapStatistics } from 'node:v8'
import type { AuthenticationConfiguration } from '@aksel/api/authentication-configuration'
import type { AuditSink } from '@aksel/apiserver/audit/event'
import type { WorkloadIdentity } from '@aksel/apiserver/admission/workload-identity'
import type { Catalogs } from '@aksel/apiserver/catalogs'
import type { Entrance } from '@aksel/apiserver/http/entrance'
import type { NodeConnector } from '@aksel/apiserver/connect-handler'
import type { OpenApiLibrary } from '@aksel/apiserver/discovery/open-api-library'
import { createApiServer, type ApiServer } from '@aksel/apiserver/server'
import type { ApiServerOptions } from '@aksel/apiserver/server-options'
import { childScope, type Scope } from '@aksel/base/scope'
import type { Client } from '@aksel/client/client'
import { createClient } from '@aksel/client/typed-client'
import { isLoopUser, loopUserAgent } from '@aksel/controllers/identities'
import { openAccess, type ApiAccess, type DeprecatedUse } from '@aksel/provider/cluster-engine'
import type { EntraDirectory, EntraProfile } from '@aksel/provider/entra'
import type { Fabric } from '@aksel/provider/fabric'
import type { Fence } from '@aksel/runtime/fenced-client'
import { openTunnelServer, type TunnelServer } from '@aksel/runtime/tunnel-server'
import { explained } from '@aksel/scheduler/debug'
import type { Scheduler } from '@aksel/scheduler/scheduler'
import type { DiskImages } from '@aksel/storage/disk-images'
import type { Store } from '@aksel/store/store'
import type { ApiServerFiles } from './api-server-files.ts'
import { BelievedIssuers } from './believed-issuers.ts'
import type { ClusterRecord } from './cluster-record.ts'
import type { MachinesOfClusters } from './machine-loops.ts'
import { admitsFabric, admitsPublic, type Connection } from './api-access.ts'
import { runElected } from './elected-loops.ts'
import { entraGuard } from './entra-guard.ts'

/** What every control plane of this server is handed. */
export interface ControlPlaneParts {
  readonly store: Store
  /** Absent where there is no fabric: services of type LoadBalancer stay pending. */
  readonly fabric?: Fabric
  /** Absent where nodes are simulated: claims stay pending. */
  readonly diskImages?: DiskImages
  /** Machines of clusters that have them here, by cluster and node. */
  readonly machines?: MachinesOfClusters
  /** False: an API server alone; whoever wants loops runs them elsewhere. Default true. */
  readonly loops?: boolean
  /** What the kinds say of themselves, shared by all clusters of the process. */
  readonly openApi?: OpenApiLibrary
  /** The kinds, shared by all clusters of this server. Absent: each loads its own. */
  readonly catalogs?: Catalogs
  /** Shared by all clusters of this thread. */
  readonly entrance?: Entrance
  /** Told of writes through API versions that go away. */
  readonly onDeprecatedUse?: (record: ClusterRecord, use: DeprecatedUse) => void
  /** Whose tokens clusters may believe besides their own; absent: nobody's. */
  readonly entra?: EntraDirectory
  /** Where a cluster's pods exchange tokens of its own for the directory's. */
  readonly authorityHost?: (record: ClusterRecord) => string
  /** One line per request, for the audit log. */
  readonly audit: AuditSink
  /** Ended pods that are kept; 0 keeps all. Upstream's number when absent. */
  readonly terminatedPodsMax?: number
  /** How API servers guard themselves. */
  readonly files?: Omit<ApiServerFiles, keyof AsyncDisposable>
}

export interface ControlPlaneOptions extends ControlPlaneParts {
  readonly record: ClusterRecord
  readonly keyPrefix: string
  readonly localAddress: string
  readonly localPort: number
  /** Listens there already, until the API server takes its place. */
  readonly claim?: Server | undefined
  readonly tunnelSocket: string
  /** Who gets through, as it is at the moment; everybody when absent. */
  readonly access?: () => ApiAccess
  /** How identities of the directory are believed, as it is at the moment. */
  readonly entraProfile?: () => EntraProfile | undefined
  /** The VNet of its nodes, once it is known. */
  readonly virtualNetworkId: () => string | undefined
  /** Our name in the elections of the server that runs the cluster's loops. */
  readonly candidate: string
  /** No other server can open the store. */
  readonly isAlone: boolean
}

export interface User {
  readonly name: string
  readonly groups: readonly string[]
}

export interface ControlPlane extends AsyncDisposable {
  readonly record: ClusterRecord
  /** From the next request on. */
  configureAuthentication(configuration: AuthenticationConfiguration): void
  /** Ends connections that may no longer be. */
  recheckPeers(): void
  client(user: User): Client
}

const FABRIC_PORT = 443
/** Upstream's default. */
const REQUEST_MAX_MS = 60_000
/** Where agents of other hosts dial: konnectivity's port. */
export const TUNNEL_PORT = 8132

/** No agent ever dials for a simulated node: whoever asks for its containers hears it at once. */
const simulatedNodes: NodeConnector = {
  open: (node) => Promise.reject(new Error(`node "${node}" is simulated: no container runs there`)),
}

/** Who signs the tokens of the cluster's service accounts. */
export function issuerOf({ spec }: ClusterRecord): string {
  return `https://${spec.fqdn}`
}

/** Resolves when the API server answers on all its addresses and the loops run. */
export async function startControlPlane(scope: Scope, options: ControlPlaneOptions): Promise<ControlPlane> {
  const stopping = new AbortController()
  const own = childScope(scope, {}, stopping.signal)
  await using started = new AsyncDisposableStack()
  const { record, access = () => openAccess } = options
  const { authority, serving } = record
  const pems = { certPem: serving.certificatePem, keyPem: serving.keyPem, caPem: authority.certificatePem }
  const { fabricAddress } = record.spec
  const tunnel = started.use(
    await openTunnelServer(own, {
      socketPath: options.tunnelSocket,
      tls: pems,
      ...(fabricAddress === undefined ? {} : { address: { host: fabricAddress, port: TUNNEL_PORT } }),
    }),
  )
  const late: { scheduler?: Scheduler } = {}
  const debug = (path: string): unknown => (late.scheduler === undefined ? undefined : explained(late.scheduler, path))
  const server = started.use(await openServer(own, { ...options, debug }, tunnel))
  const { authentication, authorization, encryption } = options.files ?? {}
  const issuers = new BelievedIssuers({
    log: own.log,
    file: authentication?.current ?? {},
    cluster: record.authentication ?? {},
    configure: (configuration) => server.configureAuthentication(configuration),
  })
  const followed = [
    authentication?.onChange((configuration) => issuers.fileChanged(configuration)),
    authorization?.onChange(({ configuration, services }) => server.configureAuthorization(configuration, services)),
    encryption?.onChange((configuration) => server.configureEncryption(configuration)),
  ]
  for (const one of followed) if (one !== undefined) started.use(one)
  await server.listen({
    host: options.localAddress,
    port: options.localPort,
    tls: pems,
    claim: options.claim,
    admits: (ends) => admitsPublic(access(), ends),
  })
  if (fabricAddress !== undefined) {
    const admits = (ends: Connection): boolean => admitsFabric(access(), ends)
    await server.listen({ host: fabricAddress, port: FABRIC_PORT, tls: pems, admits })
  }
  const client = (user: User, fence?: Fence): Client =>
    createClient(server.transportFor(user, fence), { userAgent: userAgentOf(user) })
  const loops =
    options.loops === false
      ? Promise.resolve()
      : runElected(own, { ...options, client, onScheduler: (scheduler) => (late.scheduler = scheduler) })
  started.defer(async () => {
    stopping.abort(new Error('the control plane stops'))
    await loops
  })
  const resources = started.move()
  return {
    record,
    client,
    recheckPeers: () => server.recheckPeers(),
    configureAuthentication: (configuration) => issuers.clusterChanged(configuration),
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  }
}

/** As upstream's programs call themselves: the first part is the manager of the fields that they write. */
function userAgentOf(user: User): string {
  if (user.name.startsWith('system:node:')) return 'kubelet'
  return isLoopUser(user) ? loopUserAgent(user) : 'aksel'
}

function guardsOf({
  auditErrors,
  auditPolicy,
  authentication,
  authorization,
  encryption,
  seats,
}: NonNullable<ControlPlaneParts['files']>): Pick<
  ApiServerOptions,
  'auditErrors' | 'auditPolicy' | 'authorization' | 'encryption' | 'reloads' | 'seats'
> {
  return {
    reloads: {
      ...(authentication === undefined ? {} : { authentication: () => authentication.reloads }),
      ...(authorization === undefined ? {} : { authorization: () => authorization.reloads }),
      ...(encryption === undefined ? {} : { encryption: () => encryption.reloads }),
    },
    ...(seats === undefined ? {} : { seats }),
    ...(auditErrors === undefined ? {} : { auditErrors }),
    ...(auditPolicy === undefined ? {} : { auditPolicy }),
    ...(authorization === undefined ? {} : { authorization: authorization.current }),
    ...(encryption === undefined ? {} : { encryption: encryption.current }),
  }
}

/** Of the heap that V8 may have, how much is used: of all clusters of this process together. */
function heapShare(): number {
  const { used_heap_size: used, heap_size_limit: limit } = getHeapStatistics()
  return used / limit
}

function workloadIdentityOf({
  entra,
  entraProfile,
  authorityHost,
  record,
}: ControlPlaneOptions): WorkloadIdentity | undefined {
  const where = authorityHost?.(record)
  if (entra === undefined || where === undefined || entraProfile?.()?.workloadIdentity !== true) return undefined
  return { tenantId: entra.tenantId, authorityHost: where }
}

async function openServer(
  scope: Scope,
  options: ControlPlaneOptions & { readonly debug: (path: string) => unknown },
  tunnel: TunnelServer,
): Promise<ApiServer> {
  const { record } = options
  const { spec } = record
  const onFabric = spec.fabricAddress !== undefined
  return createApiServer({
    scope,
    ...(options.catalogs === undefined
      ? {}
      : { catalog: await options.catalogs.of(spec.kubernetesVersion, record.switches) }),
    store: options.store,
    keyPrefix: options.keyPrefix,
    hostName: options.candidate,
    kubernetesVersion: spec.kubernetesVersion,
    serviceCidr: spec.serviceCidr,
    ...(spec.secondaryServiceCidr === undefined ? {} : { secondaryServiceCidr: spec.secondaryServiceCidr }),
    ...record.switches,
    advertiseAddress: spec.fabricAddress ?? options.localAddress,
    advertisePort: onFabric ? FABRIC_PORT : options.localPort,
    clientAuthority: record.authority.certificatePem,
    ...(record.frontProxy === undefined ? {} : { frontProxy: record.frontProxy }),
    serviceAccounts: {
      issuer: issuerOf(record),
      key: record.signingKey,
      ...(record.retiredKeys === undefined ? {} : { retired: record.retiredKeys }),
    },
    ...(options.entra === undefined
      ? {}
      : {
          directory: entraGuard(options.entra, {
            clusterId: spec.id,
            audience: issuerOf(record),
            profile: options.entraProfile ?? (() => undefined),
          }),
          workloadIdentity: () => workloadIdentityOf(options),
        }),
    nodeConnector: options.diskImages === undefined ? simulatedNodes : tunnel.connector,
    simulated: options.diskImages === undefined,
    ...(options.openApi === undefined ? {} : { openApi: options.openApi }),
    ...(options.entrance === undefined ? {} : { entrance: options.entrance }),
    audit: options.audit,
    guard: { heapShare },
    onDeprecatedUse: (use) => options.onDeprecatedUse?.(record, use),
    ...guardsOf(options.files ?? {}),
    requestMaxMs: REQUEST_MAX_MS,
    debug: options.debug,
    ...(record.fork === undefined ? {} : { egress: 'off' as const }),
  })
}
