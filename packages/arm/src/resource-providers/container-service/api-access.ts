// `apiServerAccessProfile`: who reaches the API server, and the names of a private cluster.

import type { ApiAccess } from '@aksel/provider/cluster-engine'
import { readRange } from '@aksel/base/ipv4'
import { changeNotAllowed, invalidParameter } from '../../azure-errors.ts'
import type { ClusterRecord, Json } from '../../records.ts'
import { objectAt } from '../body.ts'

/** Of AKS, for clusters without API server VNet integration. */
const rangesMax = 200

const profileOf = (properties: Json): Json => objectAt(properties, 'apiServerAccessProfile')

export function isPrivate(properties: Json): boolean {
  return profileOf(properties)['enablePrivateCluster'] === true
}

function rangesOf(properties: Json): readonly string[] {
  const given = profileOf(properties)['authorizedIPRanges']
  return Array.isArray(given) ? given.map(String) : []
}

export function accessOf({ properties }: Pick<ClusterRecord, 'properties'>): ApiAccess {
  return { private: isPrivate(properties), authorizedRanges: rangesOf(properties) }
}

/** Throws what Azure would refuse. */
export function judgeAccess(next: Json, before: Json | undefined): void {
  const where = 'apiServerAccessProfile.authorizedIPRanges'
  const ranges = rangesOf(next)
  if (before !== undefined && isPrivate(before) !== isPrivate(next)) {
    throw changeNotAllowed('properties.apiServerAccessProfile.enablePrivateCluster')
  }
  if (ranges.length > rangesMax) {
    throw invalidParameter(where, `${ranges.length} authorized IP ranges are more than the maximum of ${rangesMax}`)
  }
  if (ranges.length > 0 && isPrivate(next)) {
    throw invalidParameter(where, 'authorized IP ranges cannot be used with a private cluster')
  }
  const wrong = ranges.find((text) => readRange(text.includes('/') ? text : `${text}/32`) === undefined)
  if (wrong !== undefined) throw invalidParameter(where, `'${wrong}' is not an IPv4 address or CIDR`)
}

/** What only the service says of them. */
export function namesOf({ properties, fqdn, uid, location }: ClusterRecord): Json {
  if (!isPrivate(properties)) return { fqdn, azurePortalFQDN: fqdn.replace('.hcp.', '.portal.hcp.') }
  const { enablePrivateClusterPublicFQDN: isPublic } = profileOf(properties)
  const hex = `${uid}${uid}`.slice(0, 32)
  const zone = [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-')
  return {
    ...(isPublic === false ? {} : { fqdn }),
    privateFQDN: `${fqdn.split('.')[0]}.${zone}.privatelink.${location}.azmk8s.io`,
    azurePortalFQDN: `${fqdn.split('.')[0]}.portal.hcp.${location}.azmk8s.io`,
  }
}
