// Which bridge a subnet has: a number that it keeps while other subnets come and go.

import { lowestFree } from '@aksel/base/ipv4'
import type { VirtualNetwork } from '@aksel/provider/fabric'
import type { NetworkState } from './state.ts'

export type Slots = Readonly<Record<string, number>>

/** As they stand; in states older than slots, a subnet's place in the list. */
export function slotsOf(network: Pick<NetworkState, 'spec' | 'slots'>): Slots {
  return network.slots ?? Object.fromEntries(network.spec.subnets.map(({ id }, index) => [id, index]))
}

/** As they will stand: who stays keeps its number, who comes gets the lowest that is free. */
export function nextSlots(before: Slots, spec: VirtualNetwork): Slots {
  const next: Record<string, number> = {}
  for (const { id } of spec.subnets) {
    if (before[id] !== undefined) next[id] = before[id]
  }
  for (const { id } of spec.subnets) {
    if (next[id] !== undefined) continue
    const used = new Set([...Object.values(next), ...Object.values(before)])
    next[id] = lowestFree(0, 256, (candidate) => used.has(candidate)) ?? 0
  }
  return next
}
