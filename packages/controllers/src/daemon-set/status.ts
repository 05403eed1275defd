// The status of a daemon set from nodes and pods.

import type { DaemonSet, DaemonSetStatus } from '@aksel/api/types/apps-v1'
import { availableInMs, isReady } from '../pod-facts.ts'
import { byAge, isOfHash, podsByNode } from './plan.ts'
import type { DaemonFacts } from './plan.ts'
import { judgePlacement } from './placement.ts'

export interface StatusVerdict {
  readonly status: DaemonSetStatus
  /** When the next ready pod becomes available. */
  readonly recheckMs: number | undefined
}

export function judgeStatus(facts: DaemonFacts, collisionCount: number | undefined): StatusVerdict {
  const { set, nodes, pods, hash, nowMs } = facts
  const byNode = podsByNode(pods)
  const counts = { desired: 0, current: 0, ready: 0, available: 0, updated: 0, misscheduled: 0 }
  const waits: number[] = []
  for (const node of nodes) {
    const oldest = (byNode.get(node.metadata.name) ?? []).toSorted(byAge)[0]
    if (!judgePlacement(set, node).shouldRun) {
      if (oldest !== undefined) counts.misscheduled += 1
      continue
    }
    counts.desired += 1
    if (oldest === undefined) continue
    counts.current += 1
    if (isReady(oldest)) counts.ready += 1
    const waitMs = availableInMs(oldest, set.spec.minReadySeconds ?? 0, nowMs)
    if (waitMs === 0) counts.available += 1
    else if (waitMs !== undefined) waits.push(waitMs)
    if (isOfHash(oldest, hash)) counts.updated += 1
  }
  return {
    status: statusOf(set, counts, collisionCount),
    recheckMs: waits.length === 0 ? undefined : Math.min(...waits),
  }
}

function statusOf(
  { metadata, status }: DaemonSet,
  counts: Readonly<Record<'desired' | 'current' | 'ready' | 'available' | 'updated' | 'misscheduled', number>>,
  collisionCount: number | undefined,
): DaemonSetStatus {
  const unavailable = counts.desired - counts.available
  return {
    currentNumberScheduled: counts.current,
    numberMisscheduled: counts.misscheduled,
    desiredNumberScheduled: counts.desired,
    numberReady: counts.ready,
    observedGeneration: metadata.generation ?? 0,
    ...(counts.updated === 0 ? {} : { updatedNumberScheduled: counts.updated }),
    ...(counts.available === 0 ? {} : { numberAvailable: counts.available }),
    ...(unavailable === 0 ? {} : { numberUnavailable: unavailable }),
    ...(collisionCount === undefined ? {} : { collisionCount }),
    ...(status?.conditions === undefined ? {} : { conditions: status.conditions }),
  }
}
