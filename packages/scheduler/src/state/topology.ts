// Pods counted by topology: for every selector that somebody asked about, how many matching pods each zone, host or rack
// holds. Kept current pod by pod, so that no decision counts from zero.

import { PodGroups, type PodGroup } from './pod-groups.ts'
import { selects, type PodSelector } from './pod-selector.ts'

/** The value that each node has for one label key. */
export interface TopologyColumn {
  readonly key: string
  /** By slot; -1 where the node lacks the label. */
  valueOf: Int32Array
  readonly ids: Map<string, number>
}

/** Which nodes count, by slot: 1 or 0. */
export interface NodeMask {
  readonly key: string
  bits: Uint8Array
  readonly judge: (slot: number) => boolean
}

/** Matching pods by value of a topology key. */
export interface Tally {
  readonly key: string
  readonly selector: PodSelector
  readonly column: TopologyColumn
  readonly mask: NodeMask | undefined
  /** By value id; shorter than there are values where the last have none. */
  counts: Float64Array
  /** Of all values. */
  total: number
}

/** A term that standing pods hold against, or for, others: how heavily, by value of its topology key. */
export interface HeldTerm {
  readonly key: string
  readonly kind: 'anti' | 'hard' | 'soft'
  readonly selector: PodSelector
  readonly column: TopologyColumn
  /** Of `soft`; negative for anti-affinity. */
  readonly weight: number
  counts: Float64Array
  holders: number
  readonly groups: Set<PodGroup>
}

export interface HeldTermSpec {
  readonly key: string
  readonly kind: HeldTerm['kind']
  readonly selector: PodSelector
  readonly topologyKey: string
  readonly weight: number
}

const TALLIES_MAX = 1024
const MASKS_MAX = 512

export class Topology {
  readonly groups: PodGroups
  readonly #columns = new Map<string, TopologyColumn>()
  readonly #masks = new Map<string, NodeMask>()
  readonly #tallies = new Map<string, Tally>()
  readonly #held = new Map<string, HeldTerm>()
  readonly #labelsOf: (slot: number) => Readonly<Record<string, string>> | undefined
  readonly #namespaceLabels: (name: string) => Readonly<Record<string, string>>
  #capacity: number
  #high = 0

  constructor(
    capacity: number,
    facts: {
      /** Undefined for a slot without a node. */
      readonly labelsOf: (slot: number) => Readonly<Record<string, string>> | undefined
      readonly namespaceLabels: (name: string) => Readonly<Record<string, string>>
    },
  ) {
    this.#capacity = capacity
    this.#labelsOf = facts.labelsOf
    this.#namespaceLabels = facts.namespaceLabels
    this.groups = new PodGroups()
  }

