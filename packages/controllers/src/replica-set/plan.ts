// How many pods to make or take away, and which go first: upstream's order, as facts in and a list out.

import type { ReplicaSet } from '@aksel/api/types/apps-v1'
import type { Pod } from '@aksel/api/types/core-v1'
import { isReady, podCondition, restartsMax } from '../pod-facts.ts'

/** Creations and deletions in one pass. */
export const burstMax = 500

export interface ReplicaPlan {
  readonly create: number
  readonly remove: readonly Pod[]
}

/** `related` are pods of all replica sets of the same owner: nodes that hold many of them lose one first. */
export function planReplicas(
  set: ReplicaSet,
  active: readonly Pod[],
  related: readonly Pod[],
  nowMs: number,
): ReplicaPlan {
  const missing = (set.spec.replicas ?? 1) - active.length
  if (missing >= 0) return { create: Math.min(missing, burstMax), remove: [] }
  const count = Math.min(-missing, burstMax)
  return { create: 0, remove: podsToDelete(active, related, nowMs).slice(0, count) }
}

const phaseRank: Readonly<Record<string, number>> = { Pending: 0, Unknown: 1, Running: 2 }

/** All the pods, the one that is missed least first. */
export function podsToDelete(active: readonly Pod[], related: readonly Pod[], nowMs: number): readonly Pod[] {
  const perNode = new Map<string, number>()
  for (const { spec } of related) {
    if (spec.nodeName !== undefined) perNode.set(spec.nodeName, (perNode.get(spec.nodeName) ?? 0) + 1)
  }
  const crowd = (pod: Pod): number => perNode.get(pod.spec.nodeName ?? '') ?? 0
  return active.toSorted((left, right) => {
    const isAssigned = Number(hasNode(left)) - Number(hasNode(right))
    if (isAssigned !== 0) return isAssigned
    const phase = rankOfPhase(left) - rankOfPhase(right)
    if (phase !== 0) return phase
    const readiness = Number(isReady(left)) - Number(isReady(right))
    if (readiness !== 0) return readiness
    const cost = deletionCost(left) - deletionCost(right)
    if (cost !== 0) return cost
    const crowding = crowd(right) - crowd(left)
    if (crowding !== 0) return crowding
    if (isReady(left)) {
      const age = compareAges(readySince(left), readySince(right), nowMs)
      if (age !== 0) return age
    }
    const restarts = restartsMax(right) - restartsMax(left)
    if (restarts !== 0) return restarts
    const age = compareAges(timeOf(left.metadata.creationTimestamp), timeOf(right.metadata.creationTimestamp), nowMs)
    return age !== 0 ? age : left.metadata.uid! < right.metadata.uid! ? -1 : 1
  })
}

function hasNode({ spec }: Pod): boolean {
  return spec.nodeName !== undefined && spec.nodeName !== ''
}

function rankOfPhase({ status }: Pod): number {
  return phaseRank[status?.phase ?? 'Pending'] ?? 1
}

function deletionCost({ metadata }: Pod): number {
  const text = metadata.annotations?.['controller.kubernetes.io/pod-deletion-cost']
  return text !== undefined && /^(0|-?[1-9]\d*)$/.test(text) ? Number(text) : 0
}

function readySince(pod: Pod): number | undefined {
  return timeOf(podCondition(pod, 'Ready')?.lastTransitionTime)
}

function timeOf(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Date.parse(text)
}

/** Newer goes first; ages of the same power of two count as equal, so that not all of one zone's pods go at once. */
function compareAges(left: number | undefined, right: number | undefined, nowMs: number): number {
  if (left === undefined || right === undefined) return Number(left !== undefined) - Number(right !== undefined)
  return logAge(left, nowMs) - logAge(right, nowMs)
}

function logAge(sinceMs: number, nowMs: number): number {
  // The resolution of times is a second, the smallest age that is told apart is one nanosecond upstream; here a millisecond.
  return Math.floor(Math.log2(Math.max(1, nowMs - sinceMs)))
}
