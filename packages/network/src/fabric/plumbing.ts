// The batches for `ip` that make a VNet's router and a machine's place on it. Pure: they only render text.
//
//   host namespace         router namespace aksel-1a2b3c                       machine namespace aksel-4d5e6f
//   aksel-1a2b3c ──────── host       br0 (gateway .1 of the subnet) ── m-4d5e6f ──────── eth0 (.4)
//   100.64.0.1/30    100.64.0.2/30

import { addressAt, formatRange, parseRange } from '@aksel/base/ipv4'
import { slotsOf } from './slots.ts'
import type { MachineState, NetworkState } from './state.ts'

export const HOST_LINK = 'host'
/** A bridge without ports: what a user-defined route sends nowhere goes there, so that it can be told of. */
export const NOWHERE_LINK = 'nowhere'

export function routerOf(network: NetworkState): string {
  return `aksel-${network.key}`
}

export function namespaceOf(machine: MachineState): string {
  return `aksel-${machine.key}`
}

export function portOf(machine: MachineState): string {
  return `m-${machine.key}`
}

export function gatewayOf(subnetPrefix: string): string {
  return addressAt(parseRange(subnetPrefix), 1)
}

/** For the host's namespace: the router's namespace and the link to it. */
export function routerOnHost(network: NetworkState, link: { readonly host: string }): readonly string[] {
  const router = routerOf(network)
  return [
    `netns add ${router}`,
    `link add ${router} type veth peer name ${HOST_LINK} netns ${router}`,
    `addr add ${link.host}/30 dev ${router}`,
    `link set ${router} up`,
  ]
}

/** For the router's namespace: its links, and no way out for addresses of the VNet that no subnet has. */
export function routerInside(
  network: NetworkState,
  link: { readonly host: string; readonly router: string },
): readonly string[] {
  return [
    'link set lo up',
    `addr add ${link.router}/30 dev ${HOST_LINK}`,
    `link set ${HOST_LINK} up`,
    `route add default via ${link.host}`,
    ...[network.spec.addressPrefix, ...(network.spec.otherPrefixes ?? [])].map(nowhere),
  ]
}

function nowhere(prefix: string): string {
  return `route replace unreachable ${formatRange(parseRange(prefix))} metric 4096`
}

/** For the router's namespace; it may be there already. */
export function nowhereLink(): readonly string[] {
  return [`link add ${NOWHERE_LINK} type bridge forward_delay 0 mcast_snooping 0`, `link set ${NOWHERE_LINK} up`]
}

/** For the router's namespace: from the ranges that a standing VNet had to those that it has. */
export function movedRanges(before: readonly string[], after: readonly string[]): readonly string[] {
  return [
    ...after.map(nowhere),
    ...before
      .filter((prefix) => !after.includes(prefix))
      .map((prefix) => `route del unreachable ${prefix} metric 4096`),
  ]
}

/** The bridge has a fixed hardware address: left alone it takes the lowest of its ports and changes when machines come and go. */
export function subnetBridge({ key }: Pick<NetworkState, 'key'>, slot: number, prefix: string): readonly string[] {
  const hardware = ['02', ...key.match(/../g)!, '00', slot.toString(16).padStart(2, '0')].join(':')
  return [
    `link add br${slot} address ${hardware} type bridge forward_delay 0 mcast_snooping 0`,
    `addr add ${gatewayOf(prefix)}/${parseRange(prefix).prefixLength} dev br${slot}`,
    `link set br${slot} up`,
  ]
}

/** For the host's namespace: the machine's cable. */
export function machineCable(network: NetworkState, machine: MachineState): readonly string[] {
  return [
    `link add ${portOf(machine)} netns ${routerOf(network)} type veth peer name eth0 netns ${namespaceOf(machine)}`,
  ]
}

/**
 * Ports of a bridge do not hear each other: the router answers for all neighbours (proxy_arp_pvlan) and forwards, so that
 * security rules and routes hold within a subnet too, as they do in Azure.
 */
export function machinePort(machine: MachineState, slot: number): readonly string[] {
  return [
    `link set ${portOf(machine)} master br${slot} up`,
    `link set ${portOf(machine)} type bridge_slave isolated on`,
    ...podRoutes(machine, slot),
  ]
}

/** For the router's namespace: the way to the machine's pods. */
export function podRoutes(machine: MachineState, slot: number): readonly string[] {
  const targets = [...(machine.podCidr === undefined ? [] : [machine.podCidr]), ...(machine.pods?.addresses ?? [])]
  return targets.map((target) => `route replace ${target} via ${machine.address} dev br${slot}`)
}

/** For the router's namespace; they may be gone already. */
export function forgottenPods(machine: MachineState): readonly string[] {
  const targets = [...(machine.podCidr === undefined ? [] : [machine.podCidr]), ...(machine.pods?.addresses ?? [])]
  return [
    ...targets.map((target) => `route del ${target} via ${machine.address}`),
    ...(machine.ipv6PodCidr === undefined ? [] : [`route del ${machine.ipv6PodCidr}`]),
  ]
}

/** Below /proc/sys/net/ipv4: the router answers for neighbours at once. */
export function bridgeSysctls(slot: number): readonly (readonly [name: string, value: string])[] {
  return [
    [`net/ipv4/conf/br${slot}/proxy_arp_pvlan`, '1'],
    [`net/ipv4/neigh/br${slot}/proxy_delay`, '0'],
  ]
}

export function bridgeOf(network: NetworkState, subnetId: string): string {
  return `br${slotsOf(network)[subnetId]}`
}

/**
 * For the router's namespace: it answers for an address of a subnet that is no machine's. Were the address its own, packets
 * that keep it could not be sent on; the route is there because the kernel answers only for what it would send elsewhere.
 */
export function internalFrontend(address: string, bridge: string): readonly string[] {
  return [`route replace ${address}/32 dev lo`, `neigh replace proxy ${address} dev ${bridge}`]
}

/** For the machine's namespace. */
export function machineInside(machine: MachineState, subnetPrefix: string): readonly string[] {
  return [
    'link set lo up',
    `addr add ${machine.address}/${parseRange(subnetPrefix).prefixLength} dev eth0`,
    'link set eth0 up',
    `route add default via ${gatewayOf(subnetPrefix)}`,
  ]
}

/** Routers and nodes forward; neither tells its neighbours of shorter ways, which would lead around address translation. */
export const FORWARDING_SYSCTLS: Readonly<Record<string, string>> = {
  'net/ipv4/ip_forward': '1',
  'net/ipv4/conf/all/send_redirects': '0',
  'net/ipv4/conf/default/send_redirects': '0',
  'net/ipv4/conf/all/accept_redirects': '0',
  'net/ipv4/conf/all/rp_filter': '0',
  'net/ipv4/conf/default/rp_filter': '0',
}

/**
 * Set where the kernel has it. With br_netfilter the router's translation would already be applied to frames on the
 * bridge, which then go straight to a neighbouring port, and are lost when that is the one they came from.
 */
export const BRIDGE_SYSCTLS: Readonly<Record<string, string>> = { 'net/bridge/bridge-nf-call-iptables': '0' }
