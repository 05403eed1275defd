// A VNet's router: a namespace with a link to the host, a bridge per subnet, and a table of public addresses.

import { readFile } from 'node:fs/promises'
import { isDeepStrictEqual } from 'node:util'
import { succeeds } from '@aksel/host/command'
import { undoAll } from '@aksel/host/undo'
import type { Scope } from '@aksel/base/scope'
import type { VirtualNetwork } from '@aksel/provider/fabric'
import type { OverlayHost } from '@aksel/provider/overlay'
import { linkAddresses } from './allocate.ts'
import type { Balancing } from './balancing.ts'
import {
  deleteLink,
  ipBatch,
  ipForced,
  namespaceStands,
  setForwarding,
  setSysctls,
  settleAll,
  type FabricHost,
} from './host-commands.ts'
import { IPV6_SYSCTLS, ipv6Bridge, ipv6Nowhere } from './ipv6.ts'
import { leadToJoined } from './joined-hosts.ts'
import * as plumbing from './plumbing.ts'
import { nextSlots, slotsOf, type Slots } from './slots.ts'
import type { LoadBalancerState, NetworkState, StateFile } from './state.ts'

export function networkOwner(id: string): string {
  return `virtual-network/${id}`
}

export class Routers {
  readonly #host: FabricHost
  readonly #file: StateFile
  readonly #balancing: Balancing

  readonly #emptied: (id: string) => void

  /** `emptied` is told of each VNet whose router begins from nothing. */
  constructor(
    host: FabricHost,
    file: StateFile,
    { balancing, emptied }: { readonly balancing: Balancing; readonly emptied: (id: string) => void },
  ) {
    this.#host = host
    this.#file = file
    this.#balancing = balancing
    this.#emptied = emptied
  }

