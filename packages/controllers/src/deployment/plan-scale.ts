// Sizes of a deployment's replica sets when its own size changed: in the middle of a rollout each gets its share.

import type { Deployment, ReplicaSet } from '@aksel/api/types/apps-v1'
import { isRollingUpdate, maxSurge } from './limits.ts'
import { byCreation, desiredReplicasOf, maxReplicasOf } from './revisions.ts'

/** A set and the size it should have. */
export interface Resize {
  readonly set: ReplicaSet
  readonly replicas: number
}

export function sizeOf(set: ReplicaSet): number {
  return set.spec.replicas ?? 1
}

export function sum(sets: readonly ReplicaSet[], valueOf: (set: ReplicaSet) => number): number {
  return sets.reduce((total, set) => total + valueOf(set), 0)
}

export function isActiveSet(set: ReplicaSet): boolean {
  return sizeOf(set) > 0
}

/** True when the deployment's size is another than when an active set was last sized. */
export function isScalingEvent(deployment: Deployment, sets: readonly ReplicaSet[]): boolean {
  const wanted = deployment.spec.replicas ?? 1
  return sets.filter(isActiveSet).some((set) => {
    const desired = desiredReplicasOf(set)
    return desired !== undefined && desired !== wanted
  })
}

/** Resizes in order; sets that keep their size are listed too, for their annotations. */
export function planScale(
  deployment: Deployment,
  newSet: ReplicaSet | undefined,
  oldSets: readonly ReplicaSet[],
): readonly Resize[] {
  const wanted = deployment.spec.replicas ?? 1
  const only = activeOrLatest(newSet, oldSets)
  // Also where the size is right already: its annotations may not say so.
  if (only !== undefined) return [{ set: only, replicas: wanted }]
  if (newSet !== undefined && isSaturated(deployment, newSet)) {
    return oldSets.filter(isActiveSet).map((set) => ({ set, replicas: 0 }))
  }
  // Recreate empties old sets first whatever the size.
  if (!isRollingUpdate(deployment)) return oldSets.filter(isActiveSet).map((set) => ({ set, replicas: 0 }))
  const active = [...oldSets, ...(newSet === undefined ? [] : [newSet])].filter(isActiveSet)
  const allowed = wanted > 0 ? wanted + maxSurge(deployment) : 0
  return shareOut(deployment, active, allowed - sum(active, sizeOf))
}

/** The one set to resize, where there is one: the only active one, or with none active the newest. */
function activeOrLatest(newSet: ReplicaSet | undefined, oldSets: readonly ReplicaSet[]): ReplicaSet | undefined {
  const active = [...oldSets, ...(newSet === undefined ? [] : [newSet])].filter(isActiveSet)
  if (active.length === 0) return newSet ?? oldSets.toSorted(byCreation).at(-1)
  return active.length === 1 ? active[0] : undefined
}

function isSaturated(deployment: Deployment, set: ReplicaSet): boolean {
  const wanted = deployment.spec.replicas ?? 1
  return sizeOf(set) === wanted && desiredReplicasOf(set) === wanted && (set.status?.availableReplicas ?? 0) === wanted
}

function shareOut(deployment: Deployment, active: readonly ReplicaSet[], toAdd: number): readonly Resize[] {
  // The newest of equals grows first, the oldest of equals shrinks first.
  const sorted = active.toSorted((left, right) => {
    const bySize = sizeOf(right) - sizeOf(left)
    return bySize !== 0 ? bySize : toAdd > 0 ? byCreation(right, left) : byCreation(left, right)
  })
  let added = 0
  const shares = sorted.map((set) => {
    const share = toAdd === 0 ? 0 : proportion(deployment, set, toAdd, added)
    added += share
    return share
  })
  return sorted.map((set, index) => {
    const leftover = index === 0 ? toAdd - added : 0
    return { set, replicas: Math.max(0, sizeOf(set) + shares[index]! + leftover) }
  })
}

function proportion(deployment: Deployment, set: ReplicaSet, toAdd: number, added: number): number {
  if (sizeOf(set) === 0 || toAdd === added) return 0
  const fraction = fractionOf(deployment, set)
  return toAdd > 0 ? Math.min(fraction, toAdd - added) : Math.max(fraction, toAdd - added)
}

/** Change of the set's size that keeps its share of the whole. */
function fractionOf(deployment: Deployment, set: ReplicaSet): number {
  const wanted = deployment.spec.replicas ?? 1
  if (wanted === 0) return -sizeOf(set)
  const annotated = maxReplicasOf(set)
  const maxBefore = annotated === undefined || annotated === 0 ? (deployment.status?.replicas ?? 0) : annotated
  if (maxBefore === 0) return 0
  return Math.round((sizeOf(set) * (wanted + maxSurge(deployment))) / maxBefore) - sizeOf(set)
}
