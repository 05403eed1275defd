// A network of the user's own with subnets for every model of pod networking, and clusters that are put into it.

import assert from 'node:assert/strict'
import type { MachineSpec } from '@aksel/provider/machine-provider'
import { openFrontDoor, subscriptionId, type Answer, type OpenedFrontDoor } from './opened-front-door.ts'

export const group = `/subscriptions/${subscriptionId}/resourceGroups/rg`
export const idOf = (type: string, name: string): string => `${group}/providers/Microsoft.Network/${type}/${name}`
export const subnetId = (name: string): string => `${idOf('virtualNetworks', 'net')}/subnets/${name}`
export const clusterPath = (name: string): string =>
  `${group}/providers/Microsoft.ContainerService/managedClusters/${name}`

const subnets = [
  ['nodes', '10.1.0.0/24', {}],
  ['pods', '10.1.4.0/22', {}],
  ['small', '10.1.8.0/27', {}],
  ['routed', '10.1.9.0/24', { routeTable: { id: idOf('routeTables', 'table') } }],
  ['foreign', '10.1.10.0/24', { delegations: [{ name: 'd', properties: { serviceName: 'Microsoft.Sql/servers' } }] }],
] as const

export async function withNetworks(): Promise<OpenedFrontDoor> {
  const opened = await openFrontDoor()
  await opened.call('PUT', group, { body: { location: 'eastus' } })
  await opened.call('PUT', idOf('routeTables', 'table'), { body: { location: 'eastus', properties: {} } })
  const network = (prefix: string, list: readonly unknown[]): object => ({
    location: 'eastus',
    properties: { addressSpace: { addressPrefixes: [prefix] }, subnets: list },
  })
  const own = subnets.map(([name, addressPrefix, more]) => ({ name, properties: { addressPrefix, ...more } }))
  const put = await opened.call('PUT', idOf('virtualNetworks', 'net'), { body: network('10.1.0.0/16', own) })
  assert.equal(put.status, 201, put.text)
  const other = { name: 'nodes', properties: { addressPrefix: '10.2.0.0/24' } }
  await opened.call('PUT', idOf('virtualNetworks', 'other'), { body: network('10.2.0.0/16', [other]) })
  await opened.door.idle()
  return opened
}

export interface Wish {
  readonly network?: object
  readonly pool?: object
  readonly pools?: readonly object[]
  readonly name?: string
}

export async function create(
  opened: OpenedFrontDoor,
  { network, pool, pools = [], name = 'c1' }: Wish,
): Promise<Answer> {
  const first = { name: 'system', mode: 'System', count: 2, vnetSubnetID: subnetId('nodes'), ...pool }
  const properties = {
    dnsPrefix: name,
    agentPoolProfiles: [first, ...pools],
    ...(network === undefined ? {} : { networkProfile: network }),
  }
  const answer = await opened.call('PUT', clusterPath(name), { body: { location: 'eastus', properties } })
  await opened.door.idle()
  return answer
}

export async function ordered(opened: OpenedFrontDoor, wish: Wish): Promise<readonly MachineSpec[]> {
  const answer = await create(opened, wish)
  assert.equal(answer.status, 201, answer.text)
  const { body } = await opened.call('GET', clusterPath(wish.name ?? 'c1'))
  const { properties } = body as unknown as { readonly properties: { readonly provisioningState: string } }
  assert.equal(properties.provisioningState, 'Succeeded')
  return [...opened.machines(false).specs.values()]
}

export async function put(opened: OpenedFrontDoor, path: string, properties: object): Promise<void> {
  const body = { location: 'eastus', sku: { name: 'Standard' }, properties }
  const { status, text } = await opened.call('PUT', path, { body })
  assert.ok(status < 300, text)
  await opened.door.idle()
}

/** Azure CNI whose pods have addresses of a subnet. */
export const flat = { networkPlugin: 'azure' }
