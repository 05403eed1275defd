// The batches for `ip` that make a VNet's router and a machine's place on it. Pure: they only render text.
//
//   host namespace         router namespace aksel-1a2b3c                       machine namespace aksel-4d5e6f
//   aksel-1a2b3c ──────── host       br0 (gateway .1 of the subnet) ── m-4d5e6f ──────── eth0 (.4)
//   100.64.0.1/30    100.64.0.2/30

import { addressAt, formatRange, parseRange } from '@aksel/base/ipv4'
import type { MachineState, NetworkState } from './state.ts'

export const HOST_LINK = 'host'

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
    `route add unreachable ${formatRange(parseRange(network.spec.addressPrefix))} metric 4096`,
    ...network.spec.subnets.flatMap((subnet, index) => subnetBridge(network, index)),
  ]
}

/** The bridge has a fixed hardware address: left alone it takes the lowest of its ports and changes when machines come and go. */
export function subnetBridge(network: NetworkState, index: number): readonly string[] {
  const prefix = network.spec.subnets[index]!.addressPrefix
  const hardware = ['02', ...network.key.match(/../g)!, '00', index.toString(16).padStart(2, '0')].join(':')
  return [
    `link add br${index} address ${hardware} type bridge forward_delay 0 mcast_snooping 0`,
    `addr add ${gatewayOf(prefix)}/${parseRange(prefix).prefixLength} dev br${index}`,
    `link set br${index} up`,
  ]
}

/** For the host's namespace: the machine's cable. */
export function machineCable(network: NetworkState, machine: MachineState): readonly string[] {
  return [
    `link add ${portOf(machine)} netns ${routerOf(network)} type veth peer name eth0 netns ${namespaceOf(machine)}`,
  ]
}

/** For the router's namespace: the port on the subnet's bridge, and the way to the machine's pods. */
export function machinePort(machine: MachineState, subnetIndex: number): readonly string[] {
  return [`link set ${portOf(machine)} master br${subnetIndex} up`, podRoute(machine, subnetIndex)]
}

export function podRoute(machine: MachineState, subnetIndex: number): string {
  return `route replace ${machine.podCidr} via ${machine.address} dev br${subnetIndex}`
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
