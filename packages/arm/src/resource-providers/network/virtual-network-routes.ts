// How full the subnets of a virtual network are, and which addresses are left.

import { ArmError } from '@aksel/base/errors'
import { contains, formatAddress, lowestFree, parseRange, readAddress, type Range } from '@aksel/base/ipv4'
import { page } from '../../front-door/pages.ts'
import { ok, param, type ArmRequest, type ArmResponse, type Route } from '../../front-door/route.ts'
import type { Hub } from '../../hub.ts'
import { virtualNetworkType } from '../../machine-spec.ts'
import { readGroup } from '../resources/groups.ts'
import { childrenOf } from './network-references.ts'
import { readWorld } from './network-world.ts'
import { readResource } from './network-writes.ts'
import { virtualNetworks } from './virtual-networks.ts'

/** Azure keeps the first four addresses of a subnet and the last. */
const reservedFirst = 4
const reservedCount = 5

export function virtualNetworkRoutes(hub: Hub): readonly Route[] {
  const one = `/subscriptions/:subscription/resourcegroups/:group/providers/${virtualNetworkType}/:name`
  return [
    { method: 'GET', path: `${one}/usages`, handle: (request) => usages(hub, request) },
    { method: 'GET', path: `${one}/checkIPAddressAvailability`, handle: (request) => availability(hub, request) },
  ]
}

interface KnownSubnet {
  readonly id: string
  readonly range: Range
  readonly taken: ReadonlySet<number>
}

async function knownSubnets(
  hub: Hub,
  request: ArmRequest,
): Promise<{ readonly id: string; readonly subnets: readonly KnownSubnet[] }> {
  const ref = {
    subscriptionId: param(request, 'subscription'),
    resourceGroup: param(request, 'group'),
    type: virtualNetworks,
    name: param(request, 'name'),
  }
  await readGroup(hub.store, ref)
  const { value } = await readResource(hub, ref)
  const world = await readWorld(hub, ref.subscriptionId)
  const subnets = childrenOf(value.properties, 'subnets').map(({ name, properties }) => {
    const id = `${value.id}/subnets/${name}`
    return {
      id,
      range: parseRange(String(properties['addressPrefix'])),
      taken: new Set((world.taken.get(id.toLowerCase()) ?? []).map(({ address }) => address)),
    }
  })
  return { id: value.id, subnets }
}

async function usages(hub: Hub, request: ArmRequest): Promise<ArmResponse> {
  const { subnets } = await knownSubnets(hub, request)
  const value = subnets.map(({ id, range, taken }) => ({
    id,
    currentValue: taken.size,
    limit: range.size - reservedCount,
    name: { localizedValue: 'Subnet size and usage', value: 'SubnetSpace' },
    unit: 'Count',
  }))
  return page(request, value)
}

async function availability(hub: Hub, request: ArmRequest): Promise<ArmResponse> {
  const network = await knownSubnets(hub, request)
  const text = request.query['ipaddress'] ?? ''
  const address = readAddress(text)
  if (address === undefined) {
    throw new ArmError(400, 'InvalidIPAddressFormat', `Value '${text}' is not a valid IP address.`)
  }
  const subnet = network.subnets.find(({ range }) => contains(range, address))
  if (subnet === undefined) {
    const message = `Private static IP address ${text} does not belong to the range of any subnet of virtual network ${network.id}.`
    throw new ArmError(400, 'PrivateIPAddressNotInAnySubnet', message)
  }
  const { range, taken } = subnet
  const last = range.first + range.size - 1
  const isReserved = address < range.first + reservedFirst || address === last
  if (!isReserved && !taken.has(address)) return ok({ available: true, isPlatformReserved: false })
  return ok({
    available: false,
    availableIPAddresses: nextFree(isReserved ? range.first + reservedFirst : address, last, taken),
    isPlatformReserved: isReserved,
  })
}

/** Up to five, as Azure proposes them. */
function nextFree(from: number, end: number, taken: ReadonlySet<number>): readonly string[] {
  const free: string[] = []
  for (let at: number | undefined = from; free.length < 5;) {
    at = lowestFree(at, end, (candidate) => taken.has(candidate))
    if (at === undefined) break
    free.push(formatAddress(at))
    at += 1
  }
  return free
}
