// Who has a disk: one file beside its image, made by link(2), so that of two machines only one can make it, and every
// process that looks sees the same.
//
//     <disk>.img          the disk: a sparse file of its size
//     <disk>.attached     {"owner":"machine/aks-nodepool1-0"}: the one that may use it
//     <disk>.formatting   a file system is being made on it; one that is found was left unfinished

import { link, readFile, rm, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'

export class DiskInUseError extends Error {
  /** The owner who has it: `machine/aks-nodepool1-0`. */
  readonly holder: string

  constructor(disk: string, holder: string) {
    super(
      `Multi-Attach error for volume "${disk}": Volume is already exclusively attached to one node and can't be attached to another (it is attached to ${holder})`,
    )
    this.name = 'DiskInUseError'
    this.holder = holder
  }
}

export interface DiskPaths {
  readonly disk: string
  readonly image: string
  readonly attached: string
  readonly formatting: string
}

/** Throws when the name could lead out of the folder. */
export function diskPaths(directory: string, disk: string): DiskPaths {
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,200}$/.test(disk)) throw new Error(`Cannot use "${disk}" as the name of a disk`)
  const path = (suffix: string): string => join(directory, `${disk}.${suffix}`)
  return { disk, image: path('img'), attached: path('attached'), formatting: path('formatting') }
}

/** The disk's name: the last part of its resource id. */
export function diskOfHandle(volumeHandle: string): string {
  return basename(volumeHandle)
}

/** The owner that has the disk; undefined when nobody has. */
export async function holderOf({ attached }: DiskPaths): Promise<string | undefined> {
  const text = await readFile(attached, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
  return text === undefined ? undefined : (JSON.parse(text) as { readonly owner: string }).owner
}

/** Idempotent for an owner; rejects with a DiskInUseError while another has it. */
export async function attachDisk(paths: DiskPaths, owner: string): Promise<void> {
  const draft = `${paths.attached}.${crypto.randomUUID()}.tmp`
  await writeFile(draft, JSON.stringify({ owner }), { flag: 'wx', flush: true })
  try {
    await link(draft, paths.attached)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    const holder = await holderOf(paths)
    if (holder !== owner) throw new DiskInUseError(paths.disk, holder ?? 'another node')
  } finally {
    await rm(draft, { force: true })
  }
}

/** Idempotent; leaves an attachment to another owner alone. */
export async function detachDisk(paths: DiskPaths, owner: string): Promise<void> {
  if ((await holderOf(paths)) === owner) await rm(paths.attached, { force: true })
}
