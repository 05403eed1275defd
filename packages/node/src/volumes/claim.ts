// A claim's volume: the one that the claim is bound to, mounted by the disk driver or by a CSI driver at a path of the pod.

import { mkdir, open, readdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { persistentVolumeClaims, persistentVolumes } from '@aksel/api/resources'
import type { PersistentVolume, PersistentVolumeClaim, Pod, Volume } from '@aksel/api/types/core-v1'
import type { Scope } from '@aksel/base/scope'
import type { Client } from '@aksel/client/client'
import { inlineCsiVolume, persistentCsiVolume } from '../csi/csi-volume.ts'
import { readVolumeData, removeVolumeData, writeVolumeData } from '../csi/volume-data.ts'
import { growDisk, LOOK_AGAIN_MS } from './claim-growth.ts'
import { mountNodePath } from './node-path.ts'
import type { MountVolume, VolumeHost } from './volume.ts'

/** Disks are the node's own work; all other drivers are plug-ins. */
export const diskDriver = 'disk.csi.azure.com'

export const mountClaim: MountVolume = async (scope, host, { pod, volume, directory }) => {
  const { persistent, claim } = await boundVolume(host.client, pod, claimNameOf(pod, volume))
  const csi = persistent.spec?.csi
  const isBlock = persistent.spec?.volumeMode === 'Block'
  if (csi === undefined) {
    return mountNodePath(scope, host, {
      persistent,
      readOnly: volume.persistentVolumeClaim?.readOnly === true,
      directory,
    })
  }
  const readOnly = volume.persistentVolumeClaim?.readOnly === true || csi.readOnly === true
  if (csi.driver !== diskDriver) {
    const wanted = persistentCsiVolume(persistent, claim, readOnly)
    return host.csi.mount(scope, { pod, volume: wanted, directory: join(dirname(directory), persistent.metadata.name) })
  }
  const targetPath = join(directory, 'mount')
  const { volumeHandle, fsType = '' } = csi
  await writeVolumeData(directory, { driverName: csi.driver, volumeHandle, specVolID: persistent.metadata.name })
  if (isBlock) await (await open(targetPath, 'a')).close()
  else await mkdir(targetPath, { recursive: true })
  const block = isBlock ? { block: true } : {}
  await host.disks.mount(scope, { volumeHandle, fsType, readOnly, targetPath, owner: host.owner, ...block })
  if (!readOnly) await growDisk(scope, host, { pod, persistent, claim })
  const refreshAtMs = scope.clock.now() + LOOK_AGAIN_MS
  return { hostPath: targetPath, ownedByGroup: !isBlock, readOnly, refreshAtMs, ...(isBlock ? { isBlock } : {}) }
}

/** A volume that a driver makes for this pod alone. */
export const mountInlineCsi: MountVolume = (scope, host, { pod, volume, directory }) =>
  host.csi.mount(scope, { pod, volume: inlineCsiVolume(pod, volume), directory })

/** Unmounts every volume of a driver below a pod's folder for such volumes. Idempotent. */
export async function unmountClaims(scope: Scope, host: VolumeHost, parent: string): Promise<void> {
  for (const name of await readdir(parent).catch(() => [])) {
    const directory = join(parent, name)
    const data = await readVolumeData(directory)
    if (data === undefined) continue
    if (data.driverName === diskDriver) {
      const targetPath = join(directory, 'mount')
      await host.disks.unmount(scope, { volumeHandle: data.volumeHandle, targetPath, owner: host.owner })
      await removeVolumeData(directory)
    } else await host.csi.unmount(directory, data)
  }
}

function claimNameOf(pod: Pod, volume: Volume): string {
  return volume.persistentVolumeClaim?.claimName ?? `${pod.metadata.name}-${volume.name}`
}

async function boundVolume(
  client: Client,
  pod: Pod,
  claimName: string,
): Promise<{ readonly persistent: PersistentVolume; readonly claim: PersistentVolumeClaim }> {
  const namespace = pod.metadata.namespace ?? 'default'
  const claim = await client.get(persistentVolumeClaims, { namespace, name: claimName })
  const name = claim.spec?.volumeName
  if (claim.status?.phase !== 'Bound' || name === undefined) {
    throw new Error(`PVC ${namespace}/${claimName} is not bound`)
  }
  const persistent = await client.get(persistentVolumes, { name })
  if (persistent.spec?.claimRef?.uid !== claim.metadata.uid) {
    throw new Error(`PV ${name} is not bound to PVC ${namespace}/${claimName}`)
  }
  return { persistent, claim }
}
