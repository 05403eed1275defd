// A joined host's end of its cluster's overlay: a link, the ways through it, and a guard against everybody but the cluster's host.

import type { CommandRunner } from '@aksel/host/command'
import { succeeds } from '@aksel/host/command'
import type { HostObject } from '@aksel/host/ledger'
import type { Scope } from '@aksel/base/scope'
import {
  OVERLAY_MTU,
  OVERLAY_PORT,
  overlayMatch,
  overlayNeighbour,
  overlayRouter,
  type Overlay,
} from '@aksel/provider/overlay'

const LINK = 'aksel-overlay'
const TABLE = 'aksel_overlay'

/** What laying it makes: stands in a ledger before. */
export const overlayObjects: readonly HostObject[] = [
  { kind: 'link', name: LINK },
  { kind: 'nft-table', family: 'ip', name: TABLE },
]

export interface OverlayEnd {
  readonly overlay: Overlay
  /** Of all pods of the cluster, and of those of this host. */
  readonly clusterCidr: string
  readonly podCidr: string
  /** Of the cluster's API server: its host takes packets there. */
  readonly hostAddress: string
}

/** In the host's own network. A link that stands is made anew. */
export async function layOverlay(scope: Scope, run: CommandRunner, end: OverlayEnd): Promise<void> {
  const { overlay, clusterCidr, podCidr, hostAddress } = end
  const own = overlayNeighbour(podCidr)
  await succeeds(run, scope, ['ip', 'link', 'delete', LINK])
  await run(scope, ['nft', '-f', '-'], { input: guardOf(overlay.number, hostAddress) })
  const type = `type vxlan id ${overlay.number} dstport ${OVERLAY_PORT} nolearning`
  const lines = [
    `link add ${LINK} mtu ${OVERLAY_MTU} address ${own.mac} ${type}`,
    `addr add ${own.address}/32 dev ${LINK}`,
    `link set ${LINK} up`,
    `neigh replace ${overlayRouter.address} lladdr ${overlayRouter.mac} dev ${LINK} nud permanent`,
  ]
  await run(scope, ['ip', '-batch', '-'], { input: `${lines.join('\n')}\n` })
  const entry = ['fdb', 'replace', overlayRouter.mac, 'dev', LINK, 'dst', hostAddress, 'self', 'permanent']
  await run(scope, ['bridge', ...entry])
  for (const prefix of [clusterCidr, ...overlay.prefixes]) {
    // A network of this host's own comes first.
    if ((await routeTo(scope, run, prefix)) !== undefined) continue
    const via = ['via', overlayRouter.address, 'dev', LINK, 'onlink', 'src', own.address]
    await run(scope, ['ip', 'route', 'add', prefix, ...via])
  }
}

/** The route that the host has to exactly this range, in the words of `ip`; undefined where it has none. */
export async function routeTo(scope: Scope, run: CommandRunner, prefix: string): Promise<string | undefined> {
  const { stdout } = await run(scope, ['ip', '-4', 'route', 'show', 'exact', prefix])
  return stdout.trim() === '' ? undefined : stdout.trim()
}

function guardOf(number: number, hostAddress: string): string {
  return [
    `add table ip ${TABLE}`,
    `delete table ip ${TABLE}`,
    `table ip ${TABLE} {`,
    'chain input {',
    '  type filter hook input priority -5;',
    `  ${overlayMatch(number)} ip saddr != ${hostAddress} drop`,
    '}',
    '}',
    '',
  ].join('\n')
}
