// Networks written through Azure's own SDK: every type, its children inline and on their own, and what ties them together.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { NetworkManagementClient } from '@azure/arm-network'
import { ClientSecretCredential } from '@azure/identity'
import {
  clientId,
  clientSecret,
  openFrontDoor,
  subscriptionId,
  tenantId,
  type OpenedFrontDoor,
} from './testing/opened-front-door.ts'

const group = `/subscriptions/${subscriptionId}/resourceGroups/rg1`
const idOf = (type: string, name: string): string => `${group}/providers/Microsoft.Network/${type}/${name}`
const eastus = { location: 'eastus' }

async function openNetworks(): Promise<OpenedFrontDoor & { readonly client: NetworkManagementClient }> {
  const opened = await openFrontDoor()
  await opened.call('PUT', group, { body: eastus })
  const tlsOptions = { ca: opened.caPem }
  const credential = new ClientSecretCredential(tenantId, clientId, clientSecret, {
    authorityHost: opened.url,
    disableInstanceDiscovery: true,
    tlsOptions,
  })
  const client = new NetworkManagementClient(credential, subscriptionId, {
    endpoint: opened.url,
    credentialScopes: [`${opened.url}/.default`],
    tlsOptions,
    retryOptions: { maxRetries: 0 },
  })
  return Object.assign(opened, { client })
}

async function names(items: AsyncIterable<{ readonly name?: string }>): Promise<readonly string[]> {
  const all: string[] = []
  for await (const { name } of items) all.push(name ?? '')
  return all
}

