// A disk in memory that fails as real ones do: for the crash tests of the store and for the simulation.
//
// What a power cut leaves of a file is its last synced content and a random part of what was written since, sector by
// sector; of a folder, its last synced names and a random part of the changes since. A failed fdatasync keeps a random part
// and forgets that the rest was ever unsynced, as Linux does: the bytes can be read until the power goes, and syncing
// again does not save them.

import { fraction, type Random } from '@aksel/base/ids'
import { diskError, type Disk, type DiskFile, type OpenMode } from './disk.ts'

const SECTOR_BYTES = 512

/** One change of a file since it was last synced. */
type FileOperation =
  | { readonly kind: 'write'; readonly offset: number; readonly bytes: Buffer }
  | { readonly kind: 'truncate'; readonly sizeBytes: number }

interface Inode {
  /** What readers see. */
  content: Buffer
  /** What a power cut certainly leaves. */
  durable: Buffer
  unsynced: FileOperation[]
}

/** One change of a folder: a name now leads to this file, or to none. */
interface NameOperation {
  readonly path: string
  readonly inode: Inode | undefined
}

interface Names {
  current: Map<string, Inode>
  durable: Map<string, Inode>
  /** By folder. Each inner list is one atomic operation (a rename changes two names). */
  unsynced: { readonly directory: string; readonly changes: readonly NameOperation[] }[]
}

export const diskCalls = [
  'open',
  'list',
  'size',
  'read',
  'write',
  'truncate',
  'datasync',
  'syncDirectory',
  'rename',
  'link',
  'remove',
] as const
export type DiskCall = (typeof diskCalls)[number]

export const diskFaults = ['power', 'EIO', 'ENOSPC', 'short'] as const
/** `power`: this call and all later ones throw. `short`: a write stops half way with ENOSPC; other calls fail with EIO. */
export type DiskFault = (typeof diskFaults)[number]

export interface DiskPlan {
  /** What happens at the nth call (from 1); undefined for nothing. */
  readonly faultAt?: (call: number, kind: DiskCall, path: string) => DiskFault | undefined
  /** A planted bug: fdatasync says yes and does nothing. */
  readonly ignoresSync?: boolean
}

export class SimulatedDisk implements Disk {
  readonly #random: Random
  readonly #names: Names
  readonly #locked = new Set<string>()
  #plan: DiskPlan
  #calls = 0
  #powerIsOff = false

  constructor(random: Random, plan: DiskPlan = {}, files: ReadonlyMap<string, Buffer> = new Map()) {
    this.#random = random
    this.#plan = plan
    const inodes = (): Map<string, Inode> => new Map()
    this.#names = { current: inodes(), durable: inodes(), unsynced: [] }
    for (const [path, bytes] of files) {
      const inode: Inode = { content: Buffer.from(bytes), durable: Buffer.from(bytes), unsynced: [] }
      this.#names.current.set(path, inode)
      this.#names.durable.set(path, inode)
    }
  }

  /** Calls so far: where faults can be planned. */
  get calls(): number {
    return this.#calls
  }

  /** Another plan; calls are counted from 1 again. */
  setPlan(plan: DiskPlan): void {
    this.#plan = plan
    this.#calls = 0
  }

