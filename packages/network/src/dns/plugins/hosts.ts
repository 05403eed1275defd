// A table of addresses and names, in the words of CoreDNS' `hosts`.

import { isIPv4, isIPv6 } from 'node:net'
import type { Answer } from 'dns-packet'
import { reverseAddress } from '../reverse.ts'
import { liesIn, reply, type Answering } from '../query.ts'
import { bytesOfIpv6, rcodes } from '../wire.ts'

export interface HostsEntry {
  readonly address: string
  /** In small letters. */
  readonly names: readonly string[]
}

export interface HostsOptions {
  readonly zones: readonly string[]
  readonly entries: readonly HostsEntry[]
  readonly ttlSeconds: number
  readonly hasReverse: boolean
  /** Zones in which a name that is not here is looked for further on. */
  readonly fallthrough: readonly string[]
}

export function hosts(options: HostsOptions, next: Answering): Answering {
  const addresses = new Map<string, string[]>()
  const names = new Map<string, string[]>()
  for (const { address, names: own } of options.entries) {
    for (const name of own) addresses.set(name, [...(addresses.get(name) ?? []), address])
    if (options.hasReverse) names.set(keyOf(address), [...(names.get(keyOf(address)) ?? []), ...own])
  }
  return (scope, query) => {
    const { name, type } = query.question
    const reversed = type === 'PTR' ? reverseAddress(name) : undefined
    const pointers = reversed === undefined ? undefined : names.get(keyOf(reversed))
    if (pointers !== undefined) {
      const answers = pointers.map((data): Answer => ({ type: 'PTR', name, ttl: options.ttlSeconds, data }))
      return reply(query, { rcode: rcodes.noError, isAuthoritative: true, answers })
    }
    if (reversed === undefined && !options.zones.some((zone) => liesIn(name, zone))) return next(scope, query)
    const known = addresses.get(name)
    if (known === undefined) {
      if (reversed !== undefined || options.fallthrough.some((zone) => liesIn(name, zone))) return next(scope, query)
      // As upstream has it: a table of hosts has no SOA record, without which there is no "no such name".
      return reply(query, { rcode: rcodes.serverFailure })
    }
    const wanted = known.filter((address) => (type === 'A' ? isIPv4(address) : type === 'AAAA' && isIPv6(address)))
    const answers = wanted.map((data): Answer => ({ type: type as 'A' | 'AAAA', name, ttl: options.ttlSeconds, data }))
    return reply(query, { rcode: rcodes.noError, isAuthoritative: true, answers })
  }
}

function keyOf(address: string): string {
  return isIPv6(address) ? bytesOfIpv6(address).toString('hex') : address
}
