// Load balancers are read here and written by services: what stands in the fabric is shown, and nothing else.

import { ArmError } from '@aksel/base/errors'
import type { ChildType, NetworkType } from './network-type.ts'
import type { NetworkWorld } from './network-world.ts'

const childPaths = [
  'frontendIPConfigurations',
  'backendAddressPools',
  'loadBalancingRules',
  'probes',
  'inboundNatRules',
  'outboundRules',
] as const

export const loadBalancers: NetworkType = {
  path: 'loadBalancers',
  children: childPaths.map((path): ChildType => ({
    path,
    kept: true,
    write: (_, { id }) => {
      throw followsServices(id)
    },
    show: ({ properties }) => properties,
  })),
  envelope: {},
  write: (_, { id, before }) => {
    if (before !== undefined) throw followsServices(id)
    throw new ArmError(
      409,
      'OperationNotAllowed',
      `Load balancer ${id} cannot be made: load balancers are those of clusters, and follow their services of type LoadBalancer.`,
    )
  },
  show: () => ({ inboundNatPools: [] }),
  judgeDelete: ({ id }) => {
    throw followsServices(id)
  },
}

/** For what a cluster makes of its services, and takes away with them. */
export function followsServices(id: string): ArmError {
  return new ArmError(
    409,
    'OperationNotAllowed',
    `Resource ${id} follows the services of a cluster and cannot be changed: change or delete those of type LoadBalancer.`,
  )
}

/** Throws for what follows services. */
export function judgeWritable({ balancers }: Pick<NetworkWorld, 'balancers'>, id: string): void {
  if (!/\/(loadBalancers|publicIPAddresses)\/[^/]+$/i.test(id)) return
  const view = balancers().views.get(id.toLowerCase())
  if (view !== undefined) throw followsServices(view.value.id)
}
