// Which volume suits a claim: class, modes, size and selector, the smallest that is large enough.

import type { PersistentVolume, PersistentVolumeClaim } from '@aksel/api/types/core-v1'
import { compareQuantities, parseQuantity } from '@aksel/base/quantity'
import { isEmptySelector, matchesSelector } from '@aksel/runtime/selectors'

export const annotations = {
  bindCompleted: 'pv.kubernetes.io/bind-completed',
  boundByController: 'pv.kubernetes.io/bound-by-controller',
  provisionedBy: 'pv.kubernetes.io/provisioned-by',
  selectedNode: 'volume.kubernetes.io/selected-node',
  provisioner: 'volume.kubernetes.io/storage-provisioner',
  betaProvisioner: 'volume.beta.kubernetes.io/storage-provisioner',
  betaClass: 'volume.beta.kubernetes.io/storage-class',
} as const

export function classOfClaim({ metadata, spec }: PersistentVolumeClaim): string {
  return metadata.annotations?.[annotations.betaClass] ?? spec.storageClassName ?? ''
}

export function classOfVolume({ metadata, spec }: PersistentVolume): string {
  return metadata.annotations?.[annotations.betaClass] ?? spec?.storageClassName ?? ''
}

/** True where the volume's claimRef names this very claim, or the claim by name before it existed. */
export function isReservedFor({ spec }: PersistentVolume, { metadata }: PersistentVolumeClaim): boolean {
  const ref = spec?.claimRef
  if (ref === undefined || ref.name !== metadata.name || ref.namespace !== metadata.namespace) return false
  return ref.uid === undefined || ref.uid === '' || ref.uid === metadata.uid
}

/** Why the volume cannot serve the claim, in upstream's words; undefined when it can. */
export function mismatch(volume: PersistentVolume, claim: PersistentVolumeClaim): string | undefined {
  if (compareQuantities(sizeOf(volume), requestOf(claim)) < 0) return 'requested PV is too small'
  if (classOfVolume(volume) !== classOfClaim(claim)) return 'storageClassName does not match'
  if (modeOf(volume.spec?.volumeMode) !== modeOf(claim.spec.volumeMode)) return 'incompatible volumeMode'
  if (!offersModes(volume, claim)) return 'incompatible accessMode'
  return undefined
}

/** The volume to bind: one reserved for the claim first, else the smallest that suits. With `delayed` only a reserved one. */
export function findVolume(
  claim: PersistentVolumeClaim,
  volumes: readonly PersistentVolume[],
  delayed: boolean,
): PersistentVolume | undefined {
  const suitable = volumes.filter((volume) => mismatch(volume, claim) === undefined)
  const reserved = suitable.find((volume) => isReservedFor(volume, claim))
  if (reserved !== undefined || delayed) return reserved
  return suitable.filter((volume) => isFree(volume, claim)).toSorted(bySize)[0]
}

function isFree(volume: PersistentVolume, claim: PersistentVolumeClaim): boolean {
  const { metadata, spec, status } = volume
  const isSelected = isEmptySelector(claim.spec.selector) || matchesSelector(claim.spec.selector, metadata.labels)
  return (
    metadata.deletionTimestamp === undefined &&
    spec?.claimRef === undefined &&
    status?.phase === 'Available' &&
    isSelected
  )
}

function bySize(left: PersistentVolume, right: PersistentVolume): number {
  const size = compareQuantities(sizeOf(left), sizeOf(right))
  return size !== 0 ? size : left.metadata.name < right.metadata.name ? -1 : 1
}

function sizeOf({ spec }: PersistentVolume): ReturnType<typeof parseQuantity> {
  return parseQuantity(spec?.capacity?.storage ?? '0')
}

function requestOf({ spec }: PersistentVolumeClaim): ReturnType<typeof parseQuantity> {
  return parseQuantity(spec.resources?.requests?.storage ?? '0')
}

function modeOf(mode: string | undefined): string {
  return mode ?? 'Filesystem'
}

function offersModes({ spec }: PersistentVolume, claim: PersistentVolumeClaim): boolean {
  const offered = new Set(spec?.accessModes)
  return (claim.spec.accessModes ?? []).every((mode) => offered.has(mode))
}
