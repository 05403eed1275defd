// Writes what was chosen: each claim gets its finalizer, its allocation and the pod among those it is reserved for.

import { resourceClaims } from '@aksel/api/resources'
import type { AllocationResult, ResourceClaim } from '@aksel/api/types/resource-v1'
import { formatTime } from '@aksel/base/clock'
import { isReason, ignoreReason } from '@aksel/base/errors'
import type { Scope } from '@aksel/base/scope'
import type { Client } from '@aksel/client/client'
import type { Cache } from '@aksel/runtime/controller'
import { isFreeBut, isReservedFor, type ClaimedPod } from './reservation.ts'

/** Keeps a claim while something is allocated; the resource claim loop takes it off. */
const FINALIZER = 'resource.kubernetes.io/delete-protection'
const CONFLICTS_MAX = 10

/** Resolves to the claim as it was written. Rejects where it went, or was allocated to somebody else meanwhile. */
export async function bindClaim(
  scope: Scope,
  client: Client,
  { known, allocation, pod }: { known: ResourceClaim; allocation: AllocationResult | undefined; pod: ClaimedPod },
): Promise<ResourceClaim> {
  const { name, uid } = pod.metadata
  return edited(client, known, async (claim) => {
    if (claim.metadata.deletionTimestamp !== undefined)
      throw new Error(`claim ${claim.metadata.name} got deleted in the meantime`)
    let now = claim
    const needsAllocation = claim.status?.allocation === undefined
    if (needsAllocation && allocation === undefined)
      throw new Error(`claim ${claim.metadata.name} got deallocated in the meantime`)
    if (!needsAllocation && allocation !== undefined && !isReservedFor(claim, pod))
      throw new Error(`claim ${claim.metadata.name} already allocated in the meantime`)
    const finalizers = claim.metadata.finalizers ?? []
    if (!finalizers.includes(FINALIZER))
      now = await client.update(resourceClaims, {
        ...now,
        metadata: { ...now.metadata, finalizers: [...finalizers, FINALIZER] },
      })
    if (!needsAllocation && isReservedFor(now, pod)) return now
    const waits = (allocation?.devices?.results ?? []).some(
      ({ bindingConditions = [] }) => bindingConditions.length > 0,
    )
    const given = waits ? { ...allocation, allocationTimestamp: formatTime(scope.clock.now()) } : allocation
    const reservedFor = [...(now.status?.reservedFor ?? []), { resource: 'pods', name, uid: uid! }]
    const status = { ...now.status, ...(needsAllocation ? { allocation: given! } : {}), reservedFor }
    return client.update(resourceClaims, { ...now, status }, { subresource: 'status' })
  })
}

/** The pod is not bound after all: others may have what stays allocated. */
export async function unreserveClaim(client: Client, known: ResourceClaim, pod: ClaimedPod): Promise<void> {
  await ignoreReason(
    'NotFound',
    edited(client, known, async (claim) => {
      if (!isReservedFor(claim, pod)) return claim
      const { reservedFor = [], ...rest } = claim.status!
      const others = reservedFor.filter(({ uid }) => uid !== pod.metadata.uid)
      const status = { ...rest, ...(others.length === 0 ? {} : { reservedFor: others }) }
      return client.update(resourceClaims, { ...claim, status }, { subresource: 'status' })
    }),
  )
}

/** Gives the devices back, unless somebody else has got the claim meanwhile. */
export async function deallocateClaim(client: Client, known: ResourceClaim, pod: ClaimedPod): Promise<void> {
  await ignoreReason(
    'NotFound',
    edited(client, known, async (claim) => {
      if (claim.status?.allocation === undefined || !isFreeBut(claim, pod)) return claim
      const { allocation: _, reservedFor: __, devices: ___, ...status } = claim.status
      return client.update(resourceClaims, { ...claim, status }, { subresource: 'status' })
    }),
  )
}

/** Devices that must be made ready first say so in conditions. Rejects where one failed, or `timeoutMs` went by. */
export async function conditionsMet(
  scope: Scope,
  { claims, known, timeoutMs }: { claims: Cache<ResourceClaim>; known: ResourceClaim; timeoutMs: number },
): Promise<void> {
  const { namespace, name, uid } = known.metadata
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const look = (claim: ResourceClaim | undefined): void => {
    if (claim === undefined || claim.metadata.uid !== uid || claim.status?.allocation === undefined)
      return reject(new Error(`claim ${name} is no longer allocated`))
    const state = readinessOf(claim)
    if (state === 'ready') resolve()
    else if (state !== 'waits') reject(new Error(`claim ${name} binding failed: ${state}`))
  }
  // What the cache shows may be older than what was written.
  using _changes = claims.subscribe((now, before) => {
    const claim = now ?? before
    if (claim?.metadata.namespace !== namespace || claim?.metadata.name !== name) return
    if (now === undefined || Number(now.metadata.resourceVersion) >= Number(known.metadata.resourceVersion)) look(now)
  })
  look(known)
  using _deadline = scope.clock.after(timeoutMs, () => reject(new Error(`claim ${name}: device binding timed out`)))
  const onAbort = (): void => reject(scope.signal.reason as Error)
  scope.signal.addEventListener('abort', onAbort, { once: true })
  try {
    await promise
  } finally {
    scope.signal.removeEventListener('abort', onAbort)
  }
}

/** A sentence says which condition failed. */
export function readinessOf({ status }: ResourceClaim): string {
  let isReady = true
  for (const result of status?.allocation?.devices?.results ?? []) {
    const { driver, pool, device, shareID, bindingConditions = [], bindingFailureConditions = [] } = result
    if (bindingConditions.length === 0) continue
    const told = status?.devices?.find(
      (each) => each.driver === driver && each.pool === pool && each.device === device && each.shareID === shareID,
    )
    const isTrue = (type: string): boolean =>
      told?.conditions?.some((each) => each.type === type && each.status === 'True') === true
    const failed = bindingFailureConditions.find(isTrue)
    if (failed !== undefined) return `device ${driver}/${pool}/${device} has condition ${failed}`
    isReady &&= bindingConditions.every(isTrue)
  }
  return isReady ? 'ready' : 'waits'
}

async function edited(
  client: Client,
  known: ResourceClaim,
  edit: (claim: ResourceClaim) => Promise<ResourceClaim>,
): Promise<ResourceClaim> {
  let claim = known
  for (let conflicts = 0; ; conflicts += 1) {
    try {
      return await edit(claim)
    } catch (error) {
      if (!isReason(error, 'Conflict') || conflicts >= CONFLICTS_MAX) throw error
      claim = await client.get(resourceClaims, { namespace: known.metadata.namespace!, name: known.metadata.name })
      if (claim.metadata.uid !== known.metadata.uid)
        throw new Error(`claim ${known.metadata.name} was made anew in the meantime`, { cause: error })
    }
  }
}
