// Plays disk.csi.azure.com's external provisioner: makes a disk and a volume for a claim that waits for one, and deletes
// both when the claim is gone. Binding is the volume binder's work; this one only answers it.

import { keyOf } from '@aksel/api/resource'
import { nodes, persistentVolumeClaims, persistentVolumes, storageClasses } from '@aksel/api/resources'
import type { Node, PersistentVolume, PersistentVolumeClaim } from '@aksel/api/types/core-v1'
import type { StorageClass } from '@aksel/api/types/storage-v1'
import { ignoreReason, isReason } from '@aksel/base/errors'
import type { Scope } from '@aksel/base/scope'
import type { Client } from '@aksel/client/client'
import { done, type Caches, type Controller, type Outcome, type Source } from '@aksel/runtime/controller'
import { recordEvent, referenceTo } from '@aksel/runtime/event-recorder'
import { diskOfHandle } from './disk-attachments.ts'
import type { DiskImages } from './disk-images.ts'
import { diskDriver } from './storage-classes.ts'
import {
  deletionFinalizer,
  planVolume,
  provisionedByAnnotation,
  selectedNodeAnnotation,
  volumeNameOf,
  waitsForDriver,
} from './volume-plan.ts'

export type { DiskImages } from './disk-images.ts'

export interface DiskProvisionerParts {
  readonly client: Client
  readonly caches: Caches
  readonly images: DiskImages
  /** `/subscriptions/…/resourceGroups/MC_…/providers/Microsoft.Compute/disks/`: the disk's name is put behind. */
  readonly diskIdPrefix: string
}

/** Keys are `claim/NAMESPACE/NAME/UID` and `volume/NAME`. */
export function diskProvisioner(parts: DiskProvisionerParts): Controller {
  const claimSource: Source<PersistentVolumeClaim> = {
    type: persistentVolumeClaims,
    keysOf: (now, before) => [
      ...new Set([now, before].flatMap((claim) => (claim === undefined ? [] : [keyOfClaim(claim)]))),
    ],
  }
  const volumeSource: Source<PersistentVolume> = {
    type: persistentVolumes,
    keysOf: (now) => (now === undefined ? [] : [`volume/${now.metadata.name}`]),
  }
  return {
    name: diskDriver,
    sources: [claimSource, volumeSource],
    workers: 4,
    reconcile: (scope, key) => {
      const [kind, ...rest] = key.split('/') as [string, ...string[]]
      return kind === 'volume' ? reconcileVolume(scope, parts, rest[0]!) : reconcileClaim(scope, parts, rest)
    },
  }
}

function keyOfClaim(claim: PersistentVolumeClaim): string {
  return `claim/${keyOf(claim)}/${claim.metadata.uid}`
}

async function reconcileClaim(scope: Scope, parts: DiskProvisionerParts, key: readonly string[]): Promise<Outcome> {
  const [namespace, name, uid] = key
  const claim = parts.caches.of(persistentVolumeClaims).get(`${namespace}/${name}`)
  if (claim?.metadata.uid !== uid) return await forgetClaim(parts, `pvc-${uid}`)
  if (!waitsForDriver(claim!)) return done
  const storageClass = await classOf(parts.client, claim!)
  if (storageClass?.provisioner !== diskDriver) return done
  const nodeName = claim!.metadata.annotations?.[selectedNodeAnnotation] ?? ''
  if (storageClass.volumeBindingMode === 'WaitForFirstConsumer' && nodeName === '') return done
  const volumeName = volumeNameOf(claim!)
  if ((await ignoreReason('NotFound', parts.client.get(persistentVolumes, { name: volumeName }))) !== undefined)
    return done
  const node = nodeName === '' ? undefined : await ignoreReason('NotFound', parts.client.get(nodes, { name: nodeName }))
  if (nodeName !== '' && node === undefined) return await reschedule(parts.client, claim!)
  await provision(scope, parts, { claim: claim!, storageClass, node })
  return done
}

/** The disk of a claim that went before its volume was made. */
async function forgetClaim({ client, images }: DiskProvisionerParts, volumeName: string): Promise<Outcome> {
  if (!(await images.exists(volumeName))) return done
  const volume = await ignoreReason('NotFound', client.get(persistentVolumes, { name: volumeName }))
  if (volume === undefined) await images.remove(volumeName)
  return done
}

async function classOf(client: Client, claim: PersistentVolumeClaim): Promise<StorageClass | undefined> {
  const name =
    claim.spec.storageClassName ?? claim.metadata.annotations?.['volume.beta.kubernetes.io/storage-class'] ?? ''
  return name === '' ? undefined : await ignoreReason('NotFound', client.get(storageClasses, { name }))
}

