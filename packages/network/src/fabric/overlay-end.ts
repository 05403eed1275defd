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
import { contains, formatRange, parseRange, readRange } from '@aksel/base/ipv4'
import { spawnedNft } from '../nft/runner.ts'
import { replacedTable } from '../nft/table.ts'

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

/** A route of the host's own that goes before the overlay's: what it covers of the cluster's network is not reached from here. */
export interface RouteBefore {
  /** Range of the cluster's pods, or of its VNet. */
  readonly prefix: string
  /** In the words of `ip`. */
  readonly route: string
}

/**
 * In the host's own network. A link that stands is made anew. Resolves with the routes of the host that stay before the overlay's,
 * because who joins does not lose networks of its own: whoever calls tells of them.
 */
export async function layOverlay(scope: Scope, run: CommandRunner, end: OverlayEnd): Promise<readonly RouteBefore[]> {
  const { overlay, clusterCidr, podCidr, hostAddress } = end
  const own = overlayNeighbour(podCidr)
  await succeeds(run, scope, ['ip', 'link', 'delete', LINK])
  await spawnedNft({ run }).apply(scope, [guardOf(overlay.number, hostAddress)])
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
  const prefixes = [clusterCidr, ...overlay.prefixes]
  const { stdout } = await run(scope, ['ip', '-4', 'route', 'show'])
  const before = routesBefore(stdout, prefixes).filter(({ route }) => !isWithin(podCidr, route))
  for (const prefix of prefixes) {
    if (before.some(({ route }) => targetOf(route) === normal(prefix))) continue
    const via = ['via', overlayRouter.address, 'dev', LINK, 'onlink', 'src', own.address]
    await run(scope, ['ip', 'route', 'add', prefix, ...via])
  }
  return before
}

/** Of what `ip route show` lists: routes to one of these ranges or to a part of it. The kernel takes the longest prefix. */
export function routesBefore(shown: string, prefixes: readonly string[]): readonly RouteBefore[] {
  const routes = shown.split('\n').map((line) => line.trim().replaceAll(/\s+/g, ' '))
  return prefixes.flatMap((prefix) =>
    routes.filter((route) => isWithin(prefix, route)).map((route) => ({ prefix, route })),
  )
}

function isWithin(prefix: string, route: string): boolean {
  const target = targetOf(route)
  if (target === undefined) return false
  const [outer, inner] = [parseRange(prefix), parseRange(target)]
  return inner.prefixLength >= outer.prefixLength && contains(outer, inner.first)
}

/** The range that a line of `ip route show` leads to, as `unreachable 10.0.0.0/8 …` does to nowhere. */
function targetOf(route: string): string | undefined {
  const [word = '', next = ''] = route.split(' ')
  const text = /^\d/.test(word) ? word : next
  const range = /^\d/.test(text) ? readRange(text.includes('/') ? text : `${text}/32`) : undefined
  return range === undefined ? undefined : formatRange(range)
}

function normal(prefix: string): string {
  return formatRange(parseRange(prefix))
}

/** The route that the host has to exactly this range, in the words of `ip`; undefined where it has none. */
export async function routeTo(scope: Scope, run: CommandRunner, prefix: string): Promise<string | undefined> {
  const { stdout } = await run(scope, ['ip', '-4', 'route', 'show', 'exact', prefix])
  return stdout.trim() === '' ? undefined : stdout.trim()
}

function guardOf(number: number, hostAddress: string): string {
  const rule = `${overlayMatch(number)} ip saddr != ${hostAddress} drop`
  return replacedTable({
    name: `ip ${TABLE}`,
    body: `chain input {\n  type filter hook input priority -5;\n  ${rule}\n}`,
  })
}
