// What the volumes of a pod are to the scheduler: claims by key, bound or not, waiting for a node or not.

import type { PersistentVolume, PersistentVolumeClaim, Pod } from '@aksel/api/types/core-v1'
import type { Objects } from './plugin.ts'
import { amountOf } from './pod-resources.ts'

export const SELECTED_NODE = 'volume.kubernetes.io/selected-node'
const NO_PROVISIONER = 'kubernetes.io/no-provisioner'

/** The claims a pod uses, generic ephemeral volumes included, by `namespace/name`. */
export function claimKeysOf(pod: Pod): readonly string[] {
  let keys: string[] | undefined
  for (const volume of pod.spec.volumes ?? []) {
    const { persistentVolumeClaim: claim } = volume
    if (claim !== undefined) (keys ??= []).push(`${pod.metadata.namespace}/${claim.claimName}`)
    else if (volume.ephemeral !== undefined)
      (keys ??= []).push(`${pod.metadata.namespace}/${pod.metadata.name}-${volume.name}`)
  }
  return keys ?? none
}

const none: readonly string[] = []

export function isBound(claim: PersistentVolumeClaim): boolean {
  return (
    (claim.spec.volumeName ?? '') !== '' && claim.metadata.annotations?.['pv.kubernetes.io/bind-completed'] === 'yes'
  )
}

export function waitsForConsumer(claim: PersistentVolumeClaim, objects: Objects): boolean {
  return objects.storageClass(classOf(claim))?.volumeBindingMode === 'WaitForFirstConsumer'
}

export function classOf(claim: PersistentVolumeClaim): string {
  return claim.spec.storageClassName ?? claim.metadata.annotations?.['volume.beta.kubernetes.io/storage-class'] ?? ''
}

/** Whether anything makes volumes of the claim's class. */
export function isProvisioned(claim: PersistentVolumeClaim, objects: Objects): boolean {
  const provisioner = objects.storageClass(classOf(claim))?.provisioner ?? ''
  return provisioner !== '' && provisioner !== NO_PROVISIONER
}

export function bytesAsked(claim: PersistentVolumeClaim): number {
  return amountOf('storage', claim.spec.resources?.requests?.['storage'] ?? 0)
}

export function bytesOf(volume: PersistentVolume): number {
  return amountOf('storage', volume.spec.capacity?.['storage'] ?? 0)
}

/** The claims that get a volume only once the pod's node is known. */
export function claimsAwaitingNode(pod: Pod, objects: Objects): readonly PersistentVolumeClaim[] {
  return claimKeysOf(pod).flatMap((key) => {
    const claim = objects.claim(key)
    return claim !== undefined && !isBound(claim) && waitsForConsumer(claim, objects) ? [claim] : []
  })
}
