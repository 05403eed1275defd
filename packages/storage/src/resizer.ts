// Plays disk.csi.azure.com's external resizer: a claim that asks for more gets a larger disk, also while a pod uses it; its node
// then lets the file system follow.

import { keyOf } from '@aksel/api/resource'
import { persistentVolumeClaims, persistentVolumes } from '@aksel/api/resources'
import type { PersistentVolume, PersistentVolumeClaim } from '@aksel/api/types/core-v1'
import { formatTime } from '@aksel/base/clock'
import { ignoreReason } from '@aksel/base/errors'
import type { Scope } from '@aksel/base/scope'
import type { Client } from '@aksel/client/client'
import { done, type Caches, type Controller, type Outcome, type Source } from '@aksel/runtime/controller'
import { recordEvent, referenceTo } from '@aksel/runtime/event-recorder'
import { diskOfHandle } from './disk-attachments.ts'
import type { DiskImages } from './disk-images.ts'
import { planResize, statusDuring, type ResizePlan } from './resize-plan.ts'
import { diskDriver } from './storage-classes.ts'

export interface DiskResizerParts {
  readonly client: Client
  readonly caches: Caches
  readonly images: Pick<DiskImages, 'grow'>
}

/** Keys are those of claims. */
export function diskResizer(parts: DiskResizerParts): Controller {
  const claims: Source<PersistentVolumeClaim> = {
    type: persistentVolumeClaims,
    keysOf: (now) => (now === undefined || !asksForMore(now) ? [] : [keyOf(now)]),
  }
  return {
    name: `${diskDriver}-resizer`,
    sources: [claims, { type: persistentVolumes, keysOf: () => [] }] as unknown as readonly Source[],
    workers: 4,
    reconcile: (scope, key) => reconcile(scope, parts, key),
  }
}

/** More, or something else, than it has: what exactly is judged later. */
function asksForMore({ spec, status }: PersistentVolumeClaim): boolean {
  return status?.phase === 'Bound' && spec?.resources?.requests?.['storage'] !== status.capacity?.['storage']
}

async function reconcile(scope: Scope, parts: DiskResizerParts, key: string): Promise<Outcome> {
  const { client, caches } = parts
  const known = caches.of(persistentVolumeClaims).get(key)
  const volumeName = known?.spec?.volumeName ?? ''
  if (known === undefined || volumeName === '') return done
  const seen = planResize(known, caches.of(persistentVolumes).get(volumeName))
  if (seen.kind === 'none') return done
  // What was written a moment ago may not be in the caches yet.
  const { namespace, name } = known.metadata
  const claim = await ignoreReason('NotFound', client.get(persistentVolumeClaims, { namespace: namespace!, name }))
  const volume = await ignoreReason('NotFound', client.get(persistentVolumes, { name: volumeName }))
  if (claim === undefined || volume === undefined) return done
  await carryOut(scope, parts, { claim, volume, plan: planResize(claim, volume) })
  return done
}

interface Resizing {
  readonly claim: PersistentVolumeClaim
  readonly volume: PersistentVolume
  readonly plan: ResizePlan
}

/** Disk first, then the volume's capacity, then the claim: whatever crashes in between is found again. */
async function carryOut(scope: Scope, parts: DiskResizerParts, { claim, volume, plan }: Resizing): Promise<void> {
  const { client, images } = parts
  const volumeName = volume.metadata.name
  const tell = (type: 'Normal' | 'Warning', reason: string, message: string): Promise<void> =>
    recordEvent(scope, client, {
      about: referenceTo(persistentVolumeClaims, claim),
      type,
      reason,
      message,
      source: `external-resizer ${diskDriver}`,
    })
  const fail = (why: string): Promise<void> =>
    tell('Warning', 'VolumeResizeFailed', `resize volume "${volumeName}" by resizer "${diskDriver}" failed: ${why}`)
  const write = (
    of: PersistentVolumeClaim,
    state: Parameters<typeof statusDuring>[1],
  ): Promise<PersistentVolumeClaim> => {
    const status = statusDuring(of, state, formatTime(scope.clock.now()))
    return client.update(persistentVolumeClaims, { ...of, status }, { subresource: 'status' })
  }
  switch (plan.kind) {
    case 'none':
      return
    case 'refuse':
      if (claim.status?.allocatedResourceStatuses?.['storage'] === 'ControllerResizeInfeasible') return
      await write(claim, 'ControllerResizeInfeasible')
      return fail(plan.message)
    case 'grow': {
      const marked = await write(claim, 'ControllerResizeInProgress')
      await tell('Normal', 'Resizing', `External resizer is resizing volume ${volumeName}`)
      try {
        await images.grow(diskOfHandle(volume.spec.csi!.volumeHandle), plan.sizeBytes)
      } catch (error) {
        await fail(error instanceof Error ? error.message : String(error))
        throw error
      }
      const body = { metadata: { uid: volume.metadata.uid }, spec: { capacity: { storage: plan.capacity } } }
      await client.patch(persistentVolumes, { name: volumeName }, { kind: 'merge', body })
      await write(marked, 'NodeResizePending')
      break
    }
    case 'node':
      await write(claim, 'NodeResizePending')
      break
    default:
      return plan satisfies never
  }
  await tell('Normal', 'FileSystemResizeRequired', 'Require file system resize of volume on node')
}
