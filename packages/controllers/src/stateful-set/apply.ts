// A stateful set's writes: pods with their claims made, mended and taken away, with the events that people look for.

import { persistentVolumeClaims, pods, statefulSets } from '@aksel/api/resources'
import type { StatefulSet } from '@aksel/api/types/apps-v1'
import type { PersistentVolumeClaim, Pod } from '@aksel/api/types/core-v1'
import { ignoreReason, isReason } from '@aksel/base/errors'
import type { Scope } from '@aksel/base/scope'
import type { Client } from '@aksel/client/client'
import type { Cache } from '@aksel/runtime/controller'
import { isSame } from '../canonical.ts'
import { tell } from '../pod-control.ts'
import { claimOwners, isLeftOver } from './claims.ts'
import { claimsOf, missingIdentity, newPod, ordinalOf, podName } from './identity.ts'
import type { Slots, Step } from './plan.ts'
import { templateOf } from '../revision-history.ts'
import type { Revisions } from './revisions.ts'

export interface ApplyParts {
  readonly scope: Scope
  readonly client: Client
  readonly set: StatefulSet
  readonly claims: Cache<PersistentVolumeClaim>
}

export async function applyStep(parts: ApplyParts, step: Step, revisions: Revisions): Promise<void> {
  switch (step.kind) {
    case 'create':
      return create(parts, step.ordinal, step.revision === 'current' ? revisions.current : revisions.update)
    case 'mend':
      return mend(parts, step.pod)
    case 'delete':
      return remove(parts, step.pod, step.why)
    default:
      return step satisfies never
  }
}

async function create(parts: ApplyParts, ordinal: number, revision: Revisions['current']): Promise<void> {
  const { client, set } = parts
  const name = podName(set, ordinal)
  const known = claimsOf(set, ordinal).map((wanted) => stored(parts, wanted))
  // The end of such a claim wakes the set again.
  if (known.some((found) => found !== undefined && isLeftOver(set, found))) return
  const what = `create Pod ${name} in StatefulSet ${set.metadata.name}`
  try {
    await ensureClaims(parts, ordinal)
    await client.create(pods, newPod(set, templateOf(revision) ?? set.spec.template, revision.metadata.name, ordinal))
  } catch (error) {
    // The cache does not show the pod of a pass before.
    if (isReason(error, 'AlreadyExists')) return
    say(parts, 'Warning', 'FailedCreate', `${what} failed error: ${(error as Error).message}`)
    throw error
  }
  say(parts, 'Normal', 'SuccessfulCreate', `${what} successful`)
}

async function mend(parts: ApplyParts, pod: Pod): Promise<void> {
  const { client, set } = parts
  if (pod.metadata.deletionTimestamp === undefined) await ensureClaims(parts, ordinalOf(set, pod.metadata.name))
  const labels = missingIdentity(set, pod)
  if (labels === undefined) return
  const { uid, resourceVersion } = pod.metadata
  await client.patch(pods, pod.metadata, { kind: 'merge', body: { metadata: { uid, resourceVersion, labels } } })
}

async function remove(parts: ApplyParts, pod: Pod, why: 'failed' | 'scale' | 'update'): Promise<void> {
  const { client, set } = parts
  const { name, namespace, uid } = pod.metadata
  if (why === 'failed') {
    const phase = pod.status?.phase === 'Failed' ? 'failed' : 'succeeded'
    const reason = phase === 'failed' ? 'RecreatingFailedPod' : 'RecreatingTerminatedPod'
    say(parts, 'Warning', reason, `StatefulSet ${namespace}/${set.metadata.name} is recreating ${phase} Pod ${name}`)
  }
  const what = `delete Pod ${name} in StatefulSet ${set.metadata.name}`
  try {
    await client.delete(pods, pod.metadata, { preconditions: { uid: uid! } })
  } catch (error) {
    if (isReason(error, 'NotFound', 'Conflict')) return
    say(parts, 'Warning', 'FailedDelete', `${what} failed error: ${(error as Error).message}`)
    throw error
  }
  say(parts, 'Normal', 'SuccessfulDelete', `${what} successful`)
}

/** Claims are made before their pod, and never changed but for their owners. */
async function ensureClaims(parts: ApplyParts, ordinal: number): Promise<void> {
  const { client, set } = parts
  for (const wanted of claimsOf(set, ordinal)) {
    if (stored(parts, wanted) !== undefined) continue
    const ownerReferences = claimOwners(set, wanted, undefined)
    const metadata = ownerReferences.length === 0 ? wanted.metadata : { ...wanted.metadata, ownerReferences }
    const what = `create Claim ${wanted.metadata.name} Pod ${podName(set, ordinal)} in StatefulSet ${set.metadata.name}`
    try {
      await client.create(persistentVolumeClaims, { ...wanted, metadata })
    } catch (error) {
      if (isReason(error, 'AlreadyExists')) continue
      say(parts, 'Warning', 'FailedCreate', `${what} failed error: ${(error as Error).message}`)
      throw error
    }
    say(parts, 'Normal', 'SuccessfulCreate', `${what} success`)
  }
}

/** Owners of the claims of all pods there are, as the retention policy wants them now; before any pod is taken away. */
export async function syncClaims(parts: ApplyParts, { replicas, condemned }: Slots): Promise<void> {
  if (parts.set.spec.persistentVolumeClaimRetentionPolicy === undefined) return
  for (const pod of replicas) if (pod !== undefined) await syncClaimsOf(parts, pod, false)
  for (const pod of condemned) await syncClaimsOf(parts, pod, true)
}

async function syncClaimsOf(parts: ApplyParts, pod: Pod, isCondemned: boolean): Promise<void> {
  const { client, set } = parts
  for (const wanted of claimsOf(set, ordinalOf(set, pod.metadata.name))) {
    const found = stored(parts, wanted)
    if (found === undefined) continue
    const owners = claimOwners(set, found, isCondemned ? pod : undefined)
    if (isSame(owners, found.metadata.ownerReferences ?? [])) continue
    const next = { ...found, metadata: { ...found.metadata, ownerReferences: owners } }
    await ignoreReason('NotFound', client.update(persistentVolumeClaims, next))
  }
}

function stored({ claims }: ApplyParts, { metadata }: PersistentVolumeClaim): PersistentVolumeClaim | undefined {
  return claims.get(`${metadata.namespace}/${metadata.name}`)
}

function say({ scope, client, set }: ApplyParts, level: 'Normal' | 'Warning', reason: string, message: string): void {
  tell(scope, client, { type: statefulSets, object: set, source: 'statefulset-controller' }, level, reason, message)
}
