// How a node uses a disk: takes it for itself, gives it a loop device, a file system if it has none, a staging mount, and
// a bind mount where the pod wants it; and all of that back. The truth is in files and in the kernel's tables, never in
// memory: every step looks first, so that it may be repeated after a crash at any point.
//
//     attached file → loop device → file system → staging mount → bind mount
//     attached file → loop device → bind mount of the device               (volumeMode: Block)
//
// They are in the ledger, so that undoing an owner newest first gives the disk back, the file last.

import { access, mkdir, realpath, rmdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Scope } from '@aksel/base/scope'
import { run as runCommand, type CommandRunner } from '@aksel/host/command'
import type { HostObject, Ledger } from '@aksel/host/ledger'
import { mountsBelow, readMounts, type MountEntry } from '@aksel/host/mount-table'
import { loopDevicesBelow } from '@aksel/host/undo'
import { attachDisk, detachDisk, diskOfHandle, diskPaths, holderOf, type DiskPaths } from './disk-attachments.ts'
import { ensureFileSystem, growFileSystem, type Growth } from './file-systems.ts'

export interface MountRequest {
  /** The disk's ARM resource id; its last part names the disk. */
  readonly volumeHandle: string
  /** `ext4` when empty. */
  readonly fsType: string
  readonly readOnly: boolean
  /** An existing folder; a file where the pod wants the disk itself. */
  readonly targetPath: string
  /** The disk as it is, without a file system of ours. False when absent. */
  readonly block?: boolean
  /** Who uses it, for the ledger and for other nodes: `machine/aks-nodepool1-0`. */
  readonly owner: string
}

export interface UnmountRequest {
  readonly volumeHandle: string
  readonly targetPath: string
  readonly owner: string
}

/** Both may be repeated. `mount` rejects with a DiskInUseError while another owner has the disk. */
export interface DiskMounter {
  mount(scope: Scope, request: MountRequest): Promise<void>
  /** What grew while it was mounted here: the device and its file system follow. Rejects while another owner has the disk. */
  grow(scope: Scope, request: Pick<MountRequest, 'volumeHandle' | 'owner'>): Promise<Growth>
  /** The last unmount of an owner gives the disk back. */
  unmount(scope: Scope, request: UnmountRequest): Promise<void>
}

export interface NodeDisksOptions {
  /** Where the disks' images are: the same folder for all nodes. */
  readonly directory: string
  /** Where this node mounts disks before they are bound into pods; its own. */
  readonly stagingDirectory: string
  readonly ledger: Ledger
  readonly run?: CommandRunner
}

export function nodeDisks(options: NodeDisksOptions): DiskMounter {
  return new NodeDisks(options)
}

/** One disk on this node. */
interface Place {
  readonly paths: DiskPaths
  readonly staging: string
  readonly owner: string
}

class NodeDisks implements DiskMounter {
  readonly #options: NodeDisksOptions
  readonly #run: CommandRunner
  /** The work on each disk is done one piece after the other. */
  readonly #turns = new Map<string, Promise<void>>()

  constructor(options: NodeDisksOptions) {
    this.#options = options
    this.#run = options.run ?? runCommand
  }

  mount(scope: Scope, request: MountRequest): Promise<void> {
    const place = this.#placeOf(request)
    return this.#inTurn(place, () => this.#mount(scope, place, request))
  }

  unmount(scope: Scope, request: UnmountRequest): Promise<void> {
    const place = this.#placeOf(request)
    return this.#inTurn(place, () => this.#unmount(scope, place, request.targetPath))
  }

  grow(scope: Scope, request: Pick<MountRequest, 'volumeHandle' | 'owner'>): Promise<Growth> {
    const place = this.#placeOf(request)
    return this.#inTurn(place, () => this.#grow(scope, place))
  }

  #placeOf({ volumeHandle, owner }: { readonly volumeHandle: string; readonly owner: string }): Place {
    const paths = diskPaths(this.#options.directory, diskOfHandle(volumeHandle))
    return { paths, owner, staging: join(this.#options.stagingDirectory, paths.disk) }
  }

  async #inTurn<T>(place: Place, work: () => Promise<T>): Promise<T> {
    const { disk } = place.paths
    const before = this.#turns.get(disk) ?? Promise.resolve()
    const mine = before.then(work, work)
    const turn = mine.then(
      () => {},
      () => {},
    )
    this.#turns.set(disk, turn)
    try {
      return await mine
    } finally {
      if (this.#turns.get(disk) === turn) this.#turns.delete(disk)
    }
  }

  async #mount(scope: Scope, place: Place, request: MountRequest): Promise<void> {
    const fsType = request.fsType === '' ? 'ext4' : request.fsType
    await this.#attach(place)
    const device = await this.#ensureLoopDevice(scope, place)
    const isBlock = request.block === true
    if (!isBlock) await this.#stage(scope, place, { device, fsType })
    const target = await realpath(request.targetPath)
    const mounted = (await readMounts()).find((mount) => mount.mountPoint === target)
    if (mounted !== undefined && !isOf(mounted, device)) {
      throw new Error(`Cannot mount disk "${place.paths.disk}" at ${target}: ${mounted.source} is mounted there`)
    }
    await this.#record(place, { kind: 'mounts', path: target })
    if (mounted === undefined) await this.#run(scope, ['mount', '--bind', isBlock ? device : place.staging, target])
    // A bind mount takes this option only when it is mounted again.
    if (request.readOnly && !isBlock) await this.#run(scope, ['mount', '-o', 'remount,bind,ro', target])
  }

  async #attach({ paths, owner }: Place): Promise<void> {
    if (!(await isThere(paths.image))) throw new Error(`Cannot attach disk "${paths.disk}": there is no such disk`)
    await attachDisk(paths, owner)
    // The one entry that comes second: undoing it would take the disk from another who won the race for it. A crash in
    // between leaves a file that says who has the disk, and the next mount enters it.
    await this.#record({ owner }, { kind: 'path', path: paths.attached })
  }

