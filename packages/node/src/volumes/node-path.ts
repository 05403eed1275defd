// Persistent volumes without a driver: a path or a disk of the node itself, and shares that the node's kernel mounts.

import { mkdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { NFSVolumeSource, PersistentVolume } from '@aksel/api/types/core-v1'
import type { Scope } from '@aksel/base/scope'
import { run } from '@aksel/host/command'
import { readMounts } from '@aksel/host/mount-table'
import { hostPathOf } from '../plugins/kubelet-directory.ts'
import { checkHostPath } from './host-path.ts'
import type { MountedVolume, MountVolume, VolumeHost } from './volume.ts'

export interface NodePathRequest {
  readonly persistent: PersistentVolume
  readonly readOnly: boolean
  /** The volume's folder in its pod's. */
  readonly directory: string
}

/** Rejects with the kind's name where this node serves no such volumes. */
export async function mountNodePath(
  scope: Scope,
  host: Pick<VolumeHost, 'rootDirectory'>,
  { persistent, readOnly, directory }: NodePathRequest,
): Promise<MountedVolume> {
  const { hostPath, local, nfs, volumeMode, mountOptions = [] } = persistent.spec
  const isBlock = volumeMode === 'Block'
  if (hostPath !== undefined) {
    return { hostPath: await checkHostPath(host.rootDirectory, hostPath), ownedByGroup: false, readOnly }
  }
  if (nfs !== undefined) return mountNfs(scope, nfs, { readOnly, directory, mountOptions })
  if (local === undefined) {
    const known = new Set(['capacity', 'accessModes', 'claimRef', 'storageClassName', 'volumeMode', 'nodeAffinity'])
    const kind = Object.keys(persistent.spec).find(
      (key) => typeof persistent.spec[key as never] === 'object' && !known.has(key),
    )
    const name = persistent.metadata.name
    throw new Error(`persistentvolume "${name}" is of kind "${kind ?? 'unknown'}": this node has no plugin for it`)
  }
  const path = hostPathOf(host.rootDirectory, local.path)
  const found = await stat(path).catch(() => undefined)
  if (found === undefined) throw new Error(`path "${local.path}" does not exist`)
  if (isBlock !== found.isBlockDevice()) {
    const isWhat = found.isBlockDevice() ? 'a block device, and the volume is to be a file system' : 'no block device'
    throw new Error(`local path "${local.path}" is ${isWhat}: volumeMode "${volumeMode ?? 'Filesystem'}" does not fit`)
  }
  return { hostPath: path, ownedByGroup: !isBlock, readOnly, ...(isBlock ? { isBlock } : {}) }
}

/** A share that a pod names itself. */
export const mountPodNfs: MountVolume = (scope, _host, { volume, directory }) =>
  mountNfs(scope, volume.nfs!, { readOnly: volume.nfs!.readOnly === true, directory, mountOptions: [] })

async function mountNfs(
  scope: Scope,
  nfs: NFSVolumeSource,
  wish: { readonly readOnly: boolean; readonly directory: string; readonly mountOptions: readonly string[] },
): Promise<MountedVolume> {
  const target = join(wish.directory, 'mount')
  const readOnly = wish.readOnly || nfs.readOnly === true
  if (!(await readMounts()).some(({ mountPoint }) => mountPoint === target)) {
    await needNfs()
    await mkdir(target, { recursive: true, mode: 0o750 })
    const options = [...wish.mountOptions, ...(readOnly ? ['ro'] : [])]
    const flags = options.length === 0 ? [] : ['-o', options.join(',')]
    await run(scope, ['mount', '-t', 'nfs', ...flags, `${nfs.server}:${nfs.path}`, target], { timeoutMs: 120_000 })
  }
  return { hostPath: target, ownedByGroup: false, readOnly }
}

/** The kernel loads the client when it is asked for, where it was built with one. */
async function needNfs(): Promise<void> {
  const known = await readFile('/proc/filesystems', 'utf8')
  const modules = await readFile('/proc/modules', 'utf8').catch(() => '')
  const isThere = /\bnfs4?$/m.test(known) || /^nfs /m.test(modules)
  if (!isThere) throw new Error('mount failed: NFS: the kernel of this node has no NFS client')
}
