// How nftables calls what differs between the two address families: tables of each are compiled from one text.

import { parseIp, type IpFamily } from '@aksel/base/ip-range'

export interface FamilyWords {
  readonly family: IpFamily
  /** Of headers, and of tables. */
  readonly ip: 'ip' | 'ip6'
  readonly address: 'ipv4_addr' | 'ipv6_addr'
  readonly icmp: 'icmp' | 'icmpv6'
  /** As EndpointSlices and Services call it. */
  readonly name: 'IPv4' | 'IPv6'
}

const words: Readonly<Record<IpFamily, FamilyWords>> = {
  4: { family: 4, ip: 'ip', address: 'ipv4_addr', icmp: 'icmp', name: 'IPv4' },
  6: { family: 6, ip: 'ip6', address: 'ipv6_addr', icmp: 'icmpv6', name: 'IPv6' },
}

export function wordsOf(family: IpFamily): FamilyWords {
  return words[family]
}

/** Undefined for what is no address. */
export function familyOf(address: string): IpFamily | undefined {
  return parseIp(address)?.family
}
