// The plug-ins that look at the node's own words: whether it is cordoned, its name, its taints, its labels. One column of
// verdicts serves all four, because it changes only when a node does.

import type { Node, PreferredSchedulingTerm } from '@aksel/api/types/core-v1'
import { NO_NODE, scaleToHundred, type Plugin, type Score, type World } from '../plugin.ts'
import { matchesNode, matchesTerm } from '@aksel/runtime/node-selectors'
import type { PodTemplate } from '../template.ts'
import { tolerates, untolerated } from '../tolerations.ts'
import { ClassCache, SlotClass, type Slots } from './slot-class.ts'

const CLASSES_MAX = 256
const UNSCHEDULABLE = { key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' }

class NodeClass implements Slots {
  verdicts = new Uint16Array(0)
  /** Taints with effect PreferNoSchedule that the pod does not tolerate. */
  unwanted = new Float64Array(0)
  /** Weights of the preferred terms that match. */
  preferred = new Float64Array(0)
  /** Whether any node has a number other than 0. */
  anyUnwanted = false
  readonly #world: World
  readonly #judges: readonly ((node: Node) => number)[]
  readonly #template: PodTemplate
  readonly #preferences: readonly PreferredSchedulingTerm[]

  constructor(world: World, template: PodTemplate) {
    this.#world = world
    this.#template = template
    this.#judges = judgesOf(world, template)
    this.#preferences = preferencesOf(world, template)
  }

  grow(capacity: number): void {
    this.verdicts = new Uint16Array(capacity).fill(NO_NODE)
    this.unwanted = new Float64Array(capacity)
    this.preferred = new Float64Array(capacity)
  }

  judge(slot: number): void {
    const node = this.#world.state.nodes[slot]?.node
    this.verdicts[slot] = node === undefined ? NO_NODE : this.verdictOn(node)
    if (node === undefined) return
    const { tolerations } = this.#template
    const unwanted = (node.spec.taints ?? []).filter(
      (taint) => taint.effect === 'PreferNoSchedule' && !tolerates(tolerations, taint),
    ).length
    this.unwanted[slot] = unwanted
    this.anyUnwanted ||= unwanted > 0
    let preferred = 0
    for (const { weight, preference } of this.#preferences) if (matchesTerm(preference, node)) preferred += weight
    this.preferred[slot] = preferred
  }

  verdictOn(node: Node): number {
    for (const judge of this.#judges) {
      const code = judge(node)
      if (code !== 0) return code
    }
    return 0
  }
}

function preferencesOf({ profile }: World, template: PodTemplate): readonly PreferredSchedulingTerm[] {
  const added = profile.addedAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []
  return [...added, ...template.preferredNodes]
}

/** In upstream's order. */
function judgesOf({ refusals, profile }: World, template: PodTemplate): readonly ((node: Node) => number)[] {
  const { tolerations, nodeSelector, requiredNodes } = template
  const cordoned = refusals.code('NodeUnschedulable', 'node(s) were unschedulable', false)
  const toleratesCordon = tolerates(tolerations, UNSCHEDULABLE)
  const other = refusals.code('NodeAffinity', "node(s) didn't match Pod's node affinity/selector", false)
  const enforced = refusals.code('NodeAffinity', "node(s) didn't match scheduler-enforced node affinity", false)
  const added = profile.addedAffinity?.requiredDuringSchedulingIgnoredDuringExecution
  const affinity = (node: Node): number => {
    if (added !== undefined && !matchesNode(added, node)) return enforced
    const labels = node.metadata.labels
    for (const [key, value] of nodeSelector) if (labels?.[key] !== value) return other
    return requiredNodes === undefined || matchesNode(requiredNodes, node) ? 0 : other
  }
  const taints = (node: Node): number => {
    const taint = untolerated(node.spec.taints, tolerations)
    return taint === undefined
      ? 0
      : refusals.code('TaintToleration', `node(s) had untolerated taint {${taint.key}: ${taint.value ?? ''}}`, false)
  }
  const cordon = (node: Node): number => (node.spec.unschedulable === true && !toleratesCordon ? cordoned : 0)
  return [
    ...(profile.filters.has('NodeUnschedulable') ? [cordon] : []),
    ...(profile.filters.has('TaintToleration') ? [taints] : []),
    ...(profile.filters.has('NodeAffinity') ? [affinity] : []),
  ]
}

export function nodeWords(world: World): Plugin {
  const { state, refusals, profile } = world
  const classes = new ClassCache<NodeClass>(CLASSES_MAX)
  const wrongName = refusals.code('NodeName', "node(s) didn't match the requested node name", false)
  return {
    names: ['NodeUnschedulable', 'NodeName', 'TaintToleration', 'NodeAffinity'],
    prepare(pod, template) {
      const make = (): NodeClass => new NodeClass(world, template)
      // Pods of a DaemonSet name one node each: nothing that is worked out for one serves another.
      const single = template.onlyNodes === undefined ? undefined : make()
      const kept =
        single === undefined
          ? classes.of(template.nodeKey, () => new SlotClass(make(), { nodesOnly: true })).current(state)
          : single
      const wanted = pod.spec.nodeName ?? ''
      const named = (slot: number): number => {
        const node = state.nodes[slot]?.node
        if (node === undefined) return NO_NODE
        if (wanted !== '' && node.metadata.name !== wanted && profile.filters.has('NodeName')) return wrongName
        return single === undefined ? kept.verdicts[slot]! : kept.verdictOn(node)
      }
      const filter =
        single !== undefined || wanted !== ''
          ? { one: named }
          : { one: named, all: (verdicts: Uint16Array) => verdicts.set(kept.verdicts.subarray(0, verdicts.length)) }
      const scores = scoresOf(world, template, kept, single !== undefined)
      return 'all' in filter ? { filter, scores, verdicts: kept.verdicts } : { filter, scores }
    },
  }
}

function scoresOf(world: World, template: PodTemplate, kept: NodeClass, isSingle: boolean): readonly Score[] {
  const from = (column: 'unwanted' | 'preferred', slots: Int32Array, scores: Float64Array): void => {
    for (let index = 0; index < slots.length; index += 1) {
      if (isSingle && kept.verdicts.length < world.state.capacity) kept.grow(world.state.capacity)
      if (isSingle) kept.judge(slots[index]!)
      scores[index] = kept[column][slots[index]!]!
    }
  }
  const taints: Score = {
    plugin: 'TaintToleration',
    constant: () => (!isSingle && !kept.anyUnwanted ? 100 : undefined),
    fill(slots, scores) {
      from('unwanted', slots, scores)
      scaleToHundred(scores, slots.length, { reverse: true })
    },
  }
  if (preferencesOf(world, template).length === 0) return [taints]
  const affinity: Score = {
    plugin: 'NodeAffinity',
    fill(slots, scores) {
      from('preferred', slots, scores)
      scaleToHundred(scores, slots.length, { reverse: false })
    },
  }
  return [taints, affinity]
}
