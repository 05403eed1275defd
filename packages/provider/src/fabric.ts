// The seam between the resource providers and the network they order: VNets, addresses on them, load balancers.

import type { Scope } from '@aksel/base/scope'
import type { Overlay, OverlayHost } from './overlay.ts'

export const securityProtocols = ['*', 'Tcp', 'Udp', 'Icmp', 'Esp', 'Ah'] as const

/**
 * Names for addresses in rules. `AzureLoadBalancer` is where health probes come from, `AzureCloud` where the API servers
 * are; `Internet` is everything outside the VNet and those it is peered with.
 */
export const securityTags = ['VirtualNetwork', 'Internet', 'AzureLoadBalancer', 'AzureCloud'] as const

export interface SecurityRule {
  readonly name: string
  readonly priority: number
  readonly direction: 'Inbound' | 'Outbound'
  readonly access: 'Allow' | 'Deny'
  readonly protocol: (typeof securityProtocols)[number]
  /** Addresses, ranges and tags; `*` is everyone. */
  readonly sources: readonly string[]
  /** `80`, `8000-8080`, `*`. */
  readonly sourcePorts: readonly string[]
  readonly destinations: readonly string[]
  readonly destinationPorts: readonly string[]
}

export const routeHops = ['VirtualNetworkGateway', 'VnetLocal', 'Internet', 'VirtualAppliance', 'None'] as const

export interface SubnetRoute {
  readonly name: string
  readonly addressPrefix: string
  readonly nextHop: (typeof routeHops)[number]
  /** Of a VirtualAppliance. */
  readonly nextHopAddress?: string
}

/** How a subnet's machines leave the VNet; absent: with the router's own address. */
export type SubnetEgress =
  | { readonly kind: 'none' }
  | {
      readonly kind: 'addresses'
      /** Reserved public addresses; each flow gets one of them. */
      readonly addresses: readonly string[]
    }

export interface Subnet {
  readonly id: string
  readonly addressPrefix: string
  /** A /64, where the subnet has both address families. */
  readonly ipv6Prefix?: string
  /** In order of priority, the default ones last. Absent: everything passes. */
  readonly securityRules?: readonly SecurityRule[]
  readonly routes?: readonly SubnetRoute[]
  readonly egress?: SubnetEgress
}

export interface Peering {
  /** The other VNet. It is in force where both stand and each names the other. */
  readonly virtualNetworkId: string
  readonly addressPrefixes: readonly string[]
  /** The other's addresses belong to the tag `VirtualNetwork`, and its machines are let in. */
  readonly allowsAccess: boolean
  /** Packets that come from elsewhere through the other VNet are let in. */
  readonly allowsForwarded: boolean
}

export interface VirtualNetwork {
  /** The ARM resource id, lower case. */
  readonly id: string
  /** `10.224.0.0/12`. Ranges of different VNets may overlap. */
  readonly addressPrefix: string
  /** Further ranges of it. */
  readonly otherPrefixes?: readonly string[]
  readonly subnets: readonly Subnet[]
  readonly peerings?: readonly Peering[]
  /** Ranges of pods that are routed beside the VNet's own. */
  readonly podPrefixes?: readonly string[]
  /** Of a VNet of both families: its ranges of IPv6, and those of its pods. Nothing of IPv6 leaves the VNet. */
  readonly ipv6?: { readonly prefixes: readonly string[]; readonly podPrefixes?: readonly string[] }
}

/** A subnet has not as many addresses left as it was asked for; in Azure's words. */
export class SubnetFullError extends Error {
  readonly subnetId: string

  constructor(subnetId: string, addressPrefix: string, count: number) {
    super(
      `Subnet ${subnetId.split('/').at(-1)} with address prefix ${addressPrefix} does not have enough capacity for ${count} IP addresses.`,
    )
    this.name = 'SubnetFullError'
    this.subnetId = subnetId
  }
}

/** A machine's place on a subnet. */
export interface Attachment {
  /** Name of the machine's network namespace, for `nsenter --net=/run/netns/NAME`. */
  readonly networkNamespace: string
  readonly address: string
  readonly prefixLength: number
  readonly gateway: string
  /** In subnets of both families. */
  readonly ipv6Address?: string
  /** Addresses of a subnet that pods of this machine may have, where it was attached with some. */
  readonly podAddresses?: readonly string[]
  /** The range of that subnet. */
  readonly podSubnetPrefix?: string
}

