// The status of a stateful set from its pods and revisions.

import type { StatefulSet, StatefulSetStatus } from '@aksel/api/types/apps-v1'
import type { Pod } from '@aksel/api/types/core-v1'
import { availableInMs, isAvailable, isTerminating } from '../pod-facts.ts'
import { revisionOfPod } from './identity.ts'
import { isRunningAndReady } from './plan.ts'
import type { Revisions } from './revisions.ts'

export function judgeStatus(
  set: StatefulSet,
  pods: readonly Pod[],
  revisions: Revisions,
  nowMs: number,
): StatefulSetStatus {
  const { current, update, collisionCount = 0 } = revisions
  const ready = pods.filter(isRunningAndReady)
  const having = (revision: string): number =>
    pods.filter((pod) => !isTerminating(pod) && revisionOfPod(pod) === revision).length
  const counts = {
    replicas: pods.length,
    readyReplicas: ready.length,
    availableReplicas: ready.filter((pod) => isAvailable(pod, set.spec.minReadySeconds ?? 0, nowMs)).length,
    currentReplicas: having(current.metadata.name),
    updatedReplicas: having(update.metadata.name),
  }
  const isRolledOut =
    set.spec.updateStrategy?.type !== 'OnDelete' &&
    counts.updatedReplicas === counts.replicas &&
    counts.readyReplicas === counts.replicas &&
    counts.replicas === (set.spec.replicas ?? 1)
  const { readyReplicas, currentReplicas, updatedReplicas } = counts
  const finalCurrent = isRolledOut ? updatedReplicas : currentReplicas
  return {
    observedGeneration: set.metadata.generation ?? 0,
    replicas: counts.replicas,
    ...(readyReplicas === 0 ? {} : { readyReplicas }),
    availableReplicas: counts.availableReplicas,
    ...(finalCurrent === 0 ? {} : { currentReplicas: finalCurrent }),
    ...(updatedReplicas === 0 ? {} : { updatedReplicas }),
    currentRevision: (isRolledOut ? update : current).metadata.name,
    updateRevision: update.metadata.name,
    collisionCount,
    ...(set.status?.conditions === undefined ? {} : { conditions: set.status.conditions }),
  }
}

/** Milliseconds until the next ready pod becomes available. */
export function availabilityRecheckMs(set: StatefulSet, pods: readonly Pod[], nowMs: number): number | undefined {
  const waits = pods
    .map((pod) => availableInMs(pod, set.spec.minReadySeconds ?? 0, nowMs))
    .filter((waitMs) => waitMs !== undefined && waitMs > 0) as number[]
  return waits.length === 0 ? undefined : Math.min(...waits)
}
