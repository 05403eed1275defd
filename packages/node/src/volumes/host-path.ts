// A path of the node itself.

import { mkdir, open, stat } from 'node:fs/promises'
import type { Stats } from 'node:fs'
import type { HostPathVolumeSource } from '@aksel/api/types/core-v1'
import { hostPathOf } from '../plugins/kubelet-directory.ts'
import type { MountVolume } from './volume.ts'

export const mountHostPath: MountVolume = async (_scope, { rootDirectory }, { volume }) => {
  return { hostPath: await checkHostPath(rootDirectory, volume.hostPath!), ownedByGroup: false, readOnly: false }
}

/** Makes what the type says to make. Rejects where the path is something else. */
export async function checkHostPath(
  rootDirectory: string,
  { path: wanted, type = '' }: HostPathVolumeSource,
): Promise<string> {
  const path = hostPathOf(rootDirectory, wanted)
  if (type === 'DirectoryOrCreate') await mkdir(path, { recursive: true, mode: 0o755 })
  if (type === 'FileOrCreate') await (await open(path, 'a', 0o644)).close()
  if (type !== '') {
    const found = await stat(path).catch(() => undefined)
    const fits = found !== undefined && checks[type]?.(found) === true
    if (!fits) throw new Error(`hostPath type check failed: ${wanted} is not a ${nouns[type] ?? type}`)
  }
  return path
}

const checks: Readonly<Record<string, (found: Stats) => boolean>> = {
  Directory: (found) => found.isDirectory(),
  DirectoryOrCreate: (found) => found.isDirectory(),
  File: (found) => found.isFile(),
  FileOrCreate: (found) => found.isFile(),
  Socket: (found) => found.isSocket(),
  CharDevice: (found) => found.isCharacterDevice(),
  BlockDevice: (found) => found.isBlockDevice(),
}

const nouns: Readonly<Record<string, string>> = {
  Directory: 'directory',
  DirectoryOrCreate: 'directory',
  File: 'file',
  FileOrCreate: 'file',
  Socket: 'socket file',
  CharDevice: 'character device',
  BlockDevice: 'block device',
}
