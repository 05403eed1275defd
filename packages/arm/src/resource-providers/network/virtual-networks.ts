// Virtual networks with their subnets and peerings: ranges that fit, references that exist, and nothing taken from who uses it.

import { contains, overlaps, parseRange, type Range } from '@aksel/base/ipv4'
import type { DocumentRecord, Json } from '../../records.ts'

import { isObject, objectAt } from '../body.ts'
import { missingField, refused, unreadable } from './network-errors.ts'
import {
  findReferenced,
  readPrefix,
  readTexts,
  type ChildType,
  type NetworkType,
  type WriteContext,
} from './network-type.ts'
import { childrenOf, referenceAt, type ChildDocument } from './network-references.ts'
import { type NetworkWorld } from './network-world.ts'
import { judgePeerings, peering } from './peerings.ts'

/** Azure's smallest subnet: five addresses are its own. */
const subnetPrefixMost = 29

const subnet: ChildType = {
  path: 'subnets',
  kept: true,
  write: (given, context) => {
    const [prefix, ...more] = prefixesOf(given)
    if (prefix === undefined) throw missingField(context.childId, 'addressPrefix')
    if (more.length > 0) {
      throw refused(
        'SubnetWithMultiplePrefixesNotSupported',
        `Subnet ${context.childId} has more than one address prefix.`,
      )
    }
    readPrefix(prefix, context.childId)
    const rule = { by: context.childId, location: context.location }
    for (const [property, type] of Object.entries(subnetReferences)) {
      const id = referenceAt(given, property)
      if (id !== undefined) findReferenced(context.world, id, { ...rule, type })
    }
    const { addressPrefixes: _, ...rest } = given
    return { delegations: [], privateEndpointNetworkPolicies: 'Disabled', ...rest, addressPrefix: prefix }
  },
  show: (child, { value }, world) => {
    const taken = world.taken.get(`${value.id}/subnets/${child.name}`.toLowerCase()) ?? []
    return {
      ...child.properties,
      delegations: delegationsOf(child.properties),
      ...(taken.length === 0 ? {} : { ipConfigurations: taken.map(({ owner }) => ({ id: owner })) }),
    }
  },
}

/** What a subnet may name, and of which type it must be. */
const subnetReferences: Readonly<Record<string, string>> = {
  networkSecurityGroup: 'networkSecurityGroups',
  routeTable: 'routeTables',
  natGateway: 'natGateways',
}

/** Clients of before 2024 give one prefix, later ones a list. */
function prefixesOf(given: Json): readonly string[] {
  const many = readTexts(given, 'addressPrefixes')
  if (many.length > 0) return many
  const one = given['addressPrefix']
  if (one === undefined) return []
  if (typeof one !== 'string') throw unreadable('properties.addressPrefix')
  return [one]
}

function delegationsOf(properties: Json): readonly Json[] {
  const given = properties['delegations']
  if (!Array.isArray(given)) return []
  return given.filter(isObject).map((each) => ({
    ...each,
    properties: { actions: ['Microsoft.Network/virtualNetworks/subnets/join/action'], ...objectAt(each, 'properties') },
  }))
}

export const virtualNetworks: NetworkType = {
  path: 'virtualNetworks',
  children: [subnet, peering],
  envelope: {},
  write: (given, context) => {
    const prefixes = addressSpaceOf(given, context.id)
    const subnets = childrenOf(given, 'subnets')
    judgeSubnets(subnets, prefixes, context)
    judgeStanding(subnets, context)
    judgePeerings(given, context)
    return { enableDdosProtection: false, ...given }
  },
  show: () => ({}),
  judgeDelete: (record, world) => {
    for (const { name } of childrenOf(record.properties, 'subnets'))
      judgeSubnetFree(`${record.id}/subnets/${name}`, name, world)
  },
}

