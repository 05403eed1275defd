// How much of a file system a folder takes: blocks and inodes of all below it, without what is mounted there.

import { lstat, readdir } from 'node:fs/promises'
import { join } from 'node:path'

export interface DiskUsage {
  readonly bytes: number
  readonly inodes: number
}

const BLOCK_BYTES = 512

/** Files that vanish meanwhile count nothing; a file of several names counts once. Nothing there is nothing used. */
export async function diskUsage(path: string): Promise<DiskUsage> {
  const seen = new Set<bigint>()
  let [bytes, inodes] = [0, 0]
  let device: bigint | undefined
  const pending = [path]
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const found = await ifThere(lstat(next, { bigint: true }))
    if (found === undefined) continue
    device ??= found.dev
    if (found.dev !== device) continue
    if (found.nlink > 1n && !found.isDirectory()) {
      if (seen.has(found.ino)) continue
      seen.add(found.ino)
    }
    bytes += Number(found.blocks) * BLOCK_BYTES
    inodes += 1
    if (!found.isDirectory()) continue
    for (const name of (await ifThere(readdir(next))) ?? []) pending.push(join(next, name))
  }
  return { bytes, inodes }
}

async function ifThere<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined
    throw error
  }
}
