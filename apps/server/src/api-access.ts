// Who gets through to an API server at all, judged by where a connection comes from, before a word of TLS.

import { contains, readAddress, readRange } from '@aksel/base/ipv4'
import type { ApiAccess } from '@aksel/provider/cluster-engine'

export interface Connection {
  /** Address that it comes from. */
  readonly peer: string
  /** Address that it goes to. */
  readonly local: string
}

/** At the address for the world, which on this host is one of loopback. */
export function admitsPublic(access: ApiAccess, { peer }: Connection): boolean {
  if (access.private) return false
  if (access.authorizedRanges.length === 0) return true
  const address = readAddress(withoutMapping(peer))
  if (address === undefined) return false
  return access.authorizedRanges.some((text) => {
    const range = readRange(text.includes('/') ? text : `${text}/32`)
    return range !== undefined && contains(range, address)
  })
}

/** At the address in the cluster's own network: nodes and pods always get through, this host itself as it would by the other. */
export function admitsFabric(access: ApiAccess, { peer, local }: Connection): boolean {
  const from = withoutMapping(peer)
  const isHost = from === withoutMapping(local) || from.startsWith('127.')
  return !isHost || admitsPublic(access, { peer: '127.0.0.1', local })
}

function withoutMapping(address: string): string {
  return address.replace(/^::ffff:/i, '')
}
