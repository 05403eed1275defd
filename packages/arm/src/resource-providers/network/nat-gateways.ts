// NAT gateways: the addresses that a subnet's machines have outside.

import { addressAt, parseRange } from '@aksel/base/ipv4'
import type { Json } from '../../records.ts'
import { isObject } from '../body.ts'
import { inUse, refused } from './network-errors.ts'
import { findReferenced, readNumber, type NetworkType, type WriteContext } from './network-type.ts'
import { referencesAt } from './network-references.ts'
import { subnetsWith, type NetworkWorld } from './network-world.ts'

export const natGateways: NetworkType = {
  path: 'natGateways',
  children: [],
  envelope: { sku: { name: 'Standard' } },
  write: (given, context) => {
    for (const id of referencesAt(given, 'publicIpAddresses')) judgeAddress(id, context)
    for (const id of referencesAt(given, 'publicIpPrefixes')) {
      findReferenced(context.world, id, { type: 'publicIPPrefixes', by: context.id, location: context.location })
    }
    const sku = context.envelope['sku']
    if (isObject(sku) && !['Standard', 'StandardV2'].includes(String(sku['name']))) {
      throw refused(
        'NatGatewaySkuNotSupported',
        `NAT gateway ${context.name} has the unknown SKU ${String(sku['name'])}.`,
      )
    }
    return {
      ...given,
      idleTimeoutInMinutes: readNumber(given, 'idleTimeoutInMinutes', { least: 4, most: 120, otherwise: 4 }),
    }
  },
  show: ({ value }, world) => {
    const subnets = subnetsWith(world, 'natGateway', value.id).map(({ id }) => ({ id }))
    return subnets.length === 0 ? {} : { subnets }
  },
  judgeDelete: ({ id, name }, world) => {
    const users = subnetsWith(world, 'natGateway', id).map((subnet) => subnet.id)
    if (users.length === 0) return
    throw inUse('InUseNatGatewayCannotBeDeleted', `NAT gateway ${name}`, users, 'Remove it from the subnets first.')
  },
}

function judgeAddress(id: string, { id: by, location, world }: WriteContext): void {
  findReferenced(world, id, { type: 'publicIPAddresses', by, location })
  const other = natGatewayOf(world, id)
  if (other !== undefined && other.toLowerCase() !== by.toLowerCase()) {
    throw refused('PublicIPAddressInUse', `Public IP address ${id} cannot be used by ${by}: it is in use by ${other}.`)
  }
}

/** The id of the gateway that has this public address. */
export function natGatewayOf(world: NetworkWorld, addressId: string): string | undefined {
  return [...world.documents.values()].find(
    ({ value }) =>
      value.type === 'Microsoft.Network/natGateways' &&
      [
        ...referencesAt(value.properties, 'publicIpAddresses'),
        ...referencesAt(value.properties, 'publicIpPrefixes'),
      ].some((id) => id.toLowerCase() === addressId.toLowerCase()),
  )?.value.id
}

/** Addresses that a gateway gives to what leaves through it. */
export function gatewayAddresses(properties: Json, world: NetworkWorld): readonly string[] {
  const fieldOf = (id: string, field: string): readonly string[] => {
    const value = world.documents.get(id.toLowerCase())?.value.properties[field]
    return typeof value === 'string' ? [value] : []
  }
  const single = referencesAt(properties, 'publicIpAddresses').flatMap((id) => fieldOf(id, 'ipAddress'))
  const ranges = referencesAt(properties, 'publicIpPrefixes')
    .flatMap((id) => fieldOf(id, 'ipPrefix'))
    .map(parseRange)
  return [...single, ...ranges.flatMap((range) => Array.from({ length: range.size }, (_, at) => addressAt(range, at)))]
}
