// Network Watcher's questions about a machine: may this packet pass, and where would it go?

import { ArmError } from '@aksel/base/errors'
import { formatAddress, isAddress } from '@aksel/base/ipv4'
import type { Subnet, VirtualNetwork } from '@aksel/provider/fabric'
import { ok, param, type ArmRequest, type ArmResponse, type Route } from '../../front-door/route.ts'
import type { Hub } from '../../hub.ts'
import type { Json } from '../../records.ts'
import { readObject, textAt } from '../body.ts'
import { readGroup } from '../resources/groups.ts'
import { fabricNetwork } from './fabric-plan.ts'
import { missingField, refused, unreadable } from './network-errors.ts'
import { referenceAt } from './network-references.ts'
import { defaultRules } from './security-groups.ts'
import { readWorld, subnetsOf, type NetworkWorld, type SubnetPlace } from './network-world.ts'
import { decidingRule, nextHopOf } from './reachability.ts'

export function networkWatcherRoutes(hub: Hub): readonly Route[] {
  const watcher =
    '/subscriptions/:subscription/resourcegroups/:group/providers/Microsoft.Network/networkWatchers/:watcher'
  return [
    { method: 'POST', path: `${watcher}/ipFlowVerify`, handle: (request) => ipFlowVerify(hub, request) },
    { method: 'POST', path: `${watcher}/nextHop`, handle: (request) => nextHop(hub, request) },
  ]
}

interface Target {
  readonly place: SubnetPlace
  readonly network: VirtualNetwork
  readonly subnet: Subnet
  readonly body: Json
}

async function ipFlowVerify(hub: Hub, request: ArmRequest): Promise<ArmResponse> {
  const { place, network, subnet, body } = await readTarget(hub, request, 'localIPAddress')
  const direction = wordAt(body, 'direction', ['Inbound', 'Outbound'])
  const protocol = wordAt(body, 'protocol', ['Tcp', 'Udp'])
  const rule = decidingRule(network, subnet, {
    direction,
    protocol,
    local: { address: addressOf(body, 'localIPAddress'), port: portOf(body, 'localPort') },
    remote: { address: addressOf(body, 'remoteIPAddress'), port: portOf(body, 'remotePort') },
  })
  if (rule === undefined) return ok({ access: 'Allow', ruleName: '' })
  const kind = defaultRules.some(({ name }) => name === rule.name) ? 'defaultSecurityRules' : 'securityRules'
  const group = referenceAt(place.subnet.properties, 'networkSecurityGroup')?.split('/').at(-1)
  return ok({ access: rule.access, ruleName: `${kind}/${rule.name}`, networkSecurityGroup: group })
}

async function nextHop(hub: Hub, request: ArmRequest): Promise<ArmResponse> {
  const { place, network, subnet, body } = await readTarget(hub, request, 'sourceIPAddress')
  const hop = nextHopOf(network, subnet, addressOf(body, 'destinationIPAddress'))
  return ok({
    nextHopType: hop.type,
    ...(hop.address === undefined ? {} : { nextHopIpAddress: hop.address }),
    routeTableId: hop.route === undefined ? 'System Route' : referenceAt(place.subnet.properties, 'routeTable'),
  })
}

/** The machine that the request names, by the address that it says is the machine's. */
async function readTarget(hub: Hub, request: ArmRequest, own: string): Promise<Target> {
  const subscriptionId = param(request, 'subscription')
  await readGroup(hub.store, { subscriptionId, resourceGroup: param(request, 'group') })
  const body = readObject(request.body)
  const targetId = textAt(body, 'targetResourceId')
  if (targetId === undefined) throw missingField('the request', 'targetResourceId')
  const address = addressOf(body, own)
  const world = await readWorld(hub, subscriptionId)
  const place = subnetsOf(world).find(({ id }) => holds(world, id, targetId, address))
  if (place === undefined) {
    throw new ArmError(404, 'ResourceNotFound', `There is no machine '${targetId}' with the address ${address}.`)
  }
  const network = fabricNetwork(place.network, world)
  return { place, network, subnet: network.subnets.find(({ id }) => id === place.id.toLowerCase())!, body }
}

function holds(world: NetworkWorld, subnetId: string, targetId: string, address: string): boolean {
  const taken = world.taken.get(subnetId.toLowerCase()) ?? []
  return taken.some(
    (one) => formatAddress(one.address) === address && one.owner.toLowerCase().startsWith(`${targetId.toLowerCase()}/`),
  )
}

function addressOf(body: Json, name: string): string {
  const text = textAt(body, name)
  if (text !== undefined && isAddress(text)) return text
  throw refused('InvalidIPAddressInRequest', `'${text ?? ''}' at '${name}' is not a valid IPv4 address.`)
}

function portOf(body: Json, name: string): number {
  const text = textAt(body, name) ?? ''
  if (/^\d{1,5}$/.test(text) && Number(text) < 65_536) return Number(text)
  throw unreadable(`${name}: '${text}' is no port`)
}

function wordAt<T extends string>(body: Json, name: string, words: readonly T[]): T {
  const text = textAt(body, name) ?? ''
  const found = words.find((word) => word.toLowerCase() === text.toLowerCase())
  if (found === undefined) throw unreadable(`${name}: '${text}' is none of ${words.join(', ')}`)
  return found
}
