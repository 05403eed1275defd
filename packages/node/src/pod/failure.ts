// Why the node brought a pod to an end by itself: its deadline, an eviction, a refusal.

import type { EvictionOrder } from '../eviction/eviction-manager.ts'
import { EVICTED } from '../eviction/messages.ts'
import type { Refusal } from './admission.ts'

export interface PodFailure {
  readonly reason: string
  readonly message: string
  /** Seconds its containers have for their signal; the pod's own where absent. */
  readonly graceSeconds?: number
  /** Of the condition `DisruptionTarget`. */
  readonly disruption?: string
  /** The pod never began here. */
  readonly isRefusal?: boolean
}

export function evictedBy({ message, graceSeconds, isDisruption }: EvictionOrder): PodFailure {
  const disruption = isDisruption ? { disruption: 'TerminationByKubelet' } : {}
  return { reason: EVICTED, message, graceSeconds, ...disruption }
}

export function refusedBy({ reason, message }: Refusal): PodFailure {
  return { reason, message: `Pod was rejected: ${message}`, isRefusal: true }
}
