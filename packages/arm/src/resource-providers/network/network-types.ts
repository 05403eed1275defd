// All types of network resources that are written here.

import { loadBalancers } from './load-balancers.ts'
import { natGateways } from './nat-gateways.ts'
import type { NetworkType } from './network-type.ts'
import { networkNamespace } from './network-world.ts'
import { publicAddresses, publicPrefixes } from './public-addresses.ts'
import { routeTables } from './route-tables.ts'
import { securityGroups } from './security-groups.ts'
import { virtualNetworks } from './virtual-networks.ts'

export const networkTypes: readonly NetworkType[] = [
  virtualNetworks,
  securityGroups,
  routeTables,
  publicAddresses,
  publicPrefixes,
  natGateways,
  loadBalancers,
]

/** The row of a resource's type; undefined for one that is no network resource. */
export function networkTypeOf(type: string): NetworkType | undefined {
  return networkTypes.find(({ path }) => `${networkNamespace}/${path}`.toLowerCase() === type.toLowerCase())
}
