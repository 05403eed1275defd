// By which addresses machines and pods leave, for each outbound type, as the fabric is told.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { OpenedFrontDoor } from './testing/opened-front-door.ts'
import { clusterPath, flat, idOf, ordered, put, subnetId, withNetworks, type Wish } from './testing/own-networks.ts'

test('machines leave by the addresses that the outbound type gives them', async () => {
  const egressOf = async (wish: Wish): Promise<unknown> => {
    await using opened = await withNetworks()
    await ordered(opened, wish)
    const [network] = [...opened.fabric.networks.values()]
    const ranges = [...opened.fabric.publicRanges.values()].map((range) => range.replace('/32', ''))
    return [
      network?.subnets.find(({ id }) => /\/(nodes|routed|aks-subnet)$/.test(id) && id === specSubnet(opened))?.egress,
      ranges.length,
    ]
  }
  const specSubnet = (opened: OpenedFrontDoor): string => [...opened.machines(false).specs.values()][0]!.subnetId
  assert.deepEqual(await egressOf({}), [{ kind: 'addresses', addresses: ['20.1.0.16'] }, 1])
  const two = { loadBalancerProfile: { managedOutboundIPs: { count: 2 } } }
  assert.deepEqual(await egressOf({ network: two }), [{ kind: 'addresses', addresses: ['20.1.0.16', '20.1.1.16'] }, 2])
  const managed = { outboundType: 'managedNATGateway' }
  assert.deepEqual(await egressOf({ network: managed, pool: { vnetSubnetID: '' } }), [
    { kind: 'addresses', addresses: ['20.1.0.16'] },
    1,
  ])
  assert.deepEqual(await egressOf({ network: { outboundType: 'none' } }), [{ kind: 'none' }, 0])
  const routed = { network: { outboundType: 'userDefinedRouting' }, pool: { vnetSubnetID: subnetId('routed') } }
  assert.deepEqual(await egressOf(routed), [undefined, 0])
})

test("with the outbound type userAssignedNATGateway machines leave by the gateway of their subnet, and by the next one's when that changes", async () => {
  await using opened = await withNetworks()
  const leaveBy = async (name: string): Promise<void> => {
    await put(opened, idOf('publicIPAddresses', name), { publicIPAllocationMethod: 'Static' })
    await put(opened, idOf('natGateways', name), { publicIpAddresses: [{ id: idOf('publicIPAddresses', name) }] })
    await put(opened, subnetId('nodes'), {
      addressPrefix: '10.1.0.0/24',
      natGateway: { id: idOf('natGateways', name) },
    })
  }
  const by = (name: string): unknown => {
    const range = opened.fabric.publicRanges.get(idOf('publicIPAddresses', name).toLowerCase())!
    return { kind: 'addresses', addresses: [range.replace('/32', '')] }
  }
  const leaves = (): unknown => opened.fabric.networks.values().next().value?.subnets[0]?.egress
  await leaveBy('one')
  await ordered(opened, { network: { outboundType: 'userAssignedNATGateway' } })
  assert.deepEqual(leaves(), by('one'))
  await leaveBy('two')
  assert.deepEqual(leaves(), by('two'))
})

test("pods of a subnet of their own leave as the outbound type says, and by that subnet's NAT gateway where it has one", async () => {
  await using opened = await withNetworks()
  const pods = (): unknown =>
    [...opened.fabric.networks.values()][0]?.subnets.find(({ id }) => id.endsWith('/pods'))?.egress
  const podSubnetID = subnetId('pods')
  await ordered(opened, { network: flat, pool: { podSubnetID } })
  assert.deepEqual(pods(), { kind: 'addresses', addresses: ['20.1.0.16'] }, "the cluster's load balancer")
  await opened.call('DELETE', clusterPath('c1'))
  await opened.door.idle()
  await ordered(opened, { name: 'c2', network: { ...flat, outboundType: 'none' }, pool: { podSubnetID } })
  assert.deepEqual(pods(), { kind: 'none' })
  const [address, gateway] = [idOf('publicIPAddresses', 'out'), idOf('natGateways', 'out')]
  await put(opened, address, { publicIPAllocationMethod: 'Static' })
  await put(opened, gateway, { publicIpAddresses: [{ id: address }] })
  await put(opened, podSubnetID, { addressPrefix: '10.1.4.0/22', natGateway: { id: gateway } })
  assert.equal((pods() as { kind: string }).kind, 'addresses')
})
