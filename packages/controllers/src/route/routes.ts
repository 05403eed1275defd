// What the route loop asks of the network.

import type { Scope } from '@aksel/base/scope'

export interface Route {
  /** A pod range of the node. */
  readonly destinationCidr: string
  readonly nodeName: string
}

/** Routes to the pods of nodes, of one cluster. All calls are idempotent. */
export interface Routes {
  list(scope: Scope): Promise<readonly Route[]>
  /** `addresses`: the node's internal ones, to which the route leads. */
  ensure(scope: Scope, route: Route & { readonly addresses: readonly string[] }): Promise<void>
  /** One that is not there is no error. */
  remove(scope: Scope, route: Route): Promise<void>
}
