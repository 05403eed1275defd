// `apiServerAccessProfile`: who reaches the API server, and the names of a private cluster.

import type { ApiAccess } from '@aksel/provider/cluster-engine'
import { readRange } from '@aksel/base/ipv4'
import { badRequest, changeNotAllowed, invalidParameter } from '../../azure-errors.ts'
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

/** `system`, `none`, or the id of a zone. */
function zoneOf(properties: Json): string {
  const given = profileOf(properties)['privateDNSZone']
  if (typeof given !== 'string' || given === '') return 'system'
  return ['system', 'none'].includes(given.toLowerCase()) ? given.toLowerCase() : given
}

const hasPublicName = (properties: Json): boolean => profileOf(properties)['enablePrivateClusterPublicFQDN'] !== false

const zoneId =
  /^\/subscriptions\/[^/]+\/resourcegroups\/[^/]+\/providers\/microsoft\.network\/privatednszones\/([^/]+)$/i

/** `privatelink.REGION.azmk8s.io`, `private.REGION.azmk8s.io`, or something below the first. */
function isZoneName(name: string, location: string): boolean {
  const [link, own] = ['privatelink', 'private'].map((word) => `${word}.${location}.azmk8s.io`.toLowerCase())
  return (
    name === link ||
    name === own ||
    /^[a-z0-9-]{1,32}$/.test(name.endsWith(`.${link}`) ? name.slice(0, -link!.length - 1) : '')
  )
}

export interface ZoneWish {
  readonly next: Json
  readonly before: Json | undefined
  readonly location: string
}

/** Throws what Azure would refuse of `privateDNSZone`, the public name, and the name of one's own. */
export function judgeZone({ next, before, location }: ZoneWish): void {
  const where = 'apiServerAccessProfile.privateDNSZone'
  const zone = zoneOf(next)
  const isOwn = zone !== 'system' && zone !== 'none'
  if (typeof next['fqdnSubdomain'] === 'string' && before === undefined && !(isOwn && isPrivate(next))) {
    throw invalidParameter('fqdnSubdomain', 'fqdnSubdomain is only supported with a private DNS zone of your own')
  }
  if (!isPrivate(next)) return
  if (zone === 'none' && !hasPublicName(next)) {
    throw invalidParameter(
      where,
      "privateDNSZone 'none' is not supported without the public FQDN: nothing would resolve",
    )
  }
  if (before !== undefined && zone !== 'none' && zone.toLowerCase() !== zoneOf(before).toLowerCase()) {
    throw changeNotAllowed(`properties.${where}`)
  }
  if (isOwn && !isZoneName(zoneId.exec(zone)?.[1]?.toLowerCase() ?? '', location)) {
    throw invalidParameter(
      where,
      `'${zone}' is neither 'system' nor 'none' nor the id of a private DNS zone named privatelink.${location}.azmk8s.io, private.${location}.azmk8s.io or SUBZONE.privatelink.${location}.azmk8s.io`,
    )
  }
}

type Named = Pick<ClusterRecord, 'properties' | 'fqdn' | 'uid' | 'location'>

/** The name that the private DNS zone has of the API server; undefined where there is no such zone. */
export function privateNameOf({ properties, fqdn, uid, location }: Named): string | undefined {
  const zone = zoneOf(properties)
  if (!isPrivate(properties) || zone === 'none') return undefined
  const label = fqdn.split('.')[0]!
  if (zone !== 'system') {
    const own = properties['fqdnSubdomain']
    return `${typeof own === 'string' ? own : label}.${zoneId.exec(zone)?.[1] ?? ''}`.toLowerCase()
  }
  const hex = `${uid}${uid}`.slice(0, 32)
  const guid = [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-')
  return `${label}.${guid}.privatelink.${location}.azmk8s.io`.toLowerCase()
}

/** What resolves to the API server's address inside the network; for other clusters the address is found without. */
export function namesInside(cluster: Named): readonly string[] {
  if (!isPrivate(cluster.properties)) return []
  const own = privateNameOf(cluster)
  return [...(own === undefined ? [] : [own]), ...(hasPublicName(cluster.properties) ? [cluster.fqdn] : [])]
}

/** The kubeconfig with the public name of a private cluster in place of its address; throws where it has none. Others have no other name. */
export function withPublicName(kubeconfig: string, cluster: Named): string {
  if (!isPrivate(cluster.properties)) return kubeconfig
  if (!hasPublicName(cluster.properties)) {
    throw badRequest(
      'The public FQDN of this private cluster is disabled: enable it, or ask for credentials without it.',
      'server-fqdn',
    )
  }
  return kubeconfig.replace(/^(\s+server: "?https:\/\/)[^:/\s"]+/m, `$1${cluster.fqdn}`)
}

/** What only the service says of them. */
export function namesOf(cluster: ClusterRecord): Json {
  const { properties, fqdn, location } = cluster
  if (!isPrivate(properties)) return { fqdn, azurePortalFQDN: fqdn.replace('.hcp.', '.portal.hcp.') }
  const privateFQDN = privateNameOf(cluster)
  return {
    ...(hasPublicName(properties) ? { fqdn } : {}),
    ...(privateFQDN === undefined ? {} : { privateFQDN }),
    azurePortalFQDN: `${fqdn.split('.')[0]}.portal.hcp.${location}.azmk8s.io`,
  }
}
