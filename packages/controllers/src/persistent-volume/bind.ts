// The four writes that bind a claim and a volume, in an order that survives being cut off after any of them.

import { persistentVolumeClaims, persistentVolumes } from '@aksel/api/resources'
import type { PersistentVolume, PersistentVolumeClaim } from '@aksel/api/types/core-v1'
import { formatTime } from '@aksel/base/clock'
import type { Scope } from '@aksel/base/scope'
import type { Client } from '@aksel/client/client'
import { isSame } from '../canonical.ts'
import { writeStatus } from '../parts.ts'
import { annotations } from './match.ts'

export async function bind(
  scope: Scope,
  client: Client,
  volume: PersistentVolume,
  claim: PersistentVolumeClaim,
): Promise<void> {
  const reserved = await reserve(client, volume, claim)
  await setVolumePhase(scope, client, reserved, 'Bound')
  const named = await nameVolume(client, claim, reserved)
  await tellBound(client, named, reserved)
}

/** The volume's side: its claimRef. */
function reserve(
  client: Client,
  volume: PersistentVolume,
  { metadata }: PersistentVolumeClaim,
): Promise<PersistentVolume> {
  const known = volume.spec?.claimRef
  if (known?.uid === metadata.uid) return Promise.resolve(volume)
  const { name, namespace, uid, resourceVersion } = metadata
  const claimRef = {
    kind: 'PersistentVolumeClaim',
    apiVersion: 'v1',
    name,
    namespace: namespace!,
    uid: uid!,
    resourceVersion: resourceVersion!,
  }
  // A reference that the user wrote stays when we let go of the volume again.
  const notes = known === undefined ? { [annotations.boundByController]: 'yes' } : {}
  return client.update(persistentVolumes, {
    ...volume,
    metadata: { ...volume.metadata, annotations: { ...volume.metadata.annotations, ...notes } },
    spec: { ...volume.spec, claimRef },
  })
}

/** The claim's side: the volume's name, and that the binding is complete. */
function nameVolume(
  client: Client,
  claim: PersistentVolumeClaim,
  volume: PersistentVolume,
): Promise<PersistentVolumeClaim> {
  const known = claim.metadata.annotations ?? {}
  const isNamed = claim.spec.volumeName === volume.metadata.name
  if (isNamed && known[annotations.bindCompleted] !== undefined) return Promise.resolve(claim)
  const notes = {
    ...known,
    ...(isNamed ? {} : { [annotations.boundByController]: 'yes' }),
    [annotations.bindCompleted]: 'yes',
  }
  return client.update(persistentVolumeClaims, {
    ...claim,
    metadata: { ...claim.metadata, annotations: notes },
    spec: { ...claim.spec, volumeName: volume.metadata.name },
  })
}

async function tellBound(client: Client, claim: PersistentVolumeClaim, { spec }: PersistentVolume): Promise<void> {
  // Once bound, the size is what the file system was grown to; the volume's own counts only at first.
  const isFirst = claim.status?.phase !== 'Bound'
  const capacity = isFirst ? spec?.capacity : (claim.status?.capacity ?? spec?.capacity)
  const status = {
    ...claim.status,
    phase: 'Bound',
    ...(spec?.accessModes === undefined ? {} : { accessModes: spec.accessModes }),
    ...(capacity === undefined ? {} : { capacity }),
  }
  await writeStatus(client, persistentVolumeClaims, claim, status)
}

export async function setVolumePhase(
  scope: Scope,
  client: Client,
  volume: PersistentVolume,
  phase: string,
): Promise<PersistentVolume> {
  if (volume.status?.phase === phase) return volume
  const { message: _, reason: __, ...status } = volume.status ?? {}
  const lastPhaseTransitionTime = formatTime(scope.clock.now())
  return writeStatus(client, persistentVolumes, volume, { ...status, phase, lastPhaseTransitionTime })
}

/** Lets a volume go that its claim did not take. */
export async function unbind(client: Client, volume: PersistentVolume, whole: boolean): Promise<PersistentVolume> {
  const { [annotations.boundByController]: _, ...notes } = volume.metadata.annotations ?? {}
  const { claimRef, ...spec } = volume.spec ?? {}
  const { uid: __, resourceVersion: ___, ...user } = claimRef ?? {}
  const next = {
    ...volume,
    metadata: { ...volume.metadata, annotations: notes },
    spec: whole ? spec : { ...spec, claimRef: user },
  }
  return isSame(next, volume) ? volume : client.update(persistentVolumes, next)
}
