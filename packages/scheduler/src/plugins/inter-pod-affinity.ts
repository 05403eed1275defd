// Affinity and anti-affinity between pods, both ways: what the pod asks of those that stand, and what they ask of it.

import { NO_NODE, type Filter, type Plugin, type Score, type World } from '../plugin.ts'
import { selects } from '../state/pod-selector.ts'
import type { PodGroup } from '../state/pod-groups.ts'
import type { Tally, TopologyColumn } from '../state/topology.ts'
import type { AffinityTerm, PodTemplate } from '../template.ts'

const PLUGIN = 'InterPodAffinity'

export function interPodAffinity(world: World): Plugin {
  const { state, refusals } = world
  const codes: Codes = {
    affinity: refusals.code(PLUGIN, "node(s) didn't match pod affinity rules", false),
    anti: refusals.code(PLUGIN, "node(s) didn't match pod anti-affinity rules", true),
    existing: refusals.code(PLUGIN, "node(s) didn't satisfy existing pods anti-affinity rules", true),
  }
  return {
    names: [PLUGIN],
    prepare(_pod, template) {
      const group = state.topology.group({ ...template, leaving: false })
      const filter = filterOf(world, template, group, codes)
      const score = scoreOf(world, template, group)
      if (filter === undefined && score === undefined) return undefined
      return { ...(filter === undefined ? {} : { filter }), ...(score === undefined ? {} : { scores: [score] }) }
    },
  }
}

interface Codes {
  readonly affinity: number
  readonly anti: number
  readonly existing: number
}

interface Sums {
  readonly column: TopologyColumn
  /** Read anew at every use: counts that grow are moved. */
  readonly counts: () => Float64Array
}

function filterOf(world: World, template: PodTemplate, group: PodGroup, codes: Codes): Filter | undefined {
  const { state, objects } = world
  const { topology } = state
  const tallyOf = ({ selector, topologyKey }: AffinityTerm): Tally =>
    topology.tally(selector, topology.column(topologyKey))
  const together = template.requiredTogether
  const required =
    together === undefined ? [] : template.required.map((term) => tallyOf({ ...term, selector: together }))
  const forbidden = template.forbidden.map(tallyOf)
  const existing = [...group.terms].filter(({ kind }) => kind === 'anti')
  if (required.length === 0 && forbidden.length === 0 && existing.length === 0) return undefined
  // The first pod of a group that wants to be together may start it: nobody matches yet, but it matches itself.
  const startsGroup = (): boolean =>
    required.every(({ total }) => total === 0) &&
    selects(together!, { ...template, leaving: false }, (name) => objects.namespaceLabels(name))
  const one = (slot: number): number => {
    if (state.nodes[slot] === undefined) return NO_NODE
    if (required.length > 0) {
      if (required.some(({ column }) => column.valueOf[slot]! < 0)) return codes.affinity
      if (!required.every((tally) => at(tally.counts, tally.column.valueOf[slot]!) > 0) && !startsGroup())
        return codes.affinity
    }
    if (forbidden.some((tally) => at(tally.counts, tally.column.valueOf[slot]!) > 0)) return codes.anti
    return existing.some((term) => at(term.counts, term.column.valueOf[slot]!) > 0) ? codes.existing : 0
  }
  return {
    one,
    all(verdicts) {
      const { high } = state
      if (required.length > 0) requireAll(verdicts, high, { required, starts: startsGroup(), code: codes.affinity })
      for (const { column, counts } of forbidden) refuseWhere(verdicts, high, { column, counts, code: codes.anti })
      for (const { column, counts } of existing) refuseWhere(verdicts, high, { column, counts, code: codes.existing })
    },
  }
}

function requireAll(
  verdicts: Uint16Array,
  high: number,
  { required, starts, code }: { readonly required: readonly Tally[]; readonly starts: boolean; readonly code: number },
): void {
  for (const { column, counts } of required) {
    const { valueOf } = column
    for (let slot = 0; slot < high; slot += 1) {
      if (verdicts[slot] !== 0) continue
      const value = valueOf[slot]!
      if (value < 0 || (!starts && !(value < counts.length && counts[value]! > 0))) verdicts[slot] = code
    }
  }
}

function refuseWhere(
  verdicts: Uint16Array,
  high: number,
  { column, counts, code }: { readonly column: TopologyColumn; readonly counts: Float64Array; readonly code: number },
): void {
  const { valueOf } = column
  for (let slot = 0; slot < high; slot += 1) {
    if (verdicts[slot] !== 0) continue
    const value = valueOf[slot]!
    if (value >= 0 && value < counts.length && counts[value]! > 0) verdicts[slot] = code
  }
}

function at(counts: Float64Array, value: number): number {
  return value >= 0 && value < counts.length ? counts[value]! : 0
}

function scoreOf({ state, profile }: World, template: PodTemplate, group: PodGroup): Score | undefined {
  const { topology } = state
  const wanted: (Sums & { readonly weight: number })[] = template.preferred.map((term) => {
    const tally = topology.tally(term.selector, topology.column(term.topologyKey))
    return { column: tally.column, counts: () => tally.counts, weight: term.weight }
  })
  const ignoresOthers = profile.ignorePreferredTermsOfExistingPods && template.preferred.length === 0
  for (const term of group.terms) {
    const weight = term.kind === 'soft' ? term.weight : term.kind === 'hard' ? profile.hardPodAffinityWeight : 0
    if (weight !== 0 && !ignoresOthers) wanted.push({ column: term.column, counts: () => term.counts, weight })
  }
  if (wanted.length === 0) return undefined
  return {
    plugin: PLUGIN,
    fill(slots, scores) {
      scores.fill(0, 0, slots.length)
      for (const { column, counts, weight } of wanted) {
        const { valueOf } = column
        const now = counts()
        for (let index = 0; index < slots.length; index += 1) {
          const value = valueOf[slots[index]!]!
          if (value >= 0 && value < now.length) scores[index] = scores[index]! + now[value]! * weight
        }
      }
      stretch(scores, slots.length)
    },
  }
}

/** From the smallest to the largest becomes from 0 to 100. */
function stretch(scores: Float64Array, count: number): void {
  let least = Infinity
  let most = -Infinity
  for (let index = 0; index < count; index += 1) {
    if (scores[index]! < least) least = scores[index]!
    if (scores[index]! > most) most = scores[index]!
  }
  const span = most - least
  for (let index = 0; index < count; index += 1)
    scores[index] = span > 0 ? Math.trunc((100 * (scores[index]! - least)) / span) : 0
}