/** The chosen node is gone: without the annotation the scheduler chooses again. */
async function reschedule(client: Client, claim: PersistentVolumeClaim): Promise<Outcome> {
  const { resourceVersion } = claim.metadata
  const body = { metadata: { resourceVersion, annotations: { [selectedNodeAnnotation]: null } } }
  await client.patch(persistentVolumeClaims, claim.metadata, { kind: 'merge', body })
  return done
}

interface Provisioning {
  readonly claim: PersistentVolumeClaim
  readonly storageClass: StorageClass
  readonly node: Node | undefined
}

async function provision(scope: Scope, parts: DiskProvisionerParts, wanted: Provisioning): Promise<void> {
  const { claim, storageClass } = wanted
  const about = `${claim.metadata.namespace}/${claim.metadata.name}`
  const tell = (type: 'Normal' | 'Warning', reason: string, message: string): Promise<void> =>
    recordEvent(scope, parts.client, {
      about: referenceTo(persistentVolumeClaims, claim),
      type,
      reason,
      message,
      source: diskDriver,
    })
  const fail = (why: string): Promise<void> =>
    tell(
      'Warning',
      'ProvisioningFailed',
      `failed to provision volume with StorageClass "${storageClass.metadata.name}": ${why}`,
    )

  await tell('Normal', 'Provisioning', `External provisioner is provisioning volume for claim "${about}"`)
  const plan = planVolume({ ...wanted, diskIdPrefix: parts.diskIdPrefix })
  if (plan.kind === 'refuse') return await fail(plan.message)
  const { name } = plan.volume.metadata
  try {
    await parts.images.create(name, plan.sizeBytes)
    await parts.client.create(persistentVolumes, plan.volume)
  } catch (error) {
    if (isReason(error, 'AlreadyExists')) return
    await fail(error instanceof Error ? error.message : String(error))
    throw error
  }
  await tell('Normal', 'ProvisioningSucceeded', `Successfully provisioned volume ${name}`)
}

async function reconcileVolume(scope: Scope, parts: DiskProvisionerParts, name: string): Promise<Outcome> {
  const volume = parts.caches.of(persistentVolumes).get(name)
  if (volume?.metadata.annotations?.[provisionedByAnnotation] !== diskDriver) return done
  if (volume.spec?.csi?.driver !== diskDriver) return done
  if (volume.spec.persistentVolumeReclaimPolicy !== 'Delete') {
    // The policy was changed to keep the disk: then nothing has to wait for it.
    await dropFinalizer(parts.client, volume)
    return done
  }
  if (volume.status?.phase !== 'Released') return done
  // Read again: what is done now cannot be taken back, and a view may be old.
  const current = await ignoreReason('NotFound', parts.client.get(persistentVolumes, { name }))
  const isSame = current?.metadata.uid === volume.metadata.uid && current?.status?.phase === 'Released'
  if (isSame && current.spec?.persistentVolumeReclaimPolicy === 'Delete') await deleteVolume(scope, parts, current)
  return done
}

/** Disk first, then the object, then its finalizer: whatever crashes in between is found again by the object. */
async function deleteVolume(scope: Scope, parts: DiskProvisionerParts, volume: PersistentVolume): Promise<void> {
  const { name, uid } = volume.metadata
  try {
    await parts.images.remove(diskOfHandle(volume.spec!.csi!.volumeHandle))
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    const about = referenceTo(persistentVolumes, volume)
    await recordEvent(scope, parts.client, {
      about,
      type: 'Warning',
      reason: 'VolumeFailedDelete',
      message,
      source: diskDriver,
    })
    throw error
  }
  if (volume.metadata.deletionTimestamp === undefined) {
    const preconditions = uid === undefined ? {} : { uid }
    await ignoreReason('NotFound', parts.client.delete(persistentVolumes, { name }, { preconditions }))
  }
  const left = await ignoreReason('NotFound', parts.client.get(persistentVolumes, { name }))
  if (left !== undefined && left.metadata.uid === uid) await dropFinalizer(parts.client, left)
}

async function dropFinalizer(client: Client, volume: PersistentVolume): Promise<void> {
  const finalizers = volume.metadata.finalizers ?? []
  if (!finalizers.includes(deletionFinalizer)) return
  const kept = finalizers.filter((finalizer) => finalizer !== deletionFinalizer)
  const next = { ...volume, metadata: { ...volume.metadata, finalizers: kept } }
  await ignoreReason('NotFound', client.update(persistentVolumes, next))
}
