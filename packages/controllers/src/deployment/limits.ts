// How far a rollout may go above and below the wanted size.

import type { Deployment } from '@aksel/api/types/apps-v1'
import { scaledValue } from '../int-or-percent.ts'

export function isRollingUpdate({ spec }: Deployment): boolean {
  return spec.strategy?.type !== 'Recreate'
}

/** Pods above the wanted size that may exist at any moment. */
export function maxSurge(deployment: Deployment): number {
  return isRollingUpdate(deployment) ? fenceposts(deployment).surge : 0
}

/** Pods of the wanted size that may be missing at any moment. */
export function maxUnavailable(deployment: Deployment): number {
  const replicas = deployment.spec.replicas ?? 1
  if (!isRollingUpdate(deployment) || replicas === 0) return 0
  return Math.min(fenceposts(deployment).unavailable, replicas)
}

function fenceposts({ spec }: Deployment): { readonly surge: number; readonly unavailable: number } {
  const { maxSurge: surgeText = '25%', maxUnavailable: unavailableText = '25%' } = spec.strategy?.rollingUpdate ?? {}
  const replicas = spec.replicas ?? 1
  const surge = scaledValue(surgeText, replicas, 'up')
  const unavailable = scaledValue(unavailableText, replicas, 'down')
  // Percentages can round both to nothing, and then a rollout could not move.
  return surge === 0 && unavailable === 0 ? { surge, unavailable: 1 } : { surge, unavailable }
}
