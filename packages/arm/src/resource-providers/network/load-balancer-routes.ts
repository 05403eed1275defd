// Which backends of a load balancing rule its probe finds alive.

import { param, type Route } from '../../front-door/route.ts'
import type { Hub } from '../../hub.ts'
import { readGroup } from '../resources/groups.ts'
import { childNotFound } from './network-errors.ts'
import { loadBalancers } from './load-balancers.ts'
import { readWorld } from './network-world.ts'
import { networkResourceId } from './network-writes.ts'

export function loadBalancerRoutes(hub: Hub): readonly Route[] {
  const one = '/subscriptions/:subscription/resourcegroups/:group/providers/Microsoft.Network/loadBalancers/:name'
  return [
    {
      method: 'POST',
      path: `${one}/loadBalancingRules/:rule/health`,
      handle: async (request) => {
        const group = { subscriptionId: param(request, 'subscription'), resourceGroup: param(request, 'group') }
        await readGroup(hub.store, group)
        const world = await readWorld(hub, group.subscriptionId)
        const balancer = networkResourceId({ ...group, type: loadBalancers, name: param(request, 'name') })
        const id = `${balancer}/loadBalancingRules/${param(request, 'rule')}`
        const health = world.balancers().health.get(id.toLowerCase())
        if (health === undefined) throw childNotFound(id)
        const up = health.filter(({ isUp }) => isUp).length
        const body = {
          up,
          down: health.length - up,
          loadBalancerBackendAddresses: health.map(({ address, configuration, isUp }) => ({
            ipAddress: address,
            networkInterfaceIPConfigurationId: { id: configuration },
            state: isUp ? 'Up' : 'Down',
            reason: isUp ? 'Up_Probe_Success' : 'Down_Probe_ErrorConnectingToBackend',
          })),
        }
        return { status: 200, body }
      },
    },
  ]
}
