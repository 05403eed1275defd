// Which revisions of its template a stateful set is between: what pods below the partition have, and the newest.

import { statefulSets } from '@aksel/api/resources'
import type { ControllerRevision, StatefulSet } from '@aksel/api/types/apps-v1'
import type { Pod } from '@aksel/api/types/core-v1'
import type { Client } from '@aksel/client/client'
import { newestRevision, revisionsPast } from '../revision-history.ts'
import { revisionOfPod } from './identity.ts'

export interface Revisions {
  /** What pods below the partition have. */
  readonly current: ControllerRevision
  /** The newest. */
  readonly update: ControllerRevision
  readonly collisionCount: number | undefined
}

export async function syncRevisions(
  client: Client,
  set: StatefulSet,
  history: readonly ControllerRevision[],
): Promise<Revisions> {
  const owner = {
    type: statefulSets,
    object: set,
    template: set.spec.template,
    hashLabel: 'controller.kubernetes.io/hash',
    collisionCount: set.status?.collisionCount,
  }
  const { revision, collisionCount } = await newestRevision(client, owner, history)
  const known = history.find(({ metadata }) => metadata.name === set.status?.currentRevision)
  return { current: known ?? revision, update: revision, collisionCount }
}

/** Revisions past the limit that no pod has, oldest first. */
export function revisionsToForget(
  set: StatefulSet,
  history: readonly ControllerRevision[],
  { current, update }: Revisions,
  pods: readonly Pod[],
): readonly ControllerRevision[] {
  const live = new Set([current.metadata.name, update.metadata.name, ...pods.map(revisionOfPod)])
  return revisionsPast(set.spec.revisionHistoryLimit ?? 10, history, ({ metadata }) => live.has(metadata.name))
}
