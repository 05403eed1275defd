// The volumes that a node's status says are attached to it.

import type { AttachedVolume, PersistentVolume } from '@aksel/api/types/core-v1'
import type { VolumeAttachment } from '@aksel/api/types/storage-v1'
import { isSame } from '../canonical.ts'
import { uniqueVolumeName } from './judge.ts'

/** In order of names. */
export function volumesAttachedTo(
  attachments: readonly VolumeAttachment[],
  volumeOf: (name: string) => PersistentVolume | undefined,
): readonly AttachedVolume[] {
  const names = attachments.flatMap(({ spec, status }) => {
    const csi = volumeOf(spec?.source?.persistentVolumeName ?? '')?.spec?.csi
    return csi === undefined || status?.attached !== true ? [] : [uniqueVolumeName(csi.driver, csi.volumeHandle)]
  })
  return [...new Set(names)].toSorted().map((name) => ({ name, devicePath: '' }))
}

export function sameAttached(
  present: readonly AttachedVolume[] | undefined,
  wanted: readonly AttachedVolume[],
): boolean {
  const sorted = (present ?? []).toSorted((left, right) => (left.name < right.name ? -1 : 1))
  return isSame(sorted, wanted)
}
