// What is mounted where, from the kernel's own table.

import { readFile } from 'node:fs/promises'

export interface MountEntry {
  readonly mountPoint: string
  /** What of the file system is mounted: `/` for all of it, `/loop0` for a device bound to a file. */
  readonly root: string
  readonly fileSystem: string
  readonly source: string
  readonly superOptions: readonly string[]
}

/** Blanks and backslashes stand as three octal digits in mountinfo. */
function unescape(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(parseInt(digits, 8)))
}

/** Parses /proc/PID/mountinfo, in its order: a mount stands after the one it lies on. */
export function parseMountInfo(text: string): readonly MountEntry[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [left, right] = line.split(' - ') as [string, string]
      const [fileSystem, source, superOptions] = right.split(' ') as [string, string, string]
      return {
        mountPoint: unescape(left.split(' ')[4]!),
        root: unescape(left.split(' ')[3]!),
        fileSystem,
        source: unescape(source),
        superOptions: superOptions.split(','),
      }
    })
}

export async function readMounts(): Promise<readonly MountEntry[]> {
  return parseMountInfo(await readFile('/proc/self/mountinfo', 'latin1'))
}

/** Whether `path` is `root` or lies below it. */
export function isAtOrBelow(path: string, root: string): boolean {
  const base = root.endsWith('/') ? root.slice(0, -1) : root
  return path === base || path.startsWith(`${base}/`)
}

/** Mount points at or below a path, in the order in which they can be unmounted. */
export async function mountsBelow(path: string): Promise<readonly string[]> {
  const mounts = await readMounts()
  return mounts
    .map((mount) => mount.mountPoint)
    .filter((mountPoint) => isAtOrBelow(mountPoint, path))
    .toReversed()
}
