// Public IP addresses by name, and news of probes, between a cluster's loop and the fabric.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ProbeNews } from '@aksel/controllers/service-load-balancer/load-balancers'
import { FakeFabric } from '@aksel/testing/fake-fabric'
import { testScope } from '@aksel/testing/test-scope'
import type { ClusterRecord } from './cluster-record.ts'
import { fabricLoadBalancers } from './fabric-load-balancers.ts'

const network = '/subscriptions/s/resourcegroups/mc_rg/providers/microsoft.network/virtualnetworks/v'

function bench() {
  const fabric = new FakeFabric()
  const record = { spec: { name: 'c', podCidr: '10.244.0.0/16' } } as unknown as ClusterRecord
  return { fabric, balancers: fabricLoadBalancers({ fabric, record, virtualNetworkId: () => network }) }
}

test('a public IP address is found by its name, in the group that is named or the node group', async () => {
  const { fabric, balancers } = bench()
  const idIn = (group: string): string =>
    `/subscriptions/s/resourcegroups/${group}/providers/microsoft.network/publicipaddresses/front`
  const reserved = await fabric.reservePublicRange(testScope(), { id: idIn('mc_rg'), prefixLength: 32 })
  const other = await fabric.reservePublicRange(testScope(), { id: idIn('net'), prefixLength: 32 })
  const request = { id: 'u1', service: { namespace: 'shop', name: 'front' }, rules: [], isShared: true }
  const ensure = (publicAddress: { name: string; resourceGroup?: string }) =>
    balancers.ensure(testScope(), { ...request, publicAddress })
  assert.equal((await ensure({ name: 'front' })).address, reserved.split('/')[0])
  assert.equal((await ensure({ name: 'Front', resourceGroup: 'Net' })).address, other.split('/')[0])
  await assert.rejects(ensure({ name: 'back' }), {
    message: 'findMatchedPIPByName: failed to find PIP back in resource group mc_rg',
  })
})

test('a cluster hears of probes in its own VNet, and knows the ranges of its neighbours', async () => {
  const { fabric, balancers } = bench()
  await fabric.ensureVirtualNetwork(testScope(), { id: network, addressPrefix: '10.224.0.0/12', subnets: [] })
  assert.deepEqual(balancers.vnetRanges(), ['10.224.0.0/12', '10.244.0.0/16'])
  const heard: ProbeNews[] = []
  using _listening = balancers.onProbe((news) => heard.push(news))
  const probe = { protocol: 'Tcp', port: 1, intervalSeconds: 5, failures: 2 } as const
  const news = { loadBalancerId: 'u1', address: '10.224.0.4', probe, isUp: true }
  fabric.tellProbe({ ...news, virtualNetworkId: '/other' })
  fabric.tellProbe({ ...news, virtualNetworkId: network })
  assert.deepEqual(heard, [{ id: 'u1', address: '10.224.0.4', probe, isUp: true }])
})
