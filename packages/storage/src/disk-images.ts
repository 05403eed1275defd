// Disks as sparse files in one folder. A new one takes no room until it is written to.

import { access, mkdir, open, rename, rm } from 'node:fs/promises'
import { attachDisk, detachDisk, diskPaths } from './disk-attachments.ts'

/** All that the provisioner asks of whoever keeps disks. */
export interface DiskImages {
  /** Idempotent by name: a disk that is there stays as it is. Durable when it resolves. */
  create(name: string, sizeBytes: number): Promise<void>
  /** At least so large from now on, also while a node has it; never smaller. Durable when it resolves. Rejects where there is no such disk. */
  grow(name: string, sizeBytes: number): Promise<void>
  /** Idempotent. Rejects with a DiskInUseError while a node has the disk. */
  remove(name: string): Promise<void>
  exists(name: string): Promise<boolean>
}

const remover = 'the provisioner, which removes it'

export function fileDiskImages({ directory }: { readonly directory: string }): DiskImages {
  return {
    async create(name, sizeBytes) {
      const { image } = diskPaths(directory, name)
      if (await isThere(image)) return
      await mkdir(directory, { recursive: true, mode: 0o700 })
      const draft = `${image}.tmp`
      const file = await open(draft, 'w', 0o600)
      try {
        await file.truncate(sizeBytes)
        await file.sync()
      } finally {
        await file.close()
      }
      await rename(draft, image)
      await syncFolder(directory)
    },
    async grow(name, sizeBytes) {
      const file = await open(diskPaths(directory, name).image, 'r+')
      try {
        if ((await file.stat()).size < sizeBytes) await file.truncate(sizeBytes)
        await file.sync()
      } finally {
        await file.close()
      }
    },
    async remove(name) {
      const paths = diskPaths(directory, name)
      if (!(await isThere(directory))) return
      // Taken as a node would take it, so that none can while it goes.
      await attachDisk(paths, remover)
      await rm(paths.image, { force: true })
      await rm(paths.formatting, { force: true })
      await detachDisk(paths, remover)
    },
    exists: (name) => isThere(diskPaths(directory, name).image),
  }
}

async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}

async function syncFolder(directory: string): Promise<void> {
  const folder = await open(directory, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}
