// Network resources as the fabric takes them. Pure: documents in, a network with its rules and routes out.

import type { Peering, Subnet, VirtualNetwork } from '@aksel/provider/fabric'
import type { DocumentRecord, Json } from '../../records.ts'
import type { Stored } from '../../store-keyspace.ts'
import { gatewayAddresses } from './nat-gateways.ts'
import { childrenOf, referenceAt, referencesAt, type ChildDocument } from './network-references.ts'
import { type NetworkWorld } from './network-world.ts'
import { stateOf } from './peerings.ts'
import { compiledRoutes } from './route-tables.ts'
import { compiledRules } from './security-groups.ts'
import { ipv6RangesOf, rangesOf } from './virtual-networks.ts'

const networkType = 'Microsoft.Network/virtualNetworks'

export function fabricNetwork({ value }: Pick<Stored<DocumentRecord>, 'value'>, world: NetworkWorld): VirtualNetwork {
  const id = value.id.toLowerCase()
  const [addressPrefix, ...otherPrefixes] = rangesOf(value)
  const peerings = childrenOf(value.properties, 'virtualNetworkPeerings').filter(
    (peering) => stateOf(peering, value.id, world) === 'Connected',
  )
  const podPrefixes = [...new Set((world.podPrefixes.get(id) ?? []).map(({ prefix }) => prefix))]
  return {
    id,
    addressPrefix: addressPrefix!,
    ...(otherPrefixes.length === 0 ? {} : { otherPrefixes }),
    subnets: childrenOf(value.properties, 'subnets').map((subnet) => fabricSubnet(id, subnet, world)),
    ...(peerings.length === 0
      ? {}
      : {
          peerings: peerings.map(({ properties }) => fabricPeering(properties, world)),
        }),
    ...(podPrefixes.length === 0 ? {} : { podPrefixes }),
    ...ipv6Of(value, world),
  }
}

function ipv6Of(value: DocumentRecord, world: NetworkWorld): Pick<VirtualNetwork, 'ipv6'> {
  const prefixes = ipv6RangesOf(value)
  if (prefixes.length === 0) return {}
  return { ipv6: { prefixes, podPrefixes: world.ipv6PodPrefixes.get(value.id.toLowerCase()) ?? [] } }
}

function fabricPeering(properties: Json, world: NetworkWorld): Peering {
  const virtualNetworkId = referenceAt(properties, 'remoteVirtualNetwork')!.toLowerCase()
  return {
    virtualNetworkId,
    addressPrefixes: rangesOf(world.documents.get(virtualNetworkId)!.value),
    allowsAccess: properties['allowVirtualNetworkAccess'] !== false,
    allowsForwarded: properties['allowForwardedTraffic'] === true,
  }
}

function fabricSubnet(networkId: string, { name, properties }: ChildDocument, world: NetworkWorld): Subnet {
  const id = `${networkId}/subnets/${name}`.toLowerCase()
  const referenced = (property: string): DocumentRecord | undefined =>
    world.documents.get(referenceAt(properties, property)?.toLowerCase() ?? '')?.value
  const prefixes = (properties['addressPrefixes'] ?? []) as readonly string[]
  const ipv6Prefix = prefixes.find((prefix) => prefix.includes(':'))
  const group = referenced('networkSecurityGroup')
  const table = referenced('routeTable')
  const gateway = referenced('natGateway')
  // A NAT gateway goes before every other way out.
  const addresses = gateway === undefined ? [] : gatewayAddresses(gateway.properties, world)
  const egress = addresses.length > 0 ? ({ kind: 'addresses', addresses } as const) : world.egress.get(id)
  return {
    id,
    addressPrefix: String(properties['addressPrefix']),
    ...(ipv6Prefix === undefined ? {} : { ipv6Prefix }),
    ...(group === undefined ? {} : { securityRules: compiledRules(group.properties) }),
    ...(table === undefined ? {} : { routes: compiledRoutes(table.properties) }),
    ...(egress === undefined ? {} : { egress }),
  }
}

/** Networks that a change of this resource touches: itself, those whose subnets name it, those peered with it. */
export function affectedNetworks(world: NetworkWorld, id: string): readonly Stored<DocumentRecord>[] {
  const touched = new Set([id.toLowerCase()])
  // A public address counts through the gateway that has it.
  for (const { value } of world.documents.values()) {
    const held = [
      ...referencesAt(value.properties, 'publicIpAddresses'),
      ...referencesAt(value.properties, 'publicIpPrefixes'),
    ]
    if (held.some((each) => touched.has(each.toLowerCase()))) touched.add(value.id.toLowerCase())
  }
  const names = (place: ChildDocument, ...properties: readonly string[]): boolean =>
    properties.some((property) => touched.has(referenceAt(place.properties, property)?.toLowerCase() ?? ''))
  return [...world.documents.values()].filter(
    ({ value }) =>
      value.type === networkType &&
      (touched.has(value.id.toLowerCase()) ||
        childrenOf(value.properties, 'subnets').some((subnet) =>
          names(subnet, 'networkSecurityGroup', 'routeTable', 'natGateway'),
        ) ||
        childrenOf(value.properties, 'virtualNetworkPeerings').some((peering) =>
          names(peering, 'remoteVirtualNetwork'),
        )),
  )
}
