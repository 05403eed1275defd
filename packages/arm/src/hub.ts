// What every resource provider here is handed: the store, the seams to what it orders, and a way to wake the reconciler.

import type { Client } from '@aksel/client/client'
import type { ClusterArchives } from '@aksel/provider/cluster-archives'
import type { ClusterEngine } from '@aksel/provider/cluster-engine'
import type { Fabric } from '@aksel/provider/fabric'
import type { MachineProvider, NetworkPolicyEngine } from '@aksel/provider/machine-provider'
import type { Scope } from '@aksel/base/scope'
import type { Autoscale } from './resource-providers/container-service/autoscaling.ts'
import type { ClusterBodies } from './resource-providers/container-service/cluster-bodies.ts'
import type { ApplicationRoutingWish } from './resource-providers/container-service/application-routing.ts'
import type { Sharing } from './sharing/duty.ts'
import type { ResourceStore } from './store-keyspace.ts'

export interface Subscription {
  readonly subscriptionId: string
  readonly displayName: string
}

/** Puts into a new cluster what every cluster has: storage classes, kube-dns and the like. Must be idempotent. */
export type PrepareCluster = (
  scope: Scope,
  cluster: {
    /** The managed cluster's resource id in lower case, as the engine knows it. */
    readonly id: string
    readonly client: Client
    readonly dnsServiceIp: string
    /** Who enforces NetworkPolicies; nobody when absent. */
    readonly networkPolicy?: NetworkPolicyEngine
    /** Its nodes show and write down their flows. */
    readonly flowLogs?: boolean
    /** The VNet of its machines, lower case. */
    readonly virtualNetworkId: string
  },
) => Promise<void>

export type InstallApplicationRouting = (
  scope: Scope,
  cluster: { readonly id: string; readonly client: Client; readonly wish: ApplicationRoutingWish },
) => Promise<void>

/** What commands are run with inside a cluster. */
export interface CommandRuntime {
  /** Has a shell, unzip and jq; the machines of the cluster have it. */
  readonly image: string
  /** Programs on the machines themselves. */
  readonly tools: readonly { readonly name: string; readonly path: string }[]
}

/** Everything that may be ordered on behalf of a resource. */
export interface Suppliers {
  readonly engine: ClusterEngine
  readonly machines: (simulated: boolean) => MachineProvider
  /** Absent where the host allows none: all machines are simulated then. */
  readonly fabric?: Fabric
  readonly prepareCluster: PrepareCluster
  /** Puts application routing in place, or takes it away. Must be idempotent. */
  readonly applicationRouting?: InstallApplicationRouting
  /** Brings to the machines of a cluster what commands are run with. Absent where no machine is real. */
  readonly commandRuntime?: (scope: Scope, clusterId: string) => Promise<CommandRuntime>
  /** Runs the cluster autoscaler. Absent: pools are scaled by hand alone. */
  readonly autoscale?: Autoscale
  /** Absent where the engine cannot copy clusters. */
  readonly archives?: ClusterArchives
  /** Pools are simulated although nobody asked for it. */
  readonly simulatedByDefault: boolean
}

export interface Hub {
  readonly store: ResourceStore
  readonly suppliers: Suppliers
  readonly clusterBodies: ClusterBodies
  readonly subscriptions: readonly Subscription[]
  readonly tenantId: string
  /** The server's own location: listed first. */
  readonly region: string
  /** How what lies elsewhere is asked for: linked templates. */
  readonly fetch: typeof fetch
  /** Properties without effect are refused rather than recorded. */
  readonly strict: boolean
  /** Where several servers share the store: who this one is among them. */
  readonly sharing?: Sharing
  /** What is being done for a cluster or pool right now, in words. */
  readonly stepOf: (resourceId: string) => string | undefined
  /** Something about this cluster or group was written. */
  readonly wake: (id: string) => void
}
