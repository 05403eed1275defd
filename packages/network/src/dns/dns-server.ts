// The node's DNS server. It listens on the cluster's DNS address itself, added to the node's own loopback, so that a
// pod's question never leaves its node.

import { once } from 'node:events'
import type { Scope } from '@aksel/base/scope'
import { run, type CommandRunner } from '@aksel/host/command'
import type { Caches } from '@aksel/runtime/controller'
import { ClusterServer, type AnsweringServer } from './answering-server.ts'
import { viewOfCaches } from './cache-view.ts'
import { clusterNames } from './cluster-names.ts'
import { followCustom, type CustomOptions } from './custom-servers.ts'
import { listen, type HandedSockets } from './listen.ts'
import { cache } from './plugins/cache.ts'
import { forward } from './plugins/forward.ts'
import { hosts, type HostsEntry } from './plugins/hosts.ts'
import { reply, type Answering } from './query.ts'
import { readUpstreamServers, type Server } from './upstream.ts'
import { rcodes } from './wire.ts'

export interface DnsOptions {
  readonly caches: Caches
  /** `cluster.local`. */
  readonly clusterDomain: string
  /** Address of the Service kube-dns. */
  readonly address: string
  /** Servers for all other names; those of the node's resolv.conf when absent. */
  readonly upstream?: readonly Server[]
  /** Names that are known here and nowhere else: those of a private cluster's API server. */
  readonly hosts?: readonly HostsEntry[]
  /** 53 when absent. */
  readonly port?: number
  /** Bound already, by whoever watches over the node's programs. */
  readonly sockets?: HandedSockets
  readonly ttlSeconds?: number
  /** The user's own server blocks; nobody's when absent. */
  readonly custom?: CustomOptions
  /** The namespace of the node's pod with this address: its search path is gone through here. */
  readonly namespaceOf?: (address: string) => string | undefined
  readonly nodeSearches?: readonly string[]
  readonly run?: CommandRunner
  /** Called when questions are answered, and the cluster's objects are known. */
  readonly onReady?: (bound: { readonly port: number }) => void
}

/** What the AKS Corefile says: of records, and of answers from elsewhere. */
const TTL_SECONDS = 30
const CACHE_SECONDS = 30
/** Of a private endpoint's records in Azure's zones. */
const HOST_TTL_SECONDS = 10
const CACHE_ENTRIES = 9984
const PORT = 53

/** Runs until the scope aborts. Questions that come before the first list of services wait for it. */
export async function runDns(scope: Scope, options: DnsOptions): Promise<void> {
  const runner = options.run ?? run
  // The address goes with the node's network namespace; a loopback address is there anyway.
  if (!options.address.startsWith('127.'))
    await runner(scope, ['ip', 'addr', 'replace', `${options.address}/32`, 'dev', 'lo'])
  const view = viewOfCaches(options.caches)
  const nodeServers = options.upstream ?? (await readUpstreamServers())
  const server = new ClusterServer(
    clusterNames({
      ...options,
      ...zoneOptions(options),
      view,
      elsewhere: withHosts(options.hosts ?? [], outside(nodeServers)),
    }),
  )
  using _objects = view.onChange(() => server.forget())
  using _custom =
    options.custom === undefined
      ? undefined
      : followCustom(scope, options.custom, nodeServers, (custom) => server.use(custom))
  const synced = view.synced(scope.signal)
  let isSynced = false
  const waiting: AnsweringServer = {
    respond(own, message, client, transport) {
      if (isSynced) return server.respond(own, message, client, transport)
      return synced.then(
        async () =>
          (await server.respond(own, message, client, transport)) ?? Promise.reject(new Error('It was no question')),
      )
    },
  }
  await using bound = await listen(scope, waiting, {
    address: options.address,
    port: options.port ?? PORT,
    ...(options.sockets === undefined ? {} : { sockets: options.sockets }),
  })
  try {
    await synced
    isSynced = true
    options.onReady?.({ port: bound.port })
    if (!scope.signal.aborted) await once(scope.signal, 'abort')
  } catch (error) {
    if (!scope.signal.aborted) throw error
  }
}

function zoneOptions({ clusterDomain, address, ttlSeconds = TTL_SECONDS }: DnsOptions) {
  return { clusterDomain, address, ttlSeconds }
}

function withHosts(entries: readonly HostsEntry[], next: Answering): Answering {
  if (entries.length === 0) return next
  return hosts({ zones: ['.'], entries, ttlSeconds: HOST_TTL_SECONDS, hasReverse: false, fallthrough: ['.'] }, next)
}

/** Other servers' answers, kept for as long as the AKS Corefile says. */
function outside(servers: readonly Server[]) {
  const asked = forward(
    { servers, from: '.', except: [], policy: 'sequential', isTcpOnly: false, prefersUdp: false, concurrentMax: 1000 },
    (_scope, query) => reply(query, { rcode: rcodes.serverFailure }),
  )
  const kept = { zones: ['.'], capacity: CACHE_ENTRIES, stale: 'none', staleSeconds: 0 } as const
  return cache({ ...kept, successTtlSeconds: CACHE_SECONDS, denialTtlSeconds: CACHE_SECONDS }, asked).answer
}
