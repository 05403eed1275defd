// The little that the fabric changes in the host's own namespace: forwarding, and masquerading of what leaves the host.

import type { CommandRunner } from '@aksel/host/command'
import type { Ledger } from '@aksel/host/ledger'
import { holdSysctl } from '@aksel/host/sysctl'
import type { Scope } from '@aksel/base/scope'
import { spawnedNft } from '../nft/runner.ts'
import type { FabricRanges } from './allocate.ts'

const FORWARD = 'net.ipv4.ip_forward'
export const HOST_OWNER = 'fabric/host'

/** Idempotent: the table is replaced as a whole. `key` is the fabric's own, so that two fabrics on one host do not meet. */
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
  await spawnedNft({ run: request.run }).apply(scope, [
    `add table ip ${table}`,
    `delete table ip ${table}`,
    `table ip ${table} {
  chain postrouting {
    type nat hook postrouting priority srcnat;
    ip saddr { ${ranges.links}, ${ranges.publicAddresses} } oifname != "aksel-*" masquerade
  }
}`,
  ])
  await holdSysctl({ ledger, owner: HOST_OWNER, name: FORWARD, value: '1', holder: table })
}
