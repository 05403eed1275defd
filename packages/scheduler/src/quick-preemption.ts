// Preemption where only counted resources stand in the way, which is nearly always: victims by arithmetic alone, kept for
// pods that are alike and worked out anew for nodes that changed.

import type { Evaluation, Evaluator, Nominated } from './evaluator.ts'
import { NO_NODE } from './plugin.ts'
import type { ClusterState, StandingPod } from './state/cluster-state.ts'
import type { PodTemplate } from './template.ts'
import { compareImportance, isBetter, victimsOf, type Victims } from './victims.ts'

/** Whether a node's verdict on this pod depends on nothing but resources and the node's own words. */
export function dependsOnResourcesAlone(evaluation: Evaluation, state: ClusterState): boolean {
  const { template } = evaluation
  if (template.ports.length > 0 || template.required.length > 0 || template.forbidden.length > 0) return false
  if (template.hardSpread.length > 0 || (evaluation.pod.spec.volumes ?? []).some(isStateful)) return false
  for (const { kind } of state.topology.group({ ...template, leaving: false }).terms) if (kind === 'anti') return false
  return evaluation.prepared.length > 0 && !evaluation.prepared.some(({ isExtension }) => isExtension === true)
}

function isStateful(volume: NonNullable<Evaluation['pod']['spec']['volumes']>[number]): boolean {
  const { persistentVolumeClaim, ephemeral, gcePersistentDisk, awsElasticBlockStore, iscsi, rbd } = volume
  return [persistentVolumeClaim, ephemeral, gcePersistentDisk, awsElasticBlockStore, iscsi, rbd].some(
    (source) => source !== undefined,
  )
}

export const NO_VICTIMS = 'No preemption victims found for incoming pod'
export const NOT_HELPFUL = 'Preemption is not helpful for scheduling'

/** Of a rank, all but the broken budgets: there are none here. */
const RANKS = 4

/** The victims, or in upstream's words why nobody here could make room. */
type Found = Victims | string

/** For one kind of pod at one priority. */
export class QuickVictims {
  readonly #evaluator: Evaluator
  readonly #wanted: readonly { readonly name: string; readonly amount: number; readonly column: number }[]
  readonly #priority: number
  readonly #nominated: Nominated
  readonly #found: (Found | undefined)[] = []
  /** By slot, what `isBetter` goes by. */
  #ranks = new Float64Array(0)
  #sequence = -Infinity

  constructor(
    evaluator: Evaluator,
    template: PodTemplate,
    { priority, nominated }: { readonly priority: number; readonly nominated: Nominated },
  ) {
    const { state, profile } = evaluator.world
    this.#evaluator = evaluator
    this.#wanted = template.wanted
      .filter(([name]) => !profile.isIgnoredResource(name))
      .map(([name, amount]) => ({ name, amount, column: state.resources.indexOf(name) }))
    this.#priority = priority
    this.#nominated = nominated
  }

