// All volumes of one pod: mounted before its containers, refreshed while they run, taken away after them.

import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Pod, Volume } from '@aksel/api/types/core-v1'
import type { Scope } from '@aksel/base/scope'
import { run } from '@aksel/host/command'
import { mountsBelow } from '@aksel/host/mount-table'
import type { PodObjects } from '../object-watches.ts'
import type { PodAddresses } from '../pod/downward.ts'
import { csiFolder } from '../csi/volume-data.ts'
import { mountClaim, mountInlineCsi, unmountClaims } from './claim.ts'
import { mountConfigMap } from './config-map.ts'
import { mountDownwardApi } from './downward-api.ts'
import { mountEmptyDir } from './empty-dir.ts'
import { applyFsGroup } from './fs-group.ts'
import { mountHostPath } from './host-path.ts'
import { unmountImages } from './image-volume.ts'
import { mountPodNfs } from './node-path.ts'
import { mountProjected } from './projected.ts'
import { mountSecret } from './secret.ts'
import type { MountVolume, MountedVolume, VolumeHost } from './volume.ts'

/** The folders of one pod. */
export interface PodFolders {
  readonly root: string
  /** On the node's memory file system. */
  readonly memory: string
}

interface VolumeKind {
  /** The folder under `volumes/`, as kubelet names it. */
  readonly folder: string
  readonly mount: MountVolume
}

function kindOf(volume: Volume): VolumeKind {
  if (volume.emptyDir !== undefined) return { folder: emptyDirFolder, mount: mountEmptyDir }
  if (volume.configMap !== undefined) return { folder: 'kubernetes.io~configmap', mount: mountConfigMap }
  if (volume.secret !== undefined) return { folder: 'kubernetes.io~secret', mount: mountSecret }
  if (volume.downwardAPI !== undefined) return { folder: 'kubernetes.io~downward-api', mount: mountDownwardApi }
  if (volume.projected !== undefined) return { folder: 'kubernetes.io~projected', mount: mountProjected }
  if (volume.hostPath !== undefined) return { folder: 'kubernetes.io~host-path', mount: mountHostPath }
  if (volume.persistentVolumeClaim !== undefined || volume.ephemeral !== undefined) {
    return { folder: csiFolder, mount: mountClaim }
  }
  if (volume.nfs !== undefined) return { folder: 'kubernetes.io~nfs', mount: mountPodNfs }
  if (volume.csi !== undefined) return { folder: csiFolder, mount: mountInlineCsi }
  const kind = Object.keys(volume).find((key) => key !== 'name') ?? 'emptyDir'
  if (kind === 'emptyDir') return { folder: emptyDirFolder, mount: mountEmptyDir }
  throw new Error(`this node has no plugin for volumes of kind "${kind}"`)
}

export const emptyDirFolder = 'kubernetes.io~empty-dir'

/** Which volume could not be mounted, and why. */
export class VolumeError extends Error {
  readonly volume: string

  constructor(volume: string, cause: Error) {
    super(`MountVolume.SetUp failed for volume "${volume}" : ${cause.message}`, { cause })
    this.name = 'VolumeError'
    this.volume = volume
  }
}

/** Upstream's reason for what a pod's user is to know of; other failures are told where they happen. */
export function volumeReason(error: Error): string | undefined {
  if (error instanceof VolumeError) return 'FailedMount'
  return error instanceof PodFoldersError ? 'FailedToMakePodDataDirectories' : undefined
}

export interface MountPodRequest {
  readonly pod: Pod
  readonly folders: PodFolders
  readonly objects: PodObjects
  readonly addresses: () => PodAddresses
  /** What is mounted already: a volume with files of its own goes on serving its pod whatever a refresh meets. */
  readonly known?: ReadonlyMap<string, MountedVolume>
}

/** A refresh that failed is tried again after this. */
const RETRY_MS = 60_000

/** By volume name. Idempotent; run again to refresh. Rejects with a VolumeError for the first that fails. */
export async function mountPodVolumes(
  scope: Scope,
  host: VolumeHost,
  { pod, folders, objects, addresses, known }: MountPodRequest,
): Promise<ReadonlyMap<string, MountedVolume>> {
  const mounted = new Map<string, MountedVolume>()
  const { fsGroup, fsGroupChangePolicy } = pod.spec.securityContext ?? {}
  for (const volume of pod.spec.volumes ?? []) {
    // Comes with the first container that mounts it.
    if (volume.image !== undefined) continue
    const hasOwnFiles = (volume.persistentVolumeClaim ?? volume.ephemeral ?? volume.csi) !== undefined
    const before = hasOwnFiles ? known?.get(volume.name) : undefined
    try {
      const { folder, mount } = kindOf(volume)
      const directory = join(folders.root, 'volumes', folder, volume.name)
      const memoryDirectory = join(folders.memory, 'volumes', folder, volume.name)
      const result = await mount(scope, host, { pod, volume, directory, memoryDirectory, objects, addresses })
      if (fsGroup !== undefined && result.ownedByGroup && !result.readOnly && before === undefined) {
        await applyFsGroup(result.hostPath, fsGroup, fsGroupChangePolicy)
      }
      mounted.set(volume.name, result)
    } catch (error) {
      if (before === undefined) throw new VolumeError(volume.name, error as Error)
      scope.log.warn('a mounted volume was not refreshed', { error, volume: volume.name })
      mounted.set(volume.name, { ...before, refreshAtMs: scope.clock.now() + RETRY_MS })
    }
  }
  return mounted
}

/** Unmounts everything below the pod's folders. Idempotent; works without the pod's object. */
export async function releasePodVolumes(scope: Scope, host: VolumeHost, folders: PodFolders): Promise<void> {
  await unmountSubPaths(scope, folders)
  await unmountClaims(scope, host, join(folders.root, 'volumes', csiFolder))
  await unmountImages(scope, host.snapshots, folders.root)
  for (const path of await mountsBelow(folders.root)) await run(scope, ['umount', path])
}

/** Of a pod that has ended: they live as long as it does, and the disk may be needed. Nothing is mounted below them any more. */
export async function removeEmptyDirs(folders: PodFolders): Promise<void> {
  await rm(join(folders.root, 'volumes', emptyDirFolder), { recursive: true, force: true })
}

/** The same, and the folders are gone. */
export async function removePodFolders(scope: Scope, host: VolumeHost, folders: PodFolders): Promise<void> {
  await releasePodVolumes(scope, host, folders)
  // Nothing is mounted below them any more, so this removes no one's data but the pod's.
  await rm(folders.root, { recursive: true, force: true })
  await rm(folders.memory, { recursive: true, force: true })
}

/** Sub-paths hold their volumes, and go first. */
async function unmountSubPaths(scope: Scope, folders: PodFolders): Promise<void> {
  for (const path of await mountsBelow(join(folders.root, 'volume-subpaths'))) await run(scope, ['umount', path])
}

/** The pod has no place on the node: its disk is full, or broken. */
export class PodFoldersError extends Error {
  constructor(cause: Error) {
    super(`error making pod data directories: ${cause.message}`, { cause })
    this.name = 'PodFoldersError'
  }
}

/** Rejects with a PodFoldersError. */
export async function makePodFolders(folders: PodFolders): Promise<void> {
  try {
    await mkdir(join(folders.root, 'containers'), { recursive: true, mode: 0o750 })
    await mkdir(folders.memory, { recursive: true, mode: 0o750 })
  } catch (cause) {
    throw new PodFoldersError(cause as Error)
  }
}
