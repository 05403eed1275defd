// Mounts a path inside a volume without ever leaving it, whatever links the pod made there: each step is opened below
// the last one without following links, and what was opened is mounted, not its name.

import { constants } from 'node:fs'
import { chmod, mkdir, open, realpath, stat, writeFile } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { dirname, join, relative, sep } from 'node:path'
import type { Scope } from '@aksel/base/scope'
import { run } from '@aksel/host/command'
import { isAtOrBelow, readMounts } from '@aksel/host/mount-table'

/** Node does not name it. A handle of this kind is a place, not an open file. */
const O_PATH = 0o10000000

export interface SubPathRequest {
  readonly volumePath: string
  /** Relative, without `..`. Made as a folder where nothing is there. */
  readonly subPath: string
  /** Where the mount appears; below a folder that stands in the ledger. */
  readonly targetPath: string
}

/** Idempotent: an existing mount at the target is taken as it is. */
export async function mountSubPath(scope: Scope, request: SubPathRequest): Promise<void> {
  const { volumePath, subPath, targetPath } = request
  if (subPath.startsWith('/') || subPath.split('/').includes('..')) {
    throw new Error(`invalid subPath "${subPath}": must be relative and not contain ".."`)
  }
  if ((await readMounts()).some(({ mountPoint }) => mountPoint === targetPath)) return
  const root = await realpath(volumePath)
  await makeFolders(root, subPath)
  const handle = await openInVolume(root, subPath)
  try {
    const place = `/proc/${process.pid}/fd/${handle.fd}`
    if ((await stat(place)).isDirectory()) await mkdir(targetPath, { recursive: true })
    else await makeFile(targetPath)
    // Not canonicalized: the kernel itself goes to what the handle holds.
    await run(scope, ['mount', '--no-canonicalize', '--bind', place, targetPath])
  } finally {
    await handle.close()
  }
}

/** A place in a volume, links within it followed, none out of it. For its owner to close. */
export async function openInVolume(volumePath: string, path: string): Promise<FileHandle> {
  const root = await realpath(volumePath)
  const wanted = await realpath(join(root, path))
  if (!isAtOrBelow(wanted, root)) throw new Error(`subPath "${path}" leads out of its volume`)
  return openBelow(
    root,
    relative(root, wanted)
      .split(sep)
      .filter((part) => part !== ''),
  )
}

async function makeFile(path: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, '', { flag: 'a' })
}

/** Every missing folder of the path, each made in a place that was opened without following links. */
async function makeFolders(root: string, subPath: string): Promise<void> {
  let done = root
  const mode = (await stat(root)).mode & 0o7777
  for (const part of subPath.split('/').filter((name) => name !== '' && name !== '.')) {
    const next = await realpath(join(done, part)).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined
      throw error
    })
    if (next === undefined) {
      const parent = await openBelow(
        root,
        relative(root, done)
          .split(sep)
          .filter((name) => name !== ''),
      )
      try {
        const made = `/proc/self/fd/${parent.fd}/${part}`
        await mkdir(made)
        // As open as the volume itself, also for a group that owns it.
        await chmod(made, mode)
      } finally {
        await parent.close()
      }
      done = join(done, part)
    } else {
      if (!isAtOrBelow(next, root)) throw new Error(`subPath "${subPath}" leads out of its volume`)
      done = next
    }
  }
}

async function openBelow(root: string, parts: readonly string[]): Promise<FileHandle> {
  let handle = await open(root, O_PATH | constants.O_NOFOLLOW)
  for (const part of parts) {
    const parent = handle
    try {
      handle = await open(`/proc/self/fd/${parent.fd}/${part}`, O_PATH | constants.O_NOFOLLOW)
    } finally {
      await parent.close()
    }
    if ((await handle.stat()).isSymbolicLink()) {
      await handle.close()
      throw new Error(`"${part}" became a link while its path was opened`)
    }
  }
  return handle
}
