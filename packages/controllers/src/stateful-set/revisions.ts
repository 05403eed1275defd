// The history of a stateful set's template, kept as controller revisions that kubectl shows and goes back to.

import { controllerRevisions, statefulSets } from '@aksel/api/resources'
import type { ControllerRevision, StatefulSet } from '@aksel/api/types/apps-v1'
import type { Pod, PodTemplateSpec } from '@aksel/api/types/core-v1'
import { ignoreReason, isReason } from '@aksel/base/errors'
import type { Client } from '@aksel/client/client'
import { isSame, templateHash } from '../canonical.ts'
import { controllerReference } from '../owners.ts'
import { revisionOfPod } from './identity.ts'

const hashLabel = 'controller.kubernetes.io/hash'

export interface Revisions {
  /** What pods below the partition have. */
  readonly current: ControllerRevision
  /** The newest. */
  readonly update: ControllerRevision
  readonly collisionCount: number | undefined
}

/** The template as a strategic patch on the set, which is how kubectl goes back to it. */
export function dataOf({ spec }: StatefulSet): NonNullable<ControllerRevision['data']> {
  return { spec: { template: { ...spec.template, $patch: 'replace' } } }
}

export function templateOf({ data }: ControllerRevision): PodTemplateSpec {
  const { $patch: _, ...template } = (data as { spec: { template: PodTemplateSpec & { $patch?: string } } }).spec
    .template
  return template
}

export function newRevision(set: StatefulSet, number: number, collisionCount: number | undefined): ControllerRevision {
  const data = dataOf(set)
  const hash = templateHash(data, collisionCount)
  const { annotations } = set.metadata
  return {
    metadata: {
      name: `${set.metadata.name}-${hash}`,
      namespace: set.metadata.namespace!,
      labels: { ...set.spec.template.metadata?.labels, [hashLabel]: hash },
      ...(annotations === undefined ? {} : { annotations }),
      ownerReferences: [controllerReference(statefulSets, set)],
    },
    data,
    revision: number,
  }
}

/** The set's revisions, the newest made or moved to the end of the history where the template asks for it. */
export async function syncRevisions(
  client: Client,
  set: StatefulSet,
  history: readonly ControllerRevision[],
): Promise<Revisions> {
  const sorted = history.toSorted((left, right) => left.revision - right.revision)
  const next = (sorted.at(-1)?.revision ?? 0) + 1
  const wanted = dataOf(set)
  const equal = sorted.filter(({ data }) => isSame(data, wanted)).at(-1)
  const { collisionCount, currentRevision } = set.status ?? {}
  const made =
    equal === undefined
      ? await create(client, set, next, collisionCount)
      : { revision: equal === sorted.at(-1) ? equal : await moveToEnd(client, equal, next), collisionCount }
  const known = history.find(({ metadata }) => metadata.name === currentRevision)
  return { current: known ?? made.revision, update: made.revision, collisionCount: made.collisionCount }
}

function moveToEnd(client: Client, revision: ControllerRevision, next: number): Promise<ControllerRevision> {
  return client.update(controllerRevisions, { ...revision, revision: next })
}

async function create(
  client: Client,
  set: StatefulSet,
  number: number,
  collisionCount: number | undefined,
): Promise<{ readonly revision: ControllerRevision; readonly collisionCount: number | undefined }> {
  const revision = newRevision(set, number, collisionCount)
  try {
    return { revision: await client.create(controllerRevisions, revision), collisionCount }
  } catch (error) {
    if (!isReason(error, 'AlreadyExists')) throw error
  }
  // Ours from a pass that the cache does not show yet, or another's: then the next name is tried.
  const existing = await client.get(controllerRevisions, revision.metadata)
  if (isSame(existing.data, revision.data)) return { revision: existing, collisionCount }
  return create(client, set, number, (collisionCount ?? 0) + 1)
}

/** Revisions past the limit that no pod has, oldest first. */
export function revisionsToForget(
  set: StatefulSet,
  history: readonly ControllerRevision[],
  { current, update }: Revisions,
  pods: readonly Pod[],
): readonly ControllerRevision[] {
  const live = new Set([current.metadata.name, update.metadata.name, ...pods.map(revisionOfPod)])
  const unused = history.filter(({ metadata }) => !live.has(metadata.name))
  const excess = unused.length - (set.spec.revisionHistoryLimit ?? 10)
  if (excess <= 0) return []
  return unused.toSorted((left, right) => left.revision - right.revision).slice(0, excess)
}

export async function forgetRevision(client: Client, { metadata }: ControllerRevision): Promise<void> {
  await ignoreReason('NotFound', client.delete(controllerRevisions, metadata))
}