test('the SDK makes a network with subnets, rules, routes and a NAT gateway, reads it back and takes it away', async () => {
  await using opened = await openNetworks()
  const { client } = opened
  const rule = {
    name: 'no-web',
    priority: 100,
    direction: 'Inbound',
    access: 'Deny',
    protocol: 'tcp',
    sourceAddressPrefix: 'Internet',
    sourcePortRange: '*',
    destinationAddressPrefix: '*',
    destinationPortRanges: ['80', '8000-8080'],
  }
  const security = await client.networkSecurityGroups.beginCreateOrUpdateAndWait('rg1', 'nsg', {
    ...eastus,
    tags: { team: 'blue' },
    securityRules: [rule],
  })
  assert.deepEqual(
    security.securityRules?.map(({ name, protocol, provisioningState }) => [name, protocol, provisioningState]),
    [['no-web', 'Tcp', 'Succeeded']],
  )
  assert.deepEqual(
    security.defaultSecurityRules?.map(({ name, priority, access }) => `${priority} ${access} ${name}`),
    [
      '65000 Allow AllowVnetInBound',
      '65001 Allow AllowAzureLoadBalancerInBound',
      '65500 Deny DenyAllInBound',
      '65000 Allow AllowVnetOutBound',
      '65001 Allow AllowInternetOutBound',
      '65500 Deny DenyAllOutBound',
    ],
  )
  await client.securityRules.beginCreateOrUpdateAndWait('rg1', 'nsg', 'no-dns', {
    ...rule,
    priority: 110,
    destinationPortRanges: ['53'],
  })
  await client.routeTables.beginCreateOrUpdateAndWait('rg1', 'routes', eastus)
  const route = { addressPrefix: '0.0.0.0/0', nextHopType: 'VirtualAppliance', nextHopIpAddress: '10.1.0.9' }
  const routed = await client.routes.beginCreateOrUpdateAndWait('rg1', 'routes', 'out', route)
  assert.equal(routed.provisioningState, 'Succeeded')
  const address = await client.publicIPAddresses.beginCreateOrUpdateAndWait('rg1', 'pip', {
    ...eastus,
    sku: { name: 'Standard' },
    publicIPAllocationMethod: 'Static',
    zones: ['1'],
  })
  assert.equal(opened.fabric.publicRanges.get(address.id!.toLowerCase()), `${address.ipAddress}/32`)
  const prefix = await client.publicIPPrefixes.beginCreateOrUpdateAndWait('rg1', 'prefix', {
    ...eastus,
    prefixLength: 30,
  })
  assert.match(prefix.ipPrefix ?? '', /\/30$/)
  await client.natGateways.beginCreateOrUpdateAndWait('rg1', 'nat', {
    ...eastus,
    sku: { name: 'Standard' },
    publicIpAddresses: [{ id: address.id! }],
  })
  const network = await client.virtualNetworks.beginCreateOrUpdateAndWait('rg1', 'net', {
    ...eastus,
    addressSpace: { addressPrefixes: ['10.1.0.0/16', '10.9.0.0/24'] },
    subnets: [{ name: 'nodes', addressPrefix: '10.1.0.0/24', networkSecurityGroup: { id: security.id! } }],
  })
  assert.equal(network.provisioningState, 'Succeeded')
  const pods = await client.subnets.beginCreateOrUpdateAndWait('rg1', 'net', 'pods', {
    addressPrefixes: ['10.1.4.0/22'],
    routeTable: { id: idOf('routeTables', 'routes') },
    natGateway: { id: idOf('natGateways', 'nat') },
  })
  assert.equal(pods.addressPrefix, '10.1.4.0/22')
  assert.deepEqual(await names(client.subnets.list('rg1', 'net')), ['nodes', 'pods'])
  assert.deepEqual(await names(client.virtualNetworks.listAll()), ['net'])
  assert.deepEqual(
    (await client.networkSecurityGroups.get('rg1', 'nsg')).subnets?.map(({ id }) => id),
    [`${network.id}/subnets/nodes`],
  )
  assert.equal((await client.publicIPAddresses.get('rg1', 'pip')).natGateway?.id, idOf('natGateways', 'nat'))

  // What is in use stays, in Azure's words; what is free goes, in order.
  const inUse: readonly (readonly [code: string, begun: Promise<unknown>])[] = [
    ['InUseNetworkSecurityGroupCannotBeDeleted', client.networkSecurityGroups.beginDeleteAndWait('rg1', 'nsg')],
    ['InUseRouteTableCannotBeDeleted', client.routeTables.beginDeleteAndWait('rg1', 'routes')],
    ['PublicIPAddressCannotBeDeleted', client.publicIPAddresses.beginDeleteAndWait('rg1', 'pip')],
    ['InUseNatGatewayCannotBeDeleted', client.natGateways.beginDeleteAndWait('rg1', 'nat')],
  ]
  for (const [code, begun] of inUse) await assert.rejects(begun, { statusCode: 400, code })
  await client.subnets.beginDeleteAndWait('rg1', 'net', 'pods')
  await client.virtualNetworks.beginDeleteAndWait('rg1', 'net')
  await client.natGateways.beginDeleteAndWait('rg1', 'nat')
  await client.publicIPAddresses.beginDeleteAndWait('rg1', 'pip')
  await client.publicIPPrefixes.beginDeleteAndWait('rg1', 'prefix')
  await client.routeTables.beginDeleteAndWait('rg1', 'routes')
  await client.networkSecurityGroups.beginDeleteAndWait('rg1', 'nsg')
  await assert.rejects(client.virtualNetworks.get('rg1', 'net'), { statusCode: 404, code: 'ResourceNotFound' })
  assert.equal(opened.fabric.publicRanges.size, 0)
})

test('peered networks are connected once each names the other, and never with ranges that meet', async () => {
  await using opened = await openNetworks()
  const { client } = opened
  for (const [name, prefix] of [
    ['one', '10.1.0.0/16'],
    ['two', '10.2.0.0/16'],
    ['clash', '10.1.128.0/20'],
  ] as const) {
    await client.virtualNetworks.beginCreateOrUpdateAndWait('rg1', name, {
      ...eastus,
      addressSpace: { addressPrefixes: [prefix] },
    })
  }
  const to = (name: string): object => ({ remoteVirtualNetwork: { id: idOf('virtualNetworks', name) } })
  const there = await client.virtualNetworkPeerings.beginCreateOrUpdateAndWait('rg1', 'one', 'to-two', to('two'))
  assert.equal(there.peeringState, 'Initiated')
  const back = await client.virtualNetworkPeerings.beginCreateOrUpdateAndWait('rg1', 'two', 'to-one', to('one'))
  assert.deepEqual([back.peeringState, back.remoteAddressSpace?.addressPrefixes], ['Connected', ['10.1.0.0/16']])
  assert.equal((await client.virtualNetworkPeerings.get('rg1', 'one', 'to-two')).peeringState, 'Connected')
  await assert.rejects(client.virtualNetworkPeerings.beginCreateOrUpdateAndWait('rg1', 'one', 'x', to('clash')), {
    code: 'VnetAddressSpacesOverlap',
  })
  await assert.rejects(client.virtualNetworkPeerings.beginCreateOrUpdateAndWait('rg1', 'two', 'x', to('clash')), {
    code: 'VnetAddressSpaceOverlapsWithAlreadyPeeredVnet',
  })
  await client.virtualNetworkPeerings.beginDeleteAndWait('rg1', 'two', 'to-one')
  assert.equal((await client.virtualNetworkPeerings.get('rg1', 'one', 'to-two')).peeringState, 'Initiated')
})

