// How good it would be to fill a node further, in the three ways that a profile may choose, and how evenly it would be
// used. Whole numbers, rounded where upstream rounds.

import type { ScoringStrategy, ShapePoint } from '../profile.ts'

/** Of one resource of one node: what would be used with the pod on it, of what there is. */
export interface Share {
  readonly used: number
  readonly capacity: number
  readonly weight: number
}

/** Resources that the node does not have are left out before. */
export function shareScore(shares: readonly Share[], strategy: ScoringStrategy): number {
  let sum = 0
  let weights = 0
  for (const share of shares) {
    const score = scoreOf(share, strategy)
    // The shape's score of 0 says nothing of the resource: upstream leaves its weight out.
    if (strategy.type === 'RequestedToCapacityRatio' && score <= 0) continue
    sum += score * share.weight
    weights += share.weight
  }
  if (weights === 0) return 0
  return strategy.type === 'RequestedToCapacityRatio' ? Math.round(sum / weights) : Math.trunc(sum / weights)
}

function scoreOf({ used, capacity }: Share, strategy: ScoringStrategy): number {
  switch (strategy.type) {
    case 'LeastAllocated':
      return used > capacity ? 0 : Math.trunc(((capacity - used) * 100) / capacity)
    case 'MostAllocated':
      return Math.trunc((Math.min(used, capacity) * 100) / capacity)
    case 'RequestedToCapacityRatio':
      return onShape(strategy.shape, used > capacity ? 100 : Math.trunc((used * 100) / capacity))
    default:
      return strategy satisfies never
  }
}

/** The broken line through the points; level before the first and after the last. Scores of 0 to 10 become 0 to 100. */
export function onShape(shape: readonly ShapePoint[], utilization: number): number {
  for (const [index, point] of shape.entries()) {
    if (utilization > point.utilization) continue
    const score = point.score * 10
    if (index === 0) return score
    const before = shape[index - 1]!
    const rise = score - before.score * 10
    const span = point.utilization - before.utilization
    return before.score * 10 + Math.trunc((rise * (utilization - before.utilization)) / span)
  }
  return shape.length === 0 ? 0 : shape.at(-1)!.score * 10
}

/** 100 where all resources would be used to the same fraction. */
export function balancedScore(shares: readonly Share[]): number {
  const fractions = shares.map(({ used, capacity }) => Math.min(1, used / capacity))
  return Math.trunc((1 - deviation(fractions)) * 100)
}

function deviation(fractions: readonly number[]): number {
  if (fractions.length === 2) return Math.abs((fractions[0]! - fractions[1]!) / 2)
  if (fractions.length < 2) return 0
  const mean = fractions.reduce((sum, each) => sum + each, 0) / fractions.length
  return Math.sqrt(fractions.reduce((sum, each) => sum + (each - mean) ** 2, 0) / fractions.length)
}
