// Gives a blank device a file system, once, and never touches one that has something on it.

import { access, rm, writeFile } from 'node:fs/promises'
import type { Scope } from '@aksel/base/scope'
import { CommandError, type CommandRunner } from '@aksel/host/command'

export interface FileSystemRequest {
  readonly device: string
  readonly fsType: string
  /** A file that stands while a file system is being made: one that is found tells of an attempt that a crash ended. */
  readonly formattingMark: string
}

const FORMAT_TIMEOUT_MS = 5 * 60_000

export async function ensureFileSystem(scope: Scope, run: CommandRunner, request: FileSystemRequest): Promise<void> {
  const { device, fsType, formattingMark } = request
  const unfinished = await isThere(formattingMark)
  const found = unfinished ? undefined : await contentOf(scope, run, device)
  if (found === undefined) {
    await writeFile(formattingMark, fsType, { flush: true })
    await run(scope, formatCommand(fsType, device), { timeoutMs: FORMAT_TIMEOUT_MS })
    await rm(formattingMark)
  } else if (found !== fsType) {
    throw new Error(`failed to mount the volume as "${fsType}", it already contains ${found}`)
  } else if (fsType.startsWith('ext')) {
    await check(scope, run, device)
    await growUnmounted(scope, run, device)
  }
}

function formatCommand(fsType: string, device: string): readonly string[] {
  switch (fsType) {
    case 'ext2':
    case 'ext3':
    case 'ext4':
      return [`mkfs.${fsType}`, '-q', '-F', '-m', '0', device]
    case 'xfs':
    case 'btrfs':
      return [`mkfs.${fsType}`, '-q', '-f', device]
    default:
      throw new Error(`Cannot format a disk as "${fsType}": ext2, ext3, ext4, xfs and btrfs are known`)
  }
}

/** Whether a file system fills its device now, or only once it is mounted anew. */
export type Growth = 'grown' | 'at-next-mount'

/** Lets a mounted file system fill its device. One that does already is left as it is. */
export async function growFileSystem(
  scope: Scope,
  run: CommandRunner,
  { device, fsType, mountPoint }: { readonly device: string; readonly fsType: string; readonly mountPoint: string },
): Promise<Growth> {
  try {
    await run(scope, growCommand(fsType, device, mountPoint), { timeoutMs: FORMAT_TIMEOUT_MS })
  } catch (error) {
    // Of mounted ext file systems the kernel asks for CAP_SYS_RESOURCE, which containers and some hosts do not give.
    const isRefused = error instanceof CommandError && /Permission denied to resize/.test(error.stderr)
    if (isRefused && fsType.startsWith('ext')) return 'at-next-mount'
    throw error
  }
  return 'grown'
}

function growCommand(fsType: string, device: string, mountPoint: string): readonly string[] {
  switch (fsType) {
    case 'ext2':
    case 'ext3':
    case 'ext4':
      return ['resize2fs', device]
    case 'xfs':
      return ['xfs_growfs', mountPoint]
    case 'btrfs':
      return ['btrfs', 'filesystem', 'resize', 'max', mountPoint]
    default:
      throw new Error(`Cannot grow a file system of type "${fsType}": ext2, ext3, ext4, xfs and btrfs are known`)
  }
}

/** The disk may have grown since the file system was mounted last. */
async function growUnmounted(scope: Scope, run: CommandRunner, device: string): Promise<void> {
  try {
    await run(scope, ['resize2fs', device], { timeoutMs: FORMAT_TIMEOUT_MS })
  } catch (error) {
    if (!(error instanceof CommandError) || !/e2fsck -f/.test(error.stderr + error.stdout)) throw error
    await check(scope, run, device, ['-f'])
    await run(scope, ['resize2fs', device], { timeoutMs: FORMAT_TIMEOUT_MS })
  }
}

/** What is on the device: the type of its file system, `a partition table`, or undefined when it is blank. */
async function contentOf(scope: Scope, run: CommandRunner, device: string): Promise<string | undefined> {
  try {
    const { stdout } = await run(scope, ['blkid', '-p', '-s', 'TYPE', '-s', 'PTTYPE', '-o', 'export', device])
    const type = /^TYPE=(.*)$/m.exec(stdout)?.[1]
    return type ?? (/^PTTYPE=/m.test(stdout) ? 'a partition table' : undefined)
  } catch (error) {
    // Exit code 2: nothing that it knows. Any other failure says nothing about the content.
    if (error instanceof CommandError && error.code === 2) return undefined
    throw error
  }
}

/** Replays the journal and repairs what is safe to repair, as every mount of a disk on a node does. */
async function check(scope: Scope, run: CommandRunner, device: string, more: readonly string[] = []): Promise<void> {
  try {
    await run(scope, ['e2fsck', '-p', ...more, device], { timeoutMs: FORMAT_TIMEOUT_MS })
  } catch (error) {
    // Exit code 1: there were errors and they are repaired.
    if (error instanceof CommandError && error.code === 1) return
    throw error
  }
}

function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}
