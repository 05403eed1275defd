// A network in memory: it remembers what it was asked for, and hands out addresses.

import { formatAddress, parseAddress } from '@aksel/base/ipv4'
import type { Scope } from '@aksel/base/scope'
import type {
  Attachment,
  DropNews,
  Fabric,
  LoadBalancerSpec,
  ProbeNews,
  StandingLoadBalancer,
  VirtualNetwork,
} from '@aksel/provider/fabric'
import { overlayNumber, type Overlay, type OverlayHost } from '@aksel/provider/overlay'
import { interfered, type Interference } from './interference.ts'

export class FakeFabric implements Fabric {
  readonly networks = new Map<string, VirtualNetwork>()
  readonly attachments = new Map<string, Attachment>()
  readonly loadBalancers = new Map<string, LoadBalancerSpec & { readonly address: string }>()
  /** Addresses whose probes fail. */
  readonly lostBackends = new Set<string>()
  readonly publicRanges = new Map<string, string>()
  /** Hosts that joined, by the address of their API server. */
  readonly joined = new Map<string, readonly OverlayHost[]>()
  #reserved = 0
  readonly #hostAddresses = new Map<string, string>()
  readonly #listeners = new Set<(news: ProbeNews) => void>()
  readonly #dropListeners = new Set<(news: DropNews) => void>()
  readonly #interference: Interference

  constructor(interference: Interference = {}) {
    this.#interference = interference
  }

  ensureVirtualNetwork(_scope: Scope, network: VirtualNetwork): Promise<void> {
    return interfered(
      this.#interference,
      'fabric.ensureVirtualNetwork',
      () => void this.networks.set(network.id, network),
    )
  }