test('a network is written over only by who has seen its newest form, and a later write overtakes an earlier one', async () => {
  await using opened = await openNetworks()
  const path = `${idOf('virtualNetworks', 'net')}?api-version=2024-05-01`
  const body = { ...eastus, properties: { addressSpace: { addressPrefixes: ['10.1.0.0/16'] } } }
  const put = (headers: Readonly<Record<string, string>> = {}): ReturnType<OpenedFrontDoor['call']> =>
    opened.call('PUT', path, { body, headers })
  const [first, second] = [await put({ 'if-none-match': '*' }), await put()]
  assert.deepEqual([first.status, second.status], [201, 200])
  await opened.door.idle()
  const status = await opened.call('GET', String(first.headers['azure-asyncoperation']).replace(opened.url, ''))
  assert.match(String(first.headers['azure-asyncoperation']), /\/providers\/Microsoft\.Network\/locations\/eastus\//)
  assert.ok(['Canceled', 'Succeeded'].includes(String(status.body?.['status'])), status.text)
  const etag = String((await opened.call('GET', path)).body?.['etag'])
  assert.equal((await put({ 'if-none-match': '*' })).status, 412)
  assert.equal((await put({ 'if-match': 'W/"00000000-0000-0000-0000-000000000001"' })).status, 412)
  assert.equal((await put({ 'if-match': etag })).status, 200)
  await opened.door.idle()
  assert.notEqual(String((await opened.call('GET', path)).body?.['etag']), etag)
})

interface Refusal {
  readonly type: string
  readonly properties: unknown
  readonly code: string
  readonly name?: string
  readonly sku?: unknown
}

const space = (...addressPrefixes: readonly string[]): unknown => ({ addressSpace: { addressPrefixes } })
const withSubnets = (...prefixes: readonly string[]): unknown => ({
  addressSpace: { addressPrefixes: ['10.1.0.0/16'] },
  subnets: prefixes.map((addressPrefix, index) => ({ name: `s${index}`, properties: { addressPrefix } })),
})
const anyRule = {
  priority: 100,
  direction: 'Inbound',
  access: 'Allow',
  protocol: '*',
  sourceAddressPrefix: '*',
  sourcePortRange: '*',
  destinationAddressPrefix: '*',
  destinationPortRange: '*',
}
const rules = (...changes: readonly object[]): unknown => ({
  securityRules: changes.map((change, index) => ({ name: `r${index}`, properties: { ...anyRule, ...change } })),
})
const routes = (...given: readonly object[]): unknown => ({
  routes: given.map((properties, index) => ({ name: `r${index}`, properties })),
})

const refusals: readonly Refusal[] = [
  { type: 'virtualNetworks', properties: space(), code: 'MissingRequiredProperty' },
  { type: 'virtualNetworks', properties: space('10.1.0.0'), code: 'InvalidAddressPrefixFormat' },
  { type: 'virtualNetworks', properties: space('10.1.0.1/16'), code: 'InvalidCIDRNotation' },
  { type: 'virtualNetworks', properties: space('10.1.0.0/16', '10.1.4.0/24'), code: 'VnetAddressPrefixesOverlap' },
  { type: 'virtualNetworks', properties: space('10.1.0.0/16'), name: '-net', code: 'InvalidResourceName' },
  { type: 'virtualNetworks', properties: { addressSpace: { addressPrefixes: 7 } }, code: 'InvalidRequestFormat' },
  { type: 'virtualNetworks', properties: withSubnets('10.2.0.0/24'), code: 'NetcfgSubnetRangeOutsideVnet' },
  { type: 'virtualNetworks', properties: withSubnets('10.1.0.0/30'), code: 'NetcfgInvalidSubnet' },
  {
    type: 'virtualNetworks',
    properties: withSubnets('10.1.0.0/24', '10.1.0.128/25'),
    code: 'NetcfgSubnetRangesOverlap',
  },
  {
    type: 'virtualNetworks',
    properties: {
      ...(space('10.1.0.0/16') as object),
      subnets: [
        {
          name: 's',
          properties: {
            addressPrefix: '10.1.0.0/24',
            networkSecurityGroup: { id: idOf('networkSecurityGroups', 'none') },
          },
        },
      ],
    },
    code: 'InvalidResourceReference',
  },
  { type: 'networkSecurityGroups', properties: rules({ priority: 99 }), code: 'SecurityRuleInvalidPriority' },
  { type: 'networkSecurityGroups', properties: rules({}, {}), code: 'SecurityRuleConflict' },
  {
    type: 'networkSecurityGroups',
    properties: rules({ destinationPortRange: '90-80' }),
    code: 'SecurityRuleInvalidPortRange',
  },
  {
    type: 'networkSecurityGroups',
    properties: rules({ sourceAddressPrefix: '10.0.0.0/33' }),
    code: 'SecurityRuleInvalidAddressPrefix',
  },
  {
    type: 'networkSecurityGroups',
    properties: rules({ sourceAddressPrefix: 'Storage' }),
    code: 'SecurityRuleInvalidAddressPrefix',
  },
  {
    type: 'networkSecurityGroups',
    properties: rules({ sourceAddressPrefixes: ['10.0.0.0/8'] }),
    code: 'SecurityRuleParameterContainsConflictingValues',
  },
  {
    type: 'routeTables',
    properties: routes({ addressPrefix: '0.0.0.0/0', nextHopType: 'VirtualAppliance' }),
    code: 'RouteMissingNextHopIpAddress',
  },
  {
    type: 'routeTables',
    properties: routes(
      { addressPrefix: '0.0.0.0/0', nextHopType: 'None' },
      { addressPrefix: '0.0.0.0/0', nextHopType: 'Internet' },
    ),
    code: 'RouteConflict',
  },
  {
    type: 'routeTables',
    properties: routes({ addressPrefix: '0.0.0.0/0', nextHopType: 'VirtualNetworkGateway' }),
    code: 'RouteNextHopTypeNotSupported',
  },
  { type: 'publicIPAddresses', properties: {}, sku: { name: 'Basic' }, code: 'IPv4BasicSkuPublicIpCountLimitReached' },
  {
    type: 'publicIPAddresses',
    properties: { publicIPAllocationMethod: 'Dynamic' },
    code: 'StandardSkuPublicIPAddressMustBeStatic',
  },
  { type: 'publicIPPrefixes', properties: { prefixLength: 24 }, code: 'InvalidRequestFormat' },
  {
    type: 'natGateways',
    properties: { publicIpAddresses: [{ id: idOf('publicIPAddresses', 'none') }] },
    code: 'InvalidResourceReference',
  },
]

test('what Azure refuses of a network is refused with its code, and nothing of it is kept', async () => {
  await using opened = await openNetworks()
  for (const { type, properties, code, name = 'one', sku } of refusals) {
    const path = `${idOf(type, name)}?api-version=2024-05-01`
    const answer = await opened.call('PUT', path, {
      body: { ...eastus, properties, ...(sku === undefined ? {} : { sku }) },
    })
    const { error } = (answer.body ?? {}) as { readonly error?: { readonly code?: string } }
    assert.deepEqual([answer.status, error?.code], [400, code], `${type} ${JSON.stringify(properties)}: ${answer.text}`)
    assert.equal((await opened.call('GET', path)).status, 404, code)
  }
})
