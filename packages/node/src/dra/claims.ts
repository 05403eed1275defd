// Which claims a pod has, what of them it may use, and which devices a container gets of them. Pure.

import type { Container, Pod } from '@aksel/api/types/core-v1'
import type { ResourceClaim } from '@aksel/api/types/resource-v1'
import type { PreparedDevice } from './dra-proto.ts'

/** A claim as this node has it: kept on disk. */
export interface NodeClaim {
  readonly namespace: string
  readonly name: string
  readonly uid: string
  /** Pods of this node that have it. */
  readonly podUids: readonly string[]
  /** By driver; a driver without devices has not answered yet. */
  readonly drivers: Readonly<Record<string, readonly PreparedDevice[]>>
  /** All its drivers have answered. */
  readonly isPrepared: boolean
}

/** The names of the pod's claims, by the names that its containers use. Throws where a generated one is not there yet. */
export function claimNames(pod: Pod): ReadonlyMap<string, string> {
  const { namespace, name } = pod.metadata
  const names = new Map<string, string>()
  for (const claim of pod.spec.resourceClaims ?? []) {
    if (claim.resourceClaimName !== undefined) names.set(claim.name, claim.resourceClaimName)
    if (claim.resourceClaimTemplateName === undefined) continue
    const status = pod.status?.resourceClaimStatuses?.find((each) => each.name === claim.name)
    if (status === undefined) throw new Error(`pod "${namespace}/${name}": ResourceClaim not created yet`)
    // None was needed.
    if (status.resourceClaimName !== undefined) names.set(claim.name, status.resourceClaimName)
  }
  return names
}

/** Throws in upstream's words where the pod may not use the claim. */
export function checkClaim(pod: Pod, podClaim: string, claim: ResourceClaim): void {
  const { name, namespace, uid } = pod.metadata
  const { metadata, status } = claim
  const isGenerated = pod.spec.resourceClaims?.find((each) => each.name === podClaim)?.resourceClaimTemplateName
  const isOwner = metadata.ownerReferences?.some((owner) => owner.controller === true && owner.uid === uid)
  if (isGenerated !== undefined && isOwner !== true) {
    throw new Error(
      `ResourceClaim ${metadata.namespace}/${metadata.name} was not created for pod ${namespace}/${name} (pod is not owner)`,
    )
  }
  if (status?.reservedFor?.some((reference) => reference.uid === uid) !== true) {
    throw new Error(`pod ${name} (${uid}) is not allowed to use resource claim ${metadata.name} (${metadata.uid})`)
  }
  if (status.allocation === undefined) throw new Error(`claim ${metadata.name} (${metadata.uid}) is not allocated`)
}

export function driversOf(claim: ResourceClaim): readonly string[] {
  return [...new Set((claim.status?.allocation?.devices?.results ?? []).map(({ driver }) => driver))]
}

/** The devices, by their names in the Container Device Interface, that a container names of the pod's claims. */
export function cdiDevicesOf(pod: Pod, container: Container, claims: readonly NodeClaim[]): readonly string[] {
  const wanted = container.resources?.claims ?? []
  if (wanted.length === 0) return []
  const names = claimNames(pod)
  const ids = wanted.flatMap(({ name, request = '' }) => {
    const claim = claims.find((each) => each.namespace === pod.metadata.namespace && each.name === names.get(name))
    return claim === undefined ? [] : devicesOf(claim, request).flatMap(({ cdiDeviceIds }) => cdiDeviceIds)
  })
  return [...new Set(ids)]
}

export function devicesOf(
  { drivers }: NodeClaim,
  request: string,
): readonly (PreparedDevice & { readonly driver: string })[] {
  return Object.entries(drivers).flatMap(([driver, devices]) =>
    devices.filter((device) => isOf(device, request)).map((device) => ({ ...device, driver })),
  )
}

/** Without a request all devices of the claim; a device of a sub-request counts for its request. */
function isOf({ requestNames }: PreparedDevice, request: string): boolean {
  if (request === '' || requestNames.length === 0) return true
  return requestNames.some((name) => name.split('/')[0] === request)
}
