// Which replica set is a deployment's current one, and the annotations by which kubectl shows and undoes revisions.

import type { Deployment, ReplicaSet } from '@aksel/api/types/apps-v1'
import type { PodTemplateSpec } from '@aksel/api/types/core-v1'
import { isSame } from '../canonical.ts'
import { maxSurge } from './limits.ts'

export const revisionAnnotation = 'deployment.kubernetes.io/revision'
const revisionHistoryAnnotation = 'deployment.kubernetes.io/revision-history'
export const desiredReplicasAnnotation = 'deployment.kubernetes.io/desired-replicas'
export const maxReplicasAnnotation = 'deployment.kubernetes.io/max-replicas'
export const hashLabel = 'pod-template-hash'

const notCopied = new Set([
  'kubectl.kubernetes.io/last-applied-configuration',
  revisionAnnotation,
  revisionHistoryAnnotation,
  desiredReplicasAnnotation,
  maxReplicasAnnotation,
  'deprecated.deployment.rollback.to',
])

/** Longest history that an annotation holds, in characters. */
const historyCharsMax = 2000

export type Annotations = Readonly<Record<string, string>>

export function isSameTemplate(left: PodTemplateSpec | undefined, right: PodTemplateSpec | undefined): boolean {
  return isSame(withoutHash(left), withoutHash(right))
}

function withoutHash(template: PodTemplateSpec | undefined): unknown {
  const { [hashLabel]: _, ...labels } = template?.metadata?.labels ?? {}
  return { ...template, metadata: { ...template?.metadata, labels } }
}

/** The oldest replica set of the deployment's template, so that two never take turns. */
export function findNewSet(deployment: Deployment, sets: readonly ReplicaSet[]): ReplicaSet | undefined {
  return sets.toSorted(byCreation).find((set) => isSameTemplate(set.spec.template, deployment.spec.template))
}

/** Oldest first. */
export function byCreation(left: ReplicaSet, right: ReplicaSet): number {
  const [leftTime = '', rightTime = ''] = [left.metadata.creationTimestamp, right.metadata.creationTimestamp]
  if (leftTime !== rightTime) return leftTime < rightTime ? -1 : 1
  return left.metadata.name < right.metadata.name ? -1 : 1
}

/** Exact over the whole range of 64 bits. */
export function revisionOf(set: ReplicaSet | Deployment): bigint {
  const text = set.metadata.annotations?.[revisionAnnotation] ?? ''
  return /^\d+$/.test(text) ? BigInt(text) : 0n
}

export function nextRevision(oldSets: readonly ReplicaSet[]): bigint {
  return oldSets.map(revisionOf).reduce((most, each) => (each > most ? each : most), 0n) + 1n
}

/**
 * Annotations that the new replica set should carry: the deployment's own, and a revision that only grows. `set` is undefined
 * for one that is about to be made; only that one gets its sizes here.
 */
export function annotationsOfNewSet(
  deployment: Deployment,
  set: ReplicaSet | undefined,
  revision: bigint,
): Annotations {
  const known = set?.metadata.annotations ?? {}
  const copied = Object.entries(deployment.metadata.annotations ?? {}).filter(([key]) => !notCopied.has(key))
  const result: Record<string, string> = { ...known, ...Object.fromEntries(copied) }
  const knownRevision = known[revisionAnnotation]
  if (knownRevision !== undefined && !/^\d+$/.test(knownRevision)) return result
  const before = BigInt(knownRevision ?? '0')
  if (before < revision) {
    result[revisionAnnotation] = String(revision)
    if (knownRevision !== undefined) result[revisionHistoryAnnotation] = withHistory(known, knownRevision)
  }
  return set === undefined ? { ...result, ...sizeAnnotations(deployment) } : result
}

function withHistory(annotations: Annotations, revision: string): string {
  const history = (annotations[revisionHistoryAnnotation] ?? '').split(',').filter((part) => part !== '')
  history.push(revision)
  while (history.join(',').length > historyCharsMax && history.length > 1) history.shift()
  return history.join(',')
}

/** What the deployment wanted when it last sized the set: how a later change of size is told from a rollout. */
export function sizeAnnotations(deployment: Deployment): Annotations {
  const replicas = deployment.spec.replicas ?? 1
  return {
    [desiredReplicasAnnotation]: String(replicas),
    [maxReplicasAnnotation]: String(replicas + maxSurge(deployment)),
  }
}

export function desiredReplicasOf(set: ReplicaSet): number | undefined {
  return numberIn(set, desiredReplicasAnnotation)
}

export function maxReplicasOf(set: ReplicaSet): number | undefined {
  return numberIn(set, maxReplicasAnnotation)
}

function numberIn(set: ReplicaSet, name: string): number | undefined {
  const text = set.metadata.annotations?.[name]
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined
}

/** Old sets past the history limit that are safe to delete, oldest revision first. */
export function setsToForget(deployment: Deployment, oldSets: readonly ReplicaSet[]): readonly ReplicaSet[] {
  const limit = deployment.spec.revisionHistoryLimit ?? 10
  const living = oldSets.filter(({ metadata }) => metadata.deletionTimestamp === undefined)
  const excess = living.length - limit
  if (excess <= 0) return []
  return living
    .toSorted((left, right) => (revisionOf(left) < revisionOf(right) ? -1 : 1))
    .slice(0, excess)
    .filter(isEmpty)
}

function isEmpty({ metadata, spec, status }: ReplicaSet): boolean {
  const isObserved = (metadata.generation ?? 0) <= (status?.observedGeneration ?? 0)
  return (status?.replicas ?? 0) === 0 && (spec.replicas ?? 1) === 0 && isObserved
}
