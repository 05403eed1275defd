// Spreads pods over zones, hosts or any other topology, by the pod's own constraints.

import type { Pod, TopologySpreadConstraint } from '@aksel/api/types/core-v1'
import { matchesSelector } from '@aksel/runtime/selectors'
import { scaleToHundred, type Plugin, type World } from '../plugin.ts'
import { matchesNode, meets } from '../selectors.ts'
import type { NodeState } from '../snapshot.ts'
import { tolerates } from './node-basics.ts'

const words = "node(s) didn't match pod topology spread constraints"

interface Counted {
  readonly constraint: TopologySpreadConstraint
  /** Matching pods by topology value, values of eligible nodes only. */
  readonly counts: ReadonlyMap<string, number>
  readonly least: number
  /** 1 when the pod matches its own selector. */
  readonly self: number
}

export const podTopologySpread: Plugin = {
  name: 'PodTopologySpread',
  weight: 2,
  wokenBy: ['node', 'pod-gone', 'pod-changed'],
  prepare(pod, world) {
    const constraints = pod.spec.topologySpreadConstraints ?? []
    const counted = constraints.map((constraint) => count(constraint, pod, world))
    if (counted.length === 0) return undefined
    const hard = counted.filter(({ constraint }) => constraint.whenUnsatisfiable === 'DoNotSchedule')
    const soft = counted.filter(({ constraint }) => constraint.whenUnsatisfiable === 'ScheduleAnyway')
    return {
      filter(state) {
        for (const { constraint, counts, least, self } of hard) {
          const value = state.node.metadata.labels?.[constraint.topologyKey]
          if (value === undefined) return [`${words} (missing required label)`]
          if ((counts.get(value) ?? 0) + self - least > constraint.maxSkew) return [words]
        }
        return undefined
      },
      score: (state) =>
        soft.reduce((sum, { constraint, counts }) => {
          const value = state.node.metadata.labels?.[constraint.topologyKey]
          return sum + (value === undefined ? 0 : (counts.get(value) ?? 0))
        }, 0),
      normalise: (scores) => scaleToHundred(scores, { reverse: true }),
    }
  },
}

function count(constraint: TopologySpreadConstraint, pod: Pod, world: World): Counted {
  const counts = new Map<string, number>()
  for (const state of world.nodes.values()) {
    const value = state.node.metadata.labels?.[constraint.topologyKey]
    if (value === undefined || !isEligible(constraint, pod, state)) continue
    let matching = 0
    for (const other of state.pods.values()) if (isCounted(constraint, pod, other)) matching += 1
    counts.set(value, (counts.get(value) ?? 0) + matching)
  }
  const enough = counts.size >= (constraint.minDomains ?? 1)
  const least = enough && counts.size > 0 ? Math.min(...counts.values()) : 0
  return { constraint, counts, least, self: matchesConstraint(constraint, pod, pod) ? 1 : 0 }
}

/** Pods on their way out do not count. */
function isCounted(constraint: TopologySpreadConstraint, pod: Pod, other: Pod): boolean {
  return (
    other.metadata.namespace === pod.metadata.namespace &&
    other.metadata.deletionTimestamp === undefined &&
    matchesConstraint(constraint, pod, other)
  )
}

function matchesConstraint(constraint: TopologySpreadConstraint, pod: Pod, other: Pod): boolean {
  const labels = other.metadata.labels ?? {}
  const own = pod.metadata.labels ?? {}
  return (
    matchesSelector(constraint.labelSelector, labels) &&
    (constraint.matchLabelKeys ?? []).every(
      (key) => own[key] === undefined || meets({ key, operator: 'In', values: [own[key]] }, labels[key]),
    )
  )
}

/** Node affinity is honoured and taints are ignored unless the constraint says otherwise. */
function isEligible(constraint: TopologySpreadConstraint, pod: Pod, state: NodeState): boolean {
  if (constraint.nodeAffinityPolicy !== 'Ignore') {
    const required = pod.spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution
    if (required !== undefined && !matchesNode(required, state.node)) return false
    const selector = Object.entries(pod.spec.nodeSelector ?? {})
    if (!selector.every(([key, value]) => state.node.metadata.labels?.[key] === value)) return false
  }
  if (constraint.nodeTaintsPolicy !== 'Honor') return true
  return (state.node.spec.taints ?? []).every((taint) => taint.effect === 'PreferNoSchedule' || tolerates(pod, taint))
}
