// Which claims for devices a pod has, and why it may have to wait for them.

import { isReservedFor, type ClaimedPod } from './reservation.ts'
import type { ResourceClaim } from '@aksel/api/types/resource-v1'

export type PodClaims =
  | { readonly kind: 'claims'; readonly claims: readonly ResourceClaim[] }
  /** A loop makes it; nobody need be told. */
  | { readonly kind: 'not-created' }
  /** Upstream's words. */
  | { readonly kind: 'problem'; readonly message: string }

/** Upstream's ResourceClaimReservedForMaxSize. */
const RESERVED_MAX = 256

/** Without those of a template that needed none. */
export function claimsOf(pod: ClaimedPod, claim: (key: string) => ResourceClaim | undefined): PodClaims {
  const { namespace, name, uid } = pod.metadata
  const claims: ResourceClaim[] = []
  for (const wish of pod.spec.resourceClaims ?? []) {
    const isGenerated = wish.resourceClaimTemplateName !== undefined
    const status = pod.status?.resourceClaimStatuses?.find((each) => each.name === wish.name)
    if (isGenerated && status === undefined) return { kind: 'not-created' }
    const claimName = isGenerated ? status!.resourceClaimName : wish.resourceClaimName
    if (claimName === undefined) continue
    const found = claim(`${namespace}/${claimName}`)
    // One that was made a moment ago is on its way to the cache.
    if (found === undefined && isGenerated) return { kind: 'not-created' }
    if (found === undefined)
      return { kind: 'problem', message: `resourceclaim.resource.k8s.io "${claimName}" not found` }
    if (found.metadata.deletionTimestamp !== undefined)
      return { kind: 'problem', message: `resourceclaim "${claimName}" is being deleted` }
    const owner = found.metadata.ownerReferences?.find(({ controller }) => controller === true)
    if (isGenerated && owner?.uid !== uid) {
      const message = `ResourceClaim ${namespace}/${claimName} was not created for pod ${namespace}/${name} (pod is not owner)`
      return { kind: 'problem', message }
    }
    if (!claims.some(({ metadata }) => metadata.uid === found.metadata.uid)) claims.push(found)
  }
  return { kind: 'claims', claims }
}

/** Whether the pod may have what was allocated to the claim before. */
export function canShare(claim: ResourceClaim, pod: ClaimedPod): boolean {
  return isReservedFor(claim, pod) || (claim.status?.reservedFor ?? []).length < RESERVED_MAX
}

/** The names by which the pod knows its claims: those that it has, or will have. */
export function hasClaim(pod: ClaimedPod, { metadata }: ResourceClaim): boolean {
  if (metadata.namespace !== pod.metadata.namespace) return false
  const statuses = pod.status?.resourceClaimStatuses ?? []
  return (
    (pod.spec.resourceClaims ?? []).some(({ resourceClaimName }) => resourceClaimName === metadata.name) ||
    statuses.some(({ resourceClaimName }) => resourceClaimName === metadata.name) ||
    (metadata.ownerReferences ?? []).some(({ uid }) => uid === pod.metadata.uid)
  )
}
