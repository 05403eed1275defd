// Who owns the claims of a stateful set: by its retention policy they outlive it, go with it, or go with the pod scaled away.

import { pods, statefulSets } from '@aksel/api/resources'
import type { StatefulSet } from '@aksel/api/types/apps-v1'
import type { PersistentVolumeClaim, Pod } from '@aksel/api/types/core-v1'
import type { OwnerReference } from '@aksel/api/types/meta-v1'
import { controllerReference } from '../owners.ts'

export interface Retention {
  readonly deletesWithSet: boolean
  readonly deletesWhenScaled: boolean
}

export function retentionOf({ spec }: StatefulSet): Retention {
  const { whenDeleted = 'Retain', whenScaled = 'Retain' } = spec.persistentVolumeClaimRetentionPolicy ?? {}
  return { deletesWithSet: whenDeleted === 'Delete', deletesWhenScaled: whenScaled === 'Delete' }
}

/** The owners that the policy wants on a claim; `condemned` is its pod when that is being scaled away. Others' references stay. */
export function claimOwners(
  set: StatefulSet,
  claim: PersistentVolumeClaim,
  condemned: Pod | undefined,
): readonly OwnerReference[] {
  const { deletesWithSet, deletesWhenScaled } = retentionOf(set)
  const others = (claim.metadata.ownerReferences ?? []).filter(
    ({ uid, kind, apiVersion }) => uid !== set.metadata.uid && !(kind === 'Pod' && apiVersion === 'v1'),
  )
  if (deletesWhenScaled && condemned !== undefined) return [...others, controllerReference(pods, condemned)]
  return deletesWithSet ? [...others, controllerReference(statefulSets, set)] : others
}

/** True for a claim that goes away with a pod that is gone: the next pod of that name must not take it up. */
export function isLeftOver(set: StatefulSet, claim: PersistentVolumeClaim): boolean {
  if (!retentionOf(set).deletesWhenScaled) return false
  const ownedByPod = (claim.metadata.ownerReferences ?? []).some(({ kind }) => kind === 'Pod')
  return ownedByPod || claim.metadata.deletionTimestamp !== undefined
}
