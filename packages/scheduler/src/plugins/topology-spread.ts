// Spreads pods over zones, hosts or any other topology, by the pod's own constraints or by those of the cluster.

import type { Pod } from '@aksel/api/types/core-v1'
import { NO_NODE, type Filter, type Plugin, type World } from '../plugin.ts'
import { matchesNode } from '@aksel/runtime/node-selectors'
import type { NodeMask, Tally, TopologyColumn } from '../state/topology.ts'
import { spreadConstraint, type PodTemplate, type SpreadConstraint } from '../template.ts'
import { untolerated } from '../tolerations.ts'
import { spreadScore } from './topology-spread-score.ts'

const PLUGIN = 'PodTopologySpread'

/** A constraint with what is counted for it. */
export interface Counted {
  readonly constraint: SpreadConstraint
  readonly column: TopologyColumn
  readonly mask: NodeMask
  readonly tally: Tally
}

export function podTopologySpread(world: World): Plugin {
  const { refusals } = world
  const skewed = refusals.code(PLUGIN, "node(s) didn't match pod topology spread constraints", true)
  const unlabelled = refusals.code(
    PLUGIN,
    "node(s) didn't match pod topology spread constraints (missing required label)",
    false,
  )
  const domains = new Domains(world)
  return {
    names: [PLUGIN],
    prepare(pod, template) {
      const { hard, soft, needsAllKeys } = constraintsOf(world, pod, template)
      if (hard.length === 0 && soft.length === 0) return undefined
      return {
        ...(hard.length === 0 ? {} : { filter: spreadFilter(world, domains, { template, hard, skewed, unlabelled }) }),
        ...(soft.length === 0
          ? {}
          : {
              scores: [
                spreadScore(world, { template, soft: countedAll(world, template, soft, needsAllKeys), needsAllKeys }),
              ],
            }),
      }
    },
  }
}

interface Constraints {
  readonly hard: readonly SpreadConstraint[]
  readonly soft: readonly SpreadConstraint[]
  /** Nodes that lack a key of any constraint are left out of the score. */
  readonly needsAllKeys: boolean
}

/** A pod that says nothing gets the cluster's constraints, over the pods of its services and of the set that owns it. */
function constraintsOf({ profile, objects }: World, pod: Pod, template: PodTemplate): Constraints {
  if (template.statesSpread) return { hard: template.hardSpread, soft: template.softSpread, needsAllKeys: true }
  const defaults = profile.defaultSpread
  if (defaults.constraints.length === 0) return { hard: [], soft: [], needsAllKeys: true }
  const labelSelector = objects.defaultSelector(pod)
  if (labelSelector === undefined) return { hard: [], soft: [], needsAllKeys: true }
  const of = (whenUnsatisfiable: string): readonly SpreadConstraint[] =>
    defaults.constraints
      .filter((each) => each.whenUnsatisfiable === whenUnsatisfiable)
      .map((each) => spreadConstraint({ ...each, labelSelector }, template))
  return { hard: of('DoNotSchedule'), soft: of('ScheduleAnyway'), needsAllKeys: !defaults.isBuiltIn }
}

/** Pods count on nodes that the pod itself may go to (unless a constraint says otherwise) and that have all keys. */
export function countedAll(
  world: World,
  template: PodTemplate,
  constraints: readonly SpreadConstraint[],
  needsAllKeys: boolean,
): readonly Counted[] {
  const { topology, nodes } = world.state
  const keys = needsAllKeys ? constraints.map(({ topologyKey }) => topologyKey) : []
  return constraints.map((constraint) => {
    const column = topology.column(constraint.topologyKey)
    const { honorsAffinity, honorsTaints } = constraint
    const maskKey = JSON.stringify([
      keys,
      honorsAffinity ? [template.nodeSelector, template.requiredNodes] : 0,
      honorsTaints ? template.tolerations : 0,
    ])
    const mask = topology.mask(maskKey, (slot) => {
      const { node } = nodes[slot]!
      const labels = node.metadata.labels ?? {}
      if (!keys.every((key) => labels[key] !== undefined)) return false
      if (honorsTaints && untolerated(node.spec.taints, template.tolerations) !== undefined) return false
      if (!honorsAffinity) return true
      if (!template.nodeSelector.every(([key, value]) => labels[key] === value)) return false
      return template.requiredNodes === undefined || matchesNode(template.requiredNodes, node)
    })
    return { constraint, column, mask, tally: topology.tally(constraint.selector, column, mask) }
  })
}

