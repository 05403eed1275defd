// Which taints a pod puts up with.

import type { Taint, Toleration } from '@aksel/api/types/core-v1'
import { toleratesTaint } from '@aksel/runtime/tolerations'

export function tolerates(tolerations: readonly Toleration[], taint: Omit<Taint, 'timeAdded'>): boolean {
  return tolerations.some((toleration) => toleratesTaint(toleration, taint))
}

/** The first taint that keeps the pod away. */
export function untolerated(
  taints: readonly Taint[] | undefined,
  tolerations: readonly Toleration[],
): Taint | undefined {
  if (taints === undefined) return undefined
  return taints.find((taint) => taint.effect !== 'PreferNoSchedule' && !tolerates(tolerations, taint))
}