  updateVirtualNetwork(_scope: Scope, network: VirtualNetwork): Promise<void> {
    return interfered(this.#interference, 'fabric.updateVirtualNetwork', () => {
      if (this.networks.has(network.id)) this.networks.set(network.id, network)
    })
  }

  reservePublicRange(
    _scope: Scope,
    { id, prefixLength }: { readonly id: string; readonly prefixLength: number },
  ): Promise<string> {
    return interfered(this.#interference, 'fabric.reservePublicRange', () => {
      const range = this.publicRanges.get(id) ?? `${addressFrom('20.1.0.16', 256 * this.#reserved++)}/${prefixLength}`
      this.publicRanges.set(id, range)
      return range
    })
  }

  releasePublicRange(_scope: Scope, id: string): Promise<void> {
    return interfered(this.#interference, 'fabric.releasePublicRange', () => void this.publicRanges.delete(id))
  }

  deleteVirtualNetwork(_scope: Scope, id: string): Promise<void> {
    return interfered(this.#interference, 'fabric.deleteVirtualNetwork', () => {
      this.networks.delete(id)
      for (const key of this.#hostAddresses.keys()) if (key.startsWith(`${id}/`)) this.#hostAddresses.delete(key)
    })
  }

  overlayOf({ virtualNetworkId, hostAddress }: Parameters<Fabric['overlayOf']>[0]): Overlay | undefined {
    const network = this.networks.get(virtualNetworkId)
    if (network === undefined) return undefined
    return { number: overlayNumber(hostAddress), prefixes: [network.addressPrefix, ...(network.otherPrefixes ?? [])] }
  }

  joinHosts(_scope: Scope, { hostAddress, hosts }: Parameters<Fabric['joinHosts']>[1]): Promise<void> {
    return interfered(this.#interference, 'fabric.joinHosts', () => void this.joined.set(hostAddress, hosts))
  }

  rangeOf(id: string): string | undefined {
    return this.networks.get(id)?.addressPrefix
  }

  publicRangeOf(id: string): string | undefined {
    return this.publicRanges.get(id)
  }

  hostAddress(_scope: Scope, request: { readonly virtualNetworkId: string; readonly name: string }): Promise<string> {
    return interfered(this.#interference, 'fabric.hostAddress', () => {
      this.#network(request.virtualNetworkId)
      const key = `${request.virtualNetworkId}/${request.name}`
      const address = this.#hostAddresses.get(key) ?? addressFrom('100.64.0.10', this.#hostAddresses.size)
      this.#hostAddresses.set(key, address)
      return address
    })
  }

  releaseHostAddress(
    _scope: Scope,
    request: { readonly virtualNetworkId: string; readonly name: string },
  ): Promise<void> {
    return interfered(this.#interference, 'fabric.releaseHostAddress', () => {
      this.#hostAddresses.delete(`${request.virtualNetworkId}/${request.name}`)
    })
  }

  attach(_scope: Scope, request: { readonly virtualNetworkId: string; readonly machine: string }): Promise<Attachment> {
    return interfered(this.#interference, 'fabric.attach', () => {
      this.#network(request.virtualNetworkId)
      const key = `${request.virtualNetworkId}/${request.machine}`
      const attachment = this.attachments.get(key) ?? {
        networkNamespace: `fake-${request.machine}`,
        address: addressFrom('10.224.0.4', this.attachments.size),
        prefixLength: 16,
        gateway: '10.224.0.1',
      }
      this.attachments.set(key, attachment)
      return attachment
    })
  }

  releasePodAddresses(): Promise<void> {
    return interfered(this.#interference, 'fabric.releasePodAddresses', () => {})
  }

  detach(_scope: Scope, request: { readonly virtualNetworkId: string; readonly machine: string }): Promise<void> {
    return interfered(this.#interference, 'fabric.detach', () => {
      this.attachments.delete(`${request.virtualNetworkId}/${request.machine}`)
    })
  }

  ensureLoadBalancer(_scope: Scope, spec: LoadBalancerSpec): Promise<{ readonly address: string }> {
    return interfered(this.#interference, 'fabric.ensureLoadBalancer', () => {
      const known = this.loadBalancers.get(spec.id)
      const address = spec.address ?? known?.address ?? addressFrom('20.0.0.4', this.loadBalancers.size)
      this.loadBalancers.set(spec.id, { ...spec, address })
      return { address }
    })
  }

  deleteLoadBalancer(_scope: Scope, request: { readonly id: string }): Promise<void> {
    return interfered(this.#interference, 'fabric.deleteLoadBalancer', () => void this.loadBalancers.delete(request.id))
  }

  loadBalancersOf(virtualNetworkId: string): readonly StandingLoadBalancer[] {
    const subnets = this.networks.get(virtualNetworkId)?.subnets ?? []
    return [...this.loadBalancers.values()]
      .filter((each) => each.virtualNetworkId === virtualNetworkId)
      .toSorted((left, right) => (left.id < right.id ? -1 : 1))
      .map(({ id, address, rules, internal, owner }) => ({
        id,
        address,
        rules,
        ...(internal === undefined ? {} : { internal: standingSubnet(subnets, internal.subnet) }),
        ...(owner === undefined ? {} : { owner }),
        isUp: (_rule, backend) => !this.lostBackends.has(backend.address),
      }))
  }

  onProbe(listener: (news: ProbeNews) => void): Disposable {
    this.#listeners.add(listener)
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) }
  }

  /** As if a probe had found this. */
  tellProbe(news: ProbeNews): void {
    for (const listener of this.#listeners) listener(news)
  }

  onDrop(listener: (news: DropNews) => void): Disposable {
    this.#dropListeners.add(listener)
    return { [Symbol.dispose]: () => void this.#dropListeners.delete(listener) }
  }

  /** As if a rule had dropped this. */
  tellDrop(news: DropNews): void {
    for (const listener of this.#dropListeners) listener(news)
  }

  #network(id: string): VirtualNetwork {
    const network = this.networks.get(id)
    if (network === undefined) throw new Error(`There is no virtual network "${id}"`)
    return network
  }
}

function addressFrom(first: string, offset: number): string {
  return formatAddress(parseAddress(first) + offset)
}

function standingSubnet(
  subnets: VirtualNetwork['subnets'],
  name: string | undefined,
): NonNullable<StandingLoadBalancer['internal']> {
  const found = subnets.find(({ id }) => name === undefined || id.endsWith(`/subnets/${name.toLowerCase()}`))
  return { subnetId: found?.id ?? '', isNamed: name !== undefined }
}
