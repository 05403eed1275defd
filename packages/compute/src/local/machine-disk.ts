// The OS disk of a local machine: a sparse image as large as its size says, with a file system of its own, on a loop device.
// Pods' volumes, logs, images and writable layers lie on it, so that one machine can fill its own disk and no other's.
//
//     <machine>/os-disk.img → loop device → ext4 → <machine>/os/{kubelet,pod-logs,containerd}
//
// The file takes of the host what was written to it; what is deleted is given back (discard).

import { access, constants, mkdir, realpath, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Scope } from '@aksel/base/scope'
import { CommandError, run } from '@aksel/host/command'
import type { Ledger } from '@aksel/host/ledger'
import { mountsBelow } from '@aksel/host/mount-table'
import { loopDevicesBelow } from '@aksel/host/undo'
import type { MachinePaths } from './machine-files.ts'
import { recordOnce } from './record-once.ts'

/** What a disk needs of its machine. */
export type DiskPlace = Pick<MachinePaths, 'root' | 'disk'>

export interface MachineDiskRequest {
  readonly ledger: Ledger
  /** In the ledger: `machine/<key>`. */
  readonly owner: string
  readonly place: DiskPlace
  readonly sizeBytes: number
}

/** Left to nobody, journal and inode tables begun lazily: 128 GiB are formatted in 10 ms and take 1.2 MiB. */
const lazily = 'lazy_itable_init=1,lazy_journal_init=1,nodiscard,packed_meta_blocks=1'
const format = ['-t', 'ext4', '-m', '0', '-i', '65536', '-O', '^resize_inode', '-E', lazily]
/** Tables of inodes that are never used are not to be written behind the machine's back. */
const options = 'noinit_itable,discard'
/** `e2fsck`: 1 and 2 say that it mended what it found. */
const MENDED_MAX = 2

/** Whether machines on this host can have disks of their own: it may be a container without loop devices. */
export function hostHasDisks(): Promise<boolean> {
  return access('/dev/loop-control', constants.R_OK | constants.W_OK).then(
    () => true,
    () => false,
  )
}

/** Made where there is none, mounted where it is not. Resolves true when it was mounted now. Every step may be repeated after a crash. */
export async function mountDisk(scope: Scope, request: MachineDiskRequest): Promise<boolean> {
  const { ledger, owner, place, sizeBytes } = request
  await mkdir(place.disk, { recursive: true, mode: 0o700 })
  const [root, disk] = await Promise.all([realpath(place.root), realpath(place.disk)])
  if ((await mountsBelow(disk)).includes(disk)) return false
  const image = imageOf({ root })
  await recordOnce(ledger, owner, { kind: 'loop-devices', path: image })
  await recordOnce(ledger, owner, { kind: 'mounts', path: root })
  const isNew = await formatOnce(scope, image, sizeBytes)
  const [known] = await loopDevicesBelow(image)
  if (known === undefined && !isNew) await check(scope, image)
  const device = known ?? (await attach(scope, image))
  await run(scope, ['mount', '-t', 'ext4', '-o', options, device, disk])
  return true
}

/** The machine has none of what was on it. It is not mounted. */
export async function removeDisk(place: DiskPlace): Promise<void> {
  await rm(imageOf(place), { force: true })
}

function imageOf({ root }: Pick<DiskPlace, 'root'>): string {
  return join(root, 'os-disk.img')
}

/** It gets its name when it is whole. */
async function formatOnce(scope: Scope, image: string, sizeBytes: number): Promise<boolean> {
  if (
    await access(image).then(
      () => true,
      () => false,
    )
  )
    return false
  const draft = `${image}.new`
  await rm(draft, { force: true })
  await run(scope, ['mke2fs', '-q', '-F', ...format, draft, `${Math.floor(sizeBytes / 1024)}k`])
  await rename(draft, image)
  return true
}

/** After a power cut of the host: replays the journal and mends what is safe to mend. */
async function check(scope: Scope, image: string): Promise<void> {
  try {
    await run(scope, ['e2fsck', '-p', image], { timeoutMs: CHECK_TIMEOUT_MS })
  } catch (error) {
    if (!(error instanceof CommandError && error.code !== undefined && error.code <= MENDED_MAX)) throw error
  }
}

const CHECK_TIMEOUT_MS = 300_000

/** Past the host's page cache, which the disk's own would double; through it where the host's file system wants that. */
async function attach(scope: Scope, image: string): Promise<string> {
  const losetup = ['losetup', '--find', '--show']
  const direct = run(scope, [...losetup, '--direct-io=on', image])
  const { stdout } = await direct.catch(async (error: unknown) => {
    if (!(error instanceof CommandError)) throw error
    for (const device of await loopDevicesBelow(image)) await run(scope, ['losetup', '--detach', device])
    return run(scope, [...losetup, image])
  })
  return stdout.trim()
}