  column(key: string): TopologyColumn {
    const known = this.#columns.get(key)
    if (known !== undefined) return known
    const column: TopologyColumn = { key, valueOf: new Int32Array(this.#capacity).fill(-1), ids: new Map() }
    for (let slot = 0; slot < this.#high; slot += 1) this.#fill(column, slot)
    this.#columns.set(key, column)
    return column
  }

  /** `judge` must answer the same for the same node; it is asked again when the node changes. */
  mask(key: string, judge: (slot: number) => boolean): NodeMask {
    const known = recent(this.#masks, key)
    if (known !== undefined) return known
    const mask: NodeMask = { key, bits: new Uint8Array(this.#capacity), judge }
    for (let slot = 0; slot < this.#high; slot += 1) mask.bits[slot] = this.#judged(mask, slot)
    this.#masks.set(key, mask)
    // A mask that a tally counts by must stay with it.
    if (this.#masks.size > MASKS_MAX) this.#forgetMask()
    return mask
  }

  tally(selector: PodSelector, column: TopologyColumn, mask?: NodeMask): Tally {
    const key = `${column.key}|${mask?.key ?? ''}|${selector.key}`
    const known = recent(this.#tallies, key)
    if (known !== undefined) return known
    const tally: Tally = { key, selector, column, mask, counts: new Float64Array(column.ids.size + 8), total: 0 }
    for (const group of this.groups.all()) this.#join(tally, group)
    this.#tallies.set(key, tally)
    if (this.#tallies.size > TALLIES_MAX) this.#forgetTally()
    return tally
  }

  /** The group that a pod of these labels belongs to, and with it all that is counted of it. */
  group(pod: {
    readonly namespace: string
    readonly labels: Readonly<Record<string, string>>
    readonly leaving: boolean
  }): PodGroup {
    return this.groups.of(pod, (group) => {
      for (const tally of this.#tallies.values()) this.#join(tally, group)
      for (const term of this.#held.values()) this.#meet(term, group)
    })
  }

  /** The node of this slot came, changed or went; its pods must not be counted meanwhile. */
  nodeChanged(slot: number): void {
    this.#high = Math.max(this.#high, slot + 1)
    for (const column of this.#columns.values()) this.#fill(column, slot)
    for (const mask of this.#masks.values()) mask.bits[slot] = this.#judged(mask, slot)
  }

  grow(capacity: number): void {
    this.#capacity = capacity
    for (const column of this.#columns.values()) {
      const larger = new Int32Array(capacity).fill(-1)
      larger.set(column.valueOf)
      column.valueOf = larger
    }
    for (const mask of this.#masks.values()) {
      const larger = new Uint8Array(capacity)
      larger.set(mask.bits)
      mask.bits = larger
    }
  }

  /** One pod of this group, holding these terms, comes to the node (`sign` 1) or goes (-1). */
  count(slot: number, group: PodGroup, terms: readonly HeldTerm[], sign: 1 | -1): void {
    this.groups.count(group, slot, sign)
    for (const tally of group.tallies) addTo(tally, slot, sign)
    for (const term of terms) {
      const value = term.column.valueOf[slot]!
      if (value < 0) continue
      if (value >= term.counts.length) term.counts = longer(term.counts, value)
      term.counts[value] = term.counts[value]! + sign
    }
  }

  hold(spec: HeldTermSpec): HeldTerm {
    let term = this.#held.get(spec.key)
    if (term === undefined) {
      const column = this.column(spec.topologyKey)
      const { key, kind, selector, weight } = spec
      term = {
        key,
        kind,
        selector,
        column,
        weight,
        counts: new Float64Array(column.ids.size + 8),
        holders: 0,
        groups: new Set(),
      }
      this.#held.set(spec.key, term)
      for (const group of this.groups.all()) this.#meet(term, group)
    }
    term.holders += 1
    return term
  }

  release(term: HeldTerm): void {
    term.holders -= 1
    if (term.holders > 0) return
    this.#held.delete(term.key)
    for (const group of term.groups) group.terms.delete(term)
  }

  /** Labels of a namespace changed: what was selected by them is judged anew. */
  namespaceChanged(): void {
    const byNamespace = (selector: PodSelector): boolean =>
      selector.parts.some((part) => part.namespaceSelector !== undefined)
    for (const tally of this.#tallies.values()) {
      if (!byNamespace(tally.selector)) continue
      tally.counts.fill(0)
      tally.total = 0
      for (const group of this.groups.all()) {
        group.tallies.delete(tally)
        this.#join(tally, group)
      }
    }
    for (const term of this.#held.values()) {
      if (!byNamespace(term.selector)) continue
      for (const group of term.groups) group.terms.delete(term)
      term.groups.clear()
      for (const group of this.groups.all()) this.#meet(term, group)
    }
  }

  #fill(column: TopologyColumn, slot: number): void {
    const value = this.#labelsOf(slot)?.[column.key]
    if (value === undefined) {
      column.valueOf[slot] = -1
      return
    }
    let id = column.ids.get(value)
    if (id === undefined) column.ids.set(value, (id = column.ids.size))
    column.valueOf[slot] = id
  }

  #judged(mask: NodeMask, slot: number): 0 | 1 {
    return this.#labelsOf(slot) !== undefined && mask.judge(slot) ? 1 : 0
  }

  #join(tally: Tally, group: PodGroup): void {
    if (!selects(tally.selector, group, this.#namespaceLabels)) return
    group.tallies.add(tally)
    for (const [slot, count] of group.bySlot) addTo(tally, slot, count)
  }

  #meet(term: HeldTerm, group: PodGroup): void {
    if (!selects(term.selector, group, this.#namespaceLabels)) return
    group.terms.add(term)
    term.groups.add(group)
  }

  #forgetTally(): void {
    const oldest = this.#tallies.values().next().value!
    this.#tallies.delete(oldest.key)
    for (const group of this.groups.all()) group.tallies.delete(oldest)
  }

  #forgetMask(): void {
    const used = new Set([...this.#tallies.values()].map(({ mask }) => mask))
    for (const mask of this.#masks.values()) {
      if (used.has(mask)) continue
      this.#masks.delete(mask.key)
      return
    }
  }
}

function addTo(tally: Tally, slot: number, count: number): void {
  const value = tally.column.valueOf[slot]!
  if (value < 0 || (tally.mask !== undefined && tally.mask.bits[slot] === 0)) return
  if (value >= tally.counts.length) tally.counts = longer(tally.counts, value)
  tally.counts[value] = tally.counts[value]! + count
  tally.total += count
}

function longer(counts: Float64Array, value: number): Float64Array {
  const more = new Float64Array(Math.max(value + 1, counts.length * 2))
  more.set(counts)
  return more
}

/** Moves what is asked for to the young end of a map that forgets its oldest. */
function recent<T>(map: Map<string, T>, key: string): T | undefined {
  const known = map.get(key)
  if (known === undefined) return undefined
  map.delete(key)
  map.set(key, known)
  return known
}
