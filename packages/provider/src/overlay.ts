// How packets find the pods of hosts that joined: VXLAN between them and the router of the cluster's VNet, one network per cluster, with
// neighbours that both ends work out. Pure.

import { formatAddress, parseAddress, parseRange } from '@aksel/base/ipv4'

/** IANA's, of UDP. */
export const OVERLAY_PORT = 4789
/** What VXLAN takes of 1500 bytes is 50. */
export const OVERLAY_MTU = 1450
/** The router, as joined hosts know it: the address is on that link alone. */
export const overlayRouter = { address: '169.254.77.1', mac: '0a:59:00:00:00:01' } as const

const FIRST_NUMBER = 0x01_00_00

export interface Overlay {
  /** VNI. */
  readonly number: number
  /** What lies behind the router besides the cluster's pods: the VNet's ranges. */
  readonly prefixes: readonly string[]
}

/** A joined host: where packets for its pods go. */
export interface OverlayHost {
  /** Where it is reached. */
  readonly address: string
  readonly podCidr: string
}

/** Of the API server's address of the fabric, which no other cluster of that host has. */
export function overlayNumber(hostAddress: string): number {
  return FIRST_NUMBER + (parseAddress(hostAddress) & 0xff_ff)
}

/** The first address of its range, which no pod has, and a neighbour's address made of it. */
export function overlayNeighbour(podCidr: string): { readonly address: string; readonly mac: string } {
  const first = parseRange(podCidr).first
  const bytes = [24, 16, 8, 0].map((shift) => ((first >>> shift) & 0xff).toString(16).padStart(2, '0'))
  return { address: formatAddress(first), mac: ['0a', '58', ...bytes].join(':') }
}

/** For nft: packets of this network, whoever sends them. UDP's header, eight bytes of VXLAN's, the number at the fifth. */
export function overlayMatch(number: number): string {
  return `udp dport ${OVERLAY_PORT} @th,96,24 ${number}`
}
