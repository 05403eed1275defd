// What becomes of a claim for devices: who still holds it, and whether it is given back or taken away.

import type { Pod } from '@aksel/api/types/core-v1'
import type { ResourceClaim, ResourceClaimConsumerReference } from '@aksel/api/types/resource-v1'
import { isTerminal, isTerminating } from '../pod-facts.ts'

/** Set by who allocates, taken off by this loop when nothing is allocated any more. */
export const claimFinalizer = 'resource.kubernetes.io/delete-protection'
/** Names the entry of the pod that a generated claim is for. */
export const podClaimAnnotation = 'resource.kubernetes.io/pod-claim-name'

/** A pod that uses its claims no more: it ended, or it goes without ever having had a node. */
export function isDone(pod: Pod): boolean {
  return isTerminal(pod) || (isTerminating(pod) && (pod.spec?.nodeName ?? '') === '')
}

export interface ClaimFacts {
  readonly claim: ResourceClaim
  /** The pod of this key, as far as anybody knows; `undefined` is sure. */
  readonly podOf: (key: string) => Pod | undefined
}

export interface ClaimVerdict {
  /** The status to write; absent where it stands as it should. */
  readonly status?: NonNullable<ResourceClaim['status']>
  readonly dropFinalizer: boolean
  /** It was made for a pod that is done. */
  readonly isDeleted: boolean
}

export function judgeClaim({ claim, podOf }: ClaimFacts): ClaimVerdict {
  const { namespace, finalizers = [], deletionTimestamp } = claim.metadata
  const reserved = claim.status?.reservedFor ?? []
  const holders = reserved.filter((reference) => holds(reference, podOf(`${namespace}/${reference.name}`)))
  const isGuarded = finalizers.includes(claimFinalizer)
  const isFree = holders.length === 0
  const givesBack = isFree && isGuarded && (reserved.length > 0 || deletionTimestamp !== undefined)
  const changes = holders.length < reserved.length || (givesBack && claim.status?.allocation !== undefined)
  return {
    ...(changes ? { status: statusWith(claim, holders, givesBack) } : {}),
    dropFinalizer:
      givesBack || (isFree && isGuarded && claim.status?.allocation === undefined && deletionTimestamp !== undefined),
    isDeleted: isFree && deletionTimestamp === undefined && isOfDonePod(claim, podOf),
  }
}

function statusWith(
  { status }: ResourceClaim,
  holders: readonly ResourceClaimConsumerReference[],
  givesBack: boolean,
): NonNullable<ResourceClaim['status']> {
  const { reservedFor: _, allocation, devices, ...rest } = status ?? {}
  return {
    ...rest,
    ...(holders.length === 0 ? {} : { reservedFor: holders }),
    ...(givesBack || allocation === undefined ? {} : { allocation }),
    ...(givesBack || devices === undefined ? {} : { devices }),
  }
}

/** Holders that are no pods are not ours to judge. */
function holds({ resource, apiGroup = '', uid }: ResourceClaimConsumerReference, pod: Pod | undefined): boolean {
  if (resource !== 'pods' || apiGroup !== '') return true
  return pod !== undefined && pod.metadata.uid === uid && !isDone(pod)
}

function isOfDonePod({ metadata }: ResourceClaim, podOf: ClaimFacts['podOf']): boolean {
  const owner = metadata.ownerReferences?.find(({ controller }) => controller === true)
  if (owner?.kind !== 'Pod' || owner.apiVersion !== 'v1') return false
  const pod = podOf(`${metadata.namespace}/${owner.name}`)
  return pod !== undefined && pod.metadata.uid === owner.uid && isDone(pod)
}