  async #ensureLoopDevice(scope: Scope, place: Place): Promise<string> {
    const { image } = place.paths
    const path = await realpath(image)
    const [known] = await loopDevicesBelow(path)
    await this.#record(place, { kind: 'loop-devices', path })
    if (known !== undefined) return known
    const { stdout } = await this.#run(scope, ['losetup', '--find', '--show', path])
    return stdout.trim()
  }

  async #stage(
    scope: Scope,
    place: Place,
    wanted: { readonly device: string; readonly fsType: string },
  ): Promise<void> {
    const { staging, paths } = place
    await mkdir(staging, { recursive: true, mode: 0o700 })
    const path = await realpath(staging)
    await this.#record(place, { kind: 'mounts', path })
    if ((await mountsBelow(path)).includes(path)) return
    await ensureFileSystem(scope, this.#run, { ...wanted, formattingMark: paths.formatting })
    await this.#run(scope, ['mount', '-t', wanted.fsType, wanted.device, path])
  }

  async #grow(scope: Scope, { paths, owner, staging }: Place): Promise<Growth> {
    if ((await holderOf(paths)) !== owner)
      throw new Error(`Cannot grow disk "${paths.disk}" on ${owner}: it is not attached there`)
    const mountPoint = await realpath(staging).catch(() => staging)
    for (const device of await loopDevicesBelow(await realpath(paths.image))) {
      await this.#run(scope, ['losetup', '--set-capacity', device])
      const mounted = (await readMounts()).find((each) => each.mountPoint === mountPoint && each.source === device)
      if (mounted !== undefined)
        return await growFileSystem(scope, this.#run, { device, fsType: mounted.fileSystem, mountPoint })
    }
    return 'grown'
  }

  async #unmount(scope: Scope, place: Place, targetPath: string): Promise<void> {
    const { paths, owner } = place
    const target = await realpath(targetPath).catch(() => targetPath)
    await this.#unmountAll(scope, target)
    await this.#strike(owner, { kind: 'mounts', path: target })
    if ((await holderOf(paths)) !== owner) return
    const image = await realpath(paths.image).catch(() => paths.image)
    const devices = await loopDevicesBelow(image)
    const staging = await realpath(place.staging).catch(() => place.staging)
    const users = (await readMounts()).filter(
      (mount) => devices.some((device) => isOf(mount, device)) && mount.mountPoint !== staging,
    )
    if (users.length > 0) return
    await this.#unmountAll(scope, staging)
    await rmdir(staging).catch(ignoreMissing)
    await this.#strike(owner, { kind: 'mounts', path: staging })
    for (const device of devices) await this.#run(scope, ['losetup', '--detach', device])
    // A process that still sees the mount keeps the device; then nobody else may have the disk yet.
    if ((await loopDevicesBelow(image)).length > 0) {
      throw new Error(`Cannot detach disk "${paths.disk}": something on ${owner} still uses ${devices.join(', ')}`)
    }
    await this.#strike(owner, { kind: 'loop-devices', path: image })
    await detachDisk(paths, owner)
    await this.#strike(owner, { kind: 'path', path: paths.attached })
  }

  /** More than one may lie on the path when a crash came between mounting and remembering. */
  async #unmountAll(scope: Scope, path: string): Promise<void> {
    const count = (await readMounts()).filter((mount) => mount.mountPoint === path).length
    for (let i = 0; i < count; i++) await this.#run(scope, ['umount', path])
  }

  async #record({ owner }: { readonly owner: string }, object: HostObject & { readonly path: string }): Promise<void> {
    const known = this.#options.ledger.entries(owner).some((entry) => isSame(entry.object, object))
    if (!known) await this.#options.ledger.record(owner, object)
  }

  async #strike(owner: string, object: HostObject & { readonly path: string }): Promise<void> {
    for (const entry of this.#options.ledger.entries(owner)) {
      if (isSame(entry.object, object)) await this.#options.ledger.strike(entry)
    }
  }
}

/** A file system on the device, or the device itself bound to a file. */
function isOf({ source, fileSystem, root }: MountEntry, device: string): boolean {
  return source === device || (['devtmpfs', 'tmpfs'].includes(fileSystem) && `/dev${root}` === device)
}

function isSame(one: HostObject, other: HostObject & { readonly path: string }): boolean {
  return one.kind === other.kind && 'path' in one && one.path === other.path
}

function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}

function ignoreMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error
}
