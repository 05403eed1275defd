// Which address a load balancer gets: the one it asks for, the one it has, or the lowest free one, public or of a subnet.

import { addressAt, contains, lowestFree, parseAddress, parseRange } from '@aksel/base/ipv4'
import type { LoadBalancerRule, LoadBalancerSpec } from '@aksel/provider/fabric'
import { allocatePublicAddress, takenAddresses, type FabricRanges, type HostUse } from './allocate.ts'
import type { FabricState, LoadBalancerState, NetworkState } from './state.ts'

export interface FrontendPlace {
  readonly state: FabricState
  readonly ranges: FabricRanges
  readonly network: NetworkState
}

/** Throws in Azure's words for what cannot be. Changes nothing. */
export function placeFrontend(place: FrontendPlace, spec: LoadBalancerSpec, inUse: HostUse): LoadBalancerState {
  const known = place.network.loadBalancers[spec.id]
  const subnet = spec.internal === undefined ? undefined : subnetOf(place.network, spec, known)
  const keeps =
    known !== undefined && known.subnetId === subnet?.id && (spec.isShared !== true || known.address === spec.address)
  const address = keeps ? known.address : freshAddress(place, spec, subnet, inUse)
  judgePorts(place.network, spec, address)
  return {
    address,
    rules: spec.rules,
    ...(spec.isShared === true ? { isShared: true } : {}),
    ...(subnet === undefined ? {} : { subnetId: subnet.id }),
    ...(spec.internal?.subnet === undefined ? {} : { isSubnetNamed: true }),
    ...(spec.owner === undefined ? {} : { owner: spec.owner }),
  }
}

type Subnet = NetworkState['spec']['subnets'][number]

/** The one that is named; else the one it has, or that of the nodes behind it. Throws for a name that no subnet has. */
function subnetOf(
  { spec: { id: networkId, subnets } }: NetworkState,
  { internal, rules }: LoadBalancerSpec,
  known: LoadBalancerState | undefined,
): Subnet {
  const wanted = internal?.subnet?.toLowerCase()
  if (wanted !== undefined) {
    const named = subnets.find(({ id }) => id.toLowerCase().endsWith(`/subnets/${wanted}`))
    if (named !== undefined) return named
    throw new Error(`failed to get subnet: ${networkId.split('/').at(-1)}/${internal?.subnet}`)
  }
  const nodes = rules.flatMap(({ backends }) => backends.map(({ address }) => parseAddress(address)))
  const found =
    subnets.find(({ id }) => id === known?.subnetId && known.isSubnetNamed !== true) ??
    subnets.find(({ addressPrefix }) => nodes.some((node) => contains(parseRange(addressPrefix), node))) ??
    subnets[0]
  if (found === undefined) throw new Error(`failed to get subnet: ${networkId.split('/').at(-1)} has none`)
  return found
}

function freshAddress(
  place: FrontendPlace,
  { address: asked, isShared, virtualNetworkId }: LoadBalancerSpec,
  subnet: Subnet | undefined,
  inUse: HostUse,
): string {
  const { state, ranges, network } = place
  // An address of before, of the other kind, is no wish.
  const wanted = isShared === true || asked === undefined || fits(asked, subnet, ranges) ? asked : undefined
  if (isShared === true && wanted !== undefined && isSharedThere(network, wanted)) return wanted
  if (subnet !== undefined) return subnetAddress(network, subnet, wanted)
  if (wanted !== undefined && !fits(wanted, undefined, ranges)) {
    const group = /\/resourcegroups\/([^/]+)/i.exec(virtualNetworkId)?.[1] ?? virtualNetworkId
    throw new Error(
      `user supplied IP Address ${wanted} was not found in resource group ${group}: it is not in ${ranges.publicAddresses}`,
    )
  }
  return allocatePublicAddress(state, ranges, inUse, wanted)
}

function fits(address: string, subnet: Subnet | undefined, { publicAddresses }: FabricRanges): boolean {
  return contains(parseRange(subnet?.addressPrefix ?? publicAddresses), parseAddress(address))
}

function isSharedThere({ loadBalancers }: NetworkState, address: string): boolean {
  const there = Object.values(loadBalancers).filter((balancer) => balancer.address === address)
  return there.length > 0 && there.every(({ isShared }) => isShared === true)
}

/** Azure keeps the first four addresses of a subnet and the last for itself. */
function subnetAddress(network: NetworkState, { id, addressPrefix }: Subnet, wanted: string | undefined): string {
  const range = parseRange(addressPrefix)
  const used = takenAddresses(network)
  if (wanted === undefined) {
    const offset = lowestFree(4, range.size - 1, (candidate) => used.has(addressAt(range, candidate)))
    if (offset === undefined) {
      const name = id.split('/').at(-1)
      throw new Error(
        `SubnetIsFull: Subnet ${name} with address prefix ${addressPrefix} does not have enough capacity for 1 IP addresses.`,
      )
    }
    return addressAt(range, offset)
  }
  const address = parseAddress(wanted)
  if (!contains(range, address)) {
    throw new Error(
      `PrivateIPAddressNotInSubnet: Private static IP address ${wanted} does not belong to the range of subnet prefix ${addressPrefix}.`,
    )
  }
  if (address < range.first + 4 || address === range.first + range.size - 1) {
    throw new Error(
      `PrivateIPAddressInReservedRange: Private static IP address ${wanted} falls within reserved IP range of subnet prefix ${addressPrefix}.`,
    )
  }
  if (used.has(wanted)) {
    throw new Error(
      `PrivateIPAddressIsAllocated: Private static IP address ${wanted} is already allocated to another resource.`,
    )
  }
  return wanted
}

/** Several load balancers may have one address, but not one port of it. */
function judgePorts(network: NetworkState, spec: LoadBalancerSpec, address: string): void {
  for (const [id, other] of Object.entries(network.loadBalancers)) {
    if (id === spec.id || other.address !== address) continue
    const clash = spec.rules.find((rule) => other.rules.some((theirs) => overlaps(rule, theirs)))
    if (clash !== undefined) {
      const what =
        clash.protocol === 'ALL'
          ? 'high availability ports'
          : `frontend port ${clash.port} and protocol ${clash.protocol}`
      throw new Error(`another service has ${what} of the shared address ${address}`)
    }
  }
}

function overlaps(a: LoadBalancerRule, b: LoadBalancerRule): boolean {
  return a.protocol === 'ALL' || b.protocol === 'ALL' || (a.protocol === b.protocol && a.port === b.port)
}
