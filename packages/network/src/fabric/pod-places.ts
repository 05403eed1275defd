// Which packets are of another subnet than the bridge that they pass: those of pods whose node lies in one subnet and they in
// another. Pure: machines in, pairs out. Pairs and not addresses, so that nothing changes as pods come and go; and no more pairs
// than there are, because what an appliance passes on with somebody else's address is its own subnet's to judge, as in Azure.

import { formatRange, parseRange } from '@aksel/base/ipv4'
import { slotsOf } from './slots.ts'
import type { NetworkState } from './state.ts'

export interface PodPlace {
  /** The number of the bridge that packets pass: of the nodes' subnet. */
  readonly bridge: number
  /** The number of the pods' subnet, whose rules, routes and way out hold for them. */
  readonly slot: number
  /** The range of the pods' subnet. */
  readonly prefix: string
}

/** In an order that is the same whoever came first. */
export function podPlacesOf(network: Pick<NetworkState, 'spec' | 'slots' | 'machines'>): readonly PodPlace[] {
  const slots = slotsOf(network)
  const places = new Map<string, PodPlace>()
  for (const { subnetId, pods } of Object.values(network.machines)) {
    if (pods === undefined || pods.subnetId === subnetId) continue
    const [bridge, slot] = [slots[subnetId], slots[pods.subnetId]]
    const subnet = network.spec.subnets.find(({ id }) => id === pods.subnetId)
    if (bridge === undefined || slot === undefined || subnet === undefined) continue
    places.set(`${bridge} ${slot}`, { bridge, slot, prefix: formatRange(parseRange(subnet.addressPrefix)) })
  }
  return [...places.values()].toSorted((a, b) => a.bridge - b.bridge || a.slot - b.slot)
}
