// Pods that no selector can tell apart: same namespace, same labels, staying or leaving. Selectors are matched against
// groups, once, and not against pods.

import type { HeldTerm, Tally } from './topology.ts'

export interface PodGroup {
  readonly key: string
  readonly namespace: string
  readonly labels: Readonly<Record<string, string>>
  readonly leaving: boolean
  /** How many stand on each node. */
  readonly bySlot: Map<number, number>
  readonly tallies: Set<Tally>
  /** Terms of standing pods that speak of this group. */
  readonly terms: Set<HeldTerm>
}

/** Groups without pods that are kept, because the next pod asked about is most likely of one of them. */
const EMPTY_MAX = 1024

export class PodGroups {
  readonly #groups = new Map<string, PodGroup>()
  readonly #empty = new Set<PodGroup>()

  all(): Iterable<PodGroup> {
    return this.#groups.values()
  }

  /** `fresh` is called with a group that was not known. */
  of(
    pod: { readonly namespace: string; readonly labels: Readonly<Record<string, string>>; readonly leaving: boolean },
    fresh: (group: PodGroup) => void,
  ): PodGroup {
    const key = `${pod.leaving ? '-' : '+'}${pod.namespace}/${JSON.stringify(pod.labels)}`
    const known = this.#groups.get(key)
    if (known !== undefined) return known
    const { namespace, labels, leaving } = pod
    const group: PodGroup = { key, namespace, labels, leaving, bySlot: new Map(), tallies: new Set(), terms: new Set() }
    this.#groups.set(key, group)
    this.#empty.add(group)
    fresh(group)
    if (this.#empty.size > EMPTY_MAX) this.#forgetOne()
    return group
  }

  count(group: PodGroup, slot: number, sign: 1 | -1): void {
    const left = (group.bySlot.get(slot) ?? 0) + sign
    if (left === 0) group.bySlot.delete(slot)
    else group.bySlot.set(slot, left)
    if (group.bySlot.size === 0) this.#empty.add(group)
    else this.#empty.delete(group)
  }

  #forgetOne(): void {
    const [oldest] = this.#empty
    this.#empty.delete(oldest!)
    this.#groups.delete(oldest!.key)
    for (const term of oldest!.terms) term.groups.delete(oldest!)
  }
}
