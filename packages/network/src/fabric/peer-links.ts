// Peered VNets: a cable between their routers, where both stand and each names the other.

import type { Scope } from '@aksel/base/scope'
import { succeeds } from '@aksel/host/command'
import { linkAddresses } from './allocate.ts'
import { deleteLink, ipBatch, type FabricHost } from './host-commands.ts'
import { routerOf } from './plumbing.ts'
import type { FabricState, NetworkState } from './state.ts'

/** The link to another router, by the other's key. */
function linkTo({ key }: NetworkState): string {
  return `p-${key}`
}

/** VNets that this one is to be linked with. */
export function peersOf(state: FabricState, network: NetworkState): readonly NetworkState[] {
  if (!network.ready) return []
  return (network.spec.peerings ?? []).flatMap(({ virtualNetworkId }) => {
    const other = state.networks[virtualNetworkId]
    const isMutual = other?.spec.peerings?.some((back) => back.virtualNetworkId === network.spec.id) === true
    return isMutual && other.ready ? [other] : []
  })
}

/** Names of the links, by the other VNet's id. */
export function peerLinksOf(state: FabricState, network: NetworkState): ReadonlyMap<string, string> {
  return new Map(peersOf(state, network).map((other) => [other.spec.id, linkTo(other)]))
}

/** Makes what is missing between two routers and routes each to the other's ranges. Idempotent. */
async function ensureLink(scope: Scope, host: FabricHost, one: NetworkState, other: NetworkState): Promise<void> {
  const stands = await Promise.all([
    succeeds(host.run, scope, ['ip', '-n', routerOf(one), 'link', 'show', linkTo(other)]),
    succeeds(host.run, scope, ['ip', '-n', routerOf(other), 'link', 'show', linkTo(one)]),
  ])
  if (!stands[0] || !stands[1]) {
    await deleteLink(scope, host, routerOf(one), linkTo(other))
    await deleteLink(scope, host, routerOf(other), linkTo(one))
    const cable = `link add ${linkTo(other)} netns ${routerOf(one)} type veth peer name ${linkTo(one)} netns ${routerOf(other)}`
    await ipBatch(scope, host, undefined, [cable])
  }
  await ipBatch(scope, host, routerOf(one), waysTo(host, other))
  await ipBatch(scope, host, routerOf(other), waysTo(host, one))
}

/** Routers have no addresses of their own on the cable: each answers there for the one of its uplink. */
function waysTo(host: FabricHost, other: NetworkState): readonly string[] {
  const { router } = linkAddresses(host.ranges, other.linkIndex)
  const { addressPrefix, otherPrefixes = [] } = other.spec
  return [
    `link set ${linkTo(other)} up`,
    ...[addressPrefix, ...otherPrefixes].map(
      (prefix) => `route replace ${prefix} via ${router} dev ${linkTo(other)} onlink`,
    ),
  ]
}

/** Links this VNet with its peers, and takes away what leads to former ones. Returns the peers. */
export async function ensurePeers(
  scope: Scope,
  host: FabricHost,
  state: FabricState,
  network: NetworkState,
): Promise<readonly NetworkState[]> {
  const peers = peersOf(state, network)
  const wanted = new Set(peers.map(linkTo))
  const shown = await host.run(scope, ['ip', '-n', routerOf(network), '-json', 'link', 'show', 'type', 'veth'])
  const links = (shown.stdout.trim() === '' ? [] : JSON.parse(shown.stdout)) as readonly { readonly ifname?: string }[]
  for (const { ifname = '' } of links) {
    if (ifname.startsWith('p-') && !wanted.has(ifname)) await deleteLink(scope, host, routerOf(network), ifname)
  }
  for (const peer of peers) await ensureLink(scope, host, network, peer)
  return peers
}
