// A folder of files that changes all at once, as kubelet's: readers follow `..data` to one version or the other.
//
//     volume/
//       ..2026_11_24_12_00_00.000000001/   the files of one version
//       ..data -> ..2026_…                 swapped by rename
//       config.yaml -> ..data/config.yaml  one per first path segment

import {
  chmod,
  chown,
  lstat,
  mkdir,
  readFile,
  readdir,
  readlink,
  rename,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Scope } from '@aksel/base/scope'

export interface ProjectedFile {
  readonly data: Uint8Array
  /** Permission bits. */
  readonly mode: number
  /** Owner, where it is not root; the file is then its owner's alone to read. */
  readonly uid?: number
}

/** Relative paths, validated by the API server: neither absolute nor with `..`. */
export type ProjectedFiles = ReadonlyMap<string, ProjectedFile>

/** Makes the folder show exactly these files; true when anything changed. `gid` owns them where the pod has an fsGroup. */
export async function writeAtomically(
  scope: Scope,
  directory: string,
  files: ProjectedFiles,
  gid: number | undefined,
): Promise<boolean> {
  for (const path of files.keys()) refuseEscape(path)
  await mkdir(directory, { recursive: true })
  const before = await readlink(join(directory, '..data')).catch(() => undefined)
  // Names may be missing where the pass before this one was cut short between the two.
  if (before !== undefined && (await isSame(join(directory, before), files))) return await linkNames(directory, files)
  const version = `..${new Date(scope.clock.now()).toISOString().replaceAll(/[-:T]/g, '_').slice(0, 19)}.${suffix(scope)}`
  await writeVersion(join(directory, version), files, gid).catch(async (error: unknown) => {
    // A disk that is full is not to be filled further with every attempt.
    await rm(join(directory, version), { recursive: true, force: true })
    throw error
  })
  await symlink(version, join(directory, '..data_tmp')).catch(async (error: NodeJS.ErrnoException) => {
    // Left by a crash between the two steps.
    if (error.code !== 'EEXIST') throw error
    await rm(join(directory, '..data_tmp'))
    await symlink(version, join(directory, '..data_tmp'))
  })
  await rename(join(directory, '..data_tmp'), join(directory, '..data'))
  await linkNames(directory, files)
  for (const name of await readdir(directory)) {
    if (name.startsWith('..2') && name !== version) await rm(join(directory, name), { recursive: true })
  }
  return true
}

function suffix(scope: Scope): string {
  const bytes = scope.random.nextBytes(4)
  return String(((bytes[0]! << 24) | (bytes[1]! << 16) | (bytes[2]! << 8) | bytes[3]!) >>> 0)
}

function refuseEscape(path: string): void {
  const parts = path.split('/')
  if (path === '' || path.startsWith('/') || parts.includes('..') || parts[0]!.startsWith('..')) {
    throw new Error(`invalid path: "${path}" must be relative and stay within the volume`)
  }
}

async function writeVersion(directory: string, files: ProjectedFiles, gid: number | undefined): Promise<void> {
  await mkdir(directory, { mode: 0o755 })
  await chmod(directory, gid === undefined ? 0o755 : 0o2775)
  for (const [path, { data, mode, uid }] of files) {
    const file = join(directory, path)
    await mkdir(dirname(file), { recursive: true })
    await writeFile(file, data)
    if (uid !== undefined || gid !== undefined) await chown(file, uid ?? 0, gid ?? 0)
    // After the owner, which clears bits. A group of its own must be able to read.
    await chmod(file, gid === undefined ? mode : mode | 0o440)
  }
}

/** True when one was missing or too many. */
async function linkNames(directory: string, files: ProjectedFiles): Promise<boolean> {
  let isChanged = false
  const wanted = new Set([...files.keys()].map((path) => path.split('/')[0]!))
  for (const name of await readdir(directory)) {
    if (name.startsWith('..') || wanted.has(name)) continue
    await rm(join(directory, name), { recursive: true })
    isChanged = true
  }
  for (const name of wanted) {
    const link = join(directory, name)
    if ((await lstat(link).catch(() => undefined)) !== undefined) continue
    await symlink(join('..data', name), link)
    isChanged = true
  }
  return isChanged
}

async function isSame(version: string, files: ProjectedFiles): Promise<boolean> {
  const found = await listFiles(version)
  if (found.length !== files.size) return false
  for (const path of found) {
    const file = files.get(path)
    if (file === undefined || !(await readFile(join(version, path))).equals(file.data)) return false
  }
  return true
}

async function listFiles(directory: string, prefix = ''): Promise<readonly string[]> {
  const entries = await readdir(directory, { withFileTypes: true }).catch(() => [])
  const found: string[] = []
  for (const entry of entries) {
    const path = `${prefix}${entry.name}`
    if (entry.isDirectory()) found.push(...(await listFiles(join(directory, entry.name), `${path}/`)))
    else found.push(path)
  }
  return found
}
