// What a volume's phase should be, and what becomes of it when its claim is gone.

import type { PersistentVolume, PersistentVolumeClaim } from '@aksel/api/types/core-v1'
import { annotations } from './match.ts'

export type VolumeVerdict =
  | { readonly kind: 'phase'; readonly phase: 'Available' | 'Bound' | 'Released' }
  /** Its claim took another volume: it is free again. `whole` drops the reference, else only what a pass of ours added. */
  | { readonly kind: 'unbind'; readonly whole: boolean }
  /** Its claim waits to be bound to it. */
  | { readonly kind: 'wake-claim'; readonly phase: 'Available' | undefined }

/** `claim` is the one that the volume's claimRef names, where it exists, whatever its uid. */
export function judgeVolume(volume: PersistentVolume, claim: PersistentVolumeClaim | undefined): VolumeVerdict {
  const { spec, status, metadata } = volume
  const ref = spec?.claimRef
  if (ref === undefined) return { kind: 'phase', phase: 'Available' }
  if (ref.uid === undefined || ref.uid === '') {
    return claim === undefined ? { kind: 'phase', phase: 'Available' } : { kind: 'wake-claim', phase: 'Available' }
  }
  if (claim === undefined || claim.metadata.uid !== ref.uid) return { kind: 'phase', phase: 'Released' }
  const { volumeName = '' } = claim.spec
  if (volumeName === '') return { kind: 'wake-claim', phase: status?.phase === undefined ? 'Available' : undefined }
  if (volumeName === metadata.name) return { kind: 'phase', phase: 'Bound' }
  const isProvisioned = metadata.annotations?.[annotations.provisionedBy] !== undefined
  // One that was provisioned for the claim goes the way of the reclaim policy.
  if (isProvisioned && spec?.persistentVolumeReclaimPolicy === 'Delete') return { kind: 'phase', phase: 'Released' }
  return { kind: 'unbind', whole: metadata.annotations?.[annotations.boundByController] !== undefined }
}
