// What the loop of load balancers asks for, asked of the fabric in the VNet of the cluster's nodes.

import type { LoadBalancerRequest, LoadBalancers } from '@aksel/controllers/service-load-balancer/load-balancers'
import type { Fabric } from '@aksel/provider/fabric'
import type { ClusterRecord } from './cluster-record.ts'

export interface FabricLoadBalancersOptions {
  readonly fabric: Fabric
  readonly record: ClusterRecord
  /** The VNet of its nodes, once it is known. */
  readonly virtualNetworkId: () => string | undefined
}

export function fabricLoadBalancers({ fabric, record, virtualNetworkId }: FabricLoadBalancersOptions): LoadBalancers {
  const network = (): string => {
    const id = virtualNetworkId()
    if (id === undefined) throw new Error(`Cluster "${record.spec.name}" has no VNet yet`)
    return id
  }
  return {
    vnetRanges() {
      const range = fabric.rangeOf(network())
      const { podCidr } = record.spec
      return [range, podCidr].filter((each) => each !== undefined)
    },
    async ensure(scope, { publicAddress, service, ...request }) {
      const virtualNetworkId = network()
      const address = publicAddress === undefined ? request.address : addressOf(fabric, publicAddress, virtualNetworkId)
      const wanted = address === undefined ? request : { ...request, address }
      const owner = { clusterId: record.spec.id, ...service }
      return await fabric.ensureLoadBalancer(scope, { ...wanted, virtualNetworkId, owner })
    },
    remove: (scope, id) => fabric.deleteLoadBalancer(scope, { virtualNetworkId: network(), id }),
    onProbe: (listener) =>
      fabric.onProbe(({ loadBalancerId: id, virtualNetworkId: at, ...news }) => {
        if (at === virtualNetworkId()) listener({ ...news, id })
      }),
  }
}

/** Of a public IP address that stands as a resource; of the cluster's own group when it names none. Throws in the provider's words. */
function addressOf(
  fabric: Fabric,
  { name, resourceGroup }: NonNullable<LoadBalancerRequest['publicAddress']>,
  virtualNetworkId: string,
): string {
  const [, subscription, ownGroup] = /^\/subscriptions\/([^/]+)\/resourcegroups\/([^/]+)/i.exec(virtualNetworkId) ?? []
  const group = resourceGroup ?? ownGroup
  const id = `/subscriptions/${subscription}/resourceGroups/${group}/providers/Microsoft.Network/publicIPAddresses/${name}`
  const range = fabric.publicRangeOf(id.toLowerCase())
  if (range === undefined)
    throw new Error(`findMatchedPIPByName: failed to find PIP ${name} in resource group ${group}`)
  return range.split('/')[0]!
}
