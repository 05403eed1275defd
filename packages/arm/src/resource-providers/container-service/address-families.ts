// Clusters of both address families: what their profile says where the caller does not, and what Azure refuses of it. Pure.

import { formatIp, formatRange, parseRange, rangesOverlap, type IpFamily, type IpRange } from '@aksel/base/ip-range'
import * as four from '@aksel/base/ipv4'
import { AksError, invalidParameter } from '../../azure-errors.ts'
import type { Json, NetworkProfile } from '../../records.ts'
import { objectAt } from '../body.ts'
import { modelOf } from './network-model.ts'

const defaults = {
  podCidr: { 4: '10.244.0.0/16', 6: 'fd12:3456:789a::/64' },
  serviceCidr: { 4: '10.0.0.0/16', 6: 'fd12:3456:789a:1::/108' },
} as const

/** Ranges of a network that the service makes, as its other ones always the same: nothing leads from VNet to VNet by IPv6. */
export const madeIpv6 = { addressPrefix: 'fd00:a:e0::/56', subnetPrefix: 'fd00:a:e0::/64' } as const

/** Nodes that a pod range has room for: a /80 each of the default one. */
const NODE_BITS = 16
/** Kubernetes' own bound. */
const SERVICE_PREFIX_LEAST = 108

export function isDualStack({ ipFamilies }: NetworkProfile): boolean {
  return Array.isArray(ipFamilies) && ipFamilies.length === 2
}

/** The range of the other family; undefined in clusters of one. */
export function ipv6RangeOf(network: NetworkProfile, name: 'podCidrs' | 'serviceCidrs'): string | undefined {
  return isDualStack(network) ? textsAt(network, name).find((each) => parseRange(each)?.family === 6) : undefined
}

/** What the caller leaves out: the first range is the older property's, and each family has one. */
export function familyDefaults(given: Json): {
  readonly ipFamilies: readonly string[]
  rangesOf(name: 'podCidr' | 'serviceCidr'): { readonly first: string; readonly all: readonly string[] }
} {
  const named = textsAt(given, 'ipFamilies')
  const ipFamilies = named.length === 0 ? ['IPv4'] : named
  return {
    ipFamilies,
    rangesOf(name) {
      const list = textsAt(given, `${name}s`)
      const own = given[name]
      const first = typeof own === 'string' ? own : (list.find((each) => !each.includes(':')) ?? defaults[name][4])
      return { first, all: ipFamilies.length === 2 ? [first, defaults[name][6]] : [first] }
    },
  }
}

/** As Azure casts them: `ipv4` is `IPv4`. A list without an entry is what SDKs send of one that nobody filled. */
export function standardFamilies(given: Json): Json {
  const named = textsAt(given, 'ipFamilies')
  if (Array.isArray(given['ipFamilies']) && given['ipFamilies'].length === 0) {
    const { ipFamilies: _, ...rest } = given
    return rest
  }
  if (named.length === 0) return given
  const names: Readonly<Record<string, string>> = { ipv4: 'IPv4', ipv6: 'IPv6' }
  return { ...given, ipFamilies: named.map((each) => names[each.toLowerCase()] ?? each) }
}

function textsAt(given: Json | NetworkProfile, name: string): readonly string[] {
  const value = (given as Json)[name]
  return Array.isArray(value) && value.every((each) => typeof each === 'string') ? (value as readonly string[]) : []
}

