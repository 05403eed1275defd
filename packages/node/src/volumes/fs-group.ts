// Gives a volume to the pod's fsGroup: every file's group, readable and writable for it, new files inherit it.

import { chmod, lchown, lstat, readdir } from 'node:fs/promises'
import { join } from 'node:path'

const SET_GID = 0o2000

/** `policy` is the pod's fsGroupChangePolicy; with `OnRootMismatch` a root that fits is believed. Links are not followed. */
export async function applyFsGroup(directory: string, gid: number, policy: string | undefined): Promise<void> {
  const root = await lstat(directory)
  const fits = root.gid === gid && (root.mode & 0o2770) === 0o2770
  if (policy === 'OnRootMismatch' && fits) return
  await own(directory, gid)
}

async function own(path: string, gid: number): Promise<void> {
  const found = await lstat(path)
  await lchown(path, found.uid, gid)
  if (found.isSymbolicLink()) return
  if (!found.isDirectory()) return chmod(path, (found.mode & 0o7777) | 0o660)
  // The folder last: an interrupted walk then leaves a root that does not fit, and is done again.
  for (const name of await readdir(path)) await own(join(path, name), gid)
  await chmod(path, (found.mode & 0o7777) | 0o770 | SET_GID)
}
