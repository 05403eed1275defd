// Which pods of a stateful set to make, mend or take away now: upstream's order of steps, facts in and steps out.

import type { StatefulSet } from '@aksel/api/types/apps-v1'
import type { Pod } from '@aksel/api/types/core-v1'
import { scaledValue } from '../int-or-percent.ts'
import { isAvailable, isReady, isTerminal, isTerminating } from '../pod-facts.ts'
import { firstOrdinal, missingIdentity, ordinalOf, revisionOfPod } from './identity.ts'

export type Step =
  | { readonly kind: 'create'; readonly ordinal: number; readonly revision: 'current' | 'update' }
  /** Its claims may be missing, or its labels. */
  | { readonly kind: 'mend'; readonly pod: Pod }
  | { readonly kind: 'delete'; readonly pod: Pod; readonly why: 'failed' | 'scale' | 'update' }

export interface PlanFacts {
  readonly set: StatefulSet
  readonly pods: readonly Pod[]
  /** Name of the newest revision. */
  readonly updateRevision: string
  readonly nowMs: number
}

/** Pods whose ordinals are in range, by slot; and the others, highest ordinal first. */
export interface Slots {
  readonly replicas: readonly (Pod | undefined)[]
  readonly condemned: readonly Pod[]
}

export function slotsOf(set: StatefulSet, pods: readonly Pod[]): Slots {
  const start = firstOrdinal(set)
  const count = set.spec.replicas ?? 1
  const replicas: (Pod | undefined)[] = Array.from({ length: count }, () => undefined)
  const condemned: Pod[] = []
  for (const pod of pods) {
    const slot = ordinalOf(set, pod.metadata.name) - start
    if (slot >= 0 && slot < count) replicas[slot] = pod
    else condemned.push(pod)
  }
  condemned.sort((left, right) => ordinalOf(set, right.metadata.name) - ordinalOf(set, left.metadata.name))
  return { replicas, condemned }
}

/** An ordered set gets at most one step that changes what runs; a parallel one gets all at once. */
export function planPods(facts: PlanFacts): readonly Step[] {
  const { set, pods } = facts
  if (set.metadata.deletionTimestamp !== undefined) return []
  const slots = slotsOf(set, pods)
  const filled = planReplicas(facts, slots)
  if (filled.stop) return filled.steps
  const shrunk = planCondemned(facts, slots)
  const steps = [...filled.steps, ...shrunk.steps]
  if (shrunk.stop || set.spec.updateStrategy?.type === 'OnDelete') return steps
  return [...steps, ...planUpdate(facts, slots)]
}

interface Part {
  readonly steps: readonly Step[]
  /** Nothing else may be done in this pass. */
  readonly stop: boolean
}

export function isOrdered({ spec }: StatefulSet): boolean {
  return spec.podManagementPolicy !== 'Parallel'
}

function partitionOf({ spec }: StatefulSet): number {
  return spec.updateStrategy?.rollingUpdate?.partition ?? 0
}

function planReplicas({ set, nowMs }: PlanFacts, { replicas }: Slots): Part {
  const steps: Step[] = []
  const ordered = isOrdered(set)
  for (const [slot, pod] of replicas.entries()) {
    if (pod === undefined) {
      const isRolling = set.spec.updateStrategy?.type !== 'OnDelete'
      const revision = isRolling && slot < partitionOf(set) ? 'current' : 'update'
      steps.push({ kind: 'create', ordinal: firstOrdinal(set) + slot, revision })
      if (ordered) return { steps, stop: true }
      continue
    }
    if (isTerminal(pod)) {
      // Its successor is made when it is gone.
      if (!isTerminating(pod)) steps.push({ kind: 'delete', pod, why: 'failed' })
      if (ordered) return { steps, stop: true }
      continue
    }
    if (pod.status?.phase === 'Pending' || missingIdentity(set, pod) !== undefined) steps.push({ kind: 'mend', pod })
    if (ordered && !isHealthy(set, pod, nowMs)) return { steps, stop: true }
  }
  return { steps, stop: false }
}

function planCondemned({ set, nowMs }: PlanFacts, { replicas, condemned }: Slots): Part {
  const steps: Step[] = []
  const ordered = isOrdered(set)
  const firstUnhealthy = [...replicas, ...condemned.toReversed()].find(
    (pod) => pod !== undefined && !isHealthy(set, pod, nowMs),
  )
  for (const pod of condemned) {
    if (isTerminating(pod)) {
      if (ordered) return { steps, stop: true }
      continue
    }
    // An unhealthy one goes when it is the first unhealthy: then nothing before it will suffer.
    if (ordered && !isHealthy(set, pod, nowMs) && pod !== firstUnhealthy) return { steps, stop: true }
    steps.push({ kind: 'delete', pod, why: 'scale' })
    if (ordered) return { steps, stop: true }
  }
  return { steps, stop: false }
}

function planUpdate({ set, updateRevision, nowMs }: PlanFacts, { replicas }: Slots): readonly Step[] {
  const steps: Step[] = []
  let unavailable = replicas.filter((pod) => pod === undefined || !isHealthy(set, pod, nowMs)).length
  const limit = maxUnavailable(set)
  for (let slot = replicas.length - 1; slot >= partitionOf(set); slot -= 1) {
    const pod = replicas[slot]
    if (pod === undefined || isTerminating(pod)) {
      if (limit === 1) return steps
      continue
    }
    const isOld = revisionOfPod(pod) !== updateRevision
    const healthy = isHealthy(set, pod, nowMs)
    if (!isOld && !healthy && limit === 1) return steps
    if (!isOld) continue
    if (healthy && unavailable >= limit) return steps
    steps.push({ kind: 'delete', pod, why: 'update' })
    if (healthy) unavailable += 1
    if (limit === 1) return steps
  }
  return steps
}

function maxUnavailable({ spec }: StatefulSet): number {
  const value = spec.updateStrategy?.rollingUpdate?.maxUnavailable
  return value === undefined ? 1 : Math.max(1, scaledValue(value, spec.replicas ?? 1, 'up'))
}

/** Running, ready for long enough, and not on its way out. */
export function isHealthy({ spec }: StatefulSet, pod: Pod, nowMs: number): boolean {
  return isRunningAndReady(pod) && !isTerminating(pod) && isAvailable(pod, spec.minReadySeconds ?? 0, nowMs)
}

export function isRunningAndReady(pod: Pod): boolean {
  return pod.status?.phase === 'Running' && isReady(pod)
}