/** Throws what Azure would refuse. Ranges of IPv4 are judged elsewhere. */
export function judgeFamilies(properties: Json, network: NetworkProfile): void {
  const families = textsAt(network, 'ipFamilies')
  if (!['IPv4', 'IPv4,IPv6'].includes(families.join()))
    throw invalidParameter(
      'networkProfile.ipFamilies',
      `[${families.join(', ')}] is not supported, IP families are [IPv4] or [IPv4, IPv6], in this order`,
    )
  if (families.length === 2) judgeDualStack(properties, network)
  const pods = judgeRanges(network, 'podCidr', families)
  const services = judgeRanges(network, 'serviceCidr', families)
  if (pods === undefined || services === undefined) return
  if (128 - pods.prefix < NODE_BITS + 8)
    throw invalidParameter(
      'networkProfile.podCidrs',
      `pod CIDR ${formatRange(pods)} has no room for ${2 ** NODE_BITS} nodes`,
    )
  if (services.prefix < SERVICE_PREFIX_LEAST)
    throw new AksError(
      400,
      'ServiceCidrTooLarge',
      `Service CIDR ${formatRange(services)} must not be larger than /${SERVICE_PREFIX_LEAST}.`,
      { target: 'networkProfile.serviceCidrs' },
    )
  if (rangesOverlap(pods, services))
    throw new AksError(
      400,
      'ServiceCidrOverlapPodCidr',
      `The specified service CIDR ${formatRange(services)} is conflicted with the pod CIDR ${formatRange(pods)}.`,
    )
  const made = parseRange(madeIpv6.addressPrefix)!
  for (const [name, range] of [
    ['podCidrs', pods],
    ['serviceCidrs', services],
  ] as const)
    if (rangesOverlap(range, made))
      throw invalidParameter(
        `networkProfile.${name}`,
        `${formatRange(range)} overlaps the virtual network's range ${madeIpv6.addressPrefix}`,
      )
}

function judgeDualStack(properties: Json, network: NetworkProfile): void {
  const fault = (why: string): AksError => invalidParameter('networkProfile.ipFamilies', `dual-stack ${why}`)
  if (modelOf(network) !== 'overlay') throw fault('clusters need network plugin azure in mode overlay here')
  const policy = String(network['networkPolicy']).toLowerCase()
  if (policy === 'azure' || policy === 'calico') throw fault(`clusters do not support network policy ${policy}`)
  const outbound = String(network['outboundType'])
  if (/NATGateway/i.test(outbound)) throw fault(`clusters do not support outbound type ${outbound}`)
  const addOn = objectAt(objectAt(properties, 'addonProfiles'), 'aciConnectorLinux')
  if (addOn['enabled'] === true) throw fault('clusters do not support virtual nodes')
}

/** Each family has one range, in order, and the older property is the first of them. Returns that of IPv6. */
function judgeRanges(
  network: NetworkProfile,
  name: 'podCidr' | 'serviceCidr',
  families: readonly string[],
): IpRange | undefined {
  const list = textsAt(network, `${name}s`)
  // Pods of flat networks have none.
  if (list.length === 0 && families.length === 1) return undefined
  const target = `networkProfile.${name}s`
  if (list.length !== families.length)
    throw invalidParameter(target, `${list.length} ranges are given for ${families.length} IP families`)
  const ranges = list.map((text, at) => {
    const range = parseRange(text)
    if (range === undefined || `IPv${range.family}` !== families[at])
      throw invalidParameter(target, `'${text}' is not an ${families[at]!} CIDR`)
    if (range.family === 6 && formatIp({ family: 6, value: range.first }) !== formatIp(addressOf(text)))
      throw invalidParameter(target, `'${text}' does not begin at its network address ${formatRange(range)}`)
    return range
  })
  if (list[0] !== network[name])
    throw invalidParameter(target, `its first range ${list[0]!} is not ${name} ${String(network[name])}`)
  return ranges[1]
}

function addressOf(cidr: string): { readonly family: IpFamily; readonly value: bigint } {
  const { family, first } = parseRange(cidr.replace(/\/\d+$/, '/128'))!
  return { family, value: first }
}

/**
 * The node's part of the range of IPv6: the one at the same place as its part of the other range, so that one is free when the other
 * is.
 */
export function ipv6PodCidrOf(whole: string, podCidr: string, own: string): string {
  const { family, first, prefix } = parseRange(whole)!
  const place = (four.parseRange(own).first - four.parseRange(podCidr).first) / 256
  const nodePrefix = prefix + NODE_BITS
  return formatRange({ family, first: first + (BigInt(place) << BigInt(128 - nodePrefix)), prefix: nodePrefix })
}