  async ensure(scope: Scope, network: NetworkState, spec: VirtualNetwork): Promise<void> {
    if (network.ready && (await this.#stands(scope, network))) await this.#update(scope, network, spec)
    else await this.#build(scope, network, spec)
  }

  async remove(scope: Scope, network: NetworkState): Promise<void> {
    const { ledger, run } = this.#host
    this.#balancing.forget(network)
    this.#emptied(network.spec.id)
    await undoAll(scope, { ledger, owner: networkOwner(network.spec.id), run })
  }

  /** Puts an address of the host, or the way to a public one, in force; may run twice. */
  async expose(
    scope: Scope,
    network: NetworkState,
    address: { readonly kind: 'host' | 'public'; readonly address: string },
  ): Promise<void> {
    await ipBatch(scope, this.#host, undefined, [this.#exposure(network, address)])
  }

  #exposure(
    network: NetworkState,
    { kind, address }: { readonly kind: 'host' | 'public'; readonly address: string },
  ): string {
    const router = plumbing.routerOf(network)
    if (kind === 'host') return `addr replace ${address}/32 dev ${router}`
    const link = linkAddresses(this.#host.ranges, network.linkIndex)
    return `route replace ${address}/32 via ${link.router} dev ${router} src ${link.host}`
  }

  /** Puts the way to a load balancer's address in force; may run twice. */
  async exposeBalancer(scope: Scope, network: NetworkState, { address, subnetId }: LoadBalancerState): Promise<void> {
    if (subnetId === undefined) return this.expose(scope, network, { kind: 'public', address })
    const bridge = plumbing.bridgeOf(network, subnetId)
    await ipBatch(scope, this.#host, plumbing.routerOf(network), plumbing.internalFrontend(address, bridge))
  }

  async hideBalancer(scope: Scope, network: NetworkState, { address, subnetId }: LoadBalancerState): Promise<void> {
    if (subnetId === undefined) {
      if (egressAddresses(network).includes(address)) return
      await succeeds(this.#host.run, scope, ['ip', 'route', 'delete', `${address}/32`])
      return
    }
    const inside = ['ip', '-n', plumbing.routerOf(network)]
    const bridge = plumbing.bridgeOf(network, subnetId)
    await succeeds(this.#host.run, scope, [...inside, 'neigh', 'delete', 'proxy', address, 'dev', bridge])
    await succeeds(this.#host.run, scope, [...inside, 'route', 'delete', `${address}/32`, 'dev', 'lo'])
  }

  /** Ways back to the public addresses that the VNet's machines leave with. */
  async followEgress(scope: Scope, network: NetworkState, former: readonly string[]): Promise<void> {
    const now = egressAddresses(network)
    for (const address of now) await this.expose(scope, network, { kind: 'public', address })
    const balanced = new Set(Object.values(network.loadBalancers).map(({ address }) => address))
    for (const address of former.filter((each) => !now.includes(each) && !balanced.has(each))) {
      await succeeds(this.#host.run, scope, ['ip', 'route', 'delete', `${address}/32`])
    }
  }

  /** Written down first, so that a router that is made anew leads there as well. */
  async joinHosts(
    scope: Scope,
    network: NetworkState,
    { hostAddress, hosts }: { readonly hostAddress: string; readonly hosts: readonly OverlayHost[] },
  ): Promise<void> {
    const former = network.joined?.[hostAddress]
    if (former === undefined && hosts.length === 0) return
    network.joined = { ...network.joined, [hostAddress]: hosts }
    await this.#file.save()
    await leadToJoined(scope, this.#host, networkOwner(network.spec.id), { network, hostAddress, former })
  }

  async #leadToAllJoined(scope: Scope, network: NetworkState): Promise<void> {
    for (const hostAddress of Object.keys(network.joined ?? {}))
      await leadToJoined(scope, this.#host, networkOwner(network.spec.id), { network, hostAddress })
  }

  async #exposeAll(scope: Scope, network: NetworkState): Promise<void> {
    const balancers = Object.values(network.loadBalancers)
    await ipBatch(scope, this.#host, undefined, [
      ...Object.values(network.hostAddresses).map((address) => this.#exposure(network, { kind: 'host', address })),
      ...[
        ...balancers.filter(({ subnetId }) => subnetId === undefined).map(({ address }) => address),
        ...egressAddresses(network),
      ].map((address) => this.#exposure(network, { kind: 'public', address })),
    ])
    for (const balancer of balancers) {
      if (balancer.subnetId !== undefined) await this.exposeBalancer(scope, network, balancer)
    }
  }

  async #stands(scope: Scope, network: NetworkState): Promise<boolean> {
    const name = plumbing.routerOf(network)
    // Not /sys/class/net: where the mount is older than our network namespace it tells of another one.
    const links = await readFile('/proc/self/net/dev', 'utf8')
    const hasLink = links.split('\n').some((line) => line.trimStart().startsWith(`${name}:`))
    return hasLink && (await namespaceStands(scope, this.#host, name))
  }

  /** From nothing, after taking down what a crash or a restart of the host left of it. */
  async #build(scope: Scope, network: NetworkState, spec: VirtualNetwork): Promise<void> {
    await this.remove(scope, network)
    network.spec = spec
    network.slots = nextSlots({}, spec)
    network.ready = false
    const { ledger, ranges } = this.#host
    const owner = networkOwner(spec.id)
    const name = plumbing.routerOf(network)
    const link = linkAddresses(ranges, network.linkIndex)
    await settleAll([
      this.#file.save(),
      ledger.record(owner, { kind: 'network-namespace', name }),
      ledger.record(owner, { kind: 'link', name }),
    ])
    await ipBatch(scope, this.#host, undefined, plumbing.routerOnHost(network, link))
    await settleAll([
      ipBatch(scope, this.#host, name, plumbing.routerInside(network, link)),
      setForwarding(scope, this.#host, name),
    ])
    await this.#bridge(scope, network, network.slots)
    await this.#ensureIpv6(scope, network)
    await this.#balancing.balance(scope, network)
    await this.#exposeAll(scope, network)
    await this.#leadToAllJoined(scope, network)
    network.ready = true
    await this.#file.save()
  }

  /** May run twice. Ranges that a VNet no longer has stay unreachable. */
  async #ensureIpv6(scope: Scope, network: NetworkState): Promise<void> {
    const { spec } = network
    if (spec.ipv6 === undefined) return
    const router = plumbing.routerOf(network)
    const slots = slotsOf(network)
    await setSysctls(scope, this.#host, router, IPV6_SYSCTLS)
    const bridges = spec.subnets.flatMap((subnet) => ipv6Bridge(slots[subnet.id]!, subnet))
    await ipBatch(scope, this.#host, router, [...ipv6Nowhere(spec), ...bridges])
  }

  /** Bridges for these subnets, new in the router. */
  async #bridge(scope: Scope, network: NetworkState, slots: Slots): Promise<void> {
    const router = plumbing.routerOf(network)
    const subnets = network.spec.subnets.filter(({ id }) => slots[id] !== undefined)
    await ipBatch(
      scope,
      this.#host,
      router,
      subnets.flatMap(({ id, addressPrefix }) => plumbing.subnetBridge(network, slots[id]!, addressPrefix)),
    )
    await setSysctls(
      scope,
      this.#host,
      router,
      subnets.flatMap(({ id }) => plumbing.bridgeSysctls(slots[id]!)),
    )
  }

  /** What differs is changed; the rest is put in force anew once per process. */
  async #update(scope: Scope, network: NetworkState, spec: VirtualNetwork): Promise<void> {
    const router = plumbing.routerOf(network)
    const before = network.spec
    const oldSlots = slotsOf(network)
    const slots = nextSlots(oldSlots, spec)
    const standing = (id: string): string | undefined =>
      before.subnets.find((subnet) => subnet.id === id)?.addressPrefix
    const fresh = spec.subnets.filter(({ id, addressPrefix }) => standing(id) !== addressPrefix)
    const gone = before.subnets.filter(
      ({ id, addressPrefix }) =>
        !spec.subnets.some((subnet) => subnet.id === id && subnet.addressPrefix === addressPrefix),
    )
    // New ones too: a process that ended midway may have left their bridges.
    for (const slot of new Set([...gone.map(({ id }) => oldSlots[id]!), ...fresh.map(({ id }) => slots[id]!)])) {
      await deleteLink(scope, this.#host, router, `br${slot}`)
    }
    await ipForced(scope, this.#host, router, plumbing.movedRanges(rangesOf(before), rangesOf(spec)))
    network.spec = spec
    network.slots = slots
    await this.#bridge(scope, network, Object.fromEntries(fresh.map(({ id }) => [id, slots[id]!])))
    if (!isDeepStrictEqual(before, spec)) {
      await this.#ensureIpv6(scope, network)
      await this.#file.save()
    }
    if (this.#balancing.knows(network)) return
    // Routers that an older server made have bridges that answer for no neighbours.
    await setSysctls(
      scope,
      this.#host,
      router,
      spec.subnets.flatMap(({ id }) => plumbing.bridgeSysctls(slots[id]!)),
    )
    // An earlier process may have ended between writing an address down and putting it in force.
    await this.#exposeAll(scope, network)
    await this.#leadToAllJoined(scope, network)
    await this.#balancing.balance(scope, network)
  }
}

/** Public addresses that machines leave with: answers must find the way back. */
export function egressAddresses({ spec }: Pick<NetworkState, 'spec'>): readonly string[] {
  return [...new Set(spec.subnets.flatMap(({ egress }) => (egress?.kind === 'addresses' ? egress.addresses : [])))]
}

function rangesOf({ addressPrefix, otherPrefixes = [] }: VirtualNetwork): readonly string[] {
  return [addressPrefix, ...otherPrefixes]
}
