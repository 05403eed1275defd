// The seam between the resource providers and the network they order: VNets, addresses on them, load balancers.

import type { Scope } from '@aksel/base/scope'

export interface VirtualNetwork {
  /** The ARM resource id, lower case. */
  readonly id: string
  /** `10.224.0.0/12`. Ranges of different VNets may overlap. */
  readonly addressPrefix: string
  readonly subnets: readonly { readonly id: string; readonly addressPrefix: string }[]
}

/** A machine's place on a subnet. */
export interface Attachment {
  /** Name of the machine's network namespace, for `nsenter --net=/run/netns/NAME`. */
  readonly networkNamespace: string
  readonly address: string
  readonly prefixLength: number
  readonly gateway: string
}

export interface LoadBalancerRule {
  readonly protocol: 'TCP' | 'UDP'
  readonly port: number
  /** Where each backend is reached: node addresses and node ports. */
  readonly backends: readonly { readonly address: string; readonly port: number }[]
  /** Empty: everyone. */
  readonly sourceRanges: readonly string[]
}

export interface LoadBalancerSpec {
  /** Unique in the VNet: the service's uid. */
  readonly id: string
  readonly virtualNetworkId: string
  readonly rules: readonly LoadBalancerRule[]
  /** A public address to keep, when one is already known. */
  readonly address?: string
}

export interface Fabric {
  /** Idempotent. Makes the router namespace, its link to the host and the subnets' bridges. */
  ensureVirtualNetwork(scope: Scope, network: VirtualNetwork): Promise<void>
  deleteVirtualNetwork(scope: Scope, id: string): Promise<void>
  /** An address of the host, unique on it, that this VNet's machines and pods reach: API servers listen there. Idempotent by name. */
  hostAddress(scope: Scope, request: { readonly virtualNetworkId: string; readonly name: string }): Promise<string>
  /** Makes the machine's namespace and its link with an address of the subnet; idempotent by machine. The address survives restarts. */
  attach(
    scope: Scope,
    request: {
      readonly virtualNetworkId: string
      readonly subnetId: string
      readonly machine: string
      readonly podCidr: string
    },
  ): Promise<Attachment>
  detach(scope: Scope, request: { readonly virtualNetworkId: string; readonly machine: string }): Promise<void>
  /** Returns the public address in force. Idempotent; changes only what differs. */
  ensureLoadBalancer(scope: Scope, spec: LoadBalancerSpec): Promise<{ readonly address: string }>
  deleteLoadBalancer(scope: Scope, request: { readonly virtualNetworkId: string; readonly id: string }): Promise<void>
}
