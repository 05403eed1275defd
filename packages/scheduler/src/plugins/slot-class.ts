// What was worked out of every node for pods that are alike, and only worked out anew for nodes that changed since.

import type { ClusterState } from '../state/cluster-state.ts'

export interface Slots {
  grow(capacity: number): void
  /** The node of this slot changed, its pods did, or there is none (any more). */
  judge(slot: number): void
}

/** Keeps one class current. `nodesOnly`: pods that come and go change nothing. */
export class SlotClass<T extends Slots> {
  readonly slots: T
  readonly #nodesOnly: boolean
  #capacity = 0
  #sequence = 0
  #nodeSequence = -1

  constructor(slots: T, options: { readonly nodesOnly: boolean }) {
    this.slots = slots
    this.#nodesOnly = options.nodesOnly
  }

  current(state: ClusterState): T {
    if (this.#capacity < state.capacity) {
      this.slots.grow(state.capacity)
      this.#capacity = state.capacity
      this.#sequence = -Infinity
    }
    if (this.#sequence === state.sequence) return this.slots
    if (this.#nodesOnly) this.#refreshNodes(state)
    else if (!state.changedSince(this.#sequence, (slot) => this.slots.judge(slot)))
      this.#refresh(state, state.changedAt)
    this.#sequence = state.sequence
    return this.slots
  }

  #refreshNodes(state: ClusterState): void {
    if (this.#nodeSequence === state.nodeSequence && this.#sequence >= 0) return
    this.#refresh(state, state.nodeChangedAt)
    this.#nodeSequence = state.nodeSequence
  }

  #refresh(state: ClusterState, changedAt: Float64Array): void {
    const all = this.#sequence < 0
    for (let slot = 0; slot < state.high; slot += 1)
      if (all || changedAt[slot]! > this.#sequence) this.slots.judge(slot)
  }
}

/** Forgets the class that was asked for longest ago. */
export class ClassCache<T extends Slots> {
  readonly #max: number
  readonly #classes = new Map<string, SlotClass<T>>()

  constructor(max: number) {
    this.#max = max
  }

  of(key: string, make: () => SlotClass<T>): SlotClass<T> {
    const known = this.#classes.get(key)
    if (known !== undefined) {
      this.#classes.delete(key)
      this.#classes.set(key, known)
      return known
    }
    const made = make()
    this.#classes.set(key, made)
    if (this.#classes.size > this.#max) this.#classes.delete(this.#classes.keys().next().value!)
    return made
  }
}
