// The node's part of making a claim larger: when it has to do something, and what it tells of it.

import { persistentVolumeClaims, pods } from '@aksel/api/resources'
import type { PersistentVolume, PersistentVolumeClaim, Pod } from '@aksel/api/types/core-v1'
import { isReason } from '@aksel/base/errors'
import { quantityUnits } from '@aksel/base/quantity'
import type { Scope } from '@aksel/base/scope'
import type { Client } from '@aksel/client/client'
import { recordEvent, referenceTo } from '@aksel/runtime/event-recorder'
import type { VolumeHost } from './volume.ts'

/** How often a mounted volume is compared with its claim. */
export const LOOK_AGAIN_MS = 60_000

export function isSmallerThan(claim: PersistentVolumeClaim, bytes: number): boolean {
  const present = claim.status?.capacity?.['storage']
  return present !== undefined && quantityUnits(present) < bytes
}

/** The claim has its new size, and nobody has to do anything for it any more. */
export async function claimHasGrown(
  client: Client,
  claim: PersistentVolumeClaim,
  capacity: string | number,
): Promise<void> {
  const conditions = (claim.status?.conditions ?? []).filter(
    ({ type }) => type !== 'FileSystemResizePending' && type !== 'Resizing',
  )
  const { allocatedResourceStatuses, ...rest } = claim.status ?? {}
  const { storage: _, ...others } = allocatedResourceStatuses ?? {}
  const status = {
    ...rest,
    capacity: { ...claim.status?.capacity, storage: capacity },
    conditions,
    ...(Object.keys(others).length === 0 ? {} : { allocatedResourceStatuses: others }),
  }
  try {
    await client.update(persistentVolumeClaims, { ...claim, status }, { subresource: 'status' })
  } catch (error) {
    // Somebody else wrote the claim: next time.
    if (!isReason(error, 'Conflict')) throw error
  }
}

/** A disk of ours that its driver made larger: the file system here follows, and claim and pod are told. */
export async function growDisk(
  scope: Scope,
  host: Pick<VolumeHost, 'client' | 'disks' | 'owner'>,
  { pod, persistent, claim }: { pod: Pod; persistent: PersistentVolume; claim: PersistentVolumeClaim },
): Promise<void> {
  const capacity = persistent.spec.capacity?.['storage']
  if (capacity === undefined || !isSmallerThan(claim, quantityUnits(capacity))) return
  const about = [referenceTo(pods, pod), referenceTo(persistentVolumeClaims, claim)]
  const volume = persistent.metadata.name
  const tell = async (type: 'Normal' | 'Warning', reason: string, message: string): Promise<void> => {
    for (const each of about)
      await recordEvent(scope, host.client, { about: each, type, reason, message, source: 'kubelet' })
  }
  try {
    const request = { volumeHandle: persistent.spec.csi!.volumeHandle, owner: host.owner }
    // The claim's condition says already that a pod has to start again.
    if ((await host.disks.grow(scope, request)) === 'at-next-mount') return
  } catch (error) {
    const why = (error as Error).message
    await tell(
      'Warning',
      'VolumeResizeFailed',
      `NodeExpandVolume.NodeExpandVolume failed for volume "${volume}" : ${why}`,
    )
    throw error
  }
  await claimHasGrown(host.client, claim, capacity)
  await tell('Normal', 'FileSystemResizeSuccessful', `MountVolume.NodeExpandVolume succeeded for volume "${volume}"`)
}
