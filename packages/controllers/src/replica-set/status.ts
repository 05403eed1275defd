// The status of a replica set from its pods.

import type { ReplicaSet, ReplicaSetCondition, ReplicaSetStatus } from '@aksel/api/types/apps-v1'
import type { Pod } from '@aksel/api/types/core-v1'
import { formatTime } from '@aksel/base/clock'
import { matchesLabels } from '@aksel/runtime/selectors'
import { withCondition, withoutCondition } from '../parts.ts'
import { availableInMs, isReady } from '../pod-facts.ts'

export interface ReplicaFailure {
  readonly reason: 'FailedCreate' | 'FailedDelete'
  readonly message: string
}

export interface StatusVerdict {
  readonly status: ReplicaSetStatus
  /** When the next ready pod becomes available. */
  readonly recheckMs: number | undefined
}

/** `active` are the pods that run or will run. */
export function judgeStatus(
  set: ReplicaSet,
  active: readonly Pod[],
  failure: ReplicaFailure | undefined,
  nowMs: number,
): StatusVerdict {
  const templateLabels = set.spec.template?.metadata?.labels ?? {}
  const waits = active.map((pod) => availableInMs(pod, set.spec.minReadySeconds ?? 0, nowMs))
  const pending = waits.filter((waitMs) => waitMs !== undefined && waitMs > 0) as number[]
  const conditions = conditionsOf(set, failure, nowMs)
  const status: ReplicaSetStatus = {
    replicas: active.length,
    fullyLabeledReplicas: active.filter((pod) => matchesLabels(templateLabels, pod.metadata.labels)).length,
    readyReplicas: active.filter(isReady).length,
    availableReplicas: waits.filter((waitMs) => waitMs === 0).length,
    observedGeneration: set.metadata.generation ?? 0,
    ...(conditions.length === 0 ? {} : { conditions }),
  }
  return { status: withoutZeros(status), recheckMs: pending.length === 0 ? undefined : Math.min(...pending) }
}

function conditionsOf(
  set: ReplicaSet,
  failure: ReplicaFailure | undefined,
  nowMs: number,
): readonly ReplicaSetCondition[] {
  const known = set.status?.conditions
  const stands = known?.find(({ type }) => type === 'ReplicaFailure')
  if (failure === undefined) return withoutCondition(known, 'ReplicaFailure')
  // The first failure of a row keeps its time and words.
  if (stands?.reason === failure.reason) return known!
  const lastTransitionTime = formatTime(nowMs)
  return withCondition(known, { type: 'ReplicaFailure', status: 'True', ...failure, lastTransitionTime })
}

/** Upstream leaves counts of zero out, but for `replicas`. */
function withoutZeros(status: ReplicaSetStatus): ReplicaSetStatus {
  const entries = Object.entries(status).filter(([key, value]) => key === 'replicas' || value !== 0)
  return Object.fromEntries(entries) as unknown as ReplicaSetStatus
}
