// The way from a VNet's router to the pods of hosts that joined: a VXLAN link per cluster, whose packets the host of the router sends and
// takes. Who may send is told in a table of the host, what they may be in one of the router.
//
//   router namespace                       host namespace                      joined host
//   joined_10001 (169.254.77.1) ────── UDP 4789, VNI 0x10001 ─────────────── aksel-overlay (10.244.5.0)
//   10.244.5.0/24 via 10.244.5.0                                             10.244.0.0/16 via 169.254.77.1

import { isDeepStrictEqual } from 'node:util'
import type { Scope } from '@aksel/base/scope'
import { succeeds } from '@aksel/host/command'
import type { HostObject } from '@aksel/host/ledger'
import {
  OVERLAY_MTU,
  OVERLAY_PORT,
  overlayMatch,
  overlayNeighbour,
  overlayNumber,
  overlayRouter,
  type Overlay,
  type OverlayHost,
} from '@aksel/provider/overlay'
import { spawnedNft } from '../nft/runner.ts'
import { replacedTable } from '../nft/table.ts'
import { deleteLink, ipBatch, ipForced, type FabricHost } from './host-commands.ts'
import { HOST_LINK, routerOf } from './plumbing.ts'
import type { NetworkState } from './state.ts'

const joinedLink = (hostAddress: string): string => `joined_${overlayNumber(hostAddress).toString(16)}`

/** The tables have the name of the link, in the host with the router's key. */
const hostTable = (network: NetworkState, link: string): string => `aksel_${network.key}_${link}`

/** How hosts that join find what lies in the VNet. */
export function overlayOf({ spec }: NetworkState, hostAddress: string): Overlay {
  return { number: overlayNumber(hostAddress), prefixes: [spec.addressPrefix, ...(spec.otherPrefixes ?? [])] }
}

/** Idempotent; what stands is not interrupted. `owner` is whose the host's part is in the ledger. */
export async function leadToJoined(
  scope: Scope,
  host: FabricHost,
  owner: string,
  request: {
    readonly network: NetworkState
    /** Of the cluster's API server. */
    readonly hostAddress: string
    /** Those that an earlier call led to. */
    readonly former?: readonly OverlayHost[] | undefined
  },
): Promise<void> {
  const { network, hostAddress, former = [] } = request
  const hosts = network.joined?.[hostAddress] ?? []
  const [router, link] = [routerOf(network), joinedLink(hostAddress)]
  const table = hostTable(network, link)
  if (hosts.length === 0) {
    await deleteLink(scope, host, router, link)
    await succeeds(host.run, scope, ['nft', 'delete', 'table', 'ip', table])
    await succeeds(host.run, scope, ['ip', 'netns', 'exec', router, 'nft', 'delete', 'table', 'ip', link])
    return
  }
  const object: HostObject = { kind: 'nft-table', family: 'ip', name: table }
  const isRecorded = host.ledger.entries(owner).some((entry) => isDeepStrictEqual(entry.object, object))
  if (!isRecorded) await host.ledger.record(owner, object)
  // Guarded before it is there.
  await spawnedNft({ run: host.run }).apply(scope, [hostGuard(table, hostAddress, hosts)])
  await spawnedNft({ networkNamespace: router, run: host.run }).apply(scope, [routerGuard(link, hosts)])
  if (!(await succeeds(host.run, scope, ['ip', '-n', router, 'link', 'show', link])))
    await ipBatch(scope, host, undefined, [linkAdded(router, link, hostAddress)])
  const gone = former.filter((one) => !hosts.some((other) => isDeepStrictEqual(one, other)))
  await ipForced(
    scope,
    host,
    router,
    gone.flatMap((one) => pathOf(link, one, 'del')),
  )
  await bridge(
    scope,
    host,
    router,
    ['-force'],
    gone.map((one) => entryOf(link, one, 'del')),
  ).catch(() => {})
  await ipBatch(scope, host, router, [
    `addr replace ${overlayRouter.address}/32 dev ${link}`,
    `link set ${link} up`,
    ...hosts.flatMap((one) => pathOf(link, one, 'replace')),
  ])
  await bridge(
    scope,
    host,
    router,
    [],
    hosts.map((one) => entryOf(link, one, 'replace')),
  )
}

/** For the host's namespace, which sends and takes the packets of a link that lies in the router's. */
function linkAdded(router: string, link: string, hostAddress: string): string {
  const own = `id ${overlayNumber(hostAddress)} dstport ${OVERLAY_PORT} local ${hostAddress} nolearning`
  return `link add ${link} netns ${router} mtu ${OVERLAY_MTU} address ${overlayRouter.mac} type vxlan ${own}`
}

function pathOf(link: string, { podCidr }: OverlayHost, verb: 'replace' | 'del'): readonly string[] {
  const { address, mac } = overlayNeighbour(podCidr)
  const how = verb === 'del' ? '' : ` lladdr ${mac} nud permanent`
  return [
    `route ${verb} ${podCidr} via ${address} dev ${link}${verb === 'del' ? '' : ' onlink'}`,
    `neigh ${verb} ${address} dev ${link}${how}`,
  ]
}

function entryOf(link: string, { podCidr, address }: OverlayHost, verb: 'replace' | 'del'): string {
  const { mac } = overlayNeighbour(podCidr)
  return `fdb ${verb} ${mac} dev ${link} dst ${address} self${verb === 'del' ? '' : ' permanent'}`
}

async function bridge(
  scope: Scope,
  host: FabricHost,
  router: string,
  flags: readonly string[],
  lines: readonly string[],
): Promise<void> {
  if (lines.length === 0) return
  await host.run(scope, ['bridge', '-n', router, ...flags, '-batch', '-'], { input: `${lines.join('\n')}\n` })
}

/** Nobody but the joined hosts speaks in the cluster's network: no machine, no pod, no stranger. */
function hostGuard(table: string, hostAddress: string, hosts: readonly OverlayHost[]): string {
  const match = overlayMatch(overlayNumber(hostAddress))
  return guard(table, [
    'chain input {',
    '  type filter hook input priority -5;',
    `  ${match} iifname "aksel-*" counter drop`,
    `  ${match} ip saddr != { ${addressesOf(hosts)} } counter drop`,
    '}',
  ])
}

/** From there come pods of those hosts, for the VNet and for each other; the way out is the hosts' own. */
function routerGuard(link: string, hosts: readonly OverlayHost[]): string {
  const ranges = [...new Set(hosts.map(({ podCidr }) => podCidr))].join(', ')
  return guard(link, [
    `chain prerouting {`,
    '  type filter hook prerouting priority raw;',
    `  iifname "${link}" ip saddr != { ${ranges} } counter drop`,
    '}',
    'chain forward {',
    '  type filter hook forward priority -5;',
    `  iifname "${link}" oifname "${HOST_LINK}" drop`,
    '}',
  ])
}

function addressesOf(hosts: readonly OverlayHost[]): string {
  return [...new Set(hosts.map(({ address }) => address))].join(', ')
}

function guard(table: string, lines: readonly string[]): string {
  return replacedTable({ name: `ip ${table}`, body: lines.join('\n') })
}
