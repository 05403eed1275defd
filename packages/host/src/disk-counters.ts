// The file system that a folder lies on: its device, how large it is and how much of it is taken.

import { statfs } from 'node:fs/promises'
import { isAtOrBelow, readMounts } from './mount-table.ts'

export interface DiskCounters {
  /** `/dev/loop3`, or what else the kernel calls its source. */
  readonly device: string
  readonly capacityBytes: number
  readonly availableBytes: number
  readonly usedBytes: number
  readonly inodes: number
  readonly inodesFree: number
}

export async function readDiskCounters(path: string): Promise<DiskCounters> {
  const [{ bsize, blocks, bavail, bfree, files, ffree }, mounts] = await Promise.all([statfs(path), readMounts()])
  // The last that holds it lies on top.
  const mount = mounts
    .filter(({ mountPoint }) => isAtOrBelow(path, mountPoint))
    .reduce<(typeof mounts)[number] | undefined>(
      (best, each) => (best === undefined || each.mountPoint.length >= best.mountPoint.length ? each : best),
      undefined,
    )
  return {
    device: mount?.source ?? '',
    capacityBytes: blocks * bsize,
    availableBytes: bavail * bsize,
    usedBytes: (blocks - bfree) * bsize,
    inodes: files,
    inodesFree: ffree,
  }
}
