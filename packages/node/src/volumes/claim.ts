// A claim's disk: the volume that the claim is bound to, mounted by the disk driver at a path of the pod.

import { mkdir, readFile, readdir, rm, rmdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { persistentVolumeClaims, persistentVolumes } from '@aksel/api/resources'
import type { PersistentVolume, Pod, Volume } from '@aksel/api/types/core-v1'
import type { Scope } from '@aksel/base/scope'
import type { Client } from '@aksel/client/client'
import type { MountVolume, VolumeHost } from './volume.ts'

export const diskDriver = 'disk.csi.azure.com'

/** Written before the mount, so that it is undone by whoever finds it, with or without the pod's object. */
interface VolumeData {
  readonly driverName: string
  readonly volumeHandle: string
  readonly specVolID: string
}

export const mountClaim: MountVolume = async (scope, host, { pod, volume, directory }) => {
  const claimName = claimNameOf(pod, volume)
  const persistent = await boundVolume(host.client, pod, claimName)
  const csi = persistent.spec?.csi
  if (csi === undefined || csi.driver !== diskDriver) {
    throw new Error(
      `persistentvolume "${persistent.metadata.name}" has driver "${csi?.driver ?? 'none'}": this node mounts ${diskDriver} only`,
    )
  }
  const readOnly = volume.persistentVolumeClaim?.readOnly === true || csi.readOnly === true
  const targetPath = join(directory, 'mount')
  await mkdir(targetPath, { recursive: true })
  const data: VolumeData = {
    driverName: csi.driver,
    volumeHandle: csi.volumeHandle,
    specVolID: persistent.metadata.name,
  }
  await writeFile(join(directory, dataFile), JSON.stringify(data))
  const { volumeHandle, fsType = '' } = csi
  await host.disks.mount(scope, { volumeHandle, fsType, readOnly, targetPath, owner: host.owner })
  return { hostPath: targetPath, ownedByGroup: true, readOnly }
}

const dataFile = 'vol_data.json'

/** Unmounts every disk below a pod's folder for such volumes. Idempotent. */
export async function unmountClaims(scope: Scope, host: VolumeHost, parent: string): Promise<void> {
  const names = await readdir(parent).catch(() => [])
  for (const name of names) {
    const path = join(parent, name, dataFile)
    const text = await readFile(path, 'utf8').catch(() => undefined)
    if (text === undefined) continue
    const { volumeHandle } = JSON.parse(text) as VolumeData
    const targetPath = join(dirname(path), 'mount')
    await host.disks.unmount(scope, { volumeHandle, targetPath, owner: host.owner })
    // Not recursive: were it still mounted, this fails rather than empties the disk.
    await rmdir(targetPath).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error
    })
    await rm(path)
    await rmdir(dirname(path))
  }
}

function claimNameOf(pod: Pod, volume: Volume): string {
  return volume.persistentVolumeClaim?.claimName ?? `${pod.metadata.name}-${volume.name}`
}

async function boundVolume(client: Client, pod: Pod, claimName: string): Promise<PersistentVolume> {
  const namespace = pod.metadata.namespace ?? 'default'
  const claim = await client.get(persistentVolumeClaims, { namespace, name: claimName })
  const name = claim.spec?.volumeName
  if (claim.status?.phase !== 'Bound' || name === undefined) {
    throw new Error(`PVC ${namespace}/${claimName} is not bound`)
  }
  const volume = await client.get(persistentVolumes, { name })
  if (volume.spec?.claimRef?.uid !== claim.metadata.uid) {
    throw new Error(`PV ${name} is not bound to PVC ${namespace}/${claimName}`)
  }
  return volume
}
