// Peerings of virtual networks: each side names the other, and packets flow once both have.

import { overlaps, parseRange } from '@aksel/base/ipv4'
import type { DocumentRecord, Json } from '../../records.ts'
import { objectAt } from '../body.ts'
import { badReference, missingField, refused } from './network-errors.ts'
import type { ChildType, WriteContext } from './network-type.ts'
import { childrenOf, referenceAt, type ChildDocument } from './network-references.ts'
import { type NetworkWorld } from './network-world.ts'

export const peeringStates = ['Initiated', 'Connected', 'Disconnected'] as const
export type PeeringState = (typeof peeringStates)[number]

export const peering: ChildType = {
  path: 'virtualNetworkPeerings',
  kept: true,
  write: (given, { childId }) => {
    if (referenceAt(given, 'remoteVirtualNetwork') === undefined) throw missingField(childId, 'remoteVirtualNetwork')
    const wish = {
      allowVirtualNetworkAccess: true,
      allowForwardedTraffic: false,
      allowGatewayTransit: false,
      useRemoteGateways: false,
      ...given,
    }
    if (wish.useRemoteGateways) {
      throw refused(
        'PeeringRemoteGatewayNotFound',
        `Peering ${childId} cannot use remote gateways: the remote virtual network has no gateway.`,
      )
    }
    return wish
  },
  show: (child, { value }, world) => {
    const remote = remoteOf(child, world)
    const remoteSpace = remote === undefined ? {} : { remoteAddressSpace: objectAt(remote.properties, 'addressSpace') }
    return {
      ...child.properties,
      peeringState: stateOf(child, value.id, world),
      peeringSyncLevel: 'FullyInSync',
      ...remoteSpace,
      ...(remote === undefined
        ? {}
        : { remoteVirtualNetworkAddressSpace: objectAt(remote.properties, 'addressSpace') }),
    }
  },
}

/** Connected once the remote network has a peering back. */
export function stateOf(child: ChildDocument, ownId: string, world: NetworkWorld): PeeringState {
  const remote = remoteOf(child, world)
  if (remote === undefined) return 'Disconnected'
  return peeringTo(remote, ownId) === undefined ? 'Initiated' : 'Connected'
}

/** The network's peering with that one. */
export function peeringTo(network: Pick<DocumentRecord, 'properties'>, remoteId: string): ChildDocument | undefined {
  return childrenOf(network.properties, 'virtualNetworkPeerings').find(
    ({ properties }) => referenceAt(properties, 'remoteVirtualNetwork')?.toLowerCase() === remoteId.toLowerCase(),
  )
}

function remoteOf(child: ChildDocument, world: NetworkWorld): DocumentRecord | undefined {
  return world.documents.get(referenceAt(child.properties, 'remoteVirtualNetwork')!.toLowerCase())?.value
}

/** Networks that are peered have ranges of their own. */
export function judgePeerings(given: Json, { id, before, world }: WriteContext): void {
  const own = prefixesOf(given)
  const peerings = childrenOf(given, 'virtualNetworkPeerings')
  const seen: { readonly id: string; readonly prefixes: readonly string[] }[] = []
  for (const child of peerings) {
    const childId = `${id}/virtualNetworkPeerings/${child.name}`
    const remoteId = referenceAt(child.properties, 'remoteVirtualNetwork')!
    const remote = world.documents.get(remoteId.toLowerCase())?.value
    if (remoteId.toLowerCase() === id.toLowerCase()) {
      throw refused(
        'VnetCannotPeerWithItself',
        `Cannot create or update peering ${childId}. A virtual network cannot be peered with itself.`,
      )
    }
    const isKnown = childrenOf(before?.properties ?? {}, 'virtualNetworkPeerings').some(
      ({ name }) => name === child.name,
    )
    if (remote === undefined && !isKnown) throw badReference(remoteId, childId)
    if (seen.some((other) => other.id === remoteId.toLowerCase())) {
      throw refused(
        'AnotherPeeringAlreadyReferencesRemoteVnet',
        `Peering ${childId} cannot be created: another peering references the remote virtual network ${remoteId} already.`,
      )
    }
    if (remote === undefined) continue
    const prefixes = prefixesOf(remote.properties)
    judgeApart('VnetAddressSpacesOverlap', childId, { id, prefixes: own }, { id: remoteId, prefixes })
    for (const other of seen) {
      judgeApart('VnetAddressSpaceOverlapsWithAlreadyPeeredVnet', childId, { id: remoteId, prefixes }, other)
    }
    seen.push({ id: remoteId.toLowerCase(), prefixes })
  }
}

interface Spaced {
  readonly id: string
  readonly prefixes: readonly string[]
}

function judgeApart(code: string, childId: string, one: Spaced, other: Spaced): void {
  for (const left of one.prefixes) {
    const right = other.prefixes.find((prefix) => overlaps(parseRange(left), parseRange(prefix)))
    if (right === undefined) continue
    throw refused(
      code,
      `Cannot create or update peering ${childId}. Virtual networks ${one.id} and ${other.id} cannot be peered because their address spaces overlap. Overlapping address prefixes: ${left}, ${right}`,
    )
  }
}

function prefixesOf(properties: Json): readonly string[] {
  return objectAt(properties, 'addressSpace')['addressPrefixes'] as readonly string[]
}
