// What the service load balancer loop asks of the network.

import type { Scope } from '@aksel/base/scope'

export interface LoadBalancerRule {
  readonly protocol: 'TCP' | 'UDP'
  readonly port: number
  /** Where each backend is reached: node addresses and node ports. */
  readonly backends: readonly { readonly address: string; readonly port: number }[]
  /** CIDR ranges of clients; empty: everyone. */
  readonly sourceRanges: readonly string[]
}

export interface LoadBalancerRequest {
  /** The service's uid. */
  readonly id: string
  readonly rules: readonly LoadBalancerRule[]
  /** The address to have or to keep, where one is wanted or known. */
  readonly address?: string
}

/** Public addresses that lead to nodes. Both calls are idempotent. */
export interface LoadBalancers {
  /** Makes it as asked, or changes it; returns the address in force. */
  ensure(scope: Scope, request: LoadBalancerRequest): Promise<{ readonly address: string }>
  /** Takes it away; one that is not there is no error. */
  remove(scope: Scope, id: string): Promise<void>
}
