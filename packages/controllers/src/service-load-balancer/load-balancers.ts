// What the service load balancer loop asks of the network.

import type { Scope } from '@aksel/base/scope'

export interface HealthProbe {
  readonly protocol: 'Tcp' | 'Http' | 'Https'
  readonly port: number
  readonly path?: string
  readonly intervalSeconds: number
  /** So many failures in a row take a backend out. */
  readonly failures: number
}

export interface LoadBalancerRule {
  /** `ALL`: every port of every protocol; its backends have no port. */
  readonly protocol: 'TCP' | 'UDP' | 'ALL'
  readonly port: number
  /** Where each backend is reached: node addresses and node ports; without a port packets keep the address they were sent to. */
  readonly backends: readonly { readonly address: string; readonly port?: number }[]
  /** CIDR ranges of clients; empty: everyone. */
  readonly sourceRanges: readonly string[]
  /** Absent: every backend counts as healthy. */
  readonly probe?: HealthProbe
  readonly idleTimeoutMinutes?: number
  /** Clients keep their backend, by address. */
  readonly isBySource?: boolean
}

export interface LoadBalancerRequest {
  /** The service's uid. */
  readonly id: string
  readonly service: { readonly namespace: string; readonly name: string }
  readonly rules: readonly LoadBalancerRule[]
  /** The address to have or to keep, where one is wanted or known. */
  readonly address?: string
  /** The address was asked for: services that do so may share it. */
  readonly isShared?: boolean
  /** Reached from the VNet alone; of its first subnet when it names none. */
  readonly internal?: { readonly subnet?: string }
  /** A public address that stands as a resource; of the cluster's own node group when it names none. */
  readonly publicAddress?: { readonly name: string; readonly resourceGroup?: string }
}

export interface ProbeNews {
  /** Of the request. */
  readonly id: string
  readonly address: string
  readonly probe: HealthProbe
  readonly isUp: boolean
  readonly why?: string
}

/** Addresses that lead to nodes. All calls are idempotent. */
export interface LoadBalancers {
  /** What Azure's tag VirtualNetwork stands for: ranges of the VNet and of the cluster's pods. */
  readonly vnetRanges: () => readonly string[]
  /** Makes it as asked, or changes it; returns the address in force. */
  ensure(scope: Scope, request: LoadBalancerRequest): Promise<{ readonly address: string }>
  /** Takes it away; one that is not there is no error. */
  remove(scope: Scope, id: string): Promise<void>
  /** Calls back for every backend that is lost or found, until disposed. */
  onProbe(listener: (news: ProbeNews) => void): Disposable
}
