// Clusters in networks of the user's own: the models of pod networking, what is ordered for each, and what Azure refuses.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { nodes } from '@aksel/api/resources'
import {
  clusterPath,
  create,
  flat,
  group,
  idOf,
  ordered,
  subnetId,
  withNetworks,
  type Wish,
} from './testing/own-networks.ts'

test("a cluster stands in the user's own network, beside others, and leaves it as it was", async () => {
  await using opened = await withNetworks()
  const [spec] = await ordered(opened, {})
  assert.deepEqual([spec?.subnetId, spec?.podNetwork], [subnetId('nodes').toLowerCase(), undefined])
  assert.deepEqual(spec?.boot.nonMasqueradeCidrs, ['10.244.0.0/16'])
  await ordered(opened, { name: 'c2', network: { podCidr: '10.245.0.0/16' } })
  const fabricId = idOf('virtualNetworks', 'net').toLowerCase()
  assert.deepEqual([...opened.fabric.networks.keys()], [fabricId], 'no network was made for them')
  assert.deepEqual(opened.fabric.networks.get(fabricId)?.podPrefixes, ['10.244.0.0/16', '10.245.0.0/16'])
  for (const path of [subnetId('nodes'), idOf('virtualNetworks', 'net')]) {
    assert.match((await opened.call('DELETE', path)).text, /InUseSubnetCannotBeDeleted/)
  }
  await opened.call('DELETE', clusterPath('c1'))
  await opened.door.idle()
  assert.equal(opened.fabric.networks.size, 1, 'the second cluster is still there')
  await opened.call('DELETE', clusterPath('c2'))
  await opened.door.idle()
  assert.equal(opened.fabric.networks.size, 0)
  assert.equal(opened.fabric.publicRanges.size, 0)
  assert.equal((await opened.call('GET', subnetId('nodes'))).status, 200)
  assert.equal((await opened.call('DELETE', subnetId('nodes'))).status, 202)
})

test('pods are kept from the metadata of machines where the profile says so, from the beginning', async () => {
  await using opened = await withNetworks()
  const isRestricted = async (name: string, network: object): Promise<boolean | undefined> =>
    (await ordered(opened, { name, network })).find(({ clusterId }) => clusterId.endsWith(name))?.boot
      .isMetadataRestricted
  assert.equal(await isRestricted('c1', { podLinkLocalAccess: 'None' }), true)
  assert.equal(await isRestricted('c2', { podLinkLocalAccess: 'IMDS', podCidr: '10.245.0.0/16' }), undefined)
  const wrong = await create(opened, { name: 'c3', network: { podLinkLocalAccess: 'Some', podCidr: '10.246.0.0/16' } })
  assert.match(`${wrong.status} ${wrong.text}`, /^400 .*podLinkLocalAccess/)
  const properties = { dnsPrefix: 'c1', networkProfile: { podLinkLocalAccess: 'IMDS' } }
  const changed = await opened.call('PUT', clusterPath('c1'), { body: { location: 'eastus', properties } })
  assert.match(`${changed.status} ${changed.text}`, /^400 .*podLinkLocalAccess/)
})

test('each model orders pods and addresses as AKS documents it', async () => {
  const of = async (wish: Wish): Promise<readonly unknown[]> => {
    await using opened = await withNetworks()
    const [spec] = await ordered(opened, wish)
    return [spec?.maxPods, spec?.podNetwork, spec?.boot.podCidr, spec?.boot.nonMasqueradeCidrs]
  }
  const nodesSubnet = subnetId('nodes').toLowerCase()
  const podsSubnet = subnetId('pods').toLowerCase()
  assert.deepEqual(await of({}), [250, undefined, '10.244.0.0/24', ['10.244.0.0/16']])
  assert.deepEqual(await of({ network: flat }), [
    30,
    { kind: 'subnet', subnetId: nodesSubnet, count: 30, inBlocks: false },
    '',
    ['10.1.0.0/16'],
  ])
  const podSubnetID = subnetId('pods')
  assert.deepEqual(await of({ network: flat, pool: { podSubnetID } }), [
    110,
    { kind: 'subnet', subnetId: podsSubnet, count: 16, inBlocks: false, growsTo: 112 },
    '',
    ['0.0.0.0/0'],
  ])
  const blocks = { podSubnetID, podIPAllocationMode: 'StaticBlock', maxPods: 47 }
  assert.deepEqual(await of({ network: flat, pool: blocks }), [
    47,
    { kind: 'subnet', subnetId: podsSubnet, count: 48, inBlocks: true },
    '',
    ['0.0.0.0/0'],
  ])
  assert.deepEqual(await of({ network: { networkPlugin: 'kubenet' } }), [
    110,
    { kind: 'routeTable' },
    '10.244.0.0/24',
    ['10.244.0.0/16'],
  ])
  assert.deepEqual(await of({ network: { networkPlugin: 'none' } }), [
    250,
    { kind: 'none' },
    '10.244.0.0/24',
    ['10.244.0.0/16'],
  ])
})

