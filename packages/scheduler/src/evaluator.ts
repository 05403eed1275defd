// The decision itself, without waiting or writing: what every node answers for one pod, and which of those that fit is best.

import { keyOf } from '@aksel/api/resource'
import type { Pod } from '@aksel/api/types/core-v1'
import { NO_NODE, type Blocked, type Filter, type Plugin, type Prepared, type World } from './plugin.ts'
import { interPodAffinity } from './plugins/inter-pod-affinity.ts'
import { nodeWords } from './plugins/node-words.ts'
import { imageLocality, nodePorts } from './plugins/ports-and-images.ts'
import { nodeResources } from './plugins/resources.ts'
import { podTopologySpread } from './plugins/topology-spread.ts'
import { volumeBinding, volumeZone } from './plugins/volume-binding.ts'
import { nodeVolumeLimits, volumeRestrictions } from './plugins/volume-restrictions.ts'
import type { StandingPod } from './state/cluster-state.ts'
import type { PodTemplate } from './template.ts'

/** In the order in which upstream filters. */
const pluginsInOrder: readonly ((world: World) => Plugin)[] = [
  nodeWords,
  nodePorts,
  nodeResources,
  volumeRestrictions,
  nodeVolumeLimits,
  volumeBinding,
  volumeZone,
  podTopologySpread,
  interPodAffinity,
  imageLocality,
]

/** One pod held against all nodes. Its lists are used again by the next evaluation of the same evaluator. */
export interface Evaluation {
  readonly pod: Pod
  readonly template: PodTemplate
  readonly prepared: readonly Prepared[]
  /** The refusal's code by slot: 0 where the node fits, `NO_NODE` where there is none. */
  readonly verdicts: Uint16Array
  /** Slots that fit, in order. */
  readonly feasible: Int32Array
  /** A verdict on the pod as a whole. */
  readonly blocked?: Blocked
}

/** What every node will be asked. */
export interface Ready {
  readonly template: PodTemplate
  readonly prepared: readonly Prepared[]
  readonly blocked?: Blocked
}

export interface Scored {
  readonly slot: number
  readonly score: number
}

/** Pods that preempted others and wait for their place. */
export interface Nominated {
  readonly isEmpty: boolean
  isPromised(slot: number): boolean
  /** The slot that this pod was promised. */
  slotFor(key: string): number | undefined
  /** Of at least this priority, the pod itself left out. */
  on(slot: number, priority: number, except: string): readonly StandingPod[]
}

const nobody: Nominated = { isEmpty: true, isPromised: () => false, slotFor: () => undefined, on: () => [] }

export class Evaluator {
  readonly world: World
  readonly #plugins: readonly Plugin[]
  readonly #extensions: ReadonlySet<Plugin>
  readonly #outside: number
  #verdicts = new Uint16Array(0)
  #feasible = new Int32Array(0)
  #totals = new Float64Array(0)
  #scores = new Float64Array(0)

