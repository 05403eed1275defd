// The status of a deployment: its counts, and whether its rollout moves, is done, or is stuck.

import type {
  Deployment,
  DeploymentCondition,
  DeploymentStatus,
  ReplicaSet,
  ReplicaSetCondition,
} from '@aksel/api/types/apps-v1'
import { formatTime } from '@aksel/base/clock'
import { withoutCondition } from '../parts.ts'
import { maxUnavailable } from './limits.ts'
import { sizeOf, sum } from './plan-scale.ts'

const neverDeadline = 2 ** 31 - 1

export function hasProgressDeadline({ spec }: Deployment): boolean {
  return (spec.progressDeadlineSeconds ?? 600) !== neverDeadline
}

export function conditionOf(status: DeploymentStatus | undefined, type: string): DeploymentCondition | undefined {
  return status?.conditions?.find((condition) => condition.type === type)
}

export interface ConditionNews {
  readonly type: 'Available' | 'Progressing' | 'ReplicaFailure'
  readonly status: 'True' | 'False' | 'Unknown'
  readonly reason: string
  readonly message: string
}

/** Nothing changes while status and reason stay; the transition time moves only with the status. */
export function setCondition(
  conditions: readonly DeploymentCondition[] | undefined,
  news: ConditionNews,
  nowMs: number,
): readonly DeploymentCondition[] {
  const known = conditions?.find(({ type }) => type === news.type)
  if (known?.status === news.status && known.reason === news.reason) return conditions!
  const now = formatTime(nowMs)
  const lastTransitionTime = known?.status === news.status ? (known.lastTransitionTime ?? now) : now
  return [...withoutCondition(conditions, news.type), { ...news, lastUpdateTime: now, lastTransitionTime }]
}

/** Counts and availability, without a verdict on progress. */
export function countStatus(
  deployment: Deployment,
  all: readonly ReplicaSet[],
  newSet: ReplicaSet | undefined,
  nowMs: number,
): DeploymentStatus {
  const { collisionCount, conditions } = deployment.status ?? {}
  const available = sum(all, ({ status }) => status?.availableReplicas ?? 0)
  const isAvailable = available >= (deployment.spec.replicas ?? 1) - maxUnavailable(deployment)
  const news: ConditionNews = isAvailable
    ? {
        type: 'Available',
        status: 'True',
        reason: 'MinimumReplicasAvailable',
        message: 'Deployment has minimum availability.',
      }
    : {
        type: 'Available',
        status: 'False',
        reason: 'MinimumReplicasUnavailable',
        message: 'Deployment does not have minimum availability.',
      }
  return {
    observedGeneration: deployment.metadata.generation ?? 0,
    ...nonZero({
      replicas: sum(all, ({ status }) => status?.replicas ?? 0),
      updatedReplicas: newSet?.status?.replicas ?? 0,
      readyReplicas: sum(all, ({ status }) => status?.readyReplicas ?? 0),
      availableReplicas: available,
      unavailableReplicas: Math.max(0, sum(all, sizeOf) - available),
    }),
    ...(collisionCount === undefined ? {} : { collisionCount }),
    conditions: setCondition(conditions, news, nowMs),
  }
}

/** Upstream leaves counts of zero out. */
function nonZero(counts: Readonly<Record<string, number>>): Partial<DeploymentStatus> {
  return Object.fromEntries(Object.entries(counts).filter(([, count]) => count !== 0))
}

export function isComplete(deployment: Deployment, status: DeploymentStatus | undefined): boolean {
  const wanted = deployment.spec.replicas ?? 1
  return (
    (status?.updatedReplicas ?? 0) === wanted &&
    (status?.replicas ?? 0) === wanted &&
    (status?.availableReplicas ?? 0) === wanted &&
    (status?.observedGeneration ?? 0) >= (deployment.metadata.generation ?? 0)
  )
}

/** The status after a step of a rollout. */
export function judgeRollout(
  deployment: Deployment,
  all: readonly ReplicaSet[],
  newSet: ReplicaSet | undefined,
  nowMs: number,
): DeploymentStatus {
  const counted = countStatus(deployment, all, newSet, nowMs)
  const progressed = { ...counted, conditions: judgeProgress(deployment, counted, newSet, nowMs) }
  const failure = replicaFailure(all, newSet)
  if (failure === undefined) {
    return { ...progressed, conditions: withoutCondition(progressed.conditions, 'ReplicaFailure') }
  }
  const { status, reason = '', message = '' } = failure
  const news: ConditionNews = { type: 'ReplicaFailure', status: status as 'True', reason, message }
  return { ...progressed, conditions: setCondition(progressed.conditions, news, nowMs) }
}