test('kubenet keeps a route to the pods of every node in the route table of the subnet', async () => {
  await using opened = await withNetworks()
  await ordered(opened, { network: { networkPlugin: 'kubenet' } })
  const network = opened.fabric.networks.get(idOf('virtualNetworks', 'net').toLowerCase())
  const wanted = opened
    .machines(false)
    .list()
    .map(({ name, address }, index) => ({
      name: `${name}____`,
      addressPrefix: `10.244.${index}.0/24`,
      nextHop: 'VirtualAppliance',
      nextHopAddress: address,
    }))
  assert.equal(wanted.length, 2)
  assert.deepEqual(network?.subnets.find(({ id }) => id.endsWith('/nodes'))?.routes, wanted)
  await opened.call('PUT', `${clusterPath('c1')}/agentPools/system`, {
    body: { properties: { count: 1, mode: 'System' } },
  })
  await opened.door.idle()
  const left = opened.fabric.networks.get(network!.id)?.subnets.find(({ id }) => id.endsWith('/nodes'))?.routes
  assert.deepEqual(left, wanted.slice(0, 1))
  await opened.call('DELETE', clusterPath('c1'))
  await opened.door.idle()
  const { body } = await opened.call('GET', subnetId('nodes'))
  const { properties } = body as unknown as { readonly properties: Readonly<Record<string, unknown>> }
  assert.equal(properties['routeTable'], undefined)
})

test('a cluster whose plugin the user brings is there once its nodes have registered', async () => {
  await using opened = await withNetworks()
  await ordered(opened, { network: { networkPlugin: 'none' } })
  const client = opened.engine.client([...opened.engine.clusters.keys()][0]!)
  assert.equal(client.peekAll(nodes).length, 2)
})

const refusals: readonly (readonly [what: string, wish: Wish, code: string, words: RegExp])[] = [
  [
    'a subnet that is not there',
    { pool: { vnetSubnetID: subnetId('none') } },
    'InvalidResourceReference',
    /was not found/,
  ],
  [
    'pools in two networks',
    { pools: [{ name: 'more', vnetSubnetID: `${idOf('virtualNetworks', 'other')}/subnets/nodes` }] },
    'InvalidParameter',
    /subnets of one virtual network/,
  ],
  [
    'services where the subnet is',
    { network: { serviceCidr: '10.1.0.0/16', dnsServiceIP: '10.1.0.10' } },
    'ServiceCidrOverlapExistingSubnetsCidr',
    /existing subnet CIDR 10\.1\.0\.0\/24/,
  ],
  ['pods where the subnet is', { network: { podCidr: '10.1.0.0/16' } }, 'InvalidParameter', /overlaps the subnet CIDR/],
  [
    'more addresses than the subnet has',
    { network: flat, pool: { vnetSubnetID: subnetId('small') } },
    'InsufficientSubnetSize',
    /Pre-allocated IPs 62 exceeds IPs available 27 in Subnet Cidr 10\.1\.8\.0\/27, Subnet Name small/,
  ],
  [
    'a pool that would grow beyond its subnet',
    { network: flat, pool: { enableAutoScaling: true, minCount: 1, maxCount: 9 } },
    'InsufficientSubnetSize',
    /Pre-allocated IPs 279 exceeds IPs available 251/,
  ],
  ['a delegated subnet', { pool: { vnetSubnetID: subnetId('foreign') } }, 'InvalidParameter', /is delegated to/],
  ['a pod subnet with overlay', { pool: { podSubnetID: subnetId('pods') } }, 'InvalidParameter', /without overlay/],
  [
    'pods where Azure lets nobody have any',
    { network: { podCidr: '172.30.0.0/16' } },
    'InvalidParameter',
    /is reserved/,
  ],
  [
    'a pool with room for fewer than 30 pods',
    { pool: { count: 2, maxPods: 14 } },
    'InvalidParameter',
    /2 nodes of 14 pods hold 28 pods, and a pool has to hold at least 30/,
  ],
  [
    'blocks without a pod subnet',
    { network: flat, pool: { podIPAllocationMode: 'StaticBlock' } },
    'InvalidParameter',
    /needs a podSubnetID/,
  ],
  [
    'routes that are not there',
    { network: { outboundType: 'userDefinedRouting' } },
    'ExistingRouteTableNotAssociatedWithSubnet',
    /has not been associated/,
  ],
  [
    'a gateway that is not there',
    { network: { outboundType: 'userAssignedNATGateway' } },
    'InvalidParameter',
    /needs a NAT gateway/,
  ],
  [
    "a made gateway on one's own subnet",
    { network: { outboundType: 'managedNATGateway' } },
    'InvalidParameter',
    /use userAssignedNATGateway/,
  ],
]