  /** `extensions`: plug-ins that are asked after the scheduler's own. */
  constructor(world: World, extensions: readonly Plugin[] = []) {
    this.world = world
    const { filters, scores } = world.profile
    this.#extensions = new Set(extensions)
    this.#plugins = [
      ...pluginsInOrder
        .map((make) => make(world))
        .filter(({ names }) => names.some((name) => filters.has(name) || scores.has(name))),
      ...extensions,
    ]
    this.#outside = world.refusals.code('NodeAffinity', "node(s) didn't satisfy plugin(s) [NodeAffinity]", false)
  }

  /** `nominated`: pods that were promised a place on a node; those of at least this one's priority count as if they stood there. */
  evaluate(pod: Pod, nominated: Nominated = nobody, ready = this.prepare(pod)): Evaluation {
    const { state } = this.world
    const { template, prepared, blocked } = ready
    if (blocked !== undefined)
      return { pod, template, prepared, verdicts: new Uint16Array(0), feasible: new Int32Array(0), blocked }
    this.#reserve(state.capacity)
    const verdicts = this.#verdicts.subarray(0, state.high)
    const only = this.#onlySlots(template)
    if (only === undefined) this.#filterAll(prepared, verdicts)
    else this.#filterThese(prepared, verdicts, only)
    const { isEmpty } = nominated
    let count = 0
    for (let slot = 0; slot < verdicts.length; slot += 1) {
      if (verdicts[slot] !== 0) continue
      if (!isEmpty && nominated.isPromised(slot)) {
        const others = nominated.on(slot, pod.spec.priority ?? 0, keyOf(pod))
        if (others.length > 0) verdicts[slot] = this.#verdictBeside({ prepared, template }, slot, others)
        if (verdicts[slot] !== 0) continue
      }
      this.#feasible[count++] = slot
    }
    return { pod, template, prepared, verdicts, feasible: this.#feasible.subarray(0, count) }
  }

  /** Makes the plug-ins ready for the pod. */
  prepare(pod: Pod): Ready {
    const { state, profile } = this.world
    const template = state.templates.of(pod)
    const prepared: Prepared[] = []
    for (const plugin of this.#plugins) {
      const ready = plugin.prepare(pod, template)
      if (ready === undefined) continue
      if ('blocked' in ready) {
        if (profile.filters.has(ready.plugin)) return { template, prepared, blocked: ready }
        continue
      }
      const filters = plugin.names.some((name) => profile.filters.has(name))
      const own = filters ? ready : withoutFilter(ready)
      prepared.push(this.#extensions.has(plugin) ? { ...own, isExtension: true } : own)
    }
    return { template, prepared }
  }

  /**
   * The best node in one pass, where all that matters is kept as columns: a pod without affinity, ports, spreading or
   * volumes. Undefined where that is not so, or where no node fits: `evaluate` then tells.
   */
  quickBest({ prepared, blocked }: Ready): Scored | undefined {
    if (blocked !== undefined) return undefined
    let first: Uint16Array | undefined
    let second: Uint16Array | undefined
    let weighed: Float64Array | undefined
    for (const each of prepared) {
      if (each.filter !== undefined && each.verdicts === undefined) return undefined
      if (each.scores?.some((score) => score.constant?.() === undefined) === true) return undefined
      if (each.verdicts !== undefined && first === undefined) first = each.verdicts
      else if (each.verdicts !== undefined && second === undefined) second = each.verdicts
      else if (each.verdicts !== undefined) return undefined
      weighed ??= each.weighed
    }
    if (first === undefined || second === undefined || weighed === undefined) return undefined
    return bestOf(this.world.state, first, second, weighed)
  }

  /** Whether this one node still takes the pod, beside those that were promised a place there. */
  fitsOn(pod: Pod, { template, prepared, blocked }: Ready, slot: number, nominated: Nominated): boolean {
    if (blocked !== undefined) return false
    const others = nominated.on(slot, pod.spec.priority ?? 0, keyOf(pod))
    return this.#verdictBeside({ prepared, template }, slot, others) === 0
  }

  #verdictBeside(
    evaluation: Pick<Evaluation, 'prepared' | 'template'>,
    slot: number,
    others: readonly StandingPod[],
  ): number {
    const { state } = this.world
    for (const standing of others) state.attach(slot, standing)
    try {
      return this.verdictOn(evaluation, slot)
    } finally {
      for (const standing of others) state.detach(slot, standing)
    }
  }

  /** The best of the feasible: ties go to the least crowded, then to the one that came first. Undefined when none fits. */
  best(evaluation: Evaluation): Scored | undefined {
    const { feasible } = evaluation
    if (feasible.length === 0) return undefined
    if (feasible.length === 1) return { slot: feasible[0]!, score: 0 }
    const totals = this.totals(evaluation)
    const { podCount } = this.world.state.resources
    let winner = 0
    for (let index = 1; index < feasible.length; index += 1) {
      if (totals[index]! < totals[winner]!) continue
      if (totals[index]! > totals[winner]! || podCount[feasible[index]!]! < podCount[feasible[winner]!]!) winner = index
    }
    return { slot: feasible[winner]!, score: totals[winner]! }
  }

  /** The weighed sum of all scores, for each feasible slot. */
  totals({ prepared, feasible }: Evaluation): Float64Array {
    const totals = this.#totals.subarray(0, feasible.length)
    const weigh = this.world.profile.scores
    let base = 0
    const scorers = prepared.flatMap(({ scores }) => scores ?? [])
    for (const scorer of scorers) base += (scorer.constant?.() ?? 0) * (weigh.get(scorer.plugin) ?? 0)
    totals.fill(base)
    for (const { weighed } of prepared) {
      if (weighed === undefined) continue
      for (let index = 0; index < feasible.length; index += 1)
        totals[index] = totals[index]! + weighed[feasible[index]!]!
    }
    const scores = this.#scores
    for (const scorer of scorers) {
      const weight = weigh.get(scorer.plugin)
      if (weight === undefined || scorer.constant?.() !== undefined) continue
      scorer.fill(feasible, scores)
      for (let index = 0; index < feasible.length; index += 1) totals[index] = totals[index]! + scores[index]! * weight
    }
    return totals
  }

  /** The refusal's code of one node as the state is now, 0 where it fits. */
  verdictOn({ prepared, template }: Pick<Evaluation, 'prepared' | 'template'>, slot: number): number {
    const entry = this.world.state.nodes[slot]
    if (entry === undefined) return NO_NODE
    if (template.onlyNodes !== undefined && !template.onlyNodes.includes(entry.name)) return this.#outside
    for (const { filter } of prepared) {
      const code = filter?.one(slot) ?? 0
      if (code !== 0) return code
    }
    return 0
  }

  #onlySlots({ onlyNodes }: PodTemplate): readonly number[] | undefined {
    if (onlyNodes === undefined || !this.world.profile.filters.has('NodeAffinity')) return undefined
    return onlyNodes.flatMap((name) => this.world.state.slotOf(name) ?? [])
  }

  #filterAll(prepared: readonly Prepared[], verdicts: Uint16Array): void {
    const { nodes } = this.world.state
    let isFirst = true
    for (const { filter } of prepared) {
      if (filter === undefined) continue
      // The first filter of the usual profile fills the column at once, empty slots included.
      if (
        isFirst &&
        filter.all !== undefined &&
        prepared[0]?.filter === filter &&
        this.#plugins[0]!.names.includes('NodeAffinity')
      )
        filter.all(verdicts)
      else {
        if (isFirst)
          for (let slot = 0; slot < verdicts.length; slot += 1) verdicts[slot] = nodes[slot] === undefined ? NO_NODE : 0
        apply(filter, verdicts)
      }
      isFirst = false
    }
    if (isFirst)
      for (let slot = 0; slot < verdicts.length; slot += 1) verdicts[slot] = nodes[slot] === undefined ? NO_NODE : 0
  }

  #filterThese(prepared: readonly Prepared[], verdicts: Uint16Array, slots: readonly number[]): void {
    const { nodes } = this.world.state
    for (let slot = 0; slot < verdicts.length; slot += 1)
      verdicts[slot] = nodes[slot] === undefined ? NO_NODE : this.#outside
    for (const slot of slots) {
      verdicts[slot] = 0
      for (const { filter } of prepared) {
        if (verdicts[slot] === 0) verdicts[slot] = filter?.one(slot) ?? 0
      }
    }
  }

  #reserve(capacity: number): void {
    if (this.#verdicts.length >= capacity) return
    this.#verdicts = new Uint16Array(capacity)
    this.#feasible = new Int32Array(capacity)
    this.#totals = new Float64Array(capacity)
    this.#scores = new Float64Array(capacity)
  }
}

function apply(filter: Filter, verdicts: Uint16Array): void {
  if (filter.all !== undefined) return filter.all(verdicts)
  for (let slot = 0; slot < verdicts.length; slot += 1) if (verdicts[slot] === 0) verdicts[slot] = filter.one(slot)
}

function withoutFilter({ scores, weighed }: Prepared): Prepared {
  return { ...(scores === undefined ? {} : { scores }), ...(weighed === undefined ? {} : { weighed }) }
}

/** As `best` chooses: the first of the least crowded of the highest score. */
function bestOf(
  { high, resources }: World['state'],
  first: Uint16Array,
  second: Uint16Array,
  weighed: Float64Array,
): Scored | undefined {
  const { podCount } = resources
  let winner = -1
  let score = -Infinity
  for (let slot = 0; slot < high; slot += 1) {
    if (first[slot] !== 0 || second[slot] !== 0) continue
    const own = weighed[slot]!
    if (own < score || (own === score && podCount[slot]! >= podCount[winner]!)) continue
    winner = slot
    score = own
  }
  return winner < 0 ? undefined : { slot: winner, score }
}
