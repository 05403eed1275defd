// One step of a rolling update: grow the new set as far as the surge allows, or shrink old ones as far as availability allows.

import type { Deployment, ReplicaSet } from '@aksel/api/types/apps-v1'
import { isRollingUpdate, maxSurge, maxUnavailable } from './limits.ts'
import { isActiveSet, sizeOf, sum } from './plan-scale.ts'
import type { Resize } from './plan-scale.ts'
import { byCreation } from './revisions.ts'

/** Size of the new set as far as it may grow now. `all` may hold the new set or not. */
export function newSetSize(deployment: Deployment, all: readonly ReplicaSet[], newSize: number): number {
  const wanted = deployment.spec.replicas ?? 1
  if (!isRollingUpdate(deployment)) return wanted
  const room = wanted + maxSurge(deployment) - sum(all, sizeOf)
  return room <= 0 ? newSize : newSize + Math.min(room, wanted - newSize)
}

/** The new set's resize; undefined when it stays. */
export function planNewSet(
  deployment: Deployment,
  newSet: ReplicaSet,
  oldSets: readonly ReplicaSet[],
): Resize | undefined {
  const wanted = deployment.spec.replicas ?? 1
  const size = sizeOf(newSet)
  if (size === wanted) return undefined
  const replicas = size > wanted ? wanted : newSetSize(deployment, [...oldSets, newSet], size)
  return replicas === size ? undefined : { set: newSet, replicas }
}

/** Resizes of old sets, one per set: first away with pods that are not available, then with available ones. */
export function planOldSets(
  deployment: Deployment,
  newSet: ReplicaSet,
  oldSets: readonly ReplicaSet[],
): readonly Resize[] {
  const active = oldSets.filter(isActiveSet).toSorted(byCreation)
  if (active.length === 0) return []
  const minAvailable = (deployment.spec.replicas ?? 1) - maxUnavailable(deployment)
  const newUnavailable = sizeOf(newSet) - availableOf(newSet)
  const removable = sum(active, sizeOf) + sizeOf(newSet) - minAvailable - newUnavailable
  if (removable <= 0) return []
  const sizes = new Map(active.map((set) => [set, sizeOf(set)]))
  takeUnhealthy(sizes, removable)
  const spare = sum(active, availableOf) + availableOf(newSet) - minAvailable
  takeAvailable(sizes, spare)
  return active.flatMap((set) => {
    const replicas = sizes.get(set)!
    return replicas === sizeOf(set) ? [] : [{ set, replicas }]
  })
}

function takeUnhealthy(sizes: Map<ReplicaSet, number>, removable: number): void {
  let left = removable
  for (const [set, size] of sizes) {
    const count = Math.max(0, Math.min(left, size - availableOf(set)))
    sizes.set(set, size - count)
    left -= count
  }
}

function takeAvailable(sizes: Map<ReplicaSet, number>, spare: number): void {
  let left = Math.max(0, spare)
  for (const [set, size] of sizes) {
    const count = Math.min(left, size)
    sizes.set(set, size - count)
    left -= count
  }
}

function availableOf({ status }: ReplicaSet): number {
  return status?.availableReplicas ?? 0
}
