// LocalDNS as a program of its own beside the agent: it answers on, and serves what it knows, while the agent is away.

import { systemClock } from '@aksel/base/clock'
import { systemRandom } from '@aksel/base/ids'
import { readUpstreamServers } from '@aksel/network/dns/upstream'
import { runLocalDns } from '@aksel/network/local-dns/local-dns'
import { jsonLog } from './json-log.ts'
import type { NodeOptions } from './options.ts'

/** Resolves when the signal has aborted. */
export async function runLocalDnsProgram(options: NodeOptions, signal: AbortSignal): Promise<void> {
  const { localDns: config, clusterDns, nodeAddress, sockets, logLevel, nodeName } = options
  if (config === undefined) throw new Error('Cannot run LocalDNS: the options name no rules for it')
  const scope = { clock: systemClock(), random: systemRandom(), log: jsonLog(logLevel, nodeName), signal }
  await runLocalDns(scope, {
    config,
    clusterDns: { address: clusterDns, port: 53 },
    vnetDns: await readUpstreamServers(),
    nodeAddress,
    sockets,
  })
}
