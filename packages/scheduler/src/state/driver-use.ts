// How many volumes of one CSI driver every node holds, and how many it may: columns, so that a pod's look at thousands of nodes is short.

import type { ClusterState } from './cluster-state.ts'

/** Undefined: the driver is not there, or sets no limit. */
export type LimitOf = (nodeName: string) => number | undefined

const UNLIMITED = 0x7fff_ffff

export class DriverUse {
  readonly #state: ClusterState
  readonly #limitOf: LimitOf
  /** By slot: how many pods use each volume. */
  readonly #bySlot = new Map<number, Map<string, number>>()
  #held = new Int32Array(0)
  #limits = new Int32Array(0)
  #sequence = -1
  #nodeSequence = -1

  constructor(state: ClusterState, limitOf: LimitOf) {
    this.#state = state
    this.#limitOf = limitOf
  }

  /** Whether these volumes are too many for the node, beside those that it holds; one that it holds already counts once. */
  isExceeded(slot: number, ids: ReadonlySet<string>): boolean {
    const held = this.#held[slot]!
    const limit = this.#limits[slot]!
    if (held + ids.size <= limit) return false
    const known = this.#bySlot.get(slot)
    let more = 0
    for (const id of ids) if (known?.has(id) !== true) more += 1
    return more > 0 && held + more > limit
  }

  count(slot: number, id: string, sign: 1 | -1): void {
    this.#reserve()
    let volumes = this.#bySlot.get(slot)
    if (volumes === undefined) this.#bySlot.set(slot, (volumes = new Map()))
    const left = (volumes.get(id) ?? 0) + sign
    if (left === 0) volumes.delete(id)
    else volumes.set(id, left)
    this.#held[slot] = volumes.size
  }

  limitChanged(slot: number): void {
    this.#reserve()
    const entry = this.#state.nodes[slot]
    this.#limits[slot] = entry === undefined ? UNLIMITED : Math.min(UNLIMITED, this.#limitOf(entry.name) ?? UNLIMITED)
  }

  /** Looks at nodes that came or changed since. */
  refresh(): void {
    const state = this.#state
    this.#reserve()
    if (this.#nodeSequence === state.nodeSequence) return
    for (let slot = 0; slot < state.high; slot += 1)
      if (state.nodeChangedAt[slot]! > this.#sequence) this.limitChanged(slot)
    this.#sequence = state.sequence
    this.#nodeSequence = state.nodeSequence
  }

  #reserve(): void {
    const { capacity } = this.#state
    if (this.#held.length >= capacity) return
    const held = new Int32Array(capacity)
    held.set(this.#held)
    this.#held = held
    const limits = new Int32Array(capacity)
    limits.set(this.#limits)
    this.#limits = limits
  }
}
