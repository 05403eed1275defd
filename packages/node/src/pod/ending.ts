// What the object alone says of a pod's end, and which of two is the newer.

import type { Pod } from '@aksel/api/types/core-v1'

export function revisionOf(pod: Pod): number {
  return Number(pod.metadata.resourceVersion ?? 0)
}

export function isEnding(pod: Pod): boolean {
  return pod.metadata.deletionTimestamp !== undefined
}

/** Seconds; a pod that is deleted without a grace still gets one for its signal. */
export function graceOf(pod: Pod): number {
  const { deletionGracePeriodSeconds } = pod.metadata
  return Math.max(1, deletionGracePeriodSeconds ?? pod.spec.terminationGracePeriodSeconds ?? 30)
}
