// The network that a cluster was given, its subnet and its addresses, as clients of Azure's networks read them.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openFrontDoor, subscriptionId, type OpenedFrontDoor } from './testing/opened-front-door.ts'

const subscription = `/subscriptions/${subscriptionId}`
const provider = 'providers/Microsoft.Network/virtualNetworks'
const networks = `${subscription}/resourceGroups/MC_rg_c1_eastus/${provider}`

interface Listed {
  readonly value: readonly Readonly<Record<string, unknown>>[]
}

async function list(opened: OpenedFrontDoor, path: string): Promise<Listed['value']> {
  const answer = await opened.call('GET', path)
  assert.equal(answer.status, 200, answer.text)
  return (JSON.parse(answer.text) as Listed).value
}

async function read(opened: OpenedFrontDoor, path: string): Promise<Readonly<Record<string, unknown>>> {
  const answer = await opened.call('GET', path)
  assert.equal(answer.status, 200, answer.text)
  return JSON.parse(answer.text) as Readonly<Record<string, unknown>>
}

/** Returns the path of the cluster's network. */
async function withCluster(opened: OpenedFrontDoor): Promise<string> {
  const group = `${subscription}/resourcegroups/rg`
  await opened.call('PUT', group, { body: { location: 'eastus' } })
  const pool = { name: 'system', mode: 'System', count: 2 }
  const put = await opened.call('PUT', `${group}/providers/Microsoft.ContainerService/managedClusters/c1`, {
    body: { location: 'eastus', properties: { dnsPrefix: 'c1', agentPoolProfiles: [pool] } },
  })
  assert.equal(put.status, 201, put.text)
  await opened.door.idle()
  const [network, ...others] = await list(opened, networks)
  assert.deepEqual(others, [])
  return String(network!['id'])
}

test("a cluster's network and its subnet are read and listed as Azure's network provider shows them", async () => {
  await using opened = await openFrontDoor()
  const path = await withCluster(opened)
  const network = await read(opened, path)
  const etag = String(network['etag'])
  assert.match(etag, /^W\/"[0-9a-f-]{36}"$/)
  const digits = path.slice(-8)
  const scaleSets = `${subscription}/resourceGroups/MC_rg_c1_eastus/providers/Microsoft.Compute/virtualMachineScaleSets`
  const configuration = `${scaleSets}/aks-system-${digits}-vmss/virtualMachines`
  const rest = `networkInterfaces/aks-system-${digits}-vmss/ipConfigurations/ipconfig1`
  const subnet = {
    id: `${path}/subnets/aks-subnet`,
    name: 'aks-subnet',
    etag,
    type: 'Microsoft.Network/virtualNetworks/subnets',
    properties: {
      addressPrefix: '10.224.0.0/16',
      provisioningState: 'Succeeded',
      delegations: [],
      ipConfigurations: [0, 1].map((instance) => ({ id: `${configuration}/${instance}/${rest}` })),
    },
  }
  assert.deepEqual(network, {
    id: path,
    name: path.split('/').at(-1),
    etag,
    type: 'Microsoft.Network/virtualNetworks',
    location: 'eastus',
    properties: {
      provisioningState: 'Succeeded',
      resourceGuid: (network['properties'] as Readonly<Record<string, unknown>>)['resourceGuid'],
      addressSpace: { addressPrefixes: ['10.224.0.0/12'] },
      subnets: [subnet],
      virtualNetworkPeerings: [],
      enableDdosProtection: false,
    },
  })
  assert.deepEqual(await read(opened, `${path}/subnets/AKS-subnet`), subnet)
  assert.deepEqual(await list(opened, `${path}/subnets`), [subnet])
  assert.deepEqual(await list(opened, `${subscription}/${provider}`), [network])
  assert.deepEqual(await list(opened, `${subscription}/resourceGroups/rg/${provider}`), [])
})

test('addresses of machines count as used, and others are proposed in their place', async () => {
  await using opened = await openFrontDoor()
  const path = await withCluster(opened)
  const [uses, ...others] = await list(opened, `${path}/usages`)
  assert.deepEqual([uses!['currentValue'], uses!['limit'], others], [2, 65_531, []])
  const check = (address: string): Promise<unknown> =>
    read(opened, `${path}/CheckIPAddressAvailability?ipAddress=${address}`)
  const addresses = opened
    .machines(false)
    .list()
    .map(({ address }) => address)
  assert.deepEqual(addresses, ['10.224.0.4', '10.224.0.5'])
  assert.deepEqual(await check('10.224.0.9'), { available: true, isPlatformReserved: false })
  const availableIPAddresses = ['10.224.0.6', '10.224.0.7', '10.224.0.8', '10.224.0.9', '10.224.0.10']
  for (const [address, isPlatformReserved] of [
    ['10.224.0.4', false],
    ['10.224.0.1', true],
    ['10.224.255.255', true],
  ] as const) {
    assert.deepEqual(await check(address), { available: false, availableIPAddresses, isPlatformReserved }, address)
  }
})

test('networks, subnets and addresses that are not there are refused, and networks that a cluster uses do not go', async () => {
  await using opened = await openFrontDoor()
  const path = await withCluster(opened)
  const wanted: readonly (readonly [method: 'GET' | 'DELETE', path: string, status: number, code: string])[] = [
    ['GET', `${subscription}/resourceGroups/nowhere/${provider}`, 404, 'ResourceGroupNotFound'],
    ['GET', `${networks}/none`, 404, 'ResourceNotFound'],
    ['GET', `${networks}/none/subnets`, 404, 'ResourceNotFound'],
    ['GET', `${path}/subnets/none`, 404, 'NotFound'],
    ['GET', `${path}/checkIPAddressAvailability`, 400, 'InvalidIPAddressFormat'],
    ['GET', `${path}/checkIPAddressAvailability?ipAddress=10.225.0.4`, 400, 'PrivateIPAddressNotInAnySubnet'],
    ['GET', `${subscription}/providers/Microsoft.Network/bastionHosts`, 404, 'InvalidResourceType'],
    ['DELETE', path, 400, 'InUseSubnetCannotBeDeleted'],
    ['DELETE', `${path}/subnets/aks-subnet`, 400, 'InUseSubnetCannotBeDeleted'],
  ]
  for (const [method, at, status, code] of wanted) {
    const answer = await opened.call(method, at)
    const { error } = JSON.parse(answer.text) as { readonly error?: { readonly code?: string } }
    assert.deepEqual([answer.status, error?.code], [status, code], `${method} ${at}: ${answer.text}`)
  }
})
