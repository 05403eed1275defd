// Victims of a preemption, and which of two choices is the lesser evil.

import type { StandingPod } from './state/cluster-state.ts'

export interface Victims {
  readonly slot: number
  /** The most important first. */
  readonly pods: readonly StandingPod[]
  readonly budgetsBroken: number
  /** Measures in the order in which they count; smaller is better. */
  readonly rank: readonly number[]
}

/** `pods` in any order. */
export function victimsOf(slot: number, chosen: readonly StandingPod[], budgetsBroken: number): Victims {
  const pods = chosen.toSorted(compareImportance)
  // Upstream's order: broken budgets, the highest priority, the sum of priorities, how many, and how young they are.
  const rank = [
    budgetsBroken,
    pods[0]?.priority ?? -Infinity,
    pods.reduce((sum, { priority }) => sum + priority + 2 ** 31, 0),
    pods.length,
    -earliestStart(pods),
  ]
  return { slot, pods, budgetsBroken, rank }
}

export function isBetter(found: Victims, best: Victims): boolean {
  for (let index = 0; index < found.rank.length; index += 1) {
    const difference = found.rank[index]! - best.rank[index]!
    if (difference !== 0) return difference < 0
  }
  return false
}

/** Higher priority first, then who has run longer. */
export function compareImportance(left: StandingPod, right: StandingPod): number {
  if (left.priority !== right.priority) return right.priority - left.priority
  return startOf(left) - startOf(right)
}

function startOf({ pod }: StandingPod): number {
  const time = pod.status?.startTime
  // One that has not started counts as if it started now.
  return time === undefined ? Number.MAX_SAFE_INTEGER : Date.parse(time)
}

/** Among those of the highest priority. */
function earliestStart(pods: readonly StandingPod[]): number {
  const highest = pods[0]?.priority
  return pods.reduce((first, pod) => (pod.priority === highest ? Math.min(first, startOf(pod)) : first), Infinity)
}