test('choices of networks that Azure refuses are refused in its words, and nothing is made', async () => {
  await using opened = await withNetworks()
  for (const [what, wish, code, words] of refusals) {
    const answer = await create(opened, wish)
    assert.deepEqual([answer.status, answer.body?.['code']], [400, code], `${what}: ${answer.text}`)
    assert.match(String(answer.body?.['message']), words, what)
    assert.equal((await opened.call('GET', clusterPath('c1'))).status, 404, what)
  }
  await ordered(opened, {})
  const twin = await create(opened, { name: 'c2' })
  assert.match(twin.text, /overlaps 10\.244\.0\.0\/16 of .* in the same virtual network/)
})

test('Network Watcher tells which rule stops a packet, and where a route leads, as an operator asks az', async () => {
  await using opened = await withNetworks()
  const rule = {
    priority: 200,
    direction: 'Inbound',
    access: 'Deny',
    protocol: 'Tcp',
    sourceAddressPrefix: 'VirtualNetwork',
    sourcePortRange: '*',
    destinationAddressPrefix: '*',
    destinationPortRange: '8000-8100',
  }
  const security = { location: 'eastus', properties: { securityRules: [{ name: 'no-web', properties: rule }] } }
  await opened.call('PUT', idOf('networkSecurityGroups', 'nsg'), { body: security })
  const appliance = { addressPrefix: '0.0.0.0/0', nextHopType: 'VirtualAppliance', nextHopIpAddress: '10.1.9.200' }
  await opened.call('PUT', `${idOf('routeTables', 'table')}/routes/out`, { body: { properties: appliance } })
  const properties = {
    addressPrefix: '10.224.0.0/24',
    networkSecurityGroup: { id: idOf('networkSecurityGroups', 'nsg') },
    routeTable: { id: idOf('routeTables', 'table') },
  }
  // Machines of the fake have addresses of this range.
  const network = {
    location: 'eastus',
    properties: { addressSpace: { addressPrefixes: ['10.1.0.0/16', '10.224.0.0/16'] } },
  }
  await opened.call('PUT', idOf('virtualNetworks', 'net'), { body: network })
  const put = await opened.call('PUT', subnetId('watched'), { body: { properties } })
  assert.equal(put.status, 201, put.text)
  await ordered(opened, { pool: { vnetSubnetID: subnetId('watched') } })
  const shown = (await opened.call('GET', subnetId('watched'))).body as unknown as {
    readonly properties: { readonly ipConfigurations: readonly { readonly id: string }[] }
  }
  const targetResourceId = shown.properties.ipConfigurations[0]!.id.replace(/\/networkInterfaces\/.*$/, '')
  const watcher = `${group}/providers/Microsoft.Network/networkWatchers/NetworkWatcher_eastus`
  const ask = async (question: 'ipFlowVerify' | 'nextHop', body: object): Promise<unknown> => {
    const answer = await opened.call('POST', `${watcher}/${question}`, { body: { targetResourceId, ...body } })
    assert.equal(answer.status, 200, answer.text)
    return answer.body
  }
  const flow = (remoteIPAddress: string, localPort: string, direction = 'Inbound'): object => ({
    direction,
    protocol: 'TCP',
    localIPAddress: '10.224.0.4',
    localPort,
    remoteIPAddress,
    remotePort: '60000',
  })
  const verdict = (access: string, ruleName: string): object => ({ access, ruleName, networkSecurityGroup: 'nsg' })
  assert.deepEqual(await ask('ipFlowVerify', flow('10.1.0.9', '8080')), verdict('Deny', 'securityRules/no-web'))
  assert.deepEqual(
    await ask('ipFlowVerify', flow('10.1.0.9', '443')),
    verdict('Allow', 'defaultSecurityRules/AllowVnetInBound'),
  )
  assert.deepEqual(
    await ask('ipFlowVerify', flow('8.8.8.8', '443')),
    verdict('Deny', 'defaultSecurityRules/DenyAllInBound'),
  )
  assert.deepEqual(
    await ask('ipFlowVerify', flow('8.8.8.8', '443', 'Outbound')),
    verdict('Allow', 'defaultSecurityRules/AllowInternetOutBound'),
  )
  const to = (destinationIPAddress: string): object => ({ sourceIPAddress: '10.224.0.4', destinationIPAddress })
  assert.deepEqual(await ask('nextHop', to('8.8.8.8')), {
    nextHopType: 'VirtualAppliance',
    nextHopIpAddress: '10.1.9.200',
    routeTableId: idOf('routeTables', 'table'),
  })
  assert.deepEqual(await ask('nextHop', to('10.1.0.9')), { nextHopType: 'VnetLocal', routeTableId: 'System Route' })
  const unknown = await opened.call('POST', `${watcher}/nextHop`, {
    body: { targetResourceId: group, ...to('8.8.8.8') },
  })
  assert.equal(unknown.status, 404)
  const wrong = await opened.call('POST', `${watcher}/nextHop`, { body: { targetResourceId, ...to('ten') } })
  assert.match(wrong.text, /InvalidIPAddressInRequest/)
})
