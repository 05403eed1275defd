// The seam between node pools and whatever machines are: network namespaces on this host, hollow nodes, other hosts.

import type { Scope } from '@aksel/base/scope'
import type { CloudInstance } from './cloud-instance.ts'
import type { LocalDnsConfig } from './local-dns.ts'
import type { MachineOrder, OrderOptions } from './machine-orders.ts'
import type { ScheduledEvents } from './scheduled-events.ts'

export interface MachineSpec {
  /** Unique per cluster: the node's name, `aks-nodepool1-12345678-vmss000000`. */
  readonly name: string
  readonly clusterId: string
  /** An Azure VM size, `Standard_D2s_v5`; judged by the caller against the size table. */
  readonly vmSize: string
  readonly vcpus: number
  readonly memoryBytes: number
  /** Of the OS disk; absent in records from before disks were bounded: the machine then shares its host's. */
  readonly osDiskBytes?: number
  readonly zone?: string
  /** What the machine is in its cloud; absent where it is in none, and in records from before clouds were told apart. */
  readonly cloud?: {
    /** `/subscriptions/…/virtualMachineScaleSets/aks-nodepool1-12345678-vmss/virtualMachines/0` */
    readonly resourceId: string
    readonly region: string
  }
  /** It is evicted when its price or its capacity says so. */
  readonly spot?: { readonly evictionPolicy: 'Delete' | 'Deallocate' }
  /** `AKSUbuntu-2204gen2containerd-202611.01.0`: what the node reports as its image. */
  readonly nodeImage: string
  readonly maxPods: number
  /** Labels and taints that the node registers with. */
  readonly labels: Readonly<Record<string, string>>
  readonly taints: readonly { readonly key: string; readonly value?: string; readonly effect: string }[]
  /** Fields of a KubeletConfiguration, over what AKS sets. */
  readonly kubelet?: Readonly<Record<string, unknown>>
  /** Devices that a simulated machine says it has, by resource: `nvidia.com/gpu`. */
  readonly devices?: Readonly<Record<string, number>>
  /** Pods may ask for a kernel of their own here, by the handler `kata`. */
  readonly sandboxing?: boolean
  /** The machine answers names itself, by these rules; its pods ask it. */
  readonly localDns?: LocalDnsConfig
  /** The subnet the machine's address comes from. */
  readonly subnetId: string
  /** Absent: an overlay. */
  readonly podNetwork?: PodNetwork
  readonly boot: BootData
}

/** How the machine's pods get their addresses, and who knows the way to them. */
export type PodNetwork =
  /** Of the machine's own range, which the VNet routes to it. */
  | { readonly kind: 'overlay' }
  /** Of the machine's own range; the way to it stands in a route table. */
  | { readonly kind: 'routeTable' }
  /** Of a subnet: so many addresses are the machine's. In blocks: whole /28 ranges. */
  | {
      readonly kind: 'subnet'
      readonly subnetId: string
      readonly count: number
      readonly inBlocks: boolean
      /** Dynamic: more are taken as pods come, up to so many, and given back as they go. Absent: the count stays. */
      readonly growsTo?: number
    }
  /** Nobody gives them any, until the user brings a plugin. */
  | { readonly kind: 'none' }

/** What the agent on the machine needs to join. */
export interface BootData {
  readonly kubernetesVersion: string
  readonly nodeUrl: string
  /** Names that mean the API server's address to whoever asks on the machine; nobody outside the network knows them. */
  readonly apiServerNames?: readonly string[]
  readonly tunnelSocket: string
  /** `100.65.0.1:8132`: the tunnel's end for machines on other hosts. Absent: the socket. */
  readonly tunnelAddress?: string
  readonly clusterDns: string
  readonly clusterDomain: string
  readonly serviceCidr: string
  /** Empty where pods have addresses of a subnet. */
  readonly podCidr: string
  /** What pods reach with their own addresses; all else sees the machine's. Absent: the /16 around `podCidr`. */
  readonly nonMasqueradeCidrs?: readonly string[]
  /** Of clusters of both address families. */
  readonly ipv6?: {
    readonly podCidr: string
    readonly serviceCidr: string
    readonly nonMasqueradeCidrs: readonly string[]
  }
  /** Who enforces NetworkPolicies on the machine; nobody when absent. */
  readonly networkPolicy?: NetworkPolicyEngine
  /** Pods with a network of their own are not told what the machine is. */
  readonly isMetadataRestricted?: boolean
  /** The machine can show and write down its flows. */
  readonly flowLogs?: boolean
}

/** The engines of AKS. */
export const networkPolicyEngines = ['azure', 'calico', 'cilium'] as const
export type NetworkPolicyEngine = (typeof networkPolicyEngines)[number]

export const machineStates = ['Creating', 'Running', 'Stopped', 'Failed', 'Deleting'] as const
export type MachineState = (typeof machineStates)[number]

export interface Machine {
  readonly name: string
  readonly clusterId: string
  readonly state: MachineState
  readonly address: string
  readonly simulated: boolean
  /** What its cloud says of it. */
  readonly instance?: CloudInstance
  /** Why it failed, in words for an operator. */
  readonly failure?: string
  /** It is down by this order, and nobody but a `boot` brings it up. */
  readonly heldBy?: MachineOrder
}

export interface MachineProvider {
  readonly kind: 'local' | 'simulated'
  /** Idempotent by cluster and name; resolves when the machine has started, which is before its node is Ready. */
  create(scope: Scope, spec: MachineSpec, credentialsFor: CredentialsFor): Promise<Machine>
  /** Starts a stopped or broken machine, and takes up one that outlived this process. */
  start(scope: Scope, clusterId: string, name: string): Promise<Machine>
  stop(scope: Scope, clusterId: string, name: string): Promise<void>
  /** Idempotent; disks of claims survive. */
  delete(scope: Scope, clusterId: string, name: string): Promise<void>
  list(clusterId?: string): readonly Machine[]
  find(clusterId: string, name: string): Machine | undefined
  /** Rejects for a machine that is not there, and for an order that it cannot carry out. */
  order(
    scope: Scope,
    machine: { readonly clusterId: string; readonly name: string },
    order: MachineOrder,
    options: OrderOptions,
  ): Promise<Machine>
  /** Calls back when no addresses are left for a machine's pods, until disposed. Absent where pods need none. */
  onAddressShortage?(listener: (news: AddressShortage) => void): Disposable
  /** Tells whoever runs on the machine what is about to happen to it. Absent where nobody could ask. */
  announce?(machine: { readonly clusterId: string; readonly name: string }, events: ScheduledEvents): Promise<void>
}

/** A subnet had not as many addresses left as a machine's pods needed. */
export interface AddressShortage {
  readonly clusterId: string
  /** The machine, which is the node. */
  readonly name: string
  /** In Azure's words. */
  readonly message: string
}

/** Called once the machine's address is known; the engine signs for it. */
export type CredentialsFor = (machine: { readonly name: string; readonly addresses: readonly string[] }) => Promise<{
  readonly kubeconfig: string
}>
