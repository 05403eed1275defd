// Wires the parts of one host together. What is here decides nothing; it only says who gets what.

import { Catalogs } from '@aksel/apiserver/catalogs'
import { Entrance } from '@aksel/apiserver/http/entrance'
import { chmod, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { OpenApiLibrary } from '@aksel/apiserver/discovery/open-api-library'
import { bothSinks } from '@aksel/apiserver/audit/event'
import { createFrontDoor, type FrontDoor } from '@aksel/arm/front-door'
import { openEntraDirectory } from '@aksel/arm/resource-providers/directory/entra-directory'
import type { Scope } from '@aksel/base/scope'
import { openApiServerFiles } from './api-server-files.ts'
import { openAuditLog } from './audit-log.ts'
import { openDesktop } from './desktop-mount.ts'
import { EmbeddedEngine } from './embedded-engine.ts'
import { autoscale } from './autoscaler.ts'
import { azureThrottling, localThrottling } from '@aksel/arm/front-door/throttle'
import { frontDoorIdentity, sharedFrontDoorIdentity, writeConnectionFiles } from './front-door-identity.ts'
import { openHost } from './host-parts.ts'
import { FileRecords } from './cluster-record.ts'
import { chosenStore, hostName, isShared, openStore } from './open-store.ts'
import type { ServerOptions } from './options.ts'
import { ensureApplicationRouting } from './application-routing.ts'
import { bringCommandRuntime } from './command-runtime.ts'
import { listenForPods, podAuthorityHost } from './pod-front-door.ts'
import { prepareCluster } from './prepare-cluster.ts'
import { openSimulatedMachines } from '@aksel/compute/simulated/simulated-machines'
import type { MachineProvider } from '@aksel/provider/machine-provider'

export interface RunningServer extends AsyncDisposable {
  readonly armUrl: string
}

const REGION = 'westeurope'

export async function startServer(scope: Scope, options: ServerOptions): Promise<RunningServer> {
  await using started = new AsyncDisposableStack()
  const { dataDir } = options
  await mkdir(dataDir, { recursive: true, mode: 0o700 })
  await chmod(dataDir, 0o700)
  const chosen = await chosenStore(dataDir, options.store, (await new FileRecords(dataDir).readAll()).length > 0)
  const store = started.use(await openStore(scope, { store: chosen, dataDir, historyMs: options.historyMs }))
  const files = started.use(await openApiServerFiles(scope, options.apiServer))
  const log = started.use(
    await openAuditLog(scope, options.auditLog.path ?? join(dataDir, 'server', 'audit.jsonl'), {
      ...options.auditLog,
      lost: files.auditErrors,
    }),
  )
  const host = options.simulated ? undefined : started.use(await openHost(scope, options))
  const late: { providers: readonly MachineProvider[]; frontDoor?: FrontDoor } = { providers: [] }
  const opened = Promise.withResolvers<FrontDoor>()
  const sharedAs = isShared(chosen) ? hostName(dataDir) : undefined
  const identity = await (sharedAs === undefined
    ? frontDoorIdentity(scope, dataDir)
    : sharedFrontDoorIdentity(scope, { store, dataDir }))
  const { tenantId, clientId, clientSecret } = identity
  let armUrl = ''
  const tenant = { tenantId, clients: [{ clientId, clientSecret }] }
  const engine = started.use(
    await EmbeddedEngine.open(scope, {
      store,
      dataDir,
      privileged: options.isRoot,
      audit: files.auditWebhook === undefined ? log.write : bothSinks(log.write, files.auditWebhook),
      files,
      ...(options.terminatedPodsMax === undefined ? {} : { terminatedPodsMax: options.terminatedPodsMax }),
      switches: options.switches,
      openApi: new OpenApiLibrary(),
      catalogs: new Catalogs(),
      entrance: new Entrance(scope.clock),
      entra: await openEntraDirectory(scope, store, tenant),
      authorityHost: (record) => podAuthorityHost(record) ?? `${armUrl}/`,
      machines: {
        providers: () => late.providers,
        ...(options.repairPeriods === undefined ? {} : { repairPeriods: options.repairPeriods }),
        mayRepair: async (id, name) => (await late.frontDoor?.mayRepair(id, name)) ?? false,
        whileHere: async (own, id, work) => {
          const frontDoor = await Promise.race([opened.promise, ended(own.signal)])
          await frontDoor?.whileOnDuty(own, id, work)
        },
      },
      ...(sharedAs === undefined ? {} : { sharedAs }),
      ...(host === undefined ? {} : { fabric: host.fabric, diskImages: host.diskImages }),
    }),
  )
  // Control planes listen on addresses of the fabric, which a restart of the host or a "down" has taken away.
  await host?.fabric.restore(scope)
  await engine.resume()
  const simulated = await openSimulatedMachines(scope, {
    directory: join(dataDir, 'simulated'),
    clientFor: (clusterId, nodeName) => engine.nodeClient(clusterId, nodeName),
    watchClientFor: (clusterId) => engine.client(clusterId),
  })
  late.providers = host === undefined ? [simulated] : [host.machines, simulated]
  const machines = (wantsSimulated: boolean): MachineProvider =>
    wantsSimulated || host === undefined ? simulated : host.machines
  const desktop = openDesktop(scope, {
    engine,
    identity,
    repositoryRoot: options.repositoryRoot,
    armUrl: () => armUrl,
  })
  const frontDoor = started.use(
    await createFrontDoor(scope, {
      store,
      engine,
      archives: engine,
      machines,
      ...(host === undefined ? {} : { fabric: host.fabric }),
      simulatedByDefault: host === undefined,
      ...(sharedAs === undefined ? {} : { sharing: { name: sharedAs, hasHost: host !== undefined } }),
      identity: tenant,
      subscriptions: [{ subscriptionId: identity.subscriptionId, displayName: 'Aksel' }],
      region: REGION,
      strict: options.strict,
      throttling: options.throttling === 'azure' ? azureThrottling : localThrottling,
      mounts: [desktop],
      autoscale,
      async prepareCluster(own, cluster) {
        await prepareCluster(own, engine, cluster, host?.fabric)
        await listenForPods(await opened.promise, engine.recordOf(cluster.id))
      },
      ...(host === undefined
        ? {}
        : { commandRuntime: (own, clusterId) => bringCommandRuntime(own, { host, options }, clusterId) }),
      applicationRouting: (own, cluster) => ensureApplicationRouting(own, { host, dataDir }, cluster),
    }),
  )
  // Its sockets end before the front door waits for the last of them.
  started.use(desktop)
  late.frontDoor = frontDoor
  opened.resolve(frontDoor)
  armUrl = await listen(frontDoor, options, {
    cert: identity.serving.certificatePem,
    key: identity.serving.keyPem,
  })
  await writeConnectionFiles(dataDir, armUrl, identity)
  await frontDoor.resume()
  const resources = started.move()
  return { armUrl, [Symbol.asyncDispose]: () => resources.disposeAsync() }
}

function ended(signal: AbortSignal): Promise<undefined> {
  if (signal.aborted) return Promise.resolve(undefined)
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(undefined), { once: true }))
}

/** The usual port; another one when a second server on this host has it already. */
async function listen(
  frontDoor: FrontDoor,
  options: ServerOptions,
  tls: { readonly cert: string; readonly key: string },
): Promise<string> {
  const open = async (port: number): Promise<string> => {
    const url = await frontDoor.listen({ host: '127.0.0.1', port, tls })
    return `https://localhost:${new URL(url).port || '443'}`
  }
  try {
    return await open(options.port)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error
    return open(0)
  }
}