  /** What is in the files now, unsynced bytes included. */
  files(): Map<string, Buffer> {
    return new Map([...this.#names.current].map(([path, inode]) => [path, Buffer.from(inode.content)]))
  }

  /** A disk with what a power cut at this moment leaves; each call throws its own dice. */
  afterPowerCut(random: Random = this.#random): SimulatedDisk {
    const names = new Map(this.#names.durable)
    for (const { changes } of this.#names.unsynced) {
      if (fraction(random) < 0.5) apply(names, changes)
    }
    const contents = new Map<Inode, Buffer>()
    for (const inode of names.values()) {
      if (!contents.has(inode)) contents.set(inode, survivorOf(inode, random))
    }
    return new SimulatedDisk(random, {}, new Map([...names].map(([path, inode]) => [path, contents.get(inode)!])))
  }

  async open(path: string, mode: OpenMode): Promise<DiskFile> {
    this.#call('open', path)
    let inode = this.#names.current.get(path)
    if (inode === undefined) {
      if (mode !== 'create') throw diskError('ENOENT', `no such file: ${path}`)
      inode = { content: Buffer.alloc(0), durable: Buffer.alloc(0), unsynced: [] }
      this.#rename(path, [{ path, inode }])
    } else if (mode === 'create') this.#truncate(inode, 0)
    return this.#handle(path, inode)
  }

  #handle(path: string, inode: Inode): DiskFile {
    return {
      sizeBytes: async () => {
        this.#call('size', path)
        return inode.content.length
      },
      read: async (offset, length) => {
        this.#call('read', path)
        return Buffer.from(inode.content.subarray(offset, offset + length))
      },
      write: async (offset, bytes) => {
        const fault = this.#fault('write', path)
        if (fault === 'short') this.#write(inode, offset, Buffer.from(bytes.subarray(0, bytes.length >>> 1)))
        if (fault === 'power') this.#write(inode, offset, Buffer.from(bytes))
        throwFault(fault === 'short' ? 'ENOSPC' : fault, 'write')
        this.#write(inode, offset, Buffer.from(bytes))
      },
      truncate: async (sizeBytes) => {
        this.#call('truncate', path)
        this.#truncate(inode, sizeBytes)
      },
      datasync: async () => {
        const fault = this.#fault('datasync', path)
        if (fault === 'power') throwFault(fault, 'datasync')
        if (fault !== undefined) {
          inode.durable = survivorOf(inode, this.#random)
          inode.unsynced = []
          throwFault(fault, 'datasync')
        }
        if (this.#plan.ignoresSync === true) return
        for (const operation of inode.unsynced) inode.durable = performed(inode.durable, operation)
        inode.unsynced = []
      },
      close: async () => {},
    }
  }

  #write(inode: Inode, offset: number, bytes: Buffer): void {
    inode.unsynced.push({ kind: 'write', offset, bytes })
    inode.content = written(inode.content, offset, bytes)
  }

  #truncate(inode: Inode, sizeBytes: number): void {
    inode.unsynced.push({ kind: 'truncate', sizeBytes })
    inode.content = resized(inode.content, sizeBytes)
  }

  async list(directory: string): Promise<readonly string[]> {
    this.#call('list', directory)
    const paths = [...this.#names.current.keys()].filter((path) => parentOf(path) === directory)
    return paths.map((path) => path.slice(directory.length + 1)).toSorted()
  }

  async makeDirectory(): Promise<void> {
    if (this.#powerIsOff) throwFault('power', 'list')
  }

  async syncDirectory(directory: string): Promise<void> {
    this.#call('syncDirectory', directory)
    if (this.#plan.ignoresSync === true) return
    this.#names.unsynced = this.#names.unsynced.filter((operation) => {
      if (operation.directory === directory) apply(this.#names.durable, operation.changes)
      return operation.directory !== directory
    })
  }

  async rename(from: string, to: string): Promise<void> {
    this.#call('rename', to)
    const inode = this.#existing(from)
    this.#rename(to, [
      { path: from, inode: undefined },
      { path: to, inode },
    ])
  }

  async link(existing: string, name: string): Promise<void> {
    this.#call('link', name)
    const inode = this.#existing(existing)
    if (this.#names.current.has(name)) throw diskError('EEXIST', `file exists: ${name}`)
    this.#rename(name, [{ path: name, inode }])
  }

  async remove(path: string): Promise<void> {
    this.#call('remove', path)
    this.#existing(path)
    this.#rename(path, [{ path, inode: undefined }])
  }

  async lock(directory: string): Promise<AsyncDisposable> {
    if (this.#locked.has(directory)) throw diskError('ELOCKED', `${directory} is in use`)
    this.#locked.add(directory)
    return { [Symbol.asyncDispose]: async () => void this.#locked.delete(directory) }
  }

  #existing(path: string): Inode {
    const inode = this.#names.current.get(path)
    if (inode === undefined) throw diskError('ENOENT', `no such file: ${path}`)
    return inode
  }

  #rename(path: string, changes: readonly NameOperation[]): void {
    apply(this.#names.current, changes)
    this.#names.unsynced.push({ directory: parentOf(path), changes })
  }

  #call(kind: DiskCall, path: string): void {
    const fault = this.#fault(kind, path)
    throwFault(fault === 'short' ? 'EIO' : fault, kind)
  }

  #fault(kind: DiskCall, path: string): DiskFault | undefined {
    if (this.#powerIsOff) return 'power'
    this.#calls += 1
    const fault = this.#plan.faultAt?.(this.#calls, kind, path)
    if (fault === 'power') this.#powerIsOff = true
    return fault
  }
}

function throwFault(fault: DiskFault | undefined, kind: DiskCall): void {
  if (fault !== undefined) throw diskError(fault === 'power' ? 'EPOWER' : fault, `simulated at ${kind}`)
}

function apply(names: Map<string, Inode>, changes: readonly NameOperation[]): void {
  for (const { path, inode } of changes) {
    if (inode === undefined) names.delete(path)
    else names.set(path, inode)
  }
}

function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/'))
}

function performed(content: Buffer, operation: FileOperation): Buffer {
  if (operation.kind === 'truncate') return resized(content, operation.sizeBytes)
  return written(content, operation.offset, operation.bytes)
}

function survivorOf(inode: Inode, random: Random): Buffer {
  let content: Buffer = Buffer.from(inode.durable)
  for (const operation of inode.unsynced) {
    if (operation.kind === 'truncate') {
      if (fraction(random) < 0.5) content = performed(content, operation)
      continue
    }
    content = partlyWritten(content, operation, random)
  }
  return content
}

/** Each sector of the write made it or did not; all, none and some are about equally likely. */
function partlyWritten(
  content: Buffer,
  { offset, bytes }: { readonly offset: number; readonly bytes: Buffer },
  random: Random,
): Buffer {
  const chance = fraction(random) * 2 - 0.5
  let result = content
  for (let at = 0; at < bytes.length;) {
    const end = Math.min(bytes.length, at + SECTOR_BYTES - ((offset + at) % SECTOR_BYTES))
    if (fraction(random) < chance) result = written(result, offset + at, bytes.subarray(at, end))
    at = end
  }
  return result
}

function written(content: Buffer, offset: number, bytes: Buffer): Buffer {
  const result = resized(content, Math.max(content.length, offset + bytes.length))
  bytes.copy(result, offset)
  return result
}

/** A copy of that length, filled up with zeros. */
function resized(content: Buffer, sizeBytes: number): Buffer {
  const result = Buffer.alloc(sizeBytes)
  content.copy(result, 0, 0, Math.min(content.length, sizeBytes))
  return result
}
