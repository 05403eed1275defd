// One control plane: an API server with its addresses, its tunnel, and the loops that keep its promises.

import type { Fabric } from '@aksel/provider/fabric'
import { createApiServer, type ApiServer } from '@aksel/apiserver/server'
import { createConnectHandler } from '@aksel/apiserver/connect/handler'
import { childScope, type Scope } from '@aksel/base/scope'
import { createClient } from '@aksel/client/typed-client'
import type { Client } from '@aksel/client/client'
import { controllersFor, type LoadBalancers } from '@aksel/controllers/all'
import { createCaches } from '@aksel/runtime/caches'
import { runControllers } from '@aksel/runtime/runner'
import { openTunnelServer } from '@aksel/runtime/tunnel-server'
import { createScheduler } from '@aksel/scheduler/scheduler'
import { diskProvisioner, type DiskImages } from '@aksel/storage/provisioner'
import type { Store } from '@aksel/store/store'
import type { ClusterRecord } from './cluster-record.ts'

/** What every control plane of this server is handed. */
export interface ControlPlaneParts {
  readonly store: Store
  /** Absent where there is no fabric: services of type LoadBalancer stay pending. */
  readonly fabric?: Fabric
  /** Absent where nodes are simulated: claims stay pending. */
  readonly diskImages?: DiskImages
  /** One line per request, for the audit log. */
  readonly audit: (entry: Readonly<Record<string, unknown>>) => void
}

export interface ControlPlaneOptions extends ControlPlaneParts {
  readonly record: ClusterRecord
  readonly keyPrefix: string
  readonly localAddress: string
  readonly localPort: number
  readonly tunnelSocket: string
}

export interface ControlPlane extends AsyncDisposable {
  readonly record: ClusterRecord
  client(user: { readonly name: string; readonly groups: readonly string[] }): Client
}

const FABRIC_PORT = 443

/** Resolves when the API server answers on all its addresses and the loops run. */
export async function startControlPlane(scope: Scope, options: ControlPlaneOptions): Promise<ControlPlane> {
  const stopping = new AbortController()
  const own = childScope(scope, {}, stopping.signal)
  await using started = new AsyncDisposableStack()
  const { record } = options
  const tls = {
    certPem: record.serving.certificatePem,
    keyPem: record.serving.keyPem,
    caPem: record.authority.certificatePem,
  }
  const tunnel = started.use(await openTunnelServer(own, { socketPath: options.tunnelSocket, tls }))
  const server = started.use(await openApiServer(own, options, tunnel.connector))
  await server.listen({ host: options.localAddress, port: options.localPort, tls })
  if (record.spec.fabricAddress !== undefined)
    await server.listen({ host: record.spec.fabricAddress, port: FABRIC_PORT, tls })
  const client = (user: { readonly name: string; readonly groups: readonly string[] }): Client =>
    createClient(server.transportFor(user))
  const loops = startLoops(own, options, client)
  started.defer(async () => {
    stopping.abort(new Error('the control plane stops'))
    await loops
  })
  const resources = started.move()
  return { record, client, [Symbol.asyncDispose]: () => resources.disposeAsync() }
}
