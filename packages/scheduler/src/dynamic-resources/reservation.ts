// Whom a claim is reserved for.

import type { Pod } from '@aksel/api/types/core-v1'
import type { ResourceClaim } from '@aksel/api/types/resource-v1'

export type ClaimedPod = Pick<Pod, 'metadata' | 'spec' | 'status'>

export function isReservedFor({ status }: ResourceClaim, { metadata }: ClaimedPod): boolean {
  return (status?.reservedFor ?? []).some(({ uid }) => uid === metadata.uid)
}

/** Nobody else has it: it may be taken back for the pod's sake. */
export function isFreeBut({ status }: ResourceClaim, { metadata }: ClaimedPod): boolean {
  return (status?.reservedFor ?? []).every(({ uid }) => uid === metadata.uid)
}