/** Where Azure's load balancers ask from: the platform's own address, the same in every VNet. */
export const PROBE_SOURCE = '168.63.129.16'

export const probeProtocols = ['Tcp', 'Http', 'Https'] as const
export type ProbeProtocol = (typeof probeProtocols)[number]

/** How a load balancer finds out whether a backend is alive. */
export interface HealthProbe {
  readonly protocol: ProbeProtocol
  readonly port: number
  /** Of HTTP and HTTPS, where only status 200 is health. */
  readonly path?: string
  readonly intervalSeconds: number
  /** So many failures in a row take a backend out; one answer brings it back. */
  readonly failures: number
}

export interface LoadBalancerBackend {
  readonly address: string
  /** Its packets are translated to this port; absent: they arrive with the frontend's address and port (floating IP). */
  readonly port?: number
}

export interface LoadBalancerRule {
  /** `ALL`: every port of every protocol (high availability ports); its backends have no port. */
  readonly protocol: 'TCP' | 'UDP' | 'ALL'
  /** 0 with `ALL`. */
  readonly port: number
  /** Where each backend is reached: node addresses and node ports. */
  readonly backends: readonly LoadBalancerBackend[]
  /** Empty: everyone. */
  readonly sourceRanges: readonly string[]
  /** Absent: every backend counts as healthy. */
  readonly probe?: HealthProbe
  /** Minutes without a packet until a connection is forgotten, and reset by the next one; Azure's 4 when absent. */
  readonly idleTimeoutMinutes?: number
  /** Clients keep their backend, by address; else each connection is drawn anew. */
  readonly isBySource?: boolean
}

export interface LoadBalancerSpec {
  /** Unique in the VNet: the service's uid. */
  readonly id: string
  readonly virtualNetworkId: string
  readonly rules: readonly LoadBalancerRule[]
  /** An address to keep, when one is already known, or to have. */
  readonly address?: string
  /** The address was asked for by name: other load balancers of the VNet that ask for it, too, may have other ports of it. */
  readonly isShared?: boolean
  /** Reached from the VNet alone, at an address of this subnet; of its nodes' one when it names none. */
  readonly internal?: { readonly subnet?: string }
  /** Whose it is, for those who show it. */
  readonly owner?: LoadBalancerOwner
}

/** The service that a load balancer was made for. */
export interface LoadBalancerOwner {
  /** The managed cluster's resource id in lower case. */
  readonly clusterId: string
  readonly namespace: string
  readonly name: string
}

/** A load balancer as it stands in its VNet. */
export interface StandingLoadBalancer {
  readonly id: string
  readonly address: string
  readonly rules: readonly LoadBalancerRule[]
  /** Of internal ones: the subnet that the address is one of, lower case, and whether it was asked for by name. */
  readonly internal?: { readonly subnetId: string; readonly isNamed: boolean }
  readonly owner?: LoadBalancerOwner
  /** False for a backend that its probe has lost. */
  isUp(rule: LoadBalancerRule, backend: LoadBalancerBackend): boolean
}

/** A backend that a probe has lost or found again. */
export interface ProbeNews {
  readonly virtualNetworkId: string
  readonly loadBalancerId: string
  readonly address: string
  readonly probe: HealthProbe
  readonly isUp: boolean
  /** Why it is down, in the words of whoever asked: `connect ECONNREFUSED`, `HTTP status 503`. */
  readonly why?: string
}

/** A user-defined route whose next hop takes no packets: `None`, a gateway or an appliance that is not there. */
export interface LostRoute {
  readonly name: string
  readonly nextHop: (typeof routeHops)[number]
}

/** Packets that a VNet's router dropped, by rule, ends and port: told of the first at once, then once a minute at most. */
export interface DropNews {
  readonly virtualNetworkId: string
  readonly subnetId: string
  readonly direction: SecurityRule['direction']
  /** The security rule; absent where the subnet's outbound type is `none`, or a route is missing. */
  readonly rule?: string
  /** No route leads to the destination; with a route, where that leads nowhere. */
  readonly noRoute?: { readonly route?: LostRoute }
  readonly source: string
  readonly destination: string
  readonly protocol: string
  /** Of TCP, UDP and SCTP. */
  readonly destinationPort?: number
  /** Packets since they were told of last. */
  readonly count: number
}

