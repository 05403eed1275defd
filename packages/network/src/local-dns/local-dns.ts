// LocalDNS on a node: two listeners on link-local addresses that no packet leaves the node for, past the kernel's
// connection tracking, each with rules and a cache of its own.

import { once } from 'node:events'
import { createServer } from 'node:http'
import { localDnsAddresses, type LocalDnsConfig } from '@aksel/provider/local-dns'
import type { Scope } from '@aksel/base/scope'
import { run, type CommandRunner } from '@aksel/host/command'
import { plainServer } from '../dns/answering-server.ts'
import { listen, type HandedSockets } from '../dns/listen.ts'
import type { Server } from '../dns/upstream.ts'
import { renderMetrics } from './metrics.ts'
import { listenerZones } from './zones.ts'

export interface LocalDnsOptions {
  readonly config: LocalDnsConfig
  /** Where the Service kube-dns answers. */
  readonly clusterDns: Server
  /** The VNet's servers: those of the node's resolv.conf. */
  readonly vnetDns: readonly Server[]
  /** The node's own address, for metrics. */
  readonly nodeAddress: string
  /** By `address:port`. */
  readonly sockets?: ReadonlyMap<string, HandedSockets>
  /** Where to listen; AKS's addresses and ports when absent. */
  readonly places?: { readonly vnetDns: Server; readonly kubeDns: Server; readonly metricsPort: number }
  readonly run?: CommandRunner
  readonly onReady?: (bound: { readonly vnetDns: number; readonly kubeDns: number; readonly metrics: number }) => void
}

const PORT = 53
const METRICS_PORT = 9253
const usualPlaces = {
  vnetDns: { address: localDnsAddresses.vnetDns, port: PORT },
  kubeDns: { address: localDnsAddresses.kubeDns, port: PORT },
  metricsPort: METRICS_PORT,
}

/** Runs until the scope aborts. */
export async function runLocalDns(scope: Scope, options: LocalDnsOptions): Promise<void> {
  const { config, places = usualPlaces } = options
  const destinations = { ClusterCoreDNS: [options.clusterDns], VnetDNS: options.vnetDns }
  if (options.places === undefined) await prepareNode(scope, options.run ?? run)
  const vnet = listenerZones(config.vnetDns, destinations)
  const kube = listenerZones(config.kubeDns, destinations)
  const at = (place: Server) => {
    const sockets = options.sockets?.get(`${place.address}:${place.port}`)
    return { ...place, ...(sockets === undefined ? {} : { sockets }) }
  }
  await using vnetBound = await listen(scope, plainServer(vnet.answer), at(places.vnetDns))
  await using kubeBound = await listen(scope, plainServer(kube.answer), at(places.kubeDns))
  const metrics = createServer((request, response) => {
    if (request.url !== '/metrics') return void response.writeHead(404).end()
    const listeners = [
      { server: `dns://${places.vnetDns.address}:${places.vnetDns.port}`, zones: vnet.counts },
      { server: `dns://${places.kubeDns.address}:${places.kubeDns.port}`, zones: kube.counts },
    ]
    response.setHeader('content-type', 'text/plain; version=0.0.4; charset=utf-8')
    response.end(renderMetrics(listeners))
  })
  metrics.listen(places.metricsPort, options.nodeAddress)
  await once(metrics, 'listening')
  const bound = metrics.address()
  const port = bound !== null && typeof bound === 'object' ? bound.port : places.metricsPort
  options.onReady?.({ vnetDns: vnetBound.port, kubeDns: kubeBound.port, metrics: port })
  scope.log.info('LocalDNS answers', { vnetDns: places.vnetDns.address, kubeDns: places.kubeDns.address })
  if (!scope.signal.aborted) await once(scope.signal, 'abort')
  metrics.close()
  metrics.closeAllConnections()
}

/** The addresses, and rules that keep their traffic out of connection tracking: both go with the node's namespace. */
async function prepareNode(scope: Scope, runner: CommandRunner): Promise<void> {
  const addresses = Object.values(localDnsAddresses)
  for (const address of addresses) await runner(scope, ['ip', 'addr', 'replace', `${address}/32`, 'dev', 'lo'])
  const set = `{ ${addresses.join(', ')} }`
  const rules = ['udp', 'tcp'].flatMap((protocol) => [
    `    ip daddr ${set} ${protocol} dport ${PORT} notrack`,
    `    ip saddr ${set} ${protocol} sport ${PORT} notrack`,
  ])
  const chain = (hook: string): string =>
    `  chain ${hook} {\n    type filter hook ${hook} priority raw;\n${rules.join('\n')}\n  }`
  const table = `table ip aksel-local-dns {\n${chain('prerouting')}\n${chain('output')}\n}`
  const script = `add table ip aksel-local-dns\ndelete table ip aksel-local-dns\n${table}\n`
  await runner(scope, ['nft', '-f', '-'], { input: script })
}