function judgeProgress(
  deployment: Deployment,
  next: DeploymentStatus,
  newSet: ReplicaSet | undefined,
  nowMs: number,
): readonly DeploymentCondition[] {
  const { conditions } = next
  if (!hasProgressDeadline(deployment)) return withoutCondition(conditions, 'Progressing')
  const current = conditionOf(deployment.status, 'Progressing')
  const isDoneAlready =
    (next.replicas ?? 0) === (next.updatedReplicas ?? 0) && current?.reason === 'NewReplicaSetAvailable'
  if (isDoneAlready) return conditions!
  const subject =
    newSet === undefined ? `Deployment "${deployment.metadata.name}"` : `ReplicaSet "${newSet.metadata.name}"`
  const progressing = (status: 'True' | 'False', reason: string, message: string): ConditionNews => ({
    type: 'Progressing',
    status,
    reason,
    message,
  })
  if (isComplete(deployment, next)) {
    const news = progressing('True', 'NewReplicaSetAvailable', `${subject} has successfully progressed.`)
    return setCondition(conditions, news, nowMs)
  }
  if (hasMoved(deployment.status, next)) {
    // Taken out and set anew: a step moves the update time even where status and reason stay.
    const news = progressing('True', 'ReplicaSetUpdated', `${subject} is progressing.`)
    const now = formatTime(nowMs)
    const lastTransitionTime = current?.status === 'True' ? (current.lastTransitionTime ?? now) : now
    return [...withoutCondition(conditions, 'Progressing'), { ...news, lastUpdateTime: now, lastTransitionTime }]
  }
  if (hasTimedOut(deployment, next, nowMs)) {
    const news = progressing('False', 'ProgressDeadlineExceeded', `${subject} has timed out progressing.`)
    return setCondition(conditions, news, nowMs)
  }
  return conditions!
}

function hasMoved(before: DeploymentStatus | undefined, next: DeploymentStatus): boolean {
  const oldOf = (status: DeploymentStatus | undefined): number =>
    (status?.replicas ?? 0) - (status?.updatedReplicas ?? 0)
  return (
    (next.updatedReplicas ?? 0) > (before?.updatedReplicas ?? 0) ||
    oldOf(next) < oldOf(before) ||
    (next.readyReplicas ?? 0) > (before?.readyReplicas ?? 0) ||
    (next.availableReplicas ?? 0) > (before?.availableReplicas ?? 0)
  )
}

function hasTimedOut(deployment: Deployment, next: DeploymentStatus, nowMs: number): boolean {
  const condition = conditionOf(next, 'Progressing')
  if (condition === undefined || condition.reason === 'NewReplicaSetAvailable') return false
  if (condition.reason === 'ProgressDeadlineExceeded') return true
  return deadlineMs(deployment, condition) < nowMs
}

function deadlineMs({ spec }: Deployment, { lastUpdateTime = '' }: DeploymentCondition): number {
  return Date.parse(lastUpdateTime) + (spec.progressDeadlineSeconds ?? 600) * 1000
}

/** Milliseconds until a rollout that stands still counts as stuck; undefined when no deadline runs. */
export function progressRecheckMs(deployment: Deployment, status: DeploymentStatus, nowMs: number): number | undefined {
  if (!hasProgressDeadline(deployment) || isComplete(deployment, status)) return undefined
  const condition = conditionOf(status, 'Progressing')
  const isEnded = condition?.reason === 'ProgressDeadlineExceeded' || condition?.reason === 'NewReplicaSetAvailable'
  if (condition === undefined || isEnded || deployment.spec.paused === true) return undefined
  return Math.max(1000, deadlineMs(deployment, condition) - nowMs + 1000)
}

function replicaFailure(all: readonly ReplicaSet[], newSet: ReplicaSet | undefined): ReplicaSetCondition | undefined {
  const ordered = newSet === undefined ? all : [newSet, ...all]
  return ordered.flatMap(({ status }) => status?.conditions ?? []).find(({ type }) => type === 'ReplicaFailure')
}

/** What pausing or resuming says on the Progressing condition; undefined when it says so already. */
export function judgePause(deployment: Deployment): ConditionNews | undefined {
  if (!hasProgressDeadline(deployment)) return undefined
  const { reason } = conditionOf(deployment.status, 'Progressing') ?? {}
  if (reason === 'ProgressDeadlineExceeded') return undefined
  const says = (word: 'paused' | 'resumed', name: string): ConditionNews => ({
    type: 'Progressing',
    status: 'Unknown',
    reason: name,
    message: `Deployment is ${word}`,
  })
  const isPaused = deployment.spec.paused === true
  if (isPaused && reason !== 'DeploymentPaused') return says('paused', 'DeploymentPaused')
  if (!isPaused && reason === 'DeploymentPaused') return says('resumed', 'DeploymentResumed')
  return undefined
}