/** The network's ranges. Throws for none, and for those that overlap. */
function addressSpaceOf(given: Json, id: string): readonly Range[] {
  const texts = readTexts(objectAt(given, 'addressSpace'), 'addressPrefixes')
  if (texts.length === 0) throw missingField(id, 'addressSpace.addressPrefixes')
  const ranges = texts.map((text) => readPrefix(text, id))
  for (const [index, range] of ranges.entries()) {
    const other = ranges.slice(0, index).findIndex((earlier) => overlaps(earlier, range))
    if (other < 0) continue
    throw refused(
      'VnetAddressPrefixesOverlap',
      `Address prefixes ${texts[other]} and ${texts[index]} of virtual network ${id} overlap.`,
    )
  }
  return ranges
}

function judgeSubnets(subnets: readonly ChildDocument[], space: readonly Range[], { name }: WriteContext): void {
  const ranges = subnets.map((each) => parseRange(String(each.properties['addressPrefix'])))
  for (const [index, range] of ranges.entries()) {
    const own = subnets[index]!.name
    if (!space.some((whole) => contains(whole, range.first) && range.size <= whole.size)) {
      throw refused(
        'NetcfgSubnetRangeOutsideVnet',
        `Subnet '${own}' is not valid because its IP address range is outside the IP address range of virtual network '${name}'.`,
      )
    }
    if (range.prefixLength > subnetPrefixMost) {
      throw refused('NetcfgInvalidSubnet', `Subnet '${own}' is not valid in virtual network '${name}'.`)
    }
    const other = ranges.slice(0, index).findIndex((earlier) => overlaps(earlier, range))
    if (other < 0) continue
    throw refused(
      'NetcfgSubnetRangesOverlap',
      `Subnet '${own}' is not valid because its IP address range overlaps with that of an existing subnet '${subnets[other]!.name}' in virtual network '${name}'.`,
    )
  }
}

/** What stood before: subnets in use neither go nor move. */
function judgeStanding(subnets: readonly ChildDocument[], { id, before, world }: WriteContext): void {
  for (const old of childrenOf(before?.properties ?? {}, 'subnets')) {
    const now = subnets.find(({ name }) => name.toLowerCase() === old.name.toLowerCase())
    const subnetId = `${id}/subnets/${old.name}`
    if (now === undefined) judgeSubnetFree(subnetId, old.name, world)
    else if (now.properties['addressPrefix'] !== old.properties['addressPrefix']) judgeMove(subnetId, old, world)
  }
}

function judgeMove(subnetId: string, old: ChildDocument, world: NetworkWorld): void {
  const taken = world.taken.get(subnetId.toLowerCase()) ?? []
  if (taken.length === 0 && !world.claims.has(subnetId.toLowerCase())) return
  throw refused(
    'InUsePrefixCannotBeDeleted',
    `IpPrefix ${String(old.properties['addressPrefix'])} on Subnet ${old.name} has active allocations and cannot be deleted.`,
  )
}

function judgeSubnetFree(subnetId: string, name: string, world: NetworkWorld): void {
  const owner = world.taken.get(subnetId.toLowerCase())?.[0]?.owner ?? world.claims.get(subnetId.toLowerCase())
  if (owner === undefined) return
  throw refused(
    'InUseSubnetCannotBeDeleted',
    `Subnet ${name} is in use by ${owner} and cannot be deleted. In order to delete the subnet, delete all the resources within the subnet. See aka.ms/deletesubnet.`,
  )
}

/** Throws where a network that is to go with its group has machines of a cluster elsewhere. */
export function judgeNetworksFree(world: NetworkWorld, going: readonly DocumentRecord[]): void {
  for (const record of going) {
    if (record.type === 'Microsoft.Network/virtualNetworks') virtualNetworks.judgeDelete(record, world)
  }
}

/** Ranges of IPv4 of a network as it is kept. */
export function rangesOf(network: Pick<DocumentRecord, 'properties'>): readonly string[] {
  return allRangesOf(network).filter((prefix) => !prefix.includes(':'))
}

/** Those of IPv6: networks that the service makes for clusters of both families have some. */
export function ipv6RangesOf(network: Pick<DocumentRecord, 'properties'>): readonly string[] {
  return allRangesOf(network).filter((prefix) => prefix.includes(':'))
}

function allRangesOf({ properties }: Pick<DocumentRecord, 'properties'>): readonly string[] {
  return objectAt(properties, 'addressSpace')['addressPrefixes'] as readonly string[]
}