export interface Fabric {
  /** Idempotent. Makes the router namespace, its link to the host and the subnets' bridges. */
  ensureVirtualNetwork(scope: Scope, network: VirtualNetwork): Promise<void>
  /** Puts what has changed in force where the VNet stands; nothing where it does not. */
  updateVirtualNetwork(scope: Scope, network: VirtualNetwork): Promise<void>
  deleteVirtualNetwork(scope: Scope, id: string): Promise<void>
  /** Keeps public addresses for a resource: one, or a range of them (`prefixLength` 28 to 31). Idempotent by id; returns `100.66.0.8/32`. */
  reservePublicRange(scope: Scope, request: { readonly id: string; readonly prefixLength: number }): Promise<string>
  /** What is kept for a resource; undefined where nothing is. */
  publicRangeOf(id: string): string | undefined
  releasePublicRange(scope: Scope, id: string): Promise<void>
  /** The range of a VNet that stands; undefined where there is none of that id. */
  rangeOf(id: string): string | undefined
  /** An address of the host, unique on it, that this VNet's machines and pods reach: API servers listen there. Idempotent by name. */
  hostAddress(scope: Scope, request: { readonly virtualNetworkId: string; readonly name: string }): Promise<string>
  /** Gives the address back; nothing where there is none of that name. */
  releaseHostAddress(scope: Scope, request: { readonly virtualNetworkId: string; readonly name: string }): Promise<void>
  /** How hosts that join the cluster whose API server has this address find the VNet's pods; undefined where there is no such VNet. */
  overlayOf(request: { readonly virtualNetworkId: string; readonly hostAddress: string }): Overlay | undefined
  /** Leads packets of the VNet to the pods of these hosts and theirs into it; replaces those that were named before. Idempotent. */
  joinHosts(
    scope: Scope,
    request: {
      readonly virtualNetworkId: string
      readonly hostAddress: string
      readonly hosts: readonly OverlayHost[]
    },
  ): Promise<void>
  /** Makes the machine's namespace and its link with an address of the subnet; idempotent by machine. The address survives restarts. */
  attach(
    scope: Scope,
    request: {
      readonly virtualNetworkId: string
      readonly subnetId: string
      readonly machine: string
      /** A range that the VNet routes to the machine; absent where its pods have addresses of a subnet, or the VNet knows nothing of them. */
      readonly podCidr?: string
      /** The same of IPv6, in subnets of both families. */
      readonly ipv6PodCidr?: string
      /** Takes addresses of a subnet for the machine's pods. In blocks: whole /28 ranges. Repeated with a greater count, it gets more. */
      readonly podAddresses?: { readonly subnetId: string; readonly count: number; readonly inBlocks: boolean }
    },
  ): Promise<Attachment>
  /** Gives addresses of the machine's pods back to their subnet; those that are not the machine's count as given back. */
  releasePodAddresses(
    scope: Scope,
    request: { readonly virtualNetworkId: string; readonly machine: string; readonly addresses: readonly string[] },
  ): Promise<void>
  detach(scope: Scope, request: { readonly virtualNetworkId: string; readonly machine: string }): Promise<void>
  /** Returns the address in force, with every new backend asked once. Idempotent; changes only what differs. */
  ensureLoadBalancer(scope: Scope, spec: LoadBalancerSpec): Promise<{ readonly address: string }>
  deleteLoadBalancer(scope: Scope, request: { readonly virtualNetworkId: string; readonly id: string }): Promise<void>
  /** What stands in the VNet, in the order of ids; nothing where there is no VNet of that id. */
  loadBalancersOf(virtualNetworkId: string): readonly StandingLoadBalancer[]
  /** Calls back for every backend that is lost or found, until disposed. */
  onProbe(listener: (news: ProbeNews) => void): Disposable
  /** Calls back for packets that security rules drop, until disposed. */
  onDrop(listener: (news: DropNews) => void): Disposable
}
