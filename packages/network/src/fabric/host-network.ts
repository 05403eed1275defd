// The little that the fabric changes in the host's own namespace: forwarding, masquerading of what leaves the host, and what
// machines may ask of the host itself.

import type { CommandRunner } from '@aksel/host/command'
import type { Ledger } from '@aksel/host/ledger'
import { holdSysctl } from '@aksel/host/sysctl'
import type { Scope } from '@aksel/base/scope'
import { spawnedNft } from '../nft/runner.ts'
import { replacedTable } from '../nft/table.ts'
import type { FabricRanges } from './allocate.ts'

const FORWARD = 'net.ipv4.ip_forward'
export const HOST_OWNER = 'fabric/host'
/** API servers listen here, for agents of other hosts at konnectivity's port, and the token endpoint for pods that are identities of Azure. */
const API_PORTS = [443, 8132, 8443] as const
/** Machines use the host's resolvers, and one may be the host itself. */
const DNS_PORT = 53

/**
 * Routers answer on their link to the host alone to the host, whose probes they hand on to backends: what is forwarded there begins
 * nothing. Idempotent: the table is replaced as a whole. `key` is the fabric's own, so that two fabrics on one host do not meet.
 */
export async function ensureHostNetwork(
  scope: Scope,
  request: {
    readonly ledger: Ledger
    readonly run: CommandRunner
    readonly key: string
    readonly ranges: FabricRanges
  },
): Promise<void> {
  const { ledger, key, ranges } = request
  const table = `aksel_${key}`
  const entries = ledger.entries(HOST_OWNER)
  if (!entries.some(({ object }) => object.kind === 'nft-table' && object.name === table)) {
    await ledger.record(HOST_OWNER, { kind: 'nft-table', family: 'ip', name: table })
  }
  const body = `
  chain postrouting {
    type nat hook postrouting priority srcnat;
    ip saddr { ${ranges.links}, ${ranges.publicAddresses} } oifname != "aksel-*" masquerade
  }
  chain forward {
    type filter hook forward priority filter;
    ct state established,related accept
    ip daddr ${ranges.links} oifname "aksel-*" drop
  }
  chain input {
    type filter hook input priority filter;
    iifname "aksel-*" ip saddr { ${ranges.links}, ${ranges.publicAddresses} } jump machines
  }
  chain machines {
    ct state established,related accept
    ip daddr ${ranges.hostAddresses} tcp dport { ${API_PORTS.join(', ')} } accept
    meta l4proto { tcp, udp } th dport ${DNS_PORT} accept
    icmp type echo-request accept
    meta l4proto tcp reject with tcp reset
    reject with icmp admin-prohibited
  }`
  await spawnedNft({ run: request.run }).apply(scope, [replacedTable({ name: `ip ${table}`, body })])
  await holdSysctl({ ledger, owner: HOST_OWNER, name: FORWARD, value: '1', holder: table })
}
