// Hands out names and addresses. All ranges are the host's own and belong to no one else: 100.64.0.0/10 is set aside by
// RFC 6598 for carriers, and a host that uses it already is asked before an address is taken.

import type { Random } from '@aksel/base/ids'
import { SubnetFullError } from '@aksel/provider/fabric'
import {
  addressAt,
  lowestFree,
  parseAddress,
  parseRange,
  formatAddress,
  contains,
  overlaps,
  type Range,
} from '@aksel/base/ipv4'
import type { FabricState, NetworkState } from './state.ts'

export interface FabricRanges {
  /** A /30 per VNet: host and router. */
  readonly links: string
  /** Addresses of the host that API servers listen on. */
  readonly hostAddresses: string
  /** Public addresses of load balancers. */
  readonly publicAddresses: string
}

export const defaultRanges: FabricRanges = {
  links: '100.64.0.0/16',
  hostAddresses: '100.65.0.0/16',
  publicAddresses: '100.66.0.0/16',
}

/** Addresses in use on the host by others. */
export type HostUse = (range: Range) => boolean

/** Six hexadecimal digits that nothing in this state has. */
export function freshKey(state: FabricState, random: Random): string {
  const used = new Set([state.key])
  for (const network of Object.values(state.networks)) {
    used.add(network.key)
    for (const machine of Object.values(network.machines)) used.add(machine.key)
  }
  let key = hexKey(random)
  while (used.has(key)) key = hexKey(random)
  return key
}

/** Six hexadecimal digits. */
export function hexKey(random: Random): string {
  return Array.from(random.nextBytes(3), (byte) => byte.toString(16).padStart(2, '0')).join('')
}

export function allocateLink(state: FabricState, ranges: FabricRanges, inUse: HostUse): number {
  const range = parseRange(ranges.links)
  const used = new Set(Object.values(state.networks).map((network) => network.linkIndex))
  const index = lowestFree(
    0,
    range.size / 4,
    (candidate) => used.has(candidate) || inUse(parseRange(`${addressAt(range, candidate * 4)}/30`)),
  )
  if (index === undefined) throw new Error(`Cannot make a VNet: every /30 of ${ranges.links} is in use`)
  return index
}

/** Host's and router's end of the link. */
export function linkAddresses(ranges: FabricRanges, index: number): { readonly host: string; readonly router: string } {
  const range = parseRange(ranges.links)
  return { host: addressAt(range, index * 4 + 1), router: addressAt(range, index * 4 + 2) }
}

export function allocateHostAddress(state: FabricState, ranges: FabricRanges, inUse: HostUse): string {
  const used = Object.values(state.networks).flatMap((network) => Object.values(network.hostAddresses))
  return lowestAddress('a host address', ranges.hostAddresses, 1, new Set(used), inUse)
}

export function allocatePublicAddress(
  state: FabricState,
  ranges: FabricRanges,
  inUse: HostUse,
  wanted: string | undefined,
): string {
  const used = new Set(
    Object.values(state.networks).flatMap((network) =>
      Object.values(network.loadBalancers).map(({ address }) => address),
    ),
  )
  const reserved = Object.values(state.publicRanges ?? {}).map(parseRange)
  if (wanted === undefined) {
    const isTaken: HostUse = (range) => inUse(range) || reserved.some((other) => overlaps(other, range))
    return lowestAddress('a public address', ranges.publicAddresses, 1, used, isTaken)
  }
  if (!contains(parseRange(ranges.publicAddresses), parseAddress(wanted))) {
    throw new Error(`Cannot use the public address ${wanted}: it is not in ${ranges.publicAddresses}`)
  }
  if (used.has(wanted)) throw new Error(`Cannot use the public address ${wanted}: another load balancer has it`)
  return wanted
}

/** A range of public addresses that nothing holds; begins where its length says. */
export function allocatePublicRange(
  state: FabricState,
  ranges: FabricRanges,
  inUse: HostUse,
  prefixLength: number,
): string {
  const whole = parseRange(ranges.publicAddresses)
  const size = 2 ** (32 - prefixLength)
  const held = [
    ...Object.values(state.publicRanges ?? {}).map(parseRange),
    ...Object.values(state.networks).flatMap((network) =>
      Object.values(network.loadBalancers).map(({ address }) => parseRange(`${address}/32`)),
    ),
  ]
  const at = lowestFree(1, whole.size / size, (index) => {
    const range = parseRange(`${addressAt(whole, index * size)}/${prefixLength}`)
    return held.some((other) => overlaps(other, range)) || inUse(range)
  })
  if (at === undefined)
    throw new Error(`Cannot reserve a public /${prefixLength}: ${ranges.publicAddresses} is used up`)
  return `${addressAt(whole, at * size)}/${prefixLength}`
}

/** Azure keeps the first four addresses of a subnet and the last for itself: the first machine is .4. */
export function allocateMachineAddress(network: NetworkState, subnetId: string, subnet: string): string {
  const used = takenAddresses(network)
  const range = parseRange(subnet)
  const offset = lowestFree(4, range.size - 1, (candidate) => used.has(addressAt(range, candidate)))
  if (offset === undefined) throw new SubnetFullError(subnetId, subnet, 1)
  return addressAt(range, offset)
}

/** Addresses of machines and of their pods, and of internal load balancers. */
export function takenAddresses({ machines, loadBalancers }: NetworkState): ReadonlySet<string> {
  return new Set([
    ...Object.values(machines).flatMap(({ address, pods }) => [address, ...(pods?.addresses ?? [])]),
    ...Object.values(loadBalancers).map(({ address }) => address),
  ])
}

const blockSize = 16

/** So many addresses of the subnet for pods; in blocks: whole /28 ranges. Undefined where the subnet has not that many left. */
export function allocatePodAddresses(
  network: NetworkState,
  subnet: string,
  wish: { readonly count: number; readonly inBlocks: boolean },
): readonly string[] | undefined {
  const used = takenAddresses(network)
  const range = parseRange(subnet)
  const isFree = (offset: number): boolean => !used.has(addressAt(range, offset))
  const found: string[] = []
  if (!wish.inBlocks) {
    for (let offset = 4; offset < range.size - 1 && found.length < wish.count; offset += 1) {
      if (isFree(offset)) found.push(addressAt(range, offset))
    }
    return found.length === wish.count ? found : undefined
  }
  // The first and the last block hold addresses that Azure keeps for itself.
  for (let start = blockSize; start < range.size - blockSize && found.length < wish.count; start += blockSize) {
    const block = Array.from({ length: blockSize }, (_, at) => start + at)
    if (block.every(isFree)) found.push(...block.map((offset) => addressAt(range, offset)))
  }
  return found.length >= wish.count ? found : undefined
}

function lowestAddress(what: string, text: string, from: number, used: ReadonlySet<string>, inUse: HostUse): string {
  const range = parseRange(text)
  const offset = lowestFree(from, range.size - 1, (candidate) => {
    const address = addressAt(range, candidate)
    return used.has(address) || inUse(parseRange(`${address}/32`))
  })
  if (offset === undefined) throw new Error(`Cannot hand out ${what}: ${text} is used up`)
  return formatAddress(range.first + offset)
}
