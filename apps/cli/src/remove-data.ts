// Removes a data folder, also where it is a mount of the user's own: a container's volume, a disk for the data alone.

import { readdir, rm, rmdir } from 'node:fs/promises'
import { join } from 'node:path'

/** All that is in the folder goes, and the folder with it unless something is mounted there. */
export async function removeData(folder: string): Promise<void> {
  for (const name of await readdir(folder)) await rm(join(folder, name), { recursive: true, force: true })
  await rmdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EBUSY') throw error
  })
}
