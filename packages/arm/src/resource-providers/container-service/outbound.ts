// By which public addresses a cluster's machines leave.

import { digitsOf } from '../../plan.ts'
import type { ClusterRecord, Json } from '../../records.ts'
import { documentId } from '../../resource-id.ts'
import { objectAt } from '../body.ts'
import { referencesAt } from '../network/network-references.ts'

/** The id of something that the cluster makes in its own group. */
export function ownNetworkId(cluster: ClusterRecord, path: string, name: string): string {
  const group = { subscriptionId: cluster.id.split('/')[2]!, resourceGroup: cluster.properties.nodeResourceGroup }
  return documentId(group, `Microsoft.Network/${path}`, name)
}

/** Public addresses that the cluster's load balancer is given for what leaves: the user's, or as many as its profile says. */
export function outboundAddressIds(cluster: ClusterRecord): readonly string[] {
  const network = cluster.properties.networkProfile as Json
  const outbound = network['outboundType']
  if (outbound === 'loadBalancer') {
    const profile = objectAt(network, 'loadBalancerProfile')
    const own = referencesAt(objectAt(profile, 'outboundIPs'), 'publicIPs')
    return own.length > 0 ? own : madeAddressIds(cluster, Number(objectAt(profile, 'managedOutboundIPs')['count'] ?? 1))
  }
  if (outbound !== 'managedNATGateway') return []
  const profile = objectAt(network, 'natGatewayProfile')
  return madeAddressIds(cluster, Number(objectAt(profile, 'managedOutboundIPProfile')['count'] ?? 1))
}

function madeAddressIds(cluster: ClusterRecord, count: number): readonly string[] {
  const digits = digitsOf(cluster.uid)
  return Array.from({ length: count }, (_, index) =>
    ownNetworkId(cluster, 'publicIPAddresses', `aks-outbound-${digits}-${index}`),
  )
}