/** The values that any node of a mask has, made anew when nodes changed. */
class Domains {
  readonly #world: World
  readonly #known = new WeakMap<NodeMask, { sequence: number; byColumn: Map<string, Int32Array> }>()

  constructor(world: World) {
    this.#world = world
  }

  of({ mask, column }: Counted): Int32Array {
    const { state } = this.#world
    let known = this.#known.get(mask)
    if (known === undefined || known.sequence !== state.nodeSequence)
      this.#known.set(mask, (known = { sequence: state.nodeSequence, byColumn: new Map() }))
    let values = known.byColumn.get(column.key)
    if (values !== undefined) return values
    const seen = new Set<number>()
    for (let slot = 0; slot < state.high; slot += 1)
      if (mask.bits[slot] === 1 && column.valueOf[slot]! >= 0) seen.add(column.valueOf[slot]!)
    values = Int32Array.from(seen)
    known.byColumn.set(column.key, values)
    return values
  }
}

interface HardSpread {
  readonly template: PodTemplate
  readonly hard: readonly SpreadConstraint[]
  readonly skewed: number
  readonly unlabelled: number
}

function spreadFilter(world: World, domains: Domains, { template, hard, skewed, unlabelled }: HardSpread): Filter {
  const { state } = world
  const counted = countedAll(world, template, hard, true)
  const group = state.topology.group({ ...template, leaving: false })
  /** How many pods a domain may hold for the pod still to fit beside them. */
  const limitOf = (each: Counted): number => {
    const self = group.tallies.has(each.tally) ? 1 : 0
    return least(each, domains.of(each)) + each.constraint.maxSkew - self
  }
  const judge = (slot: number, limits: readonly number[]): number => {
    for (let index = 0; index < counted.length; index += 1) {
      const { column, tally } = counted[index]!
      const value = column.valueOf[slot]!
      if (value < 0) return unlabelled
      if ((value < tally.counts.length ? tally.counts[value]! : 0) > limits[index]!) return skewed
    }
    return 0
  }
  return {
    one: (slot) => (state.nodes[slot] === undefined ? NO_NODE : judge(slot, counted.map(limitOf))),
    all(verdicts) {
      for (const each of counted) refuseBeyond(verdicts, state.high, each, { limit: limitOf(each), skewed, unlabelled })
    },
  }
}

/** One constraint after the other: the first that turns a node away says so. */
function refuseBeyond(
  verdicts: Uint16Array,
  high: number,
  { column, tally }: Counted,
  { limit, skewed, unlabelled }: { readonly limit: number; readonly skewed: number; readonly unlabelled: number },
): void {
  const { valueOf } = column
  const { counts } = tally
  // What is beyond the counts has none.
  const emptyRefused = 0 > limit
  for (let slot = 0; slot < high; slot += 1) {
    if (verdicts[slot] !== 0) continue
    const value = valueOf[slot]!
    if (value < 0) verdicts[slot] = unlabelled
    else if (value < counts.length ? counts[value]! > limit : emptyRefused) verdicts[slot] = skewed
  }
}

/** The emptiest domain's pods; none where there are fewer domains than are asked for. */
function least({ constraint, tally }: Counted, values: Int32Array): number {
  if (values.length < constraint.minDomains || values.length === 0) return 0
  const { counts } = tally
  let fewest = Infinity
  for (let index = 0; index < values.length; index += 1) {
    const value = values[index]!
    const count = value < counts.length ? counts[value]! : 0
    if (count < fewest) fewest = count
    if (fewest === 0) break
  }
  return fewest
}
