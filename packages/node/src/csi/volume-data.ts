// What is written beside a CSI volume before its driver is asked for it, so that whoever finds it can give it back: with
// or without the pod's object, by this agent or the next.

import { mkdir, readFile, readdir, rm, rmdir } from 'node:fs/promises'
import { join } from 'node:path'
import { removeWholeFile, writeWholeFile } from '@aksel/host/durable-file'

export interface VolumeData {
  readonly driverName: string
  readonly volumeHandle: string
  readonly specVolID?: string
  readonly nodeName?: string
  readonly volumeLifecycleMode?: 'Persistent' | 'Ephemeral'
  /** The volume is staged; unstage it with its last pod. Written by this agent alone. */
  readonly staged?: boolean
}

export const csiFolder = 'kubernetes.io~csi'
const dataFile = 'vol_data.json'

export async function writeVolumeData(directory: string, data: VolumeData): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o750 })
  await writeWholeFile(join(directory, dataFile), JSON.stringify(data))
}

export async function readVolumeData(directory: string): Promise<VolumeData | undefined> {
  try {
    return JSON.parse(await readFile(join(directory, dataFile), 'utf8')) as VolumeData
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/** The folder goes too. Not recursive: were something still mounted in it, this fails rather than empties it. */
export async function removeVolumeData(directory: string): Promise<void> {
  const mount = join(directory, 'mount')
  await rmdir(mount).catch((error: NodeJS.ErrnoException) => {
    // Of a block volume it is a file that a device was bound to.
    if (error.code === 'ENOTDIR') return rm(mount)
    return ignoreMissing(error)
  })
  await removeWholeFile(join(directory, dataFile))
  await rmdir(directory).catch(ignoreMissing)
}

/** The volumes of all pods of the node. */
export async function volumesOfPods(rootDirectory: string): Promise<readonly VolumeData[]> {
  const found: VolumeData[] = []
  for (const uid of await namesIn(join(rootDirectory, 'pods'))) {
    const parent = join(rootDirectory, 'pods', uid, 'volumes', csiFolder)
    for (const name of await namesIn(parent)) {
      const data = await readVolumeData(join(parent, name))
      if (data !== undefined) found.push(data)
    }
  }
  return found
}

async function namesIn(path: string): Promise<readonly string[]> {
  return readdir(path).catch(() => [])
}

function ignoreMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error
}