  /** Forgets what was found on nodes that changed since it was last asked. */
  refresh(): void {
    const { state } = this.#evaluator.world
    const known = state.changedSince(this.#sequence, (slot) => (this.#found[slot] = undefined))
    if (!known) this.#found.length = 0
    this.#sequence = state.sequence
  }

  /**
   * The least of all evils on nodes that pods of lower priority could leave, for the pod of this key. `tell` hears in words
   * why the others are none, with how many said so. Beside what changed, it reads four numbers of every node.
   */
  best(verdicts: Uint16Array, key: string, tell: (words: string, count: number) => void): Victims | undefined {
    const { refusals } = this.#evaluator.world
    const own = this.#nominated.slotFor(key)
    let best: Victims | undefined
    /** Neighbours mostly answer alike: counted together. */
    let [words, count] = ['', 0]
    let [lastCode, lastMayHelp] = [0, false]
    for (let slot = 0; slot < verdicts.length; slot += 1) {
      const code = verdicts[slot]!
      if (code === NO_NODE) continue
      if (code !== lastCode) [lastCode, lastMayHelp] = [code, refusals.of(code).preemptionMayHelp]
      let found: Found = NOT_HELPFUL
      if (lastMayHelp) {
        if (slot !== own && best !== undefined && this.#isKnownWorse(slot, best)) continue
        found = slot === own ? this.#onOwn(slot, key) : this.#on(slot)
      }
      if (typeof found !== 'string') {
        if (best === undefined || isBetter(found, best)) best = found
        continue
      }
      if (found !== words) {
        if (count > 0) tell(words, count)
        ;[words, count] = [found, 0]
      }
      count += 1
    }
    if (count > 0) tell(words, count)
    return best
  }

  /** Whether this node's victims are known and no better, by columns alone. */
  #isKnownWorse(slot: number, { rank }: Victims): boolean {
    if (this.#found[slot] === undefined) return false
    for (let index = 0; index < RANKS; index += 1) {
      const difference = this.#ranks[slot * RANKS + index]! - rank[index + 1]!
      if (difference !== 0) return difference > 0
    }
    return true
  }

  /** What was promised to others counts as if they stood there. */
  #on(slot: number): Found {
    const known = this.#found[slot]
    if (known !== undefined) return known
    const found = this.#search(slot, this.#nominated.on(slot, this.#priority, ''))
    this.#found[slot] = found
    const { capacity } = this.#evaluator.world.state
    if (this.#ranks.length < capacity * RANKS) {
      const larger = new Float64Array(capacity * RANKS)
      larger.set(this.#ranks)
      this.#ranks = larger
    }
    // Who has no victims is worse than nobody, and must be asked for its words: NaN differs from all and is not greater.
    for (let index = 0; index < RANKS; index += 1)
      this.#ranks[slot * RANKS + index] = typeof found === 'string' ? NaN : found.rank[index + 1]!
    return found
  }

  /** On the node that was promised to the pod of this key itself: nobody else's answer is this. */
  #onOwn(slot: number, key: string): Found {
    return this.#search(slot, this.#nominated.on(slot, this.#priority, key))
  }

  #search(slot: number, promised: readonly StandingPod[]): Found {
    const { resources, nodes } = this.#evaluator.world.state
    const lower: StandingPod[] = []
    for (const standing of nodes[slot]!.pods.values()) if (standing.priority < this.#priority) lower.push(standing)
    if (lower.length === 0) return NO_VICTIMS
    /** What would be left of each resource, and of the number of pods, with all of them gone and this one here. */
    const rest = this.#wanted.map(({ name, amount, column }) => {
      const freed = lower.reduce((sum, { template }) => sum + (template.amounts[name] ?? 0), 0)
      const held = promised.reduce((sum, { template }) => sum + (template.amounts[name] ?? 0), 0)
      return resources.allocatable[column]![slot]! - resources.requested[column]![slot]! + freed - held - amount
    })
    let pods = resources.podsAllowed[slot]! - resources.podCount[slot]! + lower.length - promised.length - 1
    const lacking = pods < 0 ? ['Too many pods'] : []
    for (const [index, { name }] of this.#wanted.entries()) if (rest[index]! < 0) lacking.push(`Insufficient ${name}`)
    if (lacking.length > 0) return lacking.join(', ')
    const victims: StandingPod[] = []
    for (const standing of lower.toSorted(compareImportance)) {
      const asks = this.#wanted.map(({ name }) => standing.template.amounts[name] ?? 0)
      // What is not asked for by the pod cannot be short because of it: the others had it before.
      const stays = pods >= 1 && asks.every((ask, index) => ask <= rest[index]!)
      if (!stays) {
        victims.push(standing)
        continue
      }
      pods -= 1
      for (const [index, ask] of asks.entries()) rest[index] = rest[index]! - ask
    }
    return victimsOf(slot, victims, 0)
  }
}
