// Route tables: user-defined routes, which go before those that every subnet has.

import { isAddress } from '@aksel/base/ipv4'
import { routeHops, type SubnetRoute } from '@aksel/provider/fabric'
import type { Json } from '../../records.ts'
import { textAt } from '../body.ts'
import { refused } from './network-errors.ts'
import { readPrefix, readWord, type ChildType, type NetworkType } from './network-type.ts'
import { childrenOf } from './network-references.ts'
import { subnetsWith } from './network-world.ts'

const route: ChildType = {
  path: 'routes',
  kept: false,
  write: (given, { childId }) => readRoute(given, childId),
  show: ({ properties }) => ({ ...properties, hasBgpOverride: false }),
}

function readRoute(given: Json, id: string): Json {
  readPrefix(given['addressPrefix'], id)
  const nextHopType = readWord(given, 'nextHopType', { id, words: routeHops })
  const address = textAt(given, 'nextHopIpAddress')
  if (nextHopType === 'VirtualNetworkGateway') {
    throw refused(
      'RouteNextHopTypeNotSupported',
      `Route ${id} has next hop VirtualNetworkGateway, and there are no virtual network gateways here.`,
    )
  }
  if (nextHopType === 'VirtualAppliance') {
    if (address === undefined || address === '') {
      throw refused(
        'RouteMissingNextHopIpAddress',
        `Route ${id} with next hop type VirtualAppliance must have a next hop IP address.`,
      )
    }
    if (!isAddress(address)) {
      throw refused('InvalidNextHopIpAddress', `The next hop IP address ${address} of route ${id} is not valid.`)
    }
  } else if (address !== undefined && address !== '') {
    throw refused(
      'NextHopIpAddressNotAllowed',
      `Route ${id} with next hop type ${nextHopType} must not have a next hop IP address.`,
    )
  }
  return { ...given, nextHopType }
}

export const routeTables: NetworkType = {
  path: 'routeTables',
  children: [route],
  envelope: {},
  write: (given) => {
    const routes = childrenOf(given, 'routes')
    for (const [index, { name, properties }] of routes.entries()) {
      const other = routes
        .slice(0, index)
        .find((earlier) => earlier.properties['addressPrefix'] === properties['addressPrefix'])
      if (other === undefined) continue
      throw refused(
        'RouteConflict',
        `Route ${name} conflicts with route ${other.name}. Routes cannot have the same address prefix ${String(properties['addressPrefix'])}.`,
      )
    }
    return { disableBgpRoutePropagation: false, ...given }
  },
  show: ({ value }, world) => {
    const subnets = subnetsWith(world, 'routeTable', value.id).map(({ id }) => ({ id }))
    return subnets.length === 0 ? {} : { subnets }
  },
  judgeDelete: ({ id, name }, world) => {
    if (subnetsWith(world, 'routeTable', id).length === 0) return
    throw refused('InUseRouteTableCannotBeDeleted', `Route table ${name} is in use and cannot be deleted.`)
  },
}

export function compiledRoutes(properties: Json): readonly SubnetRoute[] {
  return childrenOf(properties, 'routes').map(({ name, properties: given }) => {
    const nextHopAddress = textAt(given, 'nextHopIpAddress')
    return {
      name,
      addressPrefix: String(given['addressPrefix']),
      nextHop: given['nextHopType'] as SubnetRoute['nextHop'],
      ...(nextHopAddress === undefined || nextHopAddress === '' ? {} : { nextHopAddress }),
    }
  })
}
