// What has to be done so that a claim gets the room that it asks for. Pure.

import type { PersistentVolume, PersistentVolumeClaim, PersistentVolumeClaimCondition } from '@aksel/api/types/core-v1'
import { quantityUnits } from '@aksel/base/quantity'
import { diskDriver } from './storage-classes.ts'

const GIB = 2 ** 30
/** The largest disk that Azure makes. */
const SIZE_MAX_GIB = 65_536

export type ResizePlan =
  /** Nothing is asked for, or others have to act. */
  | { readonly kind: 'none' }
  | { readonly kind: 'grow'; readonly sizeBytes: number; readonly capacity: string }
  /** The disk is large enough; the node has to see to its file system. */
  | { readonly kind: 'node' }
  /** The user's fault: told, not retried until the claim changes. */
  | { readonly kind: 'refuse'; readonly message: string }

export function planResize(claim: PersistentVolumeClaim, volume: PersistentVolume | undefined): ResizePlan {
  const { spec, status, metadata } = claim
  const wanted = spec.resources?.requests?.['storage']
  const present = status?.capacity?.['storage']
  if (metadata.deletionTimestamp !== undefined || status?.phase !== 'Bound') return { kind: 'none' }
  if (wanted === undefined || present === undefined) return { kind: 'none' }
  if (volume?.spec?.csi?.driver !== diskDriver || volume.spec.claimRef?.uid !== metadata.uid) return { kind: 'none' }
  const gib = Math.ceil(quantityUnits(wanted) / GIB)
  const has = quantityUnits(volume.spec.capacity?.['storage'] ?? '0')
  if (gib * GIB <= has) {
    const isPending = status.conditions?.some(({ type }) => type === 'FileSystemResizePending') === true
    return has > quantityUnits(present) && !isPending ? { kind: 'node' } : { kind: 'none' }
  }
  if (gib > SIZE_MAX_GIB)
    return {
      kind: 'refuse',
      message: `the size of the disk must not exceed ${SIZE_MAX_GIB} GiB, ${gib} GiB are asked for`,
    }
  return { kind: 'grow', sizeBytes: gib * GIB, capacity: `${gib}Gi` }
}

type State = 'ControllerResizeInProgress' | 'ControllerResizeInfeasible' | 'NodeResizePending'

/** The claim's status while it is being enlarged. */
export function statusDuring(
  { spec, status }: PersistentVolumeClaim,
  state: State,
  nowText: string,
): NonNullable<PersistentVolumeClaim['status']> {
  const others = (status?.conditions ?? []).filter(
    ({ type }) => type !== 'Resizing' && type !== 'FileSystemResizePending',
  )
  const condition = conditionOf(state, nowText)
  return {
    ...status,
    conditions: [...others, ...(condition === undefined ? [] : [condition])],
    allocatedResources: { ...status?.allocatedResources, storage: spec.resources!.requests!['storage']! },
    allocatedResourceStatuses: { ...status?.allocatedResourceStatuses, storage: state },
  }
}

function conditionOf(state: State, lastTransitionTime: string): PersistentVolumeClaimCondition | undefined {
  if (state === 'ControllerResizeInProgress') return { type: 'Resizing', status: 'True', lastTransitionTime }
  if (state === 'ControllerResizeInfeasible') return undefined
  const message = 'Waiting for user to (re-)start a pod to finish file system resize of volume on node.'
  return { type: 'FileSystemResizePending', status: 'True', message, lastTransitionTime }
}
